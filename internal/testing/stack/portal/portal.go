// Package portal reads what a person took from Procore's Developer Portal for a program on this machine.
package portal

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"

	"procore-connect/internal/platform/config"
	"procore-connect/pkg/procore"
)

// The variables with the credentials of an app.
const (
	ClientID     = "PROCORE_CLIENT_ID"
	ClientSecret = "PROCORE_CLIENT_SECRET"
)

const maxCredential = 512 // bytes

// Credentials returns the app's, and removes them from the environment, so that no program that this one starts inherits
// them. An error has no part of them.
func Credentials() (id string, secret procore.Secret, err error) {
	var wrong []string
	values := make([]string, 2)
	for i, name := range []string{ClientID, ClientSecret} {
		values[i] = strings.TrimSpace(os.Getenv(name))
		if err := os.Unsetenv(name); err != nil {
			return "", secret, err
		}
		if strings.Contains(os.Getenv("MAKEFLAGS"), name+"=") {
			wrong = append(wrong, name+" is on make's command line, which every user of this machine can read, and the shell's history has it: reset the secret in the portal")
		} else if problem := malformed(values[i]); problem != "" {
			wrong = append(wrong, name+" "+problem)
		}
	}
	if wrong == nil && values[0] == values[1] {
		wrong = append(wrong, ClientID+" and "+ClientSecret+" are the same")
	}
	if wrong != nil {
		return "", secret, fmt.Errorf(`the credentials of the sandbox are not usable:

  %s

The Developer Portal shows both, at your app's Credentials, Developer Sandbox. Set them in this shell, unseen:

  read -r %s && export %[2]s
  read -rs %s && export %[3]s

docs/SANDBOX.md has the whole way`, strings.Join(wrong, "\n  "), ClientID, ClientSecret)
	}
	return values[0], procore.NewSecret(values[1]), nil
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

// PublicURL checks the address of a tunnel. An empty one is right: there is no tunnel.
func PublicURL(text string) (string, error) {
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
