package rebuild

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	interval = 200 * time.Millisecond // between two checks of the files
	settling = 50 * time.Millisecond  // an editor may write a file in several steps
	settles  = 20                     // checks, at the most, until nothing more changes
)

// Watcher compiles commands again whose source files change, and replaces the running ones. All fields but Around and
// Since are required.
type Watcher struct {
	Root     string   // directory of the module
	Dir      string   // of the new binaries
	Packages []string // of the commands, such as ./examples/event-consumer. The first is compiled first and alone.

	// Around is the package of the running program. A change of what is part of it alone is reported once.
	Around string

	// Since is when the running binaries began to be compiled. A file that was modified later has changed.
	Since time.Time

	// Replace lets the binary take the place of the one of the command that runs. It is called for several commands at
	// once.
	Replace func(ctx context.Context, command, binary string) error

	// Report receives a line, or several, for a person.
	Report func(string)

	files    *sources
	seen     snapshot
	pending  map[string]bool // commands to compile
	failed   map[string]bool // commands that run an old binary until the next change
	noticed  time.Time       // when the pending commands' change was seen
	mentions sync.Once       // of Around
}

// Run watches until ctx ends. Changes during a compilation lead to another one.
func (w *Watcher) Run(ctx context.Context) {
	files, err := list(ctx, w.Root, w.Packages, w.Around)
	if err != nil {
		if ctx.Err() == nil {
			w.Report(fmt.Sprintf("changes of the source are not noticed: %v", err))
		}
		return
	}
	w.files, w.seen = files, files.snapshot()
	w.pending, w.failed = make(map[string]bool), make(map[string]bool)
	if !w.Since.IsZero() {
		maps.DeleteFunc(w.seen, func(_ string, s stamp) bool { return s.modified.After(w.Since) })
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		changed := w.check(ctx)
		next := w.next()
		if len(next) > 0 {
			w.rebuild(ctx, next)
		}
		if changed {
			w.relist(ctx) // not before the compilation, for which a person waits
		}
		if changed || len(next) > 0 {
			continue
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

// check enters the commands whose files have changed since the last check. It reports whether any file has.
func (w *Watcher) check(ctx context.Context) bool {
	now := w.files.snapshot()
	paths := changed(w.seen, now)
	if len(paths) == 0 {
		return false
	}
	first := time.Now()
	for range settles {
		select {
		case <-time.After(settling):
		case <-ctx.Done():
			return false
		}
		before := now
		now = w.files.snapshot()
		if len(changed(before, now)) == 0 {
			break
		}
	}
	paths = changed(w.seen, now)
	w.seen = now
	found := false
	for _, path := range paths {
		commands := w.files.commands(path, w.names())
		for _, c := range commands {
			w.pending[c], found = true, true
		}
		if len(commands) == 0 {
			w.mentions.Do(func() {
				w.Report(w.files.relative(path) + " is part of make run itself: a change of it needs another make run")
			})
		}
	}
	if found {
		w.noticed = first
		maps.Copy(w.pending, w.failed)
		clear(w.failed)
	}
	return true
}

// relist follows new packages and imports. If they cannot be listed, the compiler's complaint is the better one.
func (w *Watcher) relist(ctx context.Context) {
	files, err := list(ctx, w.Root, w.Packages, w.Around)
	if err != nil {
		return
	}
	// What was seen remains, so that a change since then is noticed. Of new directories, the compilation has what was not
	// modified after it began.
	seen := files.snapshot()
	maps.DeleteFunc(seen, func(path string, s stamp) bool { return w.files.watches(path) || s.modified.After(w.noticed) })
	for path, s := range w.seen {
		if files.watches(path) {
			seen[path] = s
		}
	}
	w.files, w.seen = files, seen
}

func (w *Watcher) names() []string {
	var all []string
	for _, pkg := range w.Packages {
		all = append(all, name(pkg))
	}
	return all
}

// next returns the packages to compile now: the first alone, then the others together.
func (w *Watcher) next() []string {
	var next []string
	for i, pkg := range w.Packages {
		if !w.pending[name(pkg)] {
			continue
		}
		next = append(next, pkg)
		if i == 0 {
			break
		}
	}
	return next
}

// rebuild compiles packages and replaces their commands. Those that fail wait for the next change.
func (w *Watcher) rebuild(ctx context.Context, packages []string) {
	var names []string
	for _, pkg := range packages {
		names = append(names, name(pkg))
		delete(w.pending, name(pkg))
	}
	err := Compile(ctx, w.Root, w.Dir, packages, w.Report)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		for _, n := range names {
			w.failed[n] = true
		}
		w.Report(refusal(names, err))
		return
	}
	replaced := w.replace(ctx, names)
	if len(replaced) > 0 {
		w.Report(fmt.Sprintf("%s rebuilt and replaced in %.1f s", enumerate(replaced), time.Since(w.noticed).Seconds()))
	}
}

// replace replaces commands at once and returns the names of those for which that succeeded.
func (w *Watcher) replace(ctx context.Context, names []string) []string {
	errs := make([]error, len(names))
	var all sync.WaitGroup
	for i, n := range names {
		all.Go(func() { errs[i] = w.Replace(ctx, n, Binary(w.Dir, n)) })
	}
	all.Wait()
	var replaced []string
	for i, n := range names {
		switch {
		case errs[i] == nil:
			replaced = append(replaced, n)
		case ctx.Err() == nil:
			w.failed[n] = true
			os.Remove(Binary(w.Dir, n))
			w.Report(fmt.Sprintf("%s compiles and does not start; the old one runs on: %v", n, errs[i]))
		}
	}
	return replaced
}

// refusal describes a failed compilation, with the compiler's lines below.
func refusal(names []string, err error) string {
	if e, ok := errors.AsType[*CompileError](err); ok && e.Complaints != "" {
		runs := "the old one runs on"
		if len(names) > 1 {
			runs = "the old ones run on"
		}
		return fmt.Sprintf("%s: not compiled; %s\n%s", enumerate(names), runs, strings.TrimSpace(e.Complaints))
	}
	return fmt.Sprintf("%s: not compiled: %v", enumerate(names), err)
}

// enumerate joins names as a sentence does.
func enumerate(names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(slices.Clone(names[:last]), ", ") + " and " + names[last]
}
