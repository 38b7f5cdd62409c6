package handler

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/platform/gateway"
)

// sameOrigin refuses a request that a browser sends from another origin, by its Sec-Fetch-Site or Origin header. The
// form's token is the first fence; this second one holds even against a token that leaked. A request with neither
// header passes.
//
// https://pkg.go.dev/net/http#CrossOriginProtection
func (h *handler) sameOrigin(next http.HandlerFunc) http.HandlerFunc {
	protection := trusting(h.public)
	return func(w http.ResponseWriter, r *http.Request) {
		if err := protection.Check(r); err != nil && !hidden(r) {
			gateway.Note(r.Context(), slog.Any("error", err))
			h.pages.Problem(w, r, pages.FormRefused())
			return
		}
		next(w, r)
	}
}

// trusting accepts the public URL's origin as browsers write it: in lower case, without the scheme's default port.
// Request.Host is the public URL's host, whatever Host the gateway saw, but as it was configured.
func trusting(public string) *http.CrossOriginProtection {
	protection := http.NewCrossOriginProtection()
	if u, err := url.Parse(public); err == nil {
		port := map[string]string{"https": ":443", "http": ":80"}[u.Scheme]
		// An origin that is not valid is not trusted, which only makes the check stricter.
		_ = protection.AddTrustedOrigin(u.Scheme + "://" + strings.TrimSuffix(strings.ToLower(u.Host), port))
	}
	return protection
}

// hidden reports whether an old browser, without Sec-Fetch-Site, hides where the request comes from. It does so for
// our own pages too, because of their Referrer-Policy: no-referrer. Then the form's token decides alone.
func hidden(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "null"
}
