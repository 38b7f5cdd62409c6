package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"procore-connect/internal/testing/stack/rebuild"
)

// The pinned packages that a function in Python needs on this machine: what Lambda runs it with, and what Lambda's Python
// has besides the standard library.
const (
	awslambdaric = "awslambdaric==4.2.2"
	boto3        = "boto3==1.44.5"
)

const lookAgain = 500 * time.Millisecond // between two checks of a Python consumer's files

// python reports whether the consumer is in Python: its directory has an app.py, whose handler Lambda calls.
func (o Options) python(root string) bool {
	_, err := os.Stat(filepath.Join(o.source(root), "app.py"))
	return err == nil
}

// source returns the directory of the consumer's source.
func (o Options) source(root string) string {
	return filepath.Join(root, filepath.FromSlash(path.Clean(cmp.Or(o.Consumer, DefaultConsumer))))
}

// ErrNoPython means that this machine cannot run a consumer in Python.
var ErrNoPython = errors.New("a consumer in Python needs python3 with pip")

// Python returns the interpreter, and the directory of the packages that a function needs, which it installs first. The
// error matches ErrNoPython if it has to be installed.
func Python(ctx context.Context, report func(string)) (interpreter, packages string, err error) {
	root, err := rebuild.Root(ctx)
	if err != nil {
		return "", "", err
	}
	out, err := exec.CommandContext(ctx, "python3", "-c", "import pip, sys; print(sys.executable); print(*sys.version_info[:2], sep='.')").Output()
	if err != nil {
		return "", "", fmt.Errorf("%w: %w", ErrNoPython, err)
	}
	interpreter, version, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	packages = filepath.Join(root, "build", "tools", strings.NewReplacer("==", "-").Replace("python"+version+"-"+awslambdaric+"-"+boto3))
	if _, err := os.Stat(packages); err == nil {
		return interpreter, packages, nil
	}
	report("installing " + awslambdaric + " and " + boto3 + " into build/tools")
	if err := os.MkdirAll(filepath.Dir(packages), 0o750); err != nil {
		return "", "", err
	}
	work, err := os.MkdirTemp(filepath.Dir(packages), "installing-")
	if err != nil {
		return "", "", err
	}
	defer os.RemoveAll(work)
	pip := exec.CommandContext(ctx, interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", work, awslambdaric, boto3)
	pip.Env = append(os.Environ(), "PIP_ROOT_USER_ACTION=ignore")
	if text, err := pip.CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("%s and %s cannot be installed: %w\n%s", awslambdaric, boto3, err, text)
	}
	if err := os.Rename(work, packages); err != nil && !os.IsExist(err) {
		return "", "", err
	}
	return interpreter, packages, nil
}

// startPython writes the program that runs the consumer in Python, as Lambda's own runtime does, in place of a binary.
func (s *Stack) startPython(ctx context.Context, root, dir string) error {
	interpreter, packages, err := Python(ctx, s.out.report)
	if err != nil {
		return err
	}
	s.launcher = fmt.Appendf(nil, "#!/bin/sh\ncd '%s' || exit 1\nPYTHONPATH='%s' PYTHONDONTWRITEBYTECODE=1 exec '%s' -m awslambdaric app.handler\n",
		s.options.source(root), packages, interpreter)
	return os.WriteFile(rebuild.Binary(dir, s.options.consumer()), s.launcher, 0o700)
}

// followPython replaces the consumer in Python when one of its files changes, until ctx ends.
func (s *Stack) followPython(ctx context.Context, root, dir string) {
	name := s.options.consumer()
	next := filepath.Join(dir, "next")
	rebuild.Follow(ctx, s.options.source(root), ".py", lookAgain, func() {
		began := time.Now()
		err := os.MkdirAll(next, 0o750)
		if err == nil {
			err = os.WriteFile(rebuild.Binary(next, name), s.launcher, 0o700)
		}
		if err == nil {
			err = s.replace(ctx, name, rebuild.Binary(next, name))
		}
		switch {
		case err == nil:
			s.out.report(fmt.Sprintf("%s replaced in %.1f s", name, time.Since(began).Seconds()))
		case ctx.Err() == nil:
			s.out.report(fmt.Sprintf("%s does not start; the old one runs on: %v", name, err))
		}
	})
}
