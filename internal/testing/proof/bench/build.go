package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// naiveConfig is the SDK's config package in the naive build. It is not in go.mod
// because no function links it. This version requires no newer core than go.mod
// does, so both builds have the same SDK.
const naiveConfig = "github.com/aws/aws-sdk-go-v2/config@v1.33.12"

// functions are the deployed functions, by the names of their binaries.
var functions = [...]string{
	oauthCallback, companySelect, receiver, "dispatcher", "announcer", refresher, "reconciler", "event-consumer",
}

var packages = [...]string{
	"./functions/oauth-callback", "./functions/company-select", "./functions/webhook-receiver",
	"./functions/dispatcher", "./functions/announcer", "./functions/refresher", "./functions/reconciler",
	"./examples/event-consumer",
}

// cold is the directory of the functions that are built without prewarming.
const cold = "cold"

// build compiles for this machine into dir: the functions and the bare handler with
// the flags of a deployment, and, for the part start, the functions without prewarming
// and the naive build without flags.
func build(ctx context.Context, dir string, parts parts) error {
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	deployed := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-tags", "lambda.norpc"}
	c := compiler{root: root, dir: dir}
	c.run(ctx, deployed, ".", nil, append(packages[:], "./internal/testing/proof/bench/bare")...)
	if !parts.has("start") {
		return c.err
	}
	c.run(ctx, deployed, cold, coldFiles(), packages[:]...)
	mod := c.naiveModule(ctx)
	files := replace{
		"functions/webhook-receiver/main.go":         "naive/main.go",
		"functions/webhook-receiver/handler/wire.go": "naive/wire.go",
	}
	c.run(ctx, []string{"build", "-modfile", mod}, naive, files, "./functions/webhook-receiver")
	return c.err
}

// replace maps a file of the repository to the file of testdata that replaces it.
type replace map[string]string

// coldFiles takes prewarming out of the functions.
func coldFiles() replace { return replace{"internal/wire/warm.go": "cold/warm.go"} }

// compiler remembers the first failure and does nothing after it.
type compiler struct {
	root, dir string
	err       error
}

func (c *compiler) run(ctx context.Context, args []string, out string, files replace, packages ...string) {
	out = filepath.Join(c.dir, out) + string(filepath.Separator)
	args = append(slices.Clip(args), "-o", out)
	if files != nil {
		args = append(args, "-overlay", c.overlay(files))
	}
	c.command(ctx, append(args, packages...)...)
}

func (c *compiler) command(ctx context.Context, args ...string) {
	if c.err != nil {
		return
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = c.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		c.err = fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
}

// overlay writes a file for go build's -overlay.
func (c *compiler) overlay(files replace) string {
	full := make(map[string]string)
	for old, with := range files {
		full[filepath.Join(c.root, old)] = filepath.Join(c.root, "internal/testing/proof/bench/testdata", with)
	}
	text, err := json.Marshal(map[string]any{"Replace": full})
	if err != nil {
		panic(err) // strings always marshal
	}
	f, err := os.CreateTemp(c.dir, "overlay-*.json")
	if err == nil {
		_, err = f.Write(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		c.err = errors.Join(c.err, err)
		return ""
	}
	return f.Name()
}

// naiveModule writes a copy of our go.mod that also requires naiveConfig.
func (c *compiler) naiveModule(ctx context.Context) string {
	mod := filepath.Join(c.dir, "naive.mod")
	for from, to := range map[string]string{"go.mod": mod, "go.sum": strings.TrimSuffix(mod, "mod") + "sum"} {
		text, err := os.ReadFile(filepath.Join(c.root, from))
		if err == nil {
			err = os.WriteFile(to, text, 0o600)
		}
		c.err = errors.Join(c.err, err)
	}
	c.command(ctx, "get", "-modfile", mod, naiveConfig)
	return mod
}

// moduleRoot returns the directory of go.mod.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("the go command is needed: %w", err)
	}
	mod := strings.TrimSpace(string(out))
	if mod == "" || mod == os.DevNull {
		return "", errors.New("not inside the repository: neither this directory nor a parent has a go.mod")
	}
	return filepath.Dir(mod), nil
}
