//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"procore-connect/internal/webhook/provision"
)

// badDelivery is a delivery that Procore did not make, or that the receiver cannot understand.
type badDelivery struct {
	what        string
	company     int64    // the company whose credential it has
	headers     []string // Authorization
	body        string
	want        int  // status
	quarantined bool // for the company
	got         int
}

// sendBad posts bad deliveries, one after the other, and repeats each until it has an
// answer, because the process may be killed.
func (d *deliveries) sendBad() {
	for n := range max(20, min(600, d.goal/200)) {
		s, err := d.makeBad(n)
		if err != nil {
			d.w.violation("%v", err)
			return
		}
		for d.running.Err() == nil {
			if s.got = d.post(s); s.got != 0 && s.got < 500 {
				break
			}
			d.w.wait(d.running, 100*time.Millisecond)
		}
		d.bad = append(d.bad, s)
		d.w.wait(d.running, d.w.dice.between(50*time.Millisecond, 400*time.Millisecond))
		if d.w.calm.Load() || d.running.Err() != nil {
			return
		}
	}
}

// makeBad returns the nth bad delivery.
func (d *deliveries) makeBad(n int) (badDelivery, error) {
	mine, other := d.hooks[n%len(d.hooks)], d.hooks[(n+1)%len(d.hooks)]
	credential, err := d.ring.Header(mine.company)
	if err != nil {
		return badDelivery{}, err
	}
	good := credential.Reveal()
	forged := good[:len(good)-1] + string(good[len(good)-1]^1)
	id := 9_000_000_000_000_000 + n
	body := func(company int64) string {
		return fmt.Sprintf(`{"id":%d,"timestamp":"2026-06-01T12:00:00Z","company_id":%d,"project_id":null,"user_id":1,`+
			`"api_version":"v2.0","event_type":"update","resource_name":"RFIs","resource_id":1,"metadata":null}`, id, company)
	}
	kinds := []badDelivery{
		{what: "no credential", body: body(mine.company), want: http.StatusUnauthorized},
		{what: "a forged credential", headers: []string{forged}, body: body(mine.company), want: http.StatusUnauthorized},
		{what: "a duplicate credential", headers: []string{good, good}, body: body(mine.company), want: http.StatusUnauthorized},
		{what: "another company's event", headers: []string{good}, body: body(other.company), want: http.StatusOK, quarantined: true},
		{what: "not an event", headers: []string{good}, body: fmt.Sprintf(`{"number":%d}`, id), want: http.StatusOK, quarantined: true},
		{what: "too large", headers: []string{good}, body: body(mine.company) + strings.Repeat(" ", 128<<10), want: http.StatusOK, quarantined: true},
	}
	s := kinds[n%len(kinds)]
	s.company = mine.company
	return s, nil
}

// post returns the answer's status, or 0 without an answer.
func (d *deliveries) post(s badDelivery) int {
	ctx, cancel := context.WithTimeout(d.running, 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.direct+provision.Path, strings.NewReader(s.body))
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
		d.w.violation("the answer to %s is not empty", s.what)
	}
	return resp.StatusCode
}
