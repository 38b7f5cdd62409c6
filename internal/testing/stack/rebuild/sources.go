package rebuild

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// sources are the directories that commands are compiled from.
type sources struct {
	root string
	dirs map[string]*directory // by path
}

type directory struct {
	embeds   bool     // every file counts, not Go's alone
	commands []string // names of the commands that it is part of; none: the running program alone
}

// listed is a package as go list prints it.
type listed struct {
	ImportPath, Dir  string
	DepOnly          bool
	Standard         bool
	Module           *struct{ Version string } // without a version it is on this machine
	EmbedFiles, Deps []string
}

// list returns the sources of packages, and of around, the program that runs them.
func list(ctx context.Context, root string, packages []string, around string) (*sources, error) {
	args := []string{"list", "-e", "-deps", "-tags", tags, "-json=ImportPath,Dir,DepOnly,Standard,Module,EmbedFiles,Deps"}
	cmd := command(ctx, root, append(append(args, packages...), around)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, &stderr)
	}
	s := &sources{root: root, dirs: make(map[string]*directory)}
	own := make(map[string]listed)
	var commands []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		if p.Standard || p.Module == nil || p.Module.Version != "" {
			continue
		}
		own[p.ImportPath] = p
		if !p.DepOnly {
			commands = append(commands, p)
		}
	}
	for _, c := range commands {
		command := name(c.ImportPath)
		if around != "" && strings.HasSuffix("/"+c.ImportPath, strings.TrimPrefix(around, ".")) {
			command = ""
		}
		for _, path := range append(c.Deps, c.ImportPath) {
			if p, ok := own[path]; ok {
				s.add(p, command)
			}
		}
	}
	return s, nil
}

// add enters the directories of a package as part of a command, or of the running program: "".
func (s *sources) add(p listed, command string) {
	enter := func(dir string, embeds bool) {
		d := s.dirs[dir]
		if d == nil {
			d = new(directory)
			s.dirs[dir] = d
		}
		d.embeds = d.embeds || embeds
		if command != "" && !slices.Contains(d.commands, command) {
			d.commands = append(d.commands, command)
		}
	}
	enter(p.Dir, false)
	for _, file := range p.EmbedFiles {
		enter(filepath.Dir(filepath.Join(p.Dir, file)), true)
	}
}

// snapshot is the state of all source files, by path.
type snapshot map[string]stamp

type stamp struct {
	modified time.Time
	size     int64
}

func (s *sources) snapshot() snapshot {
	now := make(snapshot)
	for path, d := range s.dirs {
		entries, _ := os.ReadDir(path) // a directory may be gone
		for _, e := range entries {
			if !d.counts(e) {
				continue
			}
			now.add(filepath.Join(path, e.Name()))
		}
	}
	for _, file := range []string{"go.mod", "go.sum"} {
		now.add(filepath.Join(s.root, file))
	}
	return now
}

func (n snapshot) add(path string) {
	if info, err := os.Stat(path); err == nil {
		n[path] = stamp{info.ModTime(), info.Size()}
	}
}

// counts reports whether a file is compiled or embedded. Editors' own files begin with a dot.
func (d *directory) counts(e os.DirEntry) bool {
	name := e.Name()
	if e.IsDir() || strings.HasPrefix(name, ".") || strings.HasSuffix(name, "_test.go") {
		return false
	}
	return d.embeds || strings.HasSuffix(name, ".go")
}

// changed returns the paths that differ between two snapshots, sorted.
func changed(before, after snapshot) []string {
	var paths []string
	for path, s := range after {
		if before[path] != s {
			paths = append(paths, path)
		}
	}
	for path := range before {
		if _, ok := after[path]; !ok {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// watches reports whether a file is in one of the directories, or belongs to the module itself.
func (s *sources) watches(path string) bool {
	return s.dirs[filepath.Dir(path)] != nil || s.ofModule(path)
}

// ofModule reports whether a file chooses the versions of dependencies.
func (s *sources) ofModule(path string) bool {
	return path == filepath.Join(s.root, "go.mod") || path == filepath.Join(s.root, "go.sum")
}

// commands returns the names of the commands, of all, that a file is part of. None: it is part of the running program
// alone.
func (s *sources) commands(path string, all []string) []string {
	if d := s.dirs[filepath.Dir(path)]; d != nil && !s.ofModule(path) {
		return d.commands
	}
	return all
}

// relative returns a path as the compiler writes it.
func (s *sources) relative(path string) string {
	if short, err := filepath.Rel(s.root, path); err == nil {
		return short
	}
	return path
}

// Follow calls changed when a file of the directory changes, appears or goes whose name ends with ext, until ctx ends.
func Follow(ctx context.Context, dir, ext string, every time.Duration, changed func()) {
	now := func() snapshot {
		files := make(snapshot)
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if filepath.Ext(e.Name()) == ext {
				files.add(filepath.Join(dir, e.Name()))
			}
		}
		return files
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for seen := now(); ; {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if next := now(); !maps.Equal(seen, next) {
			seen = next
			changed()
		}
	}
}
