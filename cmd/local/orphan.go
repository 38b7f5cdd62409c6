package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const parentInterval = 500 * time.Millisecond

// underGoRun reports whether `go run` started this program, from its build directory.
func underGoRun() bool {
	path, err := os.Executable()
	return err == nil && strings.Contains(filepath.ToSlash(path), "/go-build")
}

// untilOrphaned calls end when the parent process is gone. SIGTERM kills `go run`,
// which does not pass it on, and its child would keep the ports.
func untilOrphaned(ctx context.Context, end func()) {
	parent := os.Getppid()
	ticker := time.NewTicker(parentInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if os.Getppid() != parent {
				end()
				return
			}
		case <-ctx.Done():
			return
		}
	}
}
