package procore

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// R3: a call into a company without a chosen company does not compile.
func TestDoesNotCompile(t *testing.T) {
	t.Parallel()
	const file = "testdata/nocompile/user.go"
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// -e: all errors of the file, not the first ten.
	out, err := exec.CommandContext(t.Context(), "go", "build", "-gcflags=-e", "-o", os.DevNull, file).CombinedOutput()
	if err == nil {
		t.Fatal("it compiles")
	}
	for i, line := range strings.Split(string(source), "\n") {
		refused := bytes.Contains(out, fmt.Appendf(nil, "user.go:%d:", i+1))
		if want := strings.HasSuffix(line, "// ERROR"); refused != want {
			t.Errorf("line %d, %s: refused %t, want %t\n%s", i+1, strings.TrimSpace(line), refused, want, out)
		}
	}
}
