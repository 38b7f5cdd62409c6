package system

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// usual is the size of the runs of make simulate. Many companies share the background work.
var usual = Config{Companies: 40, Time: 24 * time.Hour, Settle: settle, Events: usualEvents}

// parse reads a configuration from variables: SEED, COMPANIES, DAYS, EVENTS, STORMS, WITHOUT and FAULTS.
func parse(variable func(name string) string) (c Config, err error) {
	c = usual
	if text := variable("SEED"); text != "" {
		c.Seed, err = strconv.ParseUint(text, 10, 64)
	}
	if text := variable("COMPANIES"); text != "" && err == nil {
		c.Companies, err = strconv.Atoi(text)
	}
	if text := variable("DAYS"); text != "" && err == nil {
		var days float64
		days, err = strconv.ParseFloat(text, 64)
		c.Time = time.Duration(days * 24 * float64(time.Hour)).Round(time.Second)
	}
	if text := variable("EVENTS"); text != "" && err == nil {
		c.Events, err = strconv.Atoi(text)
	}
	c.Storms = variable("STORMS") != ""
	if text := variable("WITHOUT"); text != "" {
		c.Without = strings.Split(text, separator)
	}
	if text := variable("FAULTS"); text != "" {
		c.Faults = strings.Split(text, separator)
	}
	if err == nil && (c.Companies < 1 || c.Time <= 0 || c.Events < 1) {
		err = fmt.Errorf("%d companies with %d events a day for %v", c.Companies, c.Events, c.Time)
	}
	return c, err
}

// fields returns the variables of a command: NAME=value or NAME='value', up to a #.
func fields(line string) func(name string) string {
	line, _, _ = strings.Cut(line, "#")
	return func(name string) string {
		_, rest, found := strings.Cut(" "+line, " "+name+"=")
		if !found {
			return ""
		}
		if quoted, is := strings.CutPrefix(rest, "'"); is {
			value, _, _ := strings.Cut(quoted, "'")
			return value
		}
		value, _, _ := strings.Cut(rest, " ")
		return value
	}
}

// TestSimulate is make simulate: it makes the run of SEED, or runs for SIMULATE from the seed FROM on, or from one of the
// clock, until FAILURES of them have failed. MINIMISE=1 makes a run that fails smaller.
func TestSimulate(t *testing.T) {
	text := os.Getenv("SIMULATE")
	if text == "" {
		t.Skip("for make simulate")
	}
	most, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("T: %v", err)
	}
	c, err := parse(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("SEED") == "" {
		from, err := strconv.ParseUint(cmp.Or(os.Getenv("FROM"), strconv.FormatInt(time.Now().Unix(), 10)), 10, 64)
		if err != nil {
			t.Fatalf("FROM: %v", err)
		}
		enough, err := strconv.Atoi(cmp.Or(os.Getenv("FAILURES"), "3"))
		if err != nil {
			t.Fatalf("FAILURES: %v", err)
		}
		explore(t, c.seeded(from), most, enough)
		return
	}
	began, sum := time.Now(), newTally()
	r := alone(t, c)
	sum.add(r)
	t.Logf("%s\n%s", sum.line(time.Since(began)), sum.rares())
	if len(r.Problems) == 0 {
		return
	}
	t.Log(strings.Join(r.Problems, "\n")) // what follows repeats the run, which may take minutes
	if os.Getenv("MINIMISE") != "" {
		r = minimise(r, most, func(c Config) *Result { return alone(t, c) }, t.Logf)
	}
	report(t, r)
}

// alone makes a run in another process that has one processor. A run does one thing after the other: on two processors
// it takes a fifth longer, and two runs take each other's.
func alone(t *testing.T, c Config) *Result {
	t.Helper()
	in, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestAlone$", "-test.timeout", "0")
	run.Env = append([]string{"GOGC=400"}, os.Environ()...)
	run.Env = append(run.Env, "ALONE=1", "GOMAXPROCS=1")
	run.Stdin = bytes.NewReader(in)
	out, err := run.CombinedOutput()
	_, line, found := strings.Cut(string(out), asJSON)
	r := &Result{}
	if err == nil && found {
		err = json.NewDecoder(strings.NewReader(line)).Decode(r)
	}
	if err != nil || !found {
		t.Fatalf("seed %d: %v\n%s", c.Seed, err, out)
	}
	return r
}

// asJSON is before a result.
const asJSON = "the result is "

// TestAlone is the other process of alone.
func TestAlone(t *testing.T) {
	if os.Getenv("ALONE") == "" {
		t.Skip("for runs in processes apart")
	}
	var c Config
	if err := json.NewDecoder(os.Stdin).Decode(&c); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(Run(t, c))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("%s%s\n", asJSON, out)
}

