package sam_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/sam"
	"procore-connect/internal/testing/stack"
)

// With a stack's values, each sample event has the effect that it is a sample of. TestSAMLocal does the same in containers.
func TestEvents(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := start(t, stack.Options{}, func(w *world) {
		w.dir = dir
		err := sam.Prepare(t.Context(), sam.Options{
			Dir: dir, Events: filepath.Join(root, "events"), Architecture: "arm64",
			AppURL: w.AppURL, ProcoreURL: w.ProcoreURL, AWSURL: w.AWSURL,
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	w.invoke = func(t *testing.T, event string) []byte {
		t.Helper()
		function, _, _ := strings.Cut(event, "/")
		answer, err := w.Invoke(t.Context(), function, w.payload(t, event))
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	w.run(t)
	noneMadeUp(t, dir)
	operate(t, w, looks)
	w.disconnect(t)
	operate(t, w, [][2]string{{"revoke", revoke}, {"erase", erase}})
}

// noneMadeUp checks that every made-up value was replaced, except for the one that has to be refused.
func noneMadeUp(t *testing.T, dir string) {
	t.Helper()
	for _, s := range samples() {
		text, err := os.ReadFile(filepath.Join(dir, "events", s.event+".json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, mark := range []string{"made-up-", ".invalid"} {
			if strings.Contains(string(text), mark) && s.event != "webhook-receiver/bad-credential" && s.event != "event-consumer/event" {
				t.Errorf("%s still has a value %s", s.event, mark)
			}
		}
	}
}

// Every file of events has an outcome in samples. Payloads and envelopes are parts of events.
func TestEverySample(t *testing.T) {
	t.Parallel()
	got, err := fs.Glob(os.DirFS(filepath.Join(root, "events")), "*/*.json")
	if err != nil {
		t.Fatal(err)
	}
	got = slices.DeleteFunc(got, func(name string) bool {
		return strings.HasPrefix(name, "payloads/") || strings.HasPrefix(name, "envelopes/")
	})
	var want []string
	for _, s := range samples() {
		want = append(want, s.event+".json")
	}
	slices.Sort(want)
	if d := cmp.Diff(got, want); d != "" {
		t.Errorf("files of events (-got +want):\n%s", d)
	}
}
