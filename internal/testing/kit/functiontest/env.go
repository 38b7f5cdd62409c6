package functiontest

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var named = regexp.MustCompile(`environment variable ([A-Z_]+): is missing`)

// Requires checks that a cold start without any variable stops with an error that
// names just these, all at once: no function asks for what is not its own.
func Requires(t *testing.T, wire func() error, names ...string) {
	t.Helper()
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		switch name {
		case "PATH", "HOME", "TMPDIR":
		default:
			t.Setenv(name, "")
		}
	}
	err := wire()
	if err == nil {
		t.Fatal("the function starts without configuration")
	}
	var got []string
	for _, match := range named.FindAllStringSubmatch(err.Error(), -1) {
		got = append(got, match[1])
	}
	slices.Sort(got)
	slices.Sort(names)
	if diff := cmp.Diff(slices.Compact(got), names); diff != "" {
		t.Errorf("variables that are missing (-got +want):\n%s", diff)
	}
}
