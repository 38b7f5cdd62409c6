package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"procore-connect/internal/cost"
	"procore-connect/internal/operator"
	"procore-connect/internal/upkeep/departures"
)

// systemView is what is known of the stack as a whole.
type systemView struct {
	Breaker   operator.Breaker
	Brake     departures.Brake
	Schedules []schedule
	Depths    []operator.Depth
	Counts    []countGroup
	Cost      costView
	Checks    []verb // what a run of the command finds out
	Unread    error  // about breaker and brake
	Unmetered error  // why no metric is known
}

// schedule is a schedule or a stream, with how late it is.
type schedule struct {
	Name    string
	LastRun time.Time // zero: not known
	Oldest  string    // the oldest work that waits
	Late    bool
	Unknown bool
	Within  time.Duration
	Alarm   string
	Err     error
	Recent  gauge // of the last hours
}

// costView is the estimate of this month.
type costView struct {
	cost.Usage
	From      time.Time
	Hours     int // of the month so far
	Lines     []cost.Line
	Dollars   float64
	WholeRate float64 // of a whole month that goes on so; zero: it is too early to say
	Local     bool
}

// system shows the stack: GET /system.
func (c *Console) system(r *http.Request) (page, error) {
	ctx, now := r.Context(), c.now()
	var v systemView
	var lags operator.Lags
	var metered measured
	var breakerErr, brakeErr error
	var all sync.WaitGroup
	all.Go(func() { v.Breaker, breakerErr = c.Operator.Breaker(ctx) })
	all.Go(func() { v.Brake, brakeErr = c.Operator.Departures.Brake(ctx) })
	all.Go(func() { lags = c.Operator.Lags(ctx) })
	all.Go(func() { v.Depths = c.Operator.Depths(ctx) })
	all.Go(func() { metered = c.meters.get(ctx, c.Operator.Meters, now) })
	companies, _, listErr := c.list.get(ctx, now)
	all.Wait()
	v.Unread, v.Unmetered = errors.Join(breakerErr, brakeErr, listErr), metered.err
	v.Schedules = schedules(lags, metered, now)
	v.Counts = metered.counts(now)
	v.Cost = costOf(metered.usage(now, float64(len(companies))), now)
	v.Cost.Local = c.Operator.Local
	v.Checks = c.readings()
	return page{Template: "system", Title: "System", Menu: "/system", Live: 15, Main: v}, nil
}

// schedules judges what runs automatically: schedules by the rows, and streams by the metrics.
func schedules(l operator.Lags, m measured, now time.Time) []schedule {
	of := func(name, metric string, lag operator.Lag) schedule {
		s := schedule{Name: name, Within: lag.Within, Alarm: lag.Alarm, Err: lag.Err, Late: lag.Late(now), Recent: m.gauge(metric, lag.Within, now)}
		if last, ok := m.recent(metric).Last(); ok {
			s.LastRun = last.At
		}
		if s.Oldest = "nothing is due"; !lag.Since.IsZero() {
			s.Oldest = operator.Length(now.Sub(lag.Since))
		}
		return s
	}
	beat := of("Housekeeping", "OldestCheckSeconds", l.Beat)
	beat.LastRun, beat.Oldest, beat.Recent = l.Beat.Since, "", gauge{}
	beat.Unknown = beat.Err == nil && beat.LastRun.IsZero()
	all := []schedule{beat, of("Refreshes", "OldestDueSeconds", l.Refresh), of("First checks of new companies", "", l.Checks[0]), of("Checks of companies", "OldestCheckSeconds", l.Checks[1])}
	if l.Reconcile.Within > 0 {
		all = append(all, of("Reconciliation", "ReconcileLagSeconds", l.Reconcile))
	}
	if m.err != nil {
		return all
	}
	for _, s := range []struct{ name, metric, alarm string }{
		{"Stream of events", "DispatchLagSeconds", "DispatchStoppedAlarm"},
		{"Stream of grants", "GrantsStreamLagSeconds", "AnnounceStoppedAlarm"},
		{"Stream of connections", "ConnectionsStreamLagSeconds", "AnnounceStoppedAlarm"},
	} {
		const within = 15 * time.Minute
		one := of(s.name, s.metric, operator.Lag{Alarm: s.alarm, Within: within})
		last, known := m.recent(s.metric).Last()
		one.Oldest, one.Unknown = "not measured", !known
		if known {
			lag := time.Duration(last.N * float64(time.Second))
			one.Oldest, one.Late = lagText(lag), lag >= within || now.Sub(last.At) > within
		}
		all = append(all, one)
	}
	return all
}

