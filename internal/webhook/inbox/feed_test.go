package inbox_test

import (
	"encoding/json"
	"testing"
)

// envelopeOf returns what the dispatcher sends of an item in the stream.
func envelopeOf(t *testing.T, image json.RawMessage) string {
	t.Helper()
	var item struct {
		Envelope struct{ S string } `json:"envelope"`
	}
	if err := json.Unmarshal(image, &item); err != nil {
		t.Fatal(err)
	}
	return item.Envelope.S
}
