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

// Requires checks that a cold start without any variable fails with one error that names
// exactly these: no function asks for a variable that it does not need.
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
