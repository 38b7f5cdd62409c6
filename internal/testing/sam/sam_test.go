package sam_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/kit/browsertest"
	"procore-connect/internal/testing/kit/logtest"
	"procore-connect/internal/testing/sam"
	"procore-connect/internal/testing/stack"
	"procore-connect/pkg/procoretest"
)

// needsSAM skips a test unless .ci/with-sam has installed its tools.
func needsSAM(t *testing.T) {
	t.Helper()
	if os.Getenv("SAM_TEST") == "" {
		t.Skip("needs the SAM CLI: make test-aws")
	}
}

// command returns a command of the SAM CLI, or make, without an AWS account. It does not wait for services that are
// unreachable without one.
func command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_ACCESS_KEY_ID=",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_MAX_ATTEMPTS=1", "AWS_REGION=us-east-1")
	return cmd
}

func output(t *testing.T, cmd *exec.Cmd) (stdout, stderr string) {
	t.Helper()
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, &log) // the output may contain a cookie
	}
	return out.String(), log.String()
}

func TestSAMValidate(t *testing.T) {
	t.Parallel()
	needsSAM(t)
	stdout, _ := output(t, command(t.Context(), root, "sam", "validate", "--lint"))
	if !strings.Contains(stdout, "is a valid SAM Template") {
		t.Errorf("sam validate --lint:\n%s", stdout)
	}
}

// Builds of two copies of the repository produce the same bytes: static, stripped binaries, the consumer
// in Python, and no other files.
func TestSAMBuild(t *testing.T) {
	t.Parallel()
	needsSAM(t)
	here, there := t.TempDir(), filepath.Join(t.TempDir(), "elsewhere")
	output(t, command(t.Context(), root, "sam", "build", "--build-dir", here))
	copyTree(t, there)
	output(t, command(t.Context(), there, "sam", "build"))
	got, want := built(t, here), built(t, filepath.Join(there, ".aws-sam", "build"))
	if d := cmp.Diff(got, want); d != "" || len(got) != 11 { // nine binaries, and the two files of the consumer in Python
		t.Errorf("%d files; built here - elsewhere +:\n%s", len(got), d)
	}
}

