// Command sandboxcheck tries at Procore's developer sandbox what Procore's documents leave open, and compares it with what
// this project assumes: make sandbox-check. A person with credentials signs in a few times, in a browser.
//
//	PROCORE_CLIENT_ID=... PROCORE_CLIENT_SECRET=... go run ./internal/testing/proof/sandboxcheck [-public address] [-wait]
//
// It replays refresh tokens on purpose. So it uses grants that it makes and revokes itself, and stops when Procore returns
// it one that existed before. docs/SANDBOX.md has what to prepare.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"procore-connect/internal/testing/stack/portal"
	"procore-connect/pkg/procore"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sandbox-check:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("sandbox-check", flag.ContinueOnError)
	addr := f.String("addr", "localhost:3000", "`address` on this machine to which Procore sends the browser back, at /oauth/callback")
	public := f.String("public", "", "https `address` of a tunnel to it; empty: whether Procore probes an address is not tried fully")
	wait := f.Bool("wait", false, "wait until an access token has expired (90 minutes), to try its revocation")
	file := f.String("o", filepath.Join("build", "sandbox-check.md"), "`file` of the report")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	c := &checker{Environment: procore.Sandbox(), In: os.Stdin, Out: os.Stderr, Wait: *wait, Sleep: sleep}
	var err error
	if c.ClientID, c.ClientSecret, err = portal.Credentials(); err != nil {
		return err
	}
	if c.Public, err = portal.PublicURL(*public); err != nil {
		return err
	}
	if host, _, err := net.SplitHostPort(*addr); err != nil || host != "localhost" && !net.ParseIP(host).IsLoopback() {
		return fmt.Errorf("-addr %.100s: want an address of this machine alone, such as localhost:3000, because Procore's code comes there without https", *addr)
	}
	if c.Listener, err = net.Listen("tcp", *addr); err != nil {
		return fmt.Errorf("%w: end make run, or choose another -addr, whose port is in the redirect URI then", err)
	}
	defer c.Listener.Close()
	c.RedirectURI = redirectURI(*addr, c.Listener)
	report, err := c.check(ctx)
	if err != nil {
		return err
	}
	return report.write(*file, os.Stdout)
}

// redirectURI has the host as it was written, because Procore compares it exactly.
func redirectURI(addr string, l net.Listener) string {
	host, _, _ := net.SplitHostPort(addr)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return "http://" + net.JoinHostPort(host, port) + "/oauth/callback"
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
