package lambdatest_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
)

func TestChildDiesWithParent(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "LAMBDATEST_PARENT_OF="+toy(t))
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var out output
	err = json.NewDecoder(stdout).Decode(&out)
	cmd.Process.Kill()
	cmd.Wait()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	eventually(t, "the child ended", func() bool { return !alive(out.PID) })
}
