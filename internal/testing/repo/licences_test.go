package repo

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// licences maps the identifiers of https://spdx.org/licenses/ to a sentence of the text. MIT-0 is MIT without a clause.
var licences = []struct {
	name string
	text *regexp.Regexp
}{
	{"Apache-2.0", regexp.MustCompile(`Apache License\s+Version 2\.0`)},
	{"BSD-3-Clause", regexp.MustCompile(`(?s)Redistribution.*Neither the name of.*THIS SOFTWARE IS PROVIDED`)},
	{"MIT-0", regexp.MustCompile(`MIT No Attribution`)},
	{"MIT", regexp.MustCompile(`Permission is hereby granted, free of charge`)},
}

// docs/LICENCES.md lists exactly the modules in the programs, with the licences next to their code.
func TestLicences(t *testing.T) {
	t.Parallel()
	got := make(map[string]string)
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|]+) \\|").FindAllStringSubmatch(read(t, "docs/LICENCES.md"), -1) {
		got[m[1]] = m[2]
	}
	want := make(map[string]string)
	for module, texts := range modules(t) {
		names := make(map[string]bool)
		for path, text := range texts {
			name := licence(text)
			if name == "" {
				t.Errorf("%s: this test does not know the licence %s: read it, and add it", module, path)
			}
			names[name] = true
		}
		want[module] = strings.Join(slices.Sorted(maps.Keys(names)), ", ")
	}
	if d := cmp.Diff(got, want); d != "" {
		t.Errorf("docs/LICENCES.md does not list the modules of the programs (-listed +found):\n%s", d)
	}
}

func licence(text string) string {
	for _, l := range licences {
		if l.text.MatchString(text) {
			return l.name
		}
	}
	return ""
}

// modules returns the licence texts of each module, and of the directories of its packages that are in a program.
func modules(t *testing.T) map[string]map[string]string {
	t.Helper()
	commands, err := filepath.Glob(filepath.Join(root, "cmd", "*"))
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"list", "-deps", "-json=Dir,Module", "./examples/...", "./functions/..."}
	for _, dir := range commands {
		if name := filepath.Base(dir); name != "local" { // local runs only on developers' machines
			args = append(args, "./cmd/"+name)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	all := make(map[string]map[string]string)
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p struct {
			Dir    string
			Module *struct {
				Path, Dir string
				Main      bool
			}
		}
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if p.Module == nil || p.Module.Main {
			continue // the standard library, and this project
		}
		if all[p.Module.Path] == nil {
			all[p.Module.Path] = make(map[string]string)
		}
		for dir := p.Dir; ; dir = filepath.Dir(dir) {
			addLicences(t, all[p.Module.Path], dir)
			if dir == p.Module.Dir || len(dir) < len(p.Module.Dir) {
				break
			}
		}
	}
	for module, texts := range all {
		if len(texts) == 0 {
			t.Errorf("%s has no licence", module)
		}
	}
	return all
}

func addLicences(t *testing.T, texts map[string]string, dir string) {
	t.Helper()
	for _, pattern := range []string{"LICEN[SC]E", "LICEN[SC]E.*", "LICEN[SC]E-*", "COPYING*"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(file, "-SUMMARY") { // explains the other files
				texts[fmt.Sprint(filepath.Base(dir), "/", filepath.Base(file))] = string(b)
			}
		}
	}
}
