package procore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"procore-connect/pkg/procore"
)

// A Dial that counts connections by the request for which each one is opened.
func ExampleDialedFor() {
	dial := procore.Dial(func(ctx context.Context, _, _ string) (net.Conn, error) {
		fmt.Println("dials for", procore.DialedFor(ctx))
		return nil, errors.New("no network here")
	})
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://127.0.0.1/rest/v1.0/me", nil)
	if err != nil {
		panic(err)
	}
	resp, err := dial.Transport().RoundTrip(r)
	if err == nil {
		_ = resp.Body.Close()
	}
	fmt.Println(err)
	// Output:
	// dials for GET /rest/v1.0/me
	// no network here
}
