package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"procore-connect/internal/testing/stack"
	"procore-connect/internal/testing/stack/portal"
	"procore-connect/pkg/procore"
)

const (
	sandboxState = ".state-sandbox"
	// sandboxApp is by name, because Procore's documents name localhost in redirect URIs, and no number.
	sandboxApp = "localhost:3000"
)

// onlyWithFake are options about the fake Procore.
var onlyWithFake = []string{"connect", "crooked", "docker", "host"}

// sandbox makes a run against Procore's developer sandbox of the settings, if -procore says so.
func sandbox(o *settings, f *flag.FlagSet, public string) error {
	switch o.ProcoreAddr {
	case procore.Sandbox().Name:
	case procore.Production().Name, procore.Monthly().Name, procore.Federal().Name:
		return fmt.Errorf("-procore %s: make run works with a fake Procore, or with Procore's developer sandbox (-procore sandbox), and with no environment that has customers", o.ProcoreAddr)
	default:
		if public != "" {
			return errors.New("-public is for -procore sandbox: the fake Procore delivers to this machine alone")
		}
		return nil
	}
	given := map[string]bool{}
	f.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for _, name := range onlyWithFake {
		if given[name] {
			return fmt.Errorf("-%s is for the fake Procore, which does not run with -procore sandbox", name)
		}
	}
	if o.StateDir == "" {
		return errors.New("-state= would lose the connections with this run, and their authorizations would stay at Procore: give a directory")
	}
	if !given["state"] {
		o.StateDir = sandboxState
	}
	if !given["app"] && os.Getenv(variable("app")) == "" {
		o.AppAddr = sandboxApp
	}
	o.ProcoreAddr = ""
	o.Sandbox = new(stack.Sandbox)
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"} { // how this machine reaches Procore
		if value := os.Getenv(name); value != "" {
			o.Env[name] = value
		}
	}
	var err error
	if o.Sandbox.ClientID, o.Sandbox.ClientSecret, err = portal.Credentials(); err == nil {
		o.Sandbox.PublicURL, err = portal.PublicURL(public)
	}
	return err
}