// lagText is a lag, which is seldom long.
func lagText(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return operator.Length(d)
}

// Troubles counts what an alarm is about.
func (v systemView) Troubles() (n int) {
	for _, bad := range []bool{v.Breaker.Open, v.Brake.Engaged()} {
		if bad {
			n++
		}
	}
	for _, s := range v.Schedules {
		if s.Late {
			n++
		}
	}
	for _, d := range v.Depths {
		if d.Empty && d.Messages() > 0 {
			n++
		}
	}
	return n
}

// Doubts reports whether something could not be read.
func (v systemView) Doubts() bool {
	return v.Unread != nil || slices.ContainsFunc(v.Schedules, func(s schedule) bool { return s.Err != nil }) ||
		slices.ContainsFunc(v.Depths, func(d operator.Depth) bool { return d.Err != nil })
}

// costOf estimates a month so far.
func costOf(u cost.Usage, now time.Time) costView {
	v := costView{Usage: u, From: monthOf(now)}
	v.Hours = int(now.Sub(v.From)/time.Hour) + 1
	if v.Lines, v.Dollars = cost.Estimate(u); u.Ran >= day {
		v.WholeRate = v.Dollars * float64(cost.Month) / float64(u.Ran)
	}
	return v
}

// costGroup is what the items of a group come to.
type costGroup struct {
	Name    string
	Dollars float64
	Share   int // in 1/100
}

// Groups returns the groups, the dearest first.
func (v costView) Groups() (all []costGroup) {
	for _, l := range v.Lines {
		if i := slices.IndexFunc(all, func(g costGroup) bool { return g.Name == l.Group }); i >= 0 {
			all[i].Dollars += l.Dollars
			continue
		}
		all = append(all, costGroup{Name: l.Group, Dollars: l.Dollars})
	}
	slices.SortStableFunc(all, func(a, b costGroup) int { return cmp.Compare(b.Dollars, a.Dollars) })
	for i := range all {
		all[i].Share = int(100*all[i].Dollars/max(all[0].Dollars, 1e-9) + 0.5)
	}
	return all
}

// Month names the month.
func (v costView) Month() string { return v.From.Format("January 2006") }

// RanHours is how long the stack was there.
func (v costView) RanHours() int { return int(v.Ran / time.Hour) }

// readings are the verbs that find something out, and change nothing that a person would be asked about. They are run when
// a person presses a button: they ask Procore, or receive messages for a moment.
func (c *Console) readings() []verb {
	all := []verb{{Name: "doctor", Button: "Examine the stack"}, {Name: "rescue list", Button: "Show what waits to be rescued"}}
	if c.Operator.Principals.ServiceAccount {
		all = append(all, verb{Name: "service-account", Button: "Compare installations"})
	}
	return all
}

// RunPath is where a button of the system page leads.
func (v verb) RunPath() string { return strings.Replace(v.Path(), "/changes/", "/system/run/", 1) }

// examine begins a run of one of them: POST /system/run/{verb}.
func (c *Console) examine(r *http.Request) (page, error) {
	i := slices.IndexFunc(c.readings(), func(v verb) bool { return v.RunPath() == r.URL.Path })
	if i < 0 {
		return page{}, errNotFound
	}
	v := c.readings()[i]
	args, err := v.args(nil)
	if err != nil {
		return page{}, err
	}
	one, err := c.jobs.start(v, args, c.now(), func(ctx context.Context, j *job) {
		j.read()
		j.end(c.Run(ctx, j.Args, Streams{Out: sink{j, &j.out}, Err: sink{j, &j.out}}), c.now())
	})
	if err != nil {
		return page{}, err
	}
	return page{To: fmt.Sprintf("/runs/%d", one.ID)}, nil
}
