// Package rebuild compiles the functions as they are deployed, and again when one of their source files changes.
package rebuild

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const tags = "lambda.norpc"

// CompileError reports that the compiler refused the source.
type CompileError struct {
	Complaints string // the compiler's, a line each, with file and line
	Err        error
}

func (e *CompileError) Error() string {
	return fmt.Sprintf("the functions do not compile: %v\n%s", e.Err, e.Complaints)
}

func (e *CompileError) Unwrap() error { return e.Err }

// Compile compiles commands of the module at root for this machine, with the flags of a deployment, into dir. report
// receives the progress of what takes longer than a second. If the source is wrong, the error is a [*CompileError].
func Compile(ctx context.Context, root, dir string, packages []string, report func(string)) error {
	args := []string{
		"build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-tags", tags,
		"-o", dir + string(filepath.Separator),
	}
	cmd := command(ctx, root, append(args, packages...)...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("the go command cannot be started: %w", err)
	}
	complaints := progress(stderr, report)
	if err := cmd.Wait(); err != nil {
		return &CompileError{complaints, err}
	}
	return nil
}

func command(ctx context.Context, root string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	return cmd
}

// progress reads the output of go build -v: a line for each compiled package and the
// compiler's complaints. It returns the complaints.
func progress(r io.Reader, report func(string)) string {
	var complaints strings.Builder
	count, reported := 0, time.Now()
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "# ") {
			continue // the package of the next lines, which have its directory
		}
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

// Root returns the directory of go.mod.
func Root(ctx context.Context) (string, error) {
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

// Binary returns the path of a function in the directory into which it was compiled.
func Binary(dir, function string) string {
	if runtime.GOOS == "windows" {
		function += ".exe"
	}
	return filepath.Join(dir, function)
}

// name returns the name of a command's binary.
func name(pkg string) string { return path.Base(pkg) }
