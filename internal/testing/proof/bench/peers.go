package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The peers do the receiver's work in other languages: with Powertools' idempotency and logger, and with the SDK alone.
const (
	nodePowertools   = "Node, Powertools"
	nodeLean         = "Node"
	pythonPowertools = "Python, Powertools"
	pythonLean       = "Python"
)

var peerNames = [...]string{nodePowertools, nodeLean, pythonPowertools, pythonLean}

// peer is a function in another language.
type peer struct {
	subject
	version string   // of its language
	upload  []string // files and directories
}

// buildPeers installs what the peers need into dir, and builds them as people deploy them.
func buildPeers(ctx context.Context, dir string) ([]peer, error) {
	var missing []error
	for _, tool := range []string{"node", "npm", "python3"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, err)
		}
	}
	if missing != nil {
		return nil, fmt.Errorf("the peers need node, npm and python3 with pip: %w", errors.Join(missing...))
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return nil, err
	}
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(root, "internal/testing/proof/bench/peers"))); err != nil {
		return nil, err
	}
	node, err := buildNode(ctx, filepath.Join(dir, "node"))
	if err != nil {
		return nil, err
	}
	python, err := buildPython(ctx, filepath.Join(dir, "python"))
	return append(node, python...), err
}

// buildNode bundles each peer into one file, as esbuild does for the AWS CDK's and SAM's functions.
func buildNode(ctx context.Context, dir string) (all []peer, err error) {
	run := tool{ctx: ctx, dir: dir}
	path, version := run.output("node", "--print", "process.execPath"), run.output("node", "--version")
	run.output("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	for _, p := range []struct{ name, module string }{{nodePowertools, "powertools"}, {nodeLean, "lean"}} {
		major, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
		bundle := run.output("node_modules/.bin/esbuild", "runtime.mjs", "--alias:peer=./"+p.module+".mjs",
			"--bundle", "--minify", "--platform=node", "--format=cjs", "--target=node"+major)
		binary := filepath.Join(dir+"-"+p.module, "bootstrap") // beside dir, whose package.json makes each file a module
		all = append(all, peer{subject{p.name, binary}, "Node.js " + version, []string{binary}})
		run.write(binary, "#!"+path+"\n"+bundle)
	}
	return all, run.err
}

// buildPython installs the packages and compiles them. The upload lacks what Lambda's runtime has, which is boto3.
func buildPython(ctx context.Context, dir string) (all []peer, err error) {
	run := tool{ctx: ctx, dir: dir}
	path, version := run.output("python3", "-c", "import sys; print(sys.executable)"), run.output("python3", "--version")
	run.output("python3", "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes",
		"--target", "packages", "-r", "requirements.txt")
	run.output("python3", "-m", "compileall", "-q", ".")
	packages := filepath.Join(dir, "packages")
	for _, p := range []struct {
		name, module string
		packages     []string
	}{
		{pythonPowertools, "powertools", []string{"aws_lambda_powertools", "typing_extensions.py"}},
		{pythonLean, "lean", nil},
	} {
		binary := filepath.Join(dir, p.module)
		upload := []string{filepath.Join(dir, "receiver.py"), filepath.Join(dir, p.module+".py")}
		for _, name := range p.packages {
			upload = append(upload, filepath.Join(packages, name))
		}
		all = append(all, peer{subject{p.name, binary}, version, upload})
		run.write(binary, fmt.Sprintf("#!%s\nimport sys\nsys.path.insert(1, %q)\nimport runtime\nruntime.run(%q)\n",
			path, packages, p.module))
	}
	return all, run.err
}

// tool runs programs in a directory. It remembers the first failure and does nothing after it.
type tool struct {
	ctx context.Context
	dir string
	err error
}

func (t *tool) output(name string, args ...string) string {
	if t.err != nil {
		return ""
	}
	cmd := exec.CommandContext(t.ctx, name, args...)
	cmd.Dir = t.dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.err = fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, out, &stderr)
	}
	return strings.TrimSpace(string(out))
}

func (t *tool) write(path, text string) {
	if t.err == nil {
		t.err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if t.err == nil {
		t.err = os.WriteFile(path, []byte(text), 0o755)
	}
}
