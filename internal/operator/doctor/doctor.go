// Package doctor examines a stack: the checks of procore-connect doctor. It reads, and changes nothing.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/smithy-go"

	"procore-connect/internal/operator"
)

// Verdict is what a finding amounts to.
type Verdict string

// The verdicts, the worst first.
const (
	Failed  Verdict = "failed"  // something is wrong, and Next repairs it
	Unknown Verdict = "unknown" // it could not be found out
	Warning Verdict = "warning" // it works, and could be safer
	OK      Verdict = "ok"
	Skipped Verdict = "skipped" // make run has no such thing
)

// Finding is one sentence about one part of the stack.
type Finding struct {
	Check   string  `json:"check"`
	Verdict Verdict `json:"verdict"`
	Finding string  `json:"finding"`
	Next    string  `json:"next,omitempty"` // what to type, or to do
}

// checkWithin bounds each check but that of the rows, which reports how far it is.
const checkWithin = 30 * time.Second

// Doctor examines one stack.
type Doctor struct {
	*operator.Operator
	// Progress is called with what is being done. nil: no one wants to know.
	Progress func(text string)
	// Transport makes the requests of the public addresses. nil: http.DefaultTransport.
	Transport http.RoundTripper

	variables map[string]string // of all functions, by configuration
	denied    []string          // actions that the operator's identity may not call
}

// Run makes all checks, one after the other.
func (d *Doctor) Run(ctx context.Context) []Finding {
	var all []Finding
	for _, c := range []struct {
		name string
		run  func(context.Context) []Finding
	}{
		{"configuration", d.configuration}, {"clock", d.clock}, {"secrets", d.secrets}, {"tables", d.tables}, {"rows", d.rows},
		{"breaker", d.breaker}, {"brake", d.brake}, {"queues", d.queues}, {"schedules", d.schedules}, {"subscriptions", d.subscriptions},
		{"addresses", d.addresses}, {"permissions", d.permissions},
	} {
		d.progress("checking %s", c.name)
		within, cancel := context.WithCancel(ctx)
		if c.name != "rows" {
			within, cancel = context.WithTimeout(ctx, checkWithin)
		}
		found := c.run(within)
		cancel()
		for i := range found {
			found[i].Check = c.name
		}
		all = append(all, found...)
		if ctx.Err() != nil {
			break
		}
	}
	return all
}

func (d *Doctor) progress(format string, args ...any) {
	if d.Progress != nil {
		d.Progress(fmt.Sprintf(format, args...))
	}
}

// permissions reports what the operator's identity could not call for the checks before.
func (d *Doctor) permissions(context.Context) []Finding {
	if len(d.denied) == 0 {
		return ok("your identity may call all that was asked")
	}
	slices.Sort(d.denied)
	return []Finding{{Verdict: Failed, Finding: "your identity may not call " + strings.Join(slices.Compact(d.denied), ", "),
		Next: "attach the policy docs/policies/operator-read.json to your identity"}}
}

func ok(format string, args ...any) []Finding {
	return []Finding{{Verdict: OK, Finding: fmt.Sprintf(format, args...)}}
}

// orOK returns the findings, and that the rest is well if nothing is wrong.
func orOK(found []Finding, format string, args ...any) []Finding {
	if slices.ContainsFunc(found, func(f Finding) bool { return f.Verdict != Skipped }) {
		return found
	}
	return append(ok(format, args...), found...)
}

// short bounds what came from outside.
func short(text string) string { return strings.ToValidUTF8(fmt.Sprintf("%.300s", text), "") }

// notHere is the finding about what make run lacks.
func notHere(what string) Finding {
	return Finding{Verdict: Skipped, Finding: what + ": not on this machine"}
}

// cannot is the finding about what could not be read.
func (d *Doctor) cannot(what string, err error) Finding {
	api, answered := errors.AsType[smithy.APIError](err)
	if answered && d.Local && slices.Contains([]string{"NotFound", "UnknownOperationException"}, api.ErrorCode()) {
		return notHere(what)
	}
	next := ""
	if call, isCall := errors.AsType[*smithy.OperationError](err); answered && isCall && isDenied(api.ErrorCode()) {
		service := strings.ToLower(strings.ReplaceAll(call.Service(), " ", ""))
		d.denied = append(d.denied, service+":"+call.Operation())
		next = "see the check permissions"
	}
	reason := err.Error()
	if answered { // without how it was asked
		reason = api.ErrorCode() + ": " + api.ErrorMessage()
	}
	return Finding{Verdict: Unknown, Finding: fmt.Sprintf("%s: not known: %s", what, short(reason)), Next: next}
}

// isDenied reports whether an error is IAM's. Each protocol of AWS has its own code.
func isDenied(code string) bool {
	return slices.Contains([]string{"AccessDeniedException", "AccessDenied", "AuthorizationError", "AuthorizationErrorException"}, code)
}
