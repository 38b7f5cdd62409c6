package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"text/tabwriter"
)

// quantity names what is measured.
type quantity string

const (
	initTime    quantity = "init"
	initCPU     quantity = "init, CPU"
	firstAnswer quantity = "init + first webhook"
	firstCPU    quantity = "first webhook, CPU"
	perCore     quantity = "warm webhooks per core"
	peakBytes   quantity = "peak memory"
	zipBytes    quantity = "zip"
)

// series has the values of each quantity by binary, one per round.
type series map[quantity]map[string][]float64

func (s series) add(q quantity, name string, value float64) {
	if s[q] == nil {
		s[q] = make(map[string][]float64)
	}
	s[q][name] = append(s[q][name], value)
}

// ratios returns the ratios of two binaries, by round.
func (s series) ratios(q quantity, name, against string) []float64 {
	var all []float64
	for i, value := range s[q][name] {
		all = append(all, value/s[q][against][i])
	}
	return all
}

// row compares two binaries in a quantity.
type row struct {
	quantity      quantity
	name, against string
	goal, stretch float64 // 0: none
	atLeast       bool    // the goal is a lower bound
}

// table returns the rows of the table in docs/PERFORMANCE.md.
func table() []row {
	var all []row
	for _, f := range functions {
		all = append(all, row{quantity: initTime, name: f, against: bare, goal: 1.55, stretch: 1.1})
	}
	for _, f := range functions {
		all = append(all, row{quantity: initCPU, name: f, against: bare})
	}
	all = append(all,
		row{quantity: firstAnswer, name: receiver, against: naive, goal: 0.15},
		row{quantity: firstCPU, name: receiver, against: naive},
		row{quantity: perCore, name: receiver, against: bare, goal: 0.30, stretch: 0.40, atLeast: true},
		row{quantity: peakBytes, name: receiver, against: bare, goal: 1.7, stretch: 1.35},
	)
	for _, f := range functions {
		r := row{quantity: zipBytes, name: f, against: bare}
		if f == receiver {
			r.goal, r.stretch = 1.3, 1.05
		}
		all = append(all, r)
	}
	return all
}

// report writes the table.
func report(w io.Writer, s series, extra string) {
	fmt.Fprintf(w, "%d rounds, %s %s/%s, GOMAXPROCS=%d, %s\n\n", len(s[initTime][bare]), runtime.Version(),
		runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), cmp.Or(extra, "environment as deployed"))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "quantity\tof\tmedian\tagainst\tmedian\tratio\tleast\tgreatest\tgoal\t")
	for _, r := range table() {
		all := s.ratios(r.quantity, r.name, r.against)
		if len(all) == 0 {
			continue
		}
		ratio := median(all)
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%.2f\t%.2f\t%.2f\t%s\t\n", r.quantity,
			r.name, r.quantity.format(median(s[r.quantity][r.name])),
			r.against, r.quantity.format(median(s[r.quantity][r.against])),
			ratio, slices.Min(all), slices.Max(all), r.judge(ratio))
	}
	if err := t.Flush(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
}

// judge describes whether the ratio reaches the goal.
func (r row) judge(ratio float64) string {
	reached := func(goal float64) bool { return r.atLeast && ratio >= goal || !r.atLeast && ratio <= goal }
	sign := "<="
	if r.atLeast {
		sign = ">="
	}
	switch {
	case r.goal == 0:
		return ""
	case !reached(r.goal):
		return fmt.Sprintf("%s %.2f MISSED", sign, r.goal)
	case r.stretch != 0 && reached(r.stretch):
		return fmt.Sprintf("%s %.2f reached, and %.2f", sign, r.goal, r.stretch)
	}
	return fmt.Sprintf("%s %.2f reached", sign, r.goal)
}

func (q quantity) format(v float64) string {
	switch q {
	case perCore:
		return fmt.Sprintf("%.0f/s", v)
	case peakBytes, zipBytes:
		return fmt.Sprintf("%.2f MB", v/1e6)
	}
	return fmt.Sprintf("%.1f ms", v*1000)
}

// median returns the middle value, or the mean of the two middle values.
func median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}
