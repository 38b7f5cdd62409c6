package procore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
)

// A call describes one request, so that it can be sent again.
type call struct {
	method string
	path   string // /rest/..., not escaped
	query  url.Values
	body   any // nil, or encoded as JSON
	// status is true if a 2xx is enough, whatever the body is.
	status bool
}

// request builds the HTTP request of a call.
func (a *api) request(ctx context.Context, c call) (*http.Request, error) {
	if a.base == "" {
		return nil, errors.New("the client has no environment")
	}
	if a.company != nil && *a.company <= 0 {
		return nil, errors.New("the client has no company")
	}
	if err := checkPath(c.path); err != nil {
		return nil, err
	}
	u, err := url.Parse(a.base)
	if err != nil {
		return nil, errors.New("the environment's API URL is not a URL")
	}
	u.Path, u.RawQuery = c.path, c.query.Encode()
	var body io.Reader
	if c.body != nil {
		b, err := json.Marshal(c.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, c.method, u.String(), body)
	if err != nil {
		return nil, err
	}
	a.setHeader(r)
	return r, nil
}

// checkPath refuses a path outside the API, and the retired API Vapid.
//
// https://procore.github.io/documentation/vapid-deprecation
func checkPath(p string) error {
	if rest, ok := strings.CutPrefix(p, "/vapid/"); ok {
		return &RetiredError{Resource: p, Replacement: "/rest/v1.0/" + rest}
	}
	if !strings.HasPrefix(p, "/rest/") || path.Clean(p) != p {
		return errors.New("not a path below /rest/")
	}
	return nil
}

func (a *api) setHeader(r *http.Request) {
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", a.userAgent)
	if r.Body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if a.company != nil {
		r.Header.Set("Procore-Company-Id", strconv.FormatInt(*a.company, 10))
	}
}
