//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"procore-connect/internal/platform/config"
)

// stranger is a delivery that Procore did not make, or that nobody understands.
type stranger struct {
	what        string
	company     int64    // whose credential it has
	headers     []string // Authorization
	body        string
	want        int  // status
	quarantined bool // kept for the company
	got         int
}

// approach posts them, one after the other, until each has an answer. What
// fails for want of a process is tried again.
func (d *deliveries) approach() {
	for n := range max(20, min(600, d.goal/200)) {
		s, err := d.stranger(n)
		if err != nil {
			d.w.fault("%v", err)
			return
		}
		for d.running.Err() == nil {
			if s.got = d.post(s); s.got != 0 && s.got < 500 {
				break
			}
			d.w.wait(d.running, 100*time.Millisecond)
		}
		d.strangers = append(d.strangers, s)
		d.w.wait(d.running, d.w.dice.between(50*time.Millisecond, 400*time.Millisecond))
		if d.w.calm.Load() || d.running.Err() != nil {
			return
		}
	}
}

// stranger makes the nth.
func (d *deliveries) stranger(n int) (stranger, error) {
	mine, other := d.hooks[n%len(d.hooks)], d.hooks[(n+1)%len(d.hooks)]
	good, err := d.ring.Header(mine.company)
	if err != nil {
		return stranger{}, err
	}
	forged := good[:len(good)-1] + string(good[len(good)-1]^1)
	id := 9_000_000_000_000_000 + n
	body := func(company int64) string {
		return fmt.Sprintf(`{"id":%d,"timestamp":"2026-06-01T12:00:00Z","company_id":%d,"project_id":null,"user_id":1,`+
			`"api_version":"v2.0","event_type":"update","resource_name":"RFIs","resource_id":1,"metadata":null}`, id, company)
	}
	kinds := []stranger{
		{what: "no credential", body: body(mine.company), want: http.StatusUnauthorized},
		{what: "a forged credential", headers: []string{forged}, body: body(mine.company), want: http.StatusUnauthorized},
		{what: "a doubled credential", headers: []string{good, good}, body: body(mine.company), want: http.StatusUnauthorized},
		{what: "another company's event", headers: []string{good}, body: body(other.company), want: http.StatusOK, quarantined: true},
		{what: "not an event", headers: []string{good}, body: fmt.Sprintf(`{"number":%d}`, id), want: http.StatusOK, quarantined: true},
		{what: "too large", headers: []string{good}, body: body(mine.company) + strings.Repeat(" ", 128<<10), want: http.StatusOK, quarantined: true},
	}
	s := kinds[n%len(kinds)]
	s.company = mine.company
	return s, nil
}

// post gives the answer's status, 0 if there is none.
func (d *deliveries) post(s stranger) int {
	ctx, cancel := context.WithTimeout(d.running, 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.back+config.WebhookPath, strings.NewReader(s.body))
	if err != nil {
		return 0
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header["Authorization"] = s.headers
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	if answer, _ := io.ReadAll(io.LimitReader(resp.Body, 1024)); len(answer) > 0 && resp.StatusCode < 500 {
		d.w.fault("the answer to %s is not empty", s.what)
	}
	return resp.StatusCode
}
