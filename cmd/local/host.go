package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"procore-connect/examples/host-application/host"
	"procore-connect/internal/testing/stack"
	"procore-connect/pkg/link"
)

// serveHost serves the host application of examples until ctx ends, where users return to who came by a signed link.
func serveHost(ctx context.Context, s *stack.Stack) (address string, err error) {
	back, err := url.Parse(stack.DefaultReturn)
	if err != nil {
		return "", err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", back.Host)
	if err != nil {
		return "", fmt.Errorf("the host application of -host: %w", err)
	}
	address = back.Scheme + "://" + back.Host
	app := host.New(&link.Host{PublicURL: s.AppURL, Keys: linkKeys{s}}, address)
	server := &http.Server{Handler: app, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }() // ends by Close
	context.AfterFunc(ctx, func() { _ = server.Close() })
	return address, nil
}

// admitsHost reports by its error that no user may return to the host application of -host.
func admitsHost(env map[string]string) error {
	if urls, ok := env["RETURN_URLS"]; ok && !slices.ContainsFunc(strings.Split(urls, ","), func(u string) bool { return strings.TrimSpace(u) == stack.DefaultReturn }) {
		return fmt.Errorf("-host needs %s in RETURN_URLS", stack.DefaultReturn)
	}
	return nil
}

// linkKeys reads the stack's secret of links each time.
type linkKeys struct{ *stack.Stack }

func (s linkKeys) Get(context.Context) (*link.Keys, error) {
	text, ok := s.Secrets.Value(stack.LinkSecret)
	if !ok {
		return nil, errors.New("the stack has no secret of links")
	}
	return link.ParseKeys(text)
}

func (s linkKeys) Reread(ctx context.Context) (*link.Keys, error) { return s.Get(ctx) }
