package stack

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// packages are the commands to build, each to a binary with its last name.
var packages = [...]string{
	"./functions/oauth-callback", "./functions/company-select", "./functions/webhook-receiver",
	"./functions/dispatcher", "./functions/announcer", "./functions/refresher", "./functions/reconciler",
	"./examples/event-consumer",
}

// build compiles the functions for this machine, with the flags of a deployment, and
// returns the directory of the binaries. A relative dir is relative to the repository,
// in which build has to be called. report receives the progress.
func build(ctx context.Context, dir string, report func(string)) (string, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return "", err
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(root, dir)
	}
	args := []string{
		"build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-tags", "lambda.norpc",
		"-o", dir + string(filepath.Separator),
	}
	cmd := exec.CommandContext(ctx, "go", append(args, packages[:]...)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return "", err
	}
	report("compiling the functions")
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("the go command cannot be started: %w", err)
	}
	complaints := progress(stderr, report)
	if err := cmd.Wait(); err != nil {
		return "", fmt.Errorf("the functions do not compile: %w\n%s", err, complaints)
	}
	return dir, nil
}

// progress reads the output of go build -v: a line for each compiled package and the
// compiler's complaints. It returns the complaints.
func progress(r io.Reader, report func(string)) string {
	var complaints strings.Builder
	count, reported := 0, time.Now()
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		if line == "" || strings.ContainsAny(line, " \t:") {
			complaints.WriteString(line + "\n")
			continue
		}
		count++
		if time.Since(reported) >= time.Second {
			reported = time.Now()
			report(fmt.Sprintf("compiling the functions: %d packages so far, now %s", count, line))
		}
	}
	io.Copy(io.Discard, r) // after a line that was too long
	return complaints.String()
}

// moduleRoot returns the directory of go.mod.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("the go command is needed: %w", err)
	}
	mod := string(bytes.TrimSpace(out))
	if mod == "" || mod == os.DevNull {
		return "", errors.New("not inside the repository: there is no go.mod here or above")
	}
	return filepath.Dir(mod), nil
}

// binary returns the path of a function in dir.
func binary(dir, function string) string {
	if runtime.GOOS == "windows" {
		function += ".exe"
	}
	return filepath.Join(dir, function)
}
