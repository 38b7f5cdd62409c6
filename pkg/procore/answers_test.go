package procore

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// One test per row of Procore's answers to branch on. A row has the error's kind, the
// advice, and how often and how long apart a read and a write are sent.
//
// https://procore.github.io/documentation/error-reference
func TestWhatFollowsAnAnswer(t *testing.T) {
	t.Parallel()
	const attempts = defaultAttempts
	tests := []struct {
		row           string
		statuses      []int
		body          string
		header        http.Header
		is            []error
		not           []error
		reads, writes int           // how often a GET and a POST are sent
		after         time.Duration // at least, between two of them
		advice        string
	}{
		{row: "the token expired or was revoked, or the app is not installed", statuses: []int{401}, body: `{"error":"invalid_token"}`,
			is: []error{ErrUnauthorized}, reads: 1, writes: 1, advice: "newer token once"},
		{row: "disconnected in App Management", statuses: []int{403}, body: `{"errors":["App is not connected to this company."]}`,
			is: []error{ErrNotConnected, ErrForbidden}, reads: 1, writes: 1, advice: "stop calling"},
		{row: "permission, tool, membership", statuses: []int{403}, body: `{"errors":"You do not have permission"}`,
			is: []error{ErrForbidden}, not: []error{ErrNotConnected, errNotInstalled, ErrUserInstallsOff}, reads: 1, writes: 1, advice: "permissions"},
		{row: "not installed", statuses: []int{403}, body: `{"message":"App is not installed in this company"}`,
			is: []error{ErrForbidden, errNotInstalled}, not: []error{ErrNotConnected}, reads: 1, writes: 1, advice: "install the app in App Management"},
		{row: "absent, or not visible", statuses: []int{404}, body: `{"error":"Record not found"}`,
			is: []error{ErrNotFound}, not: []error{ErrUnauthorized}, reads: 1, writes: 1, advice: "may not see it"},
		{row: "transient", statuses: []int{408, 500, 502}, body: `<html>`,
			is: []error{ErrUnavailable}, reads: attempts, writes: 1, after: firstBackoff / 2, advice: "try again later"},
		{row: "the request is wrong", statuses: []int{422, 400, 409, 406}, body: `{"errors":{"subject":["can't be blank"]}}`,
			is: []error{ErrInvalid}, reads: 1, writes: 1, advice: "correct the request"},
		{row: "rate limit", statuses: []int{429}, body: `{"message":"You have surpassed the max number of requests"}`, header: http.Header{"Retry-After": {"9"}},
			is: []error{ErrRateLimited}, not: []error{ErrUnavailable}, reads: attempts, writes: attempts, after: 9 * time.Second, advice: "wait until the limit resets"},
		{row: "heavy load", statuses: []int{503}, body: ``, header: http.Header{"Retry-After": {"7"}},
			is: []error{ErrUnavailable}, reads: attempts, writes: 1, after: 7 * time.Second, advice: "try again later"},
		{row: "the header is missing", statuses: []int{400, 403}, body: `{"message":"Missing Procore-Company-Id header!"}`,
			is: []error{ErrMissingCompanyHeader}, reads: 1, writes: 1, advice: "CompanyClient"},
	}
	for _, tt := range tests {
		for _, status := range tt.statuses {
			for method, want := range map[string]int{"GET": tt.reads, "POST": tt.writes} {
				t.Run(fmt.Sprintf("%d %s, %s", status, tt.row, method), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						var sent []time.Time
						hc := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
							sent = append(sent, time.Now())
							return response(r, status, tt.header.Clone(), tt.body), nil
						})}
						err := methods()[method](t.Context(), NewCompanyClient(Sandbox(), hc, 5678))
						for _, kind := range tt.is {
							if !errors.Is(err, kind) {
								t.Errorf("got %v, want it to be %v", err, kind)
							}
						}
						for _, kind := range tt.not {
							if errors.Is(err, kind) {
								t.Errorf("got %v, which should not be %v", err, kind)
							}
						}
						if len(sent) != want {
							t.Errorf("sent %d times, want %d", len(sent), want)
						}
						for i := 1; i < len(sent); i++ {
							if gap := sent[i].Sub(sent[i-1]); gap < tt.after {
								t.Errorf("sent again after %v, want at least %v", gap, tt.after)
							}
						}
						e, ok := errors.AsType[*Error](err)
						if !ok || !strings.Contains(e.Advice(), tt.advice) || !strings.Contains(err.Error(), e.Advice()) || !strings.Contains(err.Error(), "company 5678") {
							t.Errorf("got %v, want the company and advice with %q", err, tt.advice)
						}
					})
				})
			}
		}
	}
}