// explore makes runs from a seed on until the time is over, or enough of them have failed.
func explore(t *testing.T, first Config, most time.Duration, enough int) {
	t.Helper()
	var mu sync.Mutex // guards sum and next
	began, sum, next := time.Now(), newTally(), first.Seed
	printed := began
	t.Run("runs", func(t *testing.T) {
		for shard := range runtime.GOMAXPROCS(0) {
			t.Run(strconv.Itoa(shard), func(t *testing.T) {
				t.Parallel()
				for {
					mu.Lock()
					c, over := first.seeded(next), time.Since(began) > most || sum.failures >= enough
					next++
					mu.Unlock()
					if over {
						return
					}
					r := alone(t, c)
					mu.Lock()
					sum.add(r)
					if time.Since(printed) > time.Minute {
						printed = time.Now()
						t.Log(sum.line(time.Since(began)))
					}
					mu.Unlock()
					if len(r.Problems) > 0 {
						report(t, r)
					}
				}
			})
		}
	})
	t.Logf("%s\n%s", sum.line(time.Since(began)), sum.rares())
}

// tally is what runs did together.
type tally struct {
	runs, failures, calls, faults, problems int
	days                                    float64
	reached, messages, events               map[string]int
}

func newTally() *tally {
	return &tally{reached: map[string]int{}, messages: map[string]int{}, events: map[string]int{}}
}

func (s *tally) add(r *Result) {
	s.runs++
	s.calls += r.Calls
	s.faults += r.Faults
	s.days += r.Days
	if s.problems += len(r.Problems); len(r.Problems) > 0 {
		s.failures++
	}
	for to, from := range map[*map[string]int]map[string]int{&s.reached: r.Reached, &s.messages: r.Messages, &s.events: r.Events} {
		for name, n := range from {
			(*to)[name] += n
		}
	}
}

// line is the sum in a line.
func (s *tally) line(took time.Duration) string {
	return fmt.Sprintf("%d runs, %.0f company-days (%.0f a minute), %d calls, %d faults, %d problems, %d of %d rare states, in %v", s.runs, s.days,
		s.days/took.Minutes(), s.calls, s.faults, s.problems, len(s.reached), len(rares), took.Round(time.Second))
}

// rares lists how often each rare state was reached.
func (s *tally) rares() string {
	var b strings.Builder
	for _, one := range rares {
		fmt.Fprintf(&b, "%9d  %s\n", s.reached[one.name], one.name)
	}
	return b.String()
}

// logs lists the messages of the logs and the events of the world.
func (s *tally) logs() string {
	var b strings.Builder
	for _, all := range []map[string]int{s.messages, s.events} {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			fmt.Fprintf(&b, "%9d  %s\n", all[name], name)
		}
	}
	return b.String()
}

// report repeats a run that failed, and prints its command, its problems and what of its
// trace concerns them.
func report(t *testing.T, r *Result) {
	t.Helper()
	trace, again := traced(t, r.Config)
	if again.Sum != r.Sum {
		t.Errorf("the run is not repeated: the sums are %s and %s", r.Sum, again.Sum)
	}
	t.Errorf("%s\n%s\n%s", strings.Join(r.Problems, "\n"), r.Replay(), strings.Join(shortened(trace, r.Problems[0]), "\n"))
}

// Parts of a trace that are printed.
const (
	lastFaults = 20
	lastLines  = 30 // of each actor and company
)

// shortened returns the lines of a trace that concern its first problem: the problems, the
// last faults before, and the last lines of the actors and companies that it names.
func shortened(trace []string, problem string) (lines []string) {
	end := slices.IndexFunc(trace, func(line string) bool { return strings.Contains(line, "PROBLEM ") })
	if end < 0 {
		end = len(trace)
	}
	keep := map[int]bool{}
	last := func(n int, concerns func(line string) bool) {
		for i := min(end, len(trace)-1); i >= 0 && n > 0; i-- {
			if concerns(trace[i]) {
				keep[i] = true
				n--
			}
		}
	}
	last(lastFaults, func(line string) bool { return strings.Contains(line, "(fault ") })
	for _, word := range concerned(problem) {
		last(lastLines, func(line string) bool { return strings.Contains(line, word) && !searches(line) })
	}
	for i, line := range trace {
		if keep[i] || strings.Contains(line, "PROBLEM ") {
			lines = append(lines, line)
		}
	}
	return lines
}

// searches reports whether a line is one of the many queries for work.
func searches(line string) bool {
	return strings.Contains(line, " Query grants/due ") || strings.Contains(line, " Query connections/checks ")
}

// concerned returns what a problem names: sandboxes, companies and users.
func concerned(problem string) (all []string) {
	for _, word := range strings.FieldsFunc(problem, func(r rune) bool { return strings.ContainsRune(" ,:;()[]{}\"'=", r) }) {
		for part := range strings.SplitSeq(word, "/") {
			_, number, sandbox := strings.Cut(part, "#")
			n, err := strconv.ParseInt(cmp.Or(number, part), 10, 64)
			if err != nil || !sandbox && (n < firstCompany || n >= firstProject) || slices.Contains(all, part) {
				continue
			}
			if all = append(all, part); len(all) == 3 {
				return all
			}
		}
	}
	return all
}