// copyTree copies the repository as it would be committed.
func copyTree(t *testing.T, to string) {
	t.Helper()
	files, _ := output(t, command(t.Context(), root, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"))
	for name := range strings.SplitSeq(strings.TrimRight(files, "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) {
			continue // deleted, and not committed
		}
		path := filepath.Join(to, name)
		if err = os.MkdirAll(filepath.Dir(path), 0o750); err == nil {
			err = os.WriteFile(path, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// built returns the hash of each function's binary, or of its files in Python.
func built(t *testing.T, dir string) map[string]string {
	t.Helper()
	hashes := make(map[string]string)
	names, err := fs.Glob(os.DirFS(dir), "*/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		hashes[name] = fmt.Sprintf("%x", sha256.Sum256(text))
		if filepath.Base(filepath.Dir(path)) == "PythonConsumerFunction" && filepath.Ext(path) == ".py" {
			continue
		}
		f, err := elf.NewFile(bytes.NewReader(text))
		if err != nil || filepath.Base(name) != "bootstrap" {
			t.Errorf("%s is not a bootstrap: %v", path, err)
			continue
		}
		libraries, _ := f.ImportedLibraries()
		if f.Machine != elf.EM_AARCH64 || len(libraries) > 0 || f.Section(".interp") != nil || f.Section(".symtab") != nil {
			t.Errorf("%s is for %v, want AArch64; it must be static and stripped", path, f.Machine)
		}
	}
	return hashes
}

// The commands of docs/LOCAL-SAM.md work, one after another.
func TestSAMLocal(t *testing.T) {
	needsSAM(t)
	if os.Getenv("SAM_IMAGE") == "" {
		t.Skip("needs Docker: .ci/with-sam has printed why it is missing")
	}
	dir := filepath.Join(root, "build", "sam")
	w := start(t, stack.Options{ContainersIP: stack.DockerBridge(), Procore: procoretest.Options{RedirectURIs: []string{}}}, func(w *world) {
		w.dir = dir
		addresses := fmt.Sprintf("-app %s -procore %s -aws %s", host(w.AppURL), host(w.ProcoreURL), host(w.AWSURL))
		output(t, command(t.Context(), root, "make", "sam-local", "ARGS="+addresses))
	})
	_, port, _ := net.SplitHostPort(host(w.ProcoreURL))
	w.login = "http://host.docker.internal:" + port
	commands := documented(t)
	w.invoke = func(t *testing.T, event string) []byte {
		t.Helper()
		args, ok := commands[event]
		if !ok {
			t.Fatalf("docs/LOCAL-SAM.md has no command for events/%s.json", event)
		}
		stdout, stderr := output(t, command(t.Context(), dir, "sam", args...))
		if !strings.Contains(stderr, "SAM_CONTAINER_ID") { // the report may be cut off when the container ends
			t.Errorf("no container has run:\n%s", stderr)
		}
		logged(t, stderr)
		return []byte(stdout)
	}
	w.run(t)
	t.Run("operator", func(t *testing.T) { operate(t, w, looks) })
	w.disconnect(t)
	t.Run("start-api", func(t *testing.T) { startAPI(t, w) })
	t.Run("operator ends it", func(t *testing.T) { operate(t, w, [][2]string{{"sam-revoke", revoke}, {"sam-erase", erase}}) })
}

// logged adds the containers' log to the test's output, which is searched for secrets.
func logged(t *testing.T, log string) {
	t.Helper()
	if _, err := io.WriteString(logtest.Output(t), log); err != nil {
		t.Error(err)
	}
}

func host(address string) string { return strings.TrimPrefix(address, "http://") }

var invocation = regexp.MustCompile(`(?m)^sam (local invoke \w+ --event events/(\S+)\.json)$`)

// documented returns the commands of docs/LOCAL-SAM.md, by event.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	commands := make(map[string][]string)
	text, err := os.ReadFile(filepath.Join(root, "docs", "LOCAL-SAM.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range invocation.FindAllStringSubmatch(string(text), -1) {
		commands[m[2]] = strings.Fields(m[1])
	}
	return commands
}

// accessLog matches SAM's own log of requests, which has whole addresses. The template's log of API Gateway has none.
var accessLog = regexp.MustCompile(`(?m)^.* HTTP/1\.1.*$`)

// startAPI connects a company in a browser, and delivers an event, through the API that SAM serves.
func startAPI(t *testing.T, w *world) {
	t.Helper()
	api := fmt.Sprintf("127.0.0.1:%d", sam.StartAPIPort)
	cmd := command(t.Context(), w.dir, "sam", "local", "start-api")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // so that it removes its containers
	cmd.WaitDelay = time.Minute
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		<-ended // the test's context has ended
		logged(t, accessLog.ReplaceAllString(log.String(), ""))
	})
	for deadline := time.Now().Add(time.Minute); !listens(t, api); {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("sam local start-api ended: %v", err)
		case <-time.After(100 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("sam local start-api did not listen within a minute")
		}
	}
	connect(t, w, "http://"+api)
	deliver(t, w, "http://"+api)
}

func listens(t *testing.T, address string) bool {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// connect clicks through the pages. The host of the login is the containers' name for this machine.
func connect(t *testing.T, w *world, api string) {
	t.Helper()
	b := browsertest.New()
	b.Transport = &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, strings.Replace(address, "host.docker.internal:", "127.0.0.1:", 1))
	}}
	b.Open(t.Context(), api+"/")
	b.Click(t.Context(), "Connect to Procore")
	b.Choose("Joe Builder")
	b.Click(t.Context(), "Authorize")
	b.Choose("Harbor & Hill Builders")
	b.Click(t.Context(), "Connect this company")
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	if b.Status != http.StatusOK || b.URL.Host != host(api) || b.URL.Path != "/connected" || !strings.Contains(b.Text(), "Harbor & Hill Builders") {
		t.Errorf("after the choice at %s (%d):\n%s", b.URL.Path, b.Status, b.Text())
	}
	if c := w.Procore.Company(procoretest.HarborHill); !c.Installed {
		t.Error("Procore does not know that the app is installed in the company")
	}
}

// deliver sends an event as Procore does. SAM does not convert header names to lower case.
func deliver(t *testing.T, w *world, api string) {
	t.Helper()
	e := w.event(t, "webhook-receiver/v2")
	body := strings.Replace(e.Body, "01EDPD2J6SBY1163N77H95GW09", "01EDPD2J6SBY1163N77H95GW0X", 1) // another event
	for i, stored := range []int{1, 0} {
		before := w.snapshot(t).events
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, api+"/webhooks/procore", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", e.Headers["authorization"])
		r.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := w.snapshot(t).events - before; resp.StatusCode != http.StatusOK || got != stored {
			t.Errorf("delivery %d: status %d, %d events stored, want 200 and %d", i+1, resp.StatusCode, got, stored)
		}
	}
}
