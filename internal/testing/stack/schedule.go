package stack

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"procore-connect/internal/testing/fake/gatewaytest"
)

// startSchedules runs the refresher's tasks as EventBridge Scheduler does.
func (s *Stack) startSchedules(ctx context.Context) {
	for task, interval := range map[string]time.Duration{
		"refresh":      cmp.Or(s.options.Refresh, 15*time.Second),
		"housekeeping": cmp.Or(s.options.Housekeeping, 3*time.Second),
	} {
		if interval < 0 {
			continue
		}
		s.loops.Go(func() { repeat(ctx, s.functions[refresher], task, interval, s.out.report) })
	}
}

// repeat invokes the function with the task, one invocation at a time, until ctx ends.
// It reports a repeated failure once.
func repeat(ctx context.Context, f gatewaytest.Invoker, task string, interval time.Duration, report func(string)) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	last := ""
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
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
	}
}
