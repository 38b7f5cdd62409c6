package stack

import (
	"bytes"
	"testing"
)

func TestOutput(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	o := newOutput(&stdout, &stderr)
	w := o.objects("event-consumer")
	for _, line := range []string{"{\"msg\":\"handled\"}\n", "{}\n", "{broken\n", "[1]\n", "text\n", "\n"} {
		w.Write([]byte(line))
	}
	o.prefixed("refresher").Write([]byte("{\"a\":1}\nsecond\n"))
	o.report("ready")
	if got, want := stdout.String(), "{\"function\":\"event-consumer\",\"msg\":\"handled\"}\n{\"function\":\"event-consumer\"}\n"; got != want {
		t.Errorf("standard output %q, want %q", got, want)
	}
	want := `event-consumer   | {broken
event-consumer   | [1]
event-consumer   | text
event-consumer   | 
refresher        | {"a":1}
refresher        | second
local            | ready
`
	if got := stderr.String(); got != want {
		t.Errorf("standard error:\n%s\nwant:\n%s", got, want)
	}
}
