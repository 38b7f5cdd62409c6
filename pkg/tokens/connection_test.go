package tokens

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A key without a name is two attributes of the line, as log queries want them. So
// is a connection, which has more to hide.
func TestLoggedKey(t *testing.T) {
	t.Parallel()
	key := Key{CompanyID: 5678, Principal: User(7)}
	want := map[string]any{"msg": "a line", "company_id": 5678.0, "principal": "user#7"}
	for name, logged := range map[string]any{"key": key, "connection": Connection{Key: key, RedirectURI: "http://x"}} {
		var log bytes.Buffer
		withoutTime := func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
				return slog.Attr{}
			}
			return a
		}
		slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{ReplaceAttr: withoutTime})).Info("a line", slog.Any("", logged))
		var got map[string]any
		if err := json.Unmarshal(log.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("%s (-got +want):\n%s", name, diff)
		}
	}
}
