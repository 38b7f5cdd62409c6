package main

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// series has the values of each quantity by subject, one per round.
type series map[quantity]map[string][]float64

func (s series) add(q quantity, name string, value float64) {
	if s[q] == nil {
		s[q] = make(map[string][]float64)
	}
	s[q][name] = append(s[q][name], value)
}

// ratios returns the ratios of two subjects, by round. It is empty if one was not measured.
func (s series) ratios(r row) []float64 {
	values, against := s[r.quantity][r.name], s[r.quantity][r.against]
	var all []float64
	for i := range min(len(values), len(against)) {
		all = append(all, values[i]/against[i])
	}
	return all
}

// report writes the tables as docs/PERFORMANCE.md has them.
func (b *bench) report(w io.Writer, rounds int, rested []*rested) {
	var text bytes.Buffer
	b.write(&text, rounds, rested)
	for line := range strings.Lines(text.String()) {
		fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
}

func (b *bench) write(w *bytes.Buffer, rounds int, rested []*rested) {
	fmt.Fprintf(w, "%d rounds, %s %s/%s, %d cores, %s\n", rounds, runtime.Version(), runtime.GOOS, runtime.GOARCH,
		runtime.NumCPU(), b.settings)
	var versions []string
	for _, p := range b.peers {
		versions = append(versions, p.version)
	}
	if versions = slices.Compact(versions); len(versions) > 0 {
		fmt.Fprintf(w, "peers: %s\n", strings.Join(versions, ", "))
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(b.seen) > 0 {
		fmt.Fprintln(t, "quantity\tof\tmedian\tagainst\tmedian\tquartiles of ratio\tgoal")
	}
	for _, r := range rows() {
		all := b.seen.ratios(r)
		if len(all) == 0 {
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.quantity,
			r.name, r.quantity.format(median(b.seen[r.quantity][r.name])),
			r.against, r.quantity.format(median(b.seen[r.quantity][r.against])), quartiles(all), r.judge(quantile(all, lower)))
	}
	_ = t.Flush() // into memory
	if len(rested) > 0 {
		fmt.Fprintln(w)
		reportPauses(t, rested)
		_ = t.Flush()
	}
}

// maxAfterPause is the goal for an answer after a pause, as a ratio to the warm answer, and maxOpened that for the
// connections that the answer waits for, if AWS closed the former ones.
const (
	maxAfterPause = 2.5
	maxOpened     = 1
)

// reportPauses writes the second table.
func reportPauses(w io.Writer, all []*rested) {
	fmt.Fprintln(w, "after\tconnections\twarm\tanswer\tquartiles of ratio\tCPU\topened\treads\tgoal")
	var kinds []rest // in the order of the measurements
	byKind := make(map[rest][]*rested)
	for _, r := range all {
		if byKind[r.kind] = append(byKind[r.kind], r); len(byKind[r.kind]) == 1 {
			kinds = append(kinds, r.kind)
		}
	}
	for _, kind := range kinds {
		var warm, answer, ratio, cpu []float64
		var opened, reads int64
		for _, r := range byKind[kind] {
			warm, answer = append(warm, r.warm.Seconds()), append(answer, r.answer.Seconds())
			ratio, cpu = append(ratio, float64(r.answer)/float64(r.warm)), append(cpu, float64(r.answerCPU)/float64(r.warmCPU))
			opened, reads = max(opened, r.opened), max(reads, r.reads)
		}
		goal := row{goal: maxAfterPause}.judge(quantile(ratio, lower))
		if kind.closed {
			goal = "opened " + row{goal: maxOpened}.judge(float64(opened))
		}
		fmt.Fprintf(w, "%v\t%s\t%s\t%s\t%s\t%.2f\t%d\t%d\t%s\n", kind, kind.connections(),
			ms(median(warm)), ms(median(answer)), quartiles(ratio), median(cpu), opened, reads, goal)
	}
}

func ms(seconds float64) string {
	return time.Duration(seconds * float64(time.Second)).Round(10 * time.Microsecond).String()
}

// lower is the quartile by which a goal is judged. A busy machine makes ratios greater
// at times, hardly ever smaller: it is lenient to an upper bound, and strict to a lower one.
const lower = 0.25

// quartiles describes the lower quartile, the median and the upper quartile.
func quartiles(values []float64) string {
	return digits(quantile(values, lower)) + " " + digits(median(values)) + " " + digits(quantile(values, 1-lower))
}

// digits writes a ratio in five columns.
func digits(v float64) string {
	switch {
	case v < 0.1:
		return fmt.Sprintf("%5.3f", v)
	case v < 100:
		return fmt.Sprintf("%5.2f", v)
	}
	return fmt.Sprintf("%5.0f", v)
}

func median(values []float64) float64 { return quantile(values, 0.5) }

// quantile interpolates between the two nearest values.
func quantile(values []float64, q float64) float64 {
	v := slices.Sorted(slices.Values(values))
	at := q * float64(len(v)-1)
	i := int(at)
	if i == len(v)-1 {
		return v[i]
	}
	return v[i] + (at-float64(i))*(v[i+1]-v[i])
}
