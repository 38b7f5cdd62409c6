package doctor_test

import (
	"context"
	"net/url"
	"testing"
	"time"

	"procore-connect/internal/operator"
	"procore-connect/internal/operator/doctor"
	"procore-connect/internal/testing/stack"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// On make run, with the functions that are deployed, nothing fails, and no change of a grant is a violation.
func TestOnThisMachine(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("compiles and starts everything")
	}
	s, err := stack.Start(t.Context(), stack.Options{Refresh: -1, Reconcile: -1, Housekeeping: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	aws, err := url.Parse(s.AWSURL)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	reads := 0
	o, err := operator.Open(ctx, operator.Target{Local: aws.Host, Clock: procore.Clock{Wait: func(context.Context, time.Duration) error {
		reads++
		switch reads {
		case 1, 2: // a new grant, and then a second company
			company := map[int]int64{1: procoretest.MyConstruction, 2: procoretest.HarborHill}[reads]
			if made, err := s.Connect(ctx, company, true); !made || err != nil {
				t.Errorf("company %d was not connected: %v", company, err)
			}
		default:
			stop()
		}
		return context.Cause(ctx)
	}}})
	if err != nil {
		t.Fatal(err)
	}
	d := &doctor.Doctor{Operator: o}
	w := d.Watch(ctx, time.Second, func(v doctor.Violation) { t.Errorf("a violation: %+v", v) })
	if w.Reads < 3 || w.Unread > 0 {
		t.Errorf("watched %+v", w)
	}
	for _, f := range d.Run(t.Context()) {
		if f.Verdict != doctor.OK && f.Verdict != doctor.Skipped {
			t.Errorf("%s %s: %s", f.Verdict, f.Check, f.Finding)
		}
	}
}
