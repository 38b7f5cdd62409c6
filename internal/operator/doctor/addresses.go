package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

var errNoDate = errors.New("the answer has no date")

// answer is what matters of an answer.
type answer struct {
	status int
	header http.Header
}

// ask makes a request of a public address, from outside of AWS, and follows no redirect.
func (d *Doctor) ask(ctx context.Context, method, address string) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return answer{}, err
	}
	client := &http.Client{Transport: d.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	io.CopyN(io.Discard, resp.Body, 4<<10) // so that the connection is kept
	return answer{resp.StatusCode, resp.Header}, nil
}

// probe is a request of a public address, and what the stack answers it.
type probe struct {
	output, method string
	status         int
	page           bool
}

// addresses asks the public addresses as browsers and Procore do. Only the receiver's route tells the stack from another
// server that answers everything with a page: it has a HEAD and no GET.
func (d *Doctor) addresses(ctx context.Context) []Finding {
	var found []Finding
	for _, p := range []probe{
		{"AppUrl", http.MethodGet, http.StatusOK, true},
		{"RedirectUri", http.MethodHead, http.StatusOK, true},
		{"WebhookUrl", http.MethodHead, http.StatusOK, false},
		{"WebhookUrl", http.MethodGet, http.StatusNotFound, true},
	} {
		address := d.Outputs[p.output]
		got, err := d.ask(ctx, p.method, address)
		if err != nil {
			found = append(found, Finding{Verdict: Failed, Finding: fmt.Sprintf("%s cannot be reached from here: %v", p.output, err),
				Next: "check the DNS record and the certificate of the domain, and this machine's way to the internet: curl -I " + address})
			continue
		}
		page := strings.HasPrefix(got.header.Get("Content-Type"), "text/html") && got.header.Get("Content-Security-Policy") != ""
		if got.status != p.status || p.page != page {
			found = append(found, Finding{Verdict: Failed,
				Finding: fmt.Sprintf("%s %s is answered %d, %s, which the stack does not do", p.method, address, got.status, kind(page)),
				Next:    "see whether the domain leads to the stack's API (output DomainTarget), and the logs of the function: curl -I " + address})
		}
	}
	return orOK(found, "AppUrl, RedirectUri and WebhookUrl are answered as they should be")
}

func kind(page bool) string {
	if page {
		return "with a page of the app"
	}
	return "without a page of the app"
}
