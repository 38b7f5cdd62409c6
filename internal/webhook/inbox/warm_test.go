package inbox

import (
	"testing"

	"procore-connect/internal/testing/fake/dynamotest"
)

// Warm takes every step of a write, and sends nothing to storage.
func TestWarm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dynamo.Intercept(func(operation string, _ []byte) dynamotest.Fault {
		t.Errorf("storage was asked for %s", operation)
		return dynamotest.Fault{}
	})
	o, err := w.warm(t.Context())
	w.dynamo.Intercept(nil)
	if err != nil || o != (Outcome{Word: Stored, New: true}) {
		t.Errorf("warm = %+v, %v, want a write that seems done", o, err)
	}
	if n := len(w.items(t)); n != 0 {
		t.Errorf("%d items afterwards, want none", n)
	}
}
