package main

import (
	"os"
	"path/filepath"
	"testing"
)

// The file that takes prewarming out still fits the package whose file it replaces.
func TestColdCompiles(t *testing.T) {
	t.Parallel()
	root, err := moduleRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for old, cold := range coldFiles() { // so that go test does not answer from its cache after a change
		for _, path := range []string{filepath.Dir(old), filepath.Join("internal/testing/proof/bench/testdata", cold)} {
			if _, err := os.Stat(filepath.Join(root, path)); err != nil {
				t.Fatal(err)
			}
		}
	}
	c := compiler{root: root, dir: t.TempDir()}
	c.command(t.Context(), "build", "-overlay", c.overlay(coldFiles()), "./internal/wire")
	if c.err != nil {
		t.Error(c.err)
	}
}
