package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"

	"procore-connect/internal/platform/config"
	"procore-connect/internal/testing/stack"
	"procore-connect/pkg/procore"
)

const (
	clientID     = "PROCORE_CLIENT_ID"
	clientSecret = "PROCORE_CLIENT_SECRET" //nolint:gosec // a variable's name

	sandboxState = ".state-sandbox"
	// sandboxApp is by name, because Procore's documents name localhost in redirect URIs, and no number.
	sandboxApp = "localhost:3000"

	maxCredential = 512 // bytes
)

// onlyWithFake are options about the fake Procore.
var onlyWithFake = []string{"connect", "crooked", "docker"}

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
	for _, name := range []string{"HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"} { // how this machine reaches Procore
		if value := os.Getenv(name); value != "" {
			o.Env[name] = value
		}
	}
	id, secret, err := credentials()
	if err != nil {
		return err
	}
	o.Sandbox.ClientID, o.Sandbox.ClientSecret = id, procore.NewSecret(secret)
	o.Sandbox.PublicURL, err = publicURL(public)
	return err
}

// credentials returns the app's, and removes them from the environment, so that the compiler, which this program starts,
// does not inherit them. An error has no part of them.
func credentials() (id, secret string, err error) {
	var wrong []string
	values := make([]string, 2)
	for i, name := range []string{clientID, clientSecret} {
		values[i] = strings.TrimSpace(os.Getenv(name))
		if err := os.Unsetenv(name); err != nil {
			return "", "", err
		}
		if strings.Contains(os.Getenv("MAKEFLAGS"), name+"=") {
			wrong = append(wrong, name+" is on make's command line, which every user of this machine can read, and the shell's history has it: reset the secret in the portal")
		} else if problem := malformed(values[i]); problem != "" {
			wrong = append(wrong, name+" "+problem)
		}
	}
	if wrong == nil && values[0] == values[1] {
		wrong = append(wrong, clientID+" and "+clientSecret+" are the same")
	}
	if wrong != nil {
		return "", "", fmt.Errorf(`the credentials of the sandbox are not usable:

  %s

The Developer Portal shows both, at your app's Credentials, Developer Sandbox. Set them in this shell, unseen:

  read -r %s && export %[2]s
  read -rs %s && export %[3]s

docs/SANDBOX.md has the whole way`, strings.Join(wrong, "\n  "), clientID, clientSecret)
	}
	return values[0], values[1], nil
}

// malformed returns what is wrong with a client id or secret, or "". Procore documents no form: they are one word of
// printable ASCII so far.
func malformed(value string) string {
	switch {
	case value == "":
		return "is not set"
	case len(value) > maxCredential:
		return fmt.Sprintf("has more than %d bytes", maxCredential)
	case strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "has a blank, or a character that no credential has"
	case strings.ContainsAny(value, "\"'<>{}$"):
		return "has quotation marks, brackets or a dollar sign: it is not what the portal shows"
	case len(value) < 8 || strings.HasPrefix(value, "FILL-IN"):
		return "is a placeholder: it is not what the portal shows"
	}
	return ""
}

// publicURL checks the address of a tunnel.
func publicURL(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	env := config.New(func(string) string { return text })
	u := env.PublicURL()
	if err := env.Err(); err != nil {
		_, why, _ := strings.Cut(err.Error(), ": ") // without the variable's name
		return "", fmt.Errorf("-public %s", why)
	}
	host := u.Hostname()
	switch ip := net.ParseIP(host); {
	case u.Scheme != "https":
		return "", errors.New("-public must begin with https://, because Procore delivers by https alone")
	case host == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsPrivate() || ip.IsUnspecified() || ip.IsLinkLocalUnicast()):
		return "", errors.New("-public is an address of this machine or network, which Procore does not reach: give the tunnel's")
	case procoreHost(u):
		return "", errors.New("-public is an address of Procore: give the tunnel's")
	}
	return u.String(), nil
}

// procoreHost reports whether the address is one of Procore's own.
func procoreHost(u *url.URL) bool {
	return slices.ContainsFunc([]string{"procore.com", "procoregov.com"}, func(domain string) bool {
		return u.Hostname() == domain || strings.HasSuffix(u.Hostname(), "."+domain)
	})
}
