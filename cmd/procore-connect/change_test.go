package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/operator"
	"procore-connect/internal/testing/fake/awstest"
)

// A change is asked for, and refused where no one can be asked. Who makes it is known before it begins.
func TestChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, err := operator.Open(t.Context(), operator.Target{Local: w.addr, Clock: w.Clock.Seam()})
	if err != nil {
		t.Fatal(err)
	}
	const line = `{"time":"2026-03-02T08:00:00Z","level":"INFO","msg":"operator action","verb":"revoke",` +
		`"by":"arn:aws:iam::000000000000:user/operator","company_id":5678}` + "\n"
	for name, tt := range map[string]struct {
		person, yes bool
		typed       string
		want        string // what follows the plan
		err         string
	}{
		"yes":              {person: true, typed: "y\n", want: "Continue? [y/N] " + line},
		"the whole word":   {person: true, typed: "YES\n", want: "Continue? [y/N] " + line},
		"no":               {person: true, typed: "n\n", want: "Continue? [y/N] ", err: "nothing was changed"},
		"only enter":       {person: true, typed: "\n", want: "Continue? [y/N] ", err: "nothing was changed"},
		"the input ends":   {person: true, want: "Continue? [y/N] ", err: "nothing was changed"},
		"a very long line": {person: true, typed: strings.Repeat("y", 1000), want: "Continue? [y/N] ", err: "nothing was changed"},
		"--yes":            {yes: true, want: line},
		"no one to ask":    {typed: "y\n", err: "revoke changes something, and there is no one to ask: add --yes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var aside strings.Builder
			s := &session{streams: streams{in: strings.NewReader(tt.typed), err: &aside, person: tt.person}, yes: tt.yes}
			var by string
			err := s.change(t.Context(), o, operator.Action{Verb: "revoke", CompanyID: 5678}, "The plan.", func(_ context.Context, who string) error {
				by = who
				return nil
			})
			if aside.String() != "The plan.\n"+tt.want {
				t.Errorf("got %q, want %q", aside.String(), "The plan.\n"+tt.want)
			}
			if got := errorText(err); got != tt.err {
				t.Errorf("got error %q, want %q", got, tt.err)
			}
			if made := by != ""; made != (tt.err == "") {
				t.Errorf("the change was made by %q, with error %q", by, tt.err)
			}
			if errors.As(err, new(usageError)) != (!tt.person && !tt.yes) {
				t.Errorf("got error %v", err)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A person who interrupts the question has changed nothing.
func TestInterruptedQuestion(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := &session{streams: streams{in: never{}, err: new(strings.Builder), person: true}}
	if err := s.agreed(ctx, "revoke", ""); !errors.Is(err, errDeclined) {
		t.Errorf("got %v, want %v", err, errDeclined)
	}
}

// never is a terminal at which no one types.
type never struct{}

func (never) Read([]byte) (int, error) { select {} }

// A change whose line cannot be kept is not made, unless the person has said so. The line is in the operator's log before
// the change begins.
func TestAudit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, err := operator.Open(t.Context(), operator.Target{Local: w.addr, Clock: w.Clock.Seam()})
	if err != nil {
		t.Fatal(err)
	}
	group := o.Outputs["OperatorLogGroup"]
	change := func(without bool) (aside string, made int, err error) {
		var text strings.Builder
		s := &session{streams: streams{err: &text}, yes: true, unaudited: without}
		err = s.change(t.Context(), o, operator.Action{Verb: "revoke", CompanyID: 5678}, "The plan.", func(context.Context, string) error {
			made = 1 + len(w.aws.Logs.Messages(group))
			return nil
		})
		return text.String(), made, err
	}
	for i := range 2 { // the second one finds the stream of the day
		if aside, made, err := change(false); err != nil || made != 2+i || !strings.HasSuffix(aside, w.aws.Logs.Messages(group)[i]+"\n") {
			t.Fatalf("change %d: %d lines were kept when it was made, %v; %q", i+1, made-1, err, aside)
		}
	}
	w.aws.Logs.Fail(&awstest.Error{Code: "ServiceUnavailableException", Message: "down"})
	if _, made, err := change(false); made != 0 || err == nil || !strings.Contains(err.Error(), "nothing was changed") || !strings.Contains(err.Error(), "--without-audit") {
		t.Errorf("without a log: made %d, %v", made, err)
	}
	if aside, made, err := change(true); made == 0 || err != nil || !strings.Contains(aside, "down") {
		t.Errorf("--without-audit: made %d, %v; %q", made, err, aside)
	}
	w.aws.Logs.Fail(nil)
	w.Clock.Advance(-20 * 24 * time.Hour) // the fake's clock is the same; so only the stream is new
	if _, made, err := change(false); made == 0 || err != nil {
		t.Errorf("on another day: made %d, %v", made, err)
	}
	delete(o.Outputs, "OperatorLogGroup")
	if _, made, err := change(false); made != 0 || err == nil || !strings.Contains(err.Error(), "deploy this version") {
		t.Errorf("without the output: made %d, %v", made, err)
	}
}
