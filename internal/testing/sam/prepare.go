// Package sam makes the SAM CLI run the functions against a local stack, in the containers that `sam local` starts.
//
// [Prepare] writes a directory in which `sam local invoke` and `sam local start-api` work without options: their
// configuration, the functions' environment, and the sample events with values that the stack accepts.
package sam

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"

	"procore-connect/internal/testing/stack"
)

// containerHost is this machine's name in containers; package config accepts http to it under sam local.
const containerHost = "host.docker.internal"

// StartAPIPort is where `sam local start-api` listens, beside the stack's own app.
const StartAPIPort = 3001

// Options describes what to prepare. Only Env and Image are optional.
type Options struct {
	Dir    string // to write into; created if it is missing
	Events string // the repository's events

	// The stack's addresses on this machine.
	AppURL, ProcoreURL, AWSURL string

	// Architecture is the one that the functions were built for: arm64 or x86_64.
	Architecture string
	// Image is a base image that exists on this machine, see .ci/with-sam. Empty: SAM pulls its own.
	Image string
	// Env overrides variables of all functions.
	Env map[string]string
}

// Prepare writes env.json, start-api.json, samconfig.toml, and the sample events under their own names. It connects a
// company for the events that need a connection. Codes and cookies are valid once, and for ten minutes: call Prepare
// again for new ones.
func Prepare(ctx context.Context, o Options) error {
	if err := os.MkdirAll(o.Dir, 0o750); err != nil {
		return err
	}
	for name, app := range map[string]string{
		"env.json":       o.AppURL,
		"start-api.json": fmt.Sprintf("http://127.0.0.1:%d", StartAPIPort),
	} {
		if err := o.environment(name, app); err != nil {
			return err
		}
	}
	if err := o.write("samconfig.toml", o.config()); err != nil {
		return err
	}
	v, err := gather(ctx, o)
	if err != nil {
		return fmt.Errorf("the stack at %s has no values for the sample events: %w", o.AppURL, err)
	}
	return o.events(v)
}

// environment writes a file for --env-vars, which replaces variables that the template declares, and adds none.
func (o Options) environment(name, app string) error {
	procore, err := inside(o.ProcoreURL)
	if err != nil {
		return err
	}
	aws, err := inside(o.AWSURL)
	if err != nil {
		return err
	}
	env := stack.Environment(app, procore, aws)
	maps.Copy(env, o.Env)
	text, err := encode(map[string]any{"Parameters": env})
	if err != nil {
		return err
	}
	return o.write(name, text)
}

// inside returns an address of this machine as a container reaches it.
func inside(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	return "http://" + containerHost + ":" + u.Port(), nil
}

// config returns the samconfig.toml of the directory in which the commands run.
func (o Options) config() []byte {
	common := fmt.Sprintf("parameter_overrides = \"Architecture=%s DeployConsumer=true DeployAccessToken=true\"\n", o.Architecture) +
		fmt.Sprintf("add_host = [\"%s:host-gateway\"]\n", containerHost)
	if o.Image != "" {
		common += fmt.Sprintf("skip_pull_image = true\ninvoke_image = [%q]\n", o.Image)
	}
	return fmt.Appendf(nil, `# Written by make sam-local.
version = 0.1

[default.local_invoke.parameters]
env_vars = "env.json"
%[1]s
[default.local_start_api.parameters]
env_vars = "start-api.json"
port = %[2]d
warm_containers = "LAZY"
%[1]s`, common, StartAPIPort)
}

// events writes each sample event with the values.
func (o Options) events(v *values) error {
	for _, function := range []string{"oauth-callback", "company-select", "webhook-receiver", "dispatcher", "announcer", "refresher", "reconciler", "access-token", "event-consumer"} {
		from := os.DirFS(filepath.Join(o.Events, function))
		names, err := fs.Glob(from, "*.json")
		if err != nil {
			return err
		}
		for _, name := range names {
			text, err := fs.ReadFile(from, name)
			if err != nil {
				return err
			}
			path := filepath.Join(function, name)
			if text, err = v.fill(filepath.ToSlash(path), text); err != nil {
				return fmt.Errorf("events/%s: %w", path, err)
			}
			if err := o.write(filepath.Join("events", path), text); err != nil {
				return err
			}
		}
	}
	return nil
}

// write writes a file that only its owner can read, because it may contain a cookie.
func (o Options) write(name string, text []byte) error {
	path := filepath.Join(o.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}
