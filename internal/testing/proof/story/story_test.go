package story

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

// The whole week is written to the file that STORY names, for the pictures: make screenshots. Without it the first day is
// an ordinary test, so that the story does not end unseen when the code changes.
func TestStory(t *testing.T) {
	t.Parallel()
	until, file := at(time.Monday, "12:01"), os.Getenv("STORY")
	if file != "" {
		until = ends
	}
	s := Run(t, until)
	var all strings.Builder
	for _, l := range s.Lines {
		all.WriteString(l.Text + "\n")
	}
	for _, want := range []string{
		`"msg":"connection changed"`, `"msg":"hook step"`, `"outcome":"stored"`, `"msg":"event dispatched"`, `"msg":"handled"`,
		`"msg":"token refreshed"`, `"msg":"companies checked"`, `"msg":"heartbeat announced"`, `"msg":"reconcile run finished"`,
		`"EventsStored":1`,
	} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("no line has %s", want)
		}
	}
	if file == "" {
		return
	}
	text, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
