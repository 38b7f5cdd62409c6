package stack

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"procore-connect/internal/testing/fake/gatewaytest"
)

// expireEvery is how often expired items are removed. The service does it within days.
const expireEvery = time.Minute

// startSchedules runs the tasks as EventBridge Scheduler does, and removes expired items as DynamoDB does.
func (s *Stack) startSchedules(ctx context.Context) {
	if s.Dynamo != nil {
		s.loops.Go(func() { every(ctx, expireEvery, func() { s.Dynamo.Expire() }) })
	}
	for _, schedule := range []struct {
		function, task string
		interval       time.Duration
	}{
		{refresher, "refresh", cmp.Or(s.options.Refresh, 15*time.Second)},
		{refresher, "housekeeping", cmp.Or(s.options.Housekeeping, 3*time.Second)},
		{reconciler, "reconcile", cmp.Or(s.options.Reconcile, 15*time.Second)},
	} {
		if schedule.interval < 0 {
			continue
		}
		f := s.functions[schedule.function]
		s.loops.Go(func() { repeat(ctx, f, schedule.task, schedule.interval, s.out.report) })
	}
}

// repeat invokes the function with the task, one invocation at a time, until ctx ends.
// It reports a repeated failure once.
func repeat(ctx context.Context, f gatewaytest.Invoker, task string, interval time.Duration, report func(string)) {
	last := ""
	every(ctx, interval, func() {
		_, err := f.Invoke(ctx, fmt.Appendf(nil, `{"task":%q}`, task))
		if ctx.Err() != nil {
			return
		}
		failure := ""
		if err != nil {
			failure = fmt.Sprintf("%s: %v", task, err)
		}
		if failure != "" && failure != last {
			report(failure)
		}
		last = failure
	})
}

func every(ctx context.Context, interval time.Duration, do func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			do()
		case <-ctx.Done():
			return
		}
	}
}
