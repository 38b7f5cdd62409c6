package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/stack"
	"procore-connect/pkg/procore"
)

// queue returns a queue of the stack.
func (w *world) queue(name string) *awstest.Queue {
	w.t.Helper()
	q, err := w.aws.Queues.Queue(name)
	if err != nil {
		w.t.Fatal(err)
	}
	return q
}

// sent empties the events queue, and returns the events in order, as company/id.
func (w *world) sent() (all []string) {
	w.t.Helper()
	q := w.queue("events.fifo")
	for {
		batch, err := q.Receive(w.t.Context(), 10, 0)
		if err != nil {
			w.t.Fatal(err)
		}
		if len(batch) == 0 {
			return all
		}
		for _, m := range batch {
			e, err := procore.ParseEvent([]byte(m.Body))
			if err != nil || e.ReplayedAt.IsZero() {
				w.t.Fatalf("not a replayed event: %v", err)
			}
			all = append(all, fmt.Sprintf("%d/%s", e.CompanyID, strings.TrimPrefix(e.ID, "01JB00000000000000000000")))
			if err := q.Delete(m.Receipt); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

// wantSent compares what was sent.
func (w *world) wantSent(want ...string) {
	w.t.Helper()
	if d := cmp.Diff(w.sent(), want); d != "" {
		w.t.Errorf("sent (-got +want):\n%s", d)
	}
}

// A replay shows its plan, and sends what it chooses in order.
func TestReplay(t *testing.T) {
	t.Parallel()
	w := busy(t)
	wants(t, w, "replay-unasked", "replay", "--company", "5678", "--from", "2h")
	wants(t, w, "replay-dry-run", "replay", "--company", "5678", "--from", "2h", "--dry-run", "--limit", "3")
	wants(t, w, "replay-none", "replay", "--company", "5678", "--from", "2026-02-01", "--to", "2026-02-02 08:00", "--yes")
	w.wantSent()
	wants(t, w, "replay", "replay", "--company", "5679", "--from", "2h", "--yes")
	w.wantSent("5679/01JA8Z7Q4M6X2V9T3C5B1N0KDE")
	wants(t, w, "replay-resource", "replay", "--company", "5678", "--resource", "RFIs#7", "--from", "2h", "--json", "--yes")
	w.wantSent("5678/07")
	wants(t, w, "replay-not-handled", "replay", "--all-companies", "--from", "2d", "--not-handled", "--yes")
	w.wantSent("5678/01", "5678/02", "5678/01JA8Z7Q4M6X2V9T3C5B1N0KDE", "5678/05", "5678/06", "5678/08", "5678/10", "5678/09", "5678/11", "5679/12", "5679/13")
	outputs := stack.Outputs(app, "http://"+w.addr)
	outputs["LogGroups"] = "dispatcher=" + stack.LogGroup("dispatcher")
	w.aws.Stacks.Put(stack.StackName, outputs)
	wants(t, w, "replay-no-consumer", "replay", "--company", "5678", "--from", "2h", "--not-handled")
}

// A connection that cannot be read does not hold up the replay of the others.
func TestReplayUnreadRow(t *testing.T) {
	t.Parallel()
	w := busy(t)
	w.put(w.Tables.Connections, dynamo.Item{"company": dynamo.Text("custom#1"), "principal": dynamo.Text("user#1"), "rev": dynamo.Text("one")})
	_, aside, code := w.run("replay", "--all-companies", "--from", "2h", "--yes")
	if code != exitFailed || !strings.Contains(aside, "may be missing") || !strings.Contains(aside, "company 1, user#1") || len(w.sent()) != 11 {
		t.Errorf("exit code %d: %s", code, aside)
	}
}

// A replay in parts shows the command that goes on, and that one sends the rest, wherever the first one stopped.
func TestReplayInParts(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{5, 12} { // 12 are of the first company
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			t.Parallel()
			w := busy(t)
			typed := []string{"replay", "--all-companies", "--from", "2d", "--limit", fmt.Sprint(limit), "--yes"}
			var all []string
			for found := true; found; {
				out, aside, code := w.run(typed...)
				if code != exitOK {
					t.Fatalf("exit code %d: %s%s", code, out, aside)
				}
				all = append(all, w.sent()...)
				typed, found = goesOn(aside)
				w.Clock.Advance(time.Hour) // the times of the command are those of the first one
			}
			want := []string{"5678/01", "5678/02", "5678/01JA8Z7Q4M6X2V9T3C5B1N0KDE"}
			for _, n := range []int{3, 4, 5, 6, 7, 8, 10, 9, 11} { // 9 and 10 at the same time
				want = append(want, fmt.Sprintf("5678/%02d", n))
			}
			if d := cmp.Diff(all, append(want, "5679/12", "5679/13", "5679/01JA8Z7Q4M6X2V9T3C5B1N0KDE")); d != "" {
				t.Errorf("sent (-got +want):\n%s", d)
			}
		})
	}
}

// goesOn returns the command line that the output shows, without the name of the program and --local.
func goesOn(aside string) (words []string, found bool) {
	_, after, found := strings.Cut(aside, "To go on:\n  procore-connect ")
	line, _, _ := strings.Cut(after, "\n")
	for word := range strings.FieldsSeq(line) {
		if word != "--local" {
			words = append(words, word)
		}
	}
	return words, found
}

// A person who interrupts a replay, or a queue that fails, leaves a command that goes on where it stopped: nothing is left
// out, and nothing is sent twice.
func TestReplayInterrupted(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]bool{"the queue fails": true, "interrupted": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := busy(t)
			ctx, interrupt := context.WithCancel(t.Context())
			sends := 0
			w.instead = func(rw http.ResponseWriter, r *http.Request) bool {
				if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".SendMessage") {
					return false
				}
				if sends++; sends == 4 && fails {
					rw.WriteHeader(http.StatusBadRequest)
					fmt.Fprint(rw, `{"__type":"AccessDeniedException","message":"no"}`)
					return true
				} else if sends == 4 {
					interrupt()
				}
				return false
			}
			var out, aside strings.Builder
			args := []string{"--local", "replay", "--all-companies", "--from", "2d", "--yes"}
			code := run(ctx, args, func(string) string { return w.addr }, streams{out: &out, err: &aside}, w.Clock.Seam())
			next, found := goesOn(aside.String())
			if code != exitFailed || !found {
				t.Fatalf("exit code %d: %s%s", code, out.String(), aside.String())
			}
			if out, aside, code := w.run(next...); code != exitOK {
				t.Fatalf("exit code %d: %s%s", code, out, aside)
			}
			all := w.sent()
			if len(all) != 15 || all[0] != "5678/01" || all[14] != "5679/01JA8Z7Q4M6X2V9T3C5B1N0KDE" || len(slices.Compact(slices.Sorted(slices.Values(all)))) != 15 {
				t.Errorf("sent: %v", all)
			}
		})
	}
}
