package stack

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Lines remain for the next run, in files of bounded size; a line that a crash has cut is skipped.
func TestLogFile(t *testing.T) {
	t.Parallel()
	dir, at := t.TempDir(), time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	var got []string
	open := func(fresh bool) *logFile {
		t.Helper()
		got = nil
		l, err := openLogs(dir, fresh, func(group string, at time.Time, text string) {
			got = append(got, fmt.Sprintf("%s %s %.3s", group, at.Format(time.TimeOnly), text))
		})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	l := open(false)
	l.add("a", at, "one")
	l.add("b", at.Add(time.Second), "two")
	l.close()
	file, err := os.OpenFile(filepath.Join(dir, logFileName), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"group":"c","te` + "\n"); err != nil {
		t.Fatal(err)
	}
	file.Close()
	l = open(false)
	if d := cmp.Diff(got, []string{"a 08:00:00 one", "b 08:00:01 two"}); d != "" {
		t.Errorf("lines of the last run (-got +want):\n%s", d)
	}
	for range 2*maxLogFile/(1<<19) + 4 {
		l.add("a", at, strings.Repeat("x", 1<<19))
	}
	l.add("a", at, "end")
	l.close()
	for _, name := range []string{logFileName, oldLogName} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() > maxLogFile+1<<20 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	l = open(false)
	if len(got) == 0 || got[len(got)-1] != "a 08:00:00 end" || got[0] != "a 08:00:00 xxx" {
		t.Errorf("after many lines: %d of them", len(got))
	}
	l.close()
	if open(true).close(); got != nil {
		t.Errorf("a fresh start has %v", got)
	}
	var none *logFile
	none.add("a", at, "nothing")
	none.close()
}
