package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/stack"
	"procore-connect/pkg/procore"
)

// drill makes a page's trouble on a running stack, for the page's commands to end.
type drill struct {
	// trouble makes it, and fills in the placeholders.
	trouble func(*night)
	// sign is what the page's last command shows then.
	sign string
	// others does what the page expects of other people: where the page has a line that begins with #, or after the
	// commands. Nil: nothing.
	others func(*night)
	// alone: its trouble would reach the companies of other drills.
	alone bool
	// nowhere is why one machine cannot have the trouble. Then the commands are typed, and have to succeed.
	nowhere string
}

// drills returns all of them, by page.
func drills() map[string]drill {
	all := make(map[string]drill)
	for _, some := range []map[string]drill{connectionDrills, refreshDrills, eventDrills, stackDrills} {
		maps.Copy(all, some)
	}
	return all
}

// The commands of each page end the page's trouble on a stack that has it.
func TestDrills(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("compiles and starts everything")
	}
	log, all, runbook := newLines(t), drills(), readRunbook(t)
	refuses := new(atomic.Value)
	refuses.Store(func(awstest.Call) bool { return false })
	s, err := stack.Start(t.Context(), stack.Options{
		Refresh: -1, Housekeeping: -1, Reconcile: -1, // the drills are the schedules
		Stdout: log, Stderr: log,
		Watch: func(c awstest.Call) {
			if refuses.Load().(func(awstest.Call) bool)(c) {
				panic(http.ErrAbortHandler) // net/http's way to close the connection
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	shared := &shared{Stack: s, log: log, refuses: refuses}
	for _, alone := range []bool{false, true} {
		t.Run(fmt.Sprintf("alone=%v", alone), func(t *testing.T) {
			for i, p := range runbook {
				d, ok := all[p.name]
				if !ok || d.alone != alone {
					continue // TestRunbookHasDrills
				}
				t.Run(p.name, func(t *testing.T) {
					if !alone {
						t.Parallel()
					}
					n := newNight(t, shared, int64(i))
					if alone {
						t.Cleanup(n.peace)
					}
					n.run(d, p)
				})
			}
		})
	}
}

// shared is what all drills have.
type shared struct {
	*stack.Stack
	log     *lines
	refuses *atomic.Value // reports whether AWS does not answer a call
	tasks   sync.Mutex
}

// night is one drill: a person who is on call, and a company of a user, which no other drill has.
type night struct {
	t *testing.T
	*shared
	user, company int64
	began, heard  int           // in log: where the drill began, and the end of the last line that it waited for
	last          string        // command, and what it wrote
	code          int           // its exit code
	passed        time.Duration // beside the machine's time
	fills         map[string]string
}

func newNight(t *testing.T, s *shared, number int64) *night {
	t.Helper()
	n := &night{t: t, shared: s, user: 10_000 + number, company: 100_000 + 100*number, began: len(s.log.String()), fills: map[string]string{}}
	n.heard = n.began
	n.fills["USER"] = fmt.Sprint(n.user)
	n.fills["COMPANY"] = fmt.Sprint(n.company)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the stack wrote:\n%s", s.log.String()[n.began:])
		}
	})
	return n
}

// run makes the trouble, types the page's commands, and waits until the trouble is over.
func (n *night) run(d drill, p page) {
	n.t.Helper()
	if d.trouble != nil {
		d.trouble(n)
	}
	n.until("the page's last command shows the trouble: "+d.sign, func() bool { return d.nowhere != "" || n.shows(p.over, d.sign) && !n.over(p) })
	for _, line := range p.typed {
		if strings.HasPrefix(line, "#") {
			n.turn(&d)
			continue
		}
		if n.enter(command(line)); n.code != exitOK && n.code != exitTrouble {
			n.t.Fatal(n.last)
		}
	}
	n.turn(&d)
	n.until("the page's last command shows that the trouble is over", func() bool { return n.over(p) })
}

// turn lets the others do their part, once.
func (n *night) turn(d *drill) {
	if d.others != nil {
		d.others(n)
	}
	d.others = nil
}

// over reports whether the page's last command shows what it does when the trouble is over.
func (n *night) over(p page) bool {
	return n.shows(p.over, p.shows) && n.code == exitOK && (p.lacks == "" || !strings.Contains(onOneLine(n.last), n.fill(p.lacks)))
}

// shows reports whether a command shows a text, wherever its lines break.
func (n *night) shows(line, text string) bool {
	n.t.Helper()
	return strings.Contains(onOneLine(n.enter(line)), n.fill(text))
}

// enter fills in the placeholders, types a command to the end, and agrees when it asks.
func (n *night) enter(line string) (out string) {
	n.t.Helper()
	words := strings.Fields(n.fill(line))
	var stdout, stderr bytes.Buffer
	env := map[string]string{"LOCAL_AWS_ADDR": strings.TrimPrefix(n.AWSURL, "http://")}
	to := streams{in: iotest.OneByteReader(strings.NewReader(strings.Repeat("y\n", 9))), out: &stdout, err: &stderr, person: true}
	n.code = run(n.t.Context(), append([]string{"--local"}, words[1:]...), func(name string) string { return env[name] }, to, procore.Clock{Time: n.now, Wait: n.wait})
	out = stdout.String() + stderr.String()
	fmt.Fprintf(n.log.shown, "$ %s\n%s", strings.Join(words, " "), out)
	n.last = fmt.Sprintf("$ %s\n%s--- exit code %d", strings.Join(words, " "), out, n.code)
	return out
}

// fill replaces the placeholders of a line.
func (n *night) fill(line string) string {
	n.t.Helper()
	words := strings.Split(line, " ")
	for i, word := range words {
		if _, ok := placeholders[word]; ok && n.fills[word] == "" {
			n.t.Fatalf("%s: the drill does not know %s", line, word)
		} else if ok {
			words[i] = n.fills[word]
		}
	}
	return strings.Join(words, " ")
}

// now is the time of the person who types.
func (n *night) now() time.Time { return time.Now().Add(n.passed) }

// wait lets minutes pass at once for the person who types, and all functions read their secrets again.
func (n *night) wait(ctx context.Context, d time.Duration) error {
	if d < 10*time.Second {
		return procore.Clock{}.Sleep(ctx, d)
	}
	n.passed += d
	return n.Renew(ctx)
}

// until waits for something that other processes do.
func (n *night) until(what string, ok func() bool) {
	n.t.Helper()
	defer func() {
		if n.t.Failed() {
			n.t.Logf("the last command:\n%s", n.last)
		}
	}()
	n.log.until(n.t, what, ok)
}

// said waits for a line of a function, after the one that it waited for before, and fills in its request's id.
func (n *night) said(texts ...string) {
	n.t.Helper()
	n.until("a line with "+strings.Join(texts, " and "), func() bool {
		at := n.heard
		for line := range strings.Lines(n.log.String()[at:]) {
			at += len(line)
			if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
				n.heard = at
				if id := requestID.FindStringSubmatch(line); id != nil {
					n.fills["REQUEST"] = id[1]
				}
				return true
			}
		}
		return false
	})
}

var requestID = regexp.MustCompile(`"request_id":"([^"]+)"`)
