package rebuild

import (
	"strings"
	"testing"
)

func TestProgress(t *testing.T) {
	t.Parallel()
	got := progress(strings.NewReader("errors\nnet/http\n# procore-connect/functions/refresher\nfunctions/refresher/main.go:3:1: syntax error\n"), func(string) {})
	if want := "functions/refresher/main.go:3:1: syntax error\n"; got != want {
		t.Errorf("complaints %q, want %q", got, want)
	}
}
