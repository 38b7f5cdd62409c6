package stack_test

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/journal"
	"procore-connect/internal/testing/stack"
	"procore-connect/pkg/procoretest"
)

// arrives changes an RFI and waits until the consumer has read it.
func arrives(t *testing.T, s *stack.Stack, stdout *log) {
	t.Helper()
	arrivesFrom(t, s, stdout, procoretest.HarborHill)
}

func arrivesFrom(t *testing.T, s *stack.Stack, stdout *log, company int64) {
	t.Helper()
	rfi := resource(t, s, company)
	emitted, err := s.Procore.Emit(procoretest.Event{
		CompanyID: rfi.CompanyID, ProjectID: rfi.ProjectID, ResourceName: rfi.Name, ResourceID: rfi.ID,
		EventType: "update", UserID: procoretest.Joe,
	})
	if err != nil || len(emitted.EventIDs) != 1 {
		t.Fatalf("emitted %+v: %v", emitted, err)
	}
	eventually(t, "the event was handled", func() bool {
		return slices.ContainsFunc(handled(t, stdout), func(line map[string]any) bool {
			return line["event_id"] == emitted.EventIDs[0] && line["outcome"] == "handled"
		})
	})
}

func connect(t *testing.T, s *stack.Stack, want bool) {
	t.Helper()
	if made, err := s.Connect(t.Context(), procoretest.HarborHill, true); made != want || err != nil {
		t.Fatalf("connected anew %t, %v, want %t", made, err, want)
	}
}

// spent returns how often refresh tokens were sent to the fake, and fails if one was sent twice.
func spent(t *testing.T, s *stack.Stack) (n int) {
	t.Helper()
	for _, r := range s.Procore.State().RefreshTokens {
		if r.State == procoretest.Unknown {
			continue // the refresher's probe, which was never issued
		}
		n += r.Presented
		if r.Presented > 1 {
			t.Errorf("a refresh token was presented %d times", r.Presented)
		}
	}
	return n
}

func task(t *testing.T, s *stack.Stack, name string) {
	t.Helper()
	if _, err := s.Invoke(t.Context(), "refresher", []byte(`{"task":"`+name+`"}`)); err != nil {
		t.Fatal(err)
	}
}

func address(url string) string { return strings.TrimPrefix(url, "http://") }

// A stack goes on where the last one with its directory ended, and at other addresses too.
func TestRestart(t *testing.T) {
	t.Parallel()
	o := stack.Options{StateDir: t.TempDir(), Housekeeping: -1, Refresh: -1, Reconcile: -1}
	o.Procore.ExpiresIn = 8 * time.Minute // so the schedule would refresh it
	s, stdout := start(t, o)
	connect(t, s, true)
	arrives(t, s, stdout)
	ring, _ := s.Secrets.Value("local/keys")
	rotated := strings.TrimSuffix(ring, "}") + `,"k2":"fake-seal-key-two-0123456789-0123456789","added":{"k2":1767225600}}` // as an operator does
	s.Secrets.Put("local/keys", rotated)
	if _, err := stack.Start(t.Context(), o); !errors.As(err, new(*journal.LockedError)) {
		t.Errorf("a second stack: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	o.AppAddr, o.ProcoreAddr, o.AWSAddr = address(s.AppURL), address(s.ProcoreURL), address(s.AWSURL)
	o.Procore.ExpiresIn = 0
	s, stdout = start(t, o)
	if lines := s.Logs.Messages(stack.LogGroup("event-consumer")); !strings.Contains(strings.Join(lines, "\n"), `"msg":"handled"`) {
		t.Errorf("the lines of the last run are gone: %q", lines)
	}
	if got, _ := s.Secrets.Value("local/keys"); got != rotated {
		t.Error("the keys of the last run are gone")
	}
	connect(t, s, false)
	task(t, s, "refresh")
	arrives(t, s, stdout)
	if got := spent(t, s); got != 1 {
		t.Errorf("%d refresh tokens were spent, want 1", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	o.AppAddr, o.ProcoreAddr, o.AWSAddr = "", "", ""
	s, stdout = start(t, o)
	connect(t, s, false)
	task(t, s, "refresh")
	task(t, s, "housekeeping")
	if hooks := s.Procore.State().Hooks; len(hooks) != 1 || hooks[0].DestinationURL != s.AppURL+"/webhooks/procore" {
		t.Errorf("hooks %+v, want one at the new address", hooks)
	}
	arrives(t, s, stdout)
	if got := spent(t, s); got != 1 {
		t.Errorf("%d refresh tokens were spent, want 1", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	o.Fresh = true
	s, _ = start(t, o)
	if lines := s.Logs.Messages(stack.LogGroup("event-consumer")); strings.Contains(strings.Join(lines, "\n"), `"msg":"handled"`) {
		t.Errorf("a fresh start has lines of the last run: %q", lines)
	}
	connect(t, s, true)
}

// A stack that is stopped while a refresh token is being spent keeps the pair of the answer.
func TestStoppedDuringARefresh(t *testing.T) {
	t.Parallel()
	disk := journal.NewDisk()
	o := stack.Options{Disk: disk, Housekeeping: -1, Refresh: 100 * time.Millisecond, Reconcile: -1}
	o.Procore.ExpiresIn = 8 * time.Minute // so the schedule refreshes it
	s, stdout := start(t, o)
	if err := s.Procore.Fault(procoretest.Fault{Endpoint: "token", Kind: procoretest.Delay, DelayMS: 1000, Times: 3}); err != nil {
		t.Fatal(err) // the exchange of the code is one of them
	}
	connect(t, s, true)
	eventually(t, "the refresh token is at Procore", func() bool { return spent(t, s) == 1 })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(stdout.String(), `"token refreshed"`) {
		t.Error("the pair was not stored")
	}
}

// A copy of a directory spends no refresh token, and neither does one that was restored from a backup: their users
// connect again. The original goes on.
func TestCopiedState(t *testing.T) {
	t.Parallel()
	disk := journal.NewDisk()
	o := stack.Options{Disk: disk, Housekeeping: -1, Refresh: -1, Reconcile: -1}
	o.Procore.ExpiresIn = 8 * time.Minute // so the schedule would refresh it
	s, _ := start(t, o)
	connect(t, s, true)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	for name, disk := range map[string]*journal.Disk{"copy": disk.Copy(), "original": disk} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var said bytes.Buffer
			o := stack.Options{Disk: disk, Housekeeping: -1, Refresh: -1, Reconcile: -1, Stderr: &said}
			s, stdout := start(t, o)
			task(t, s, "refresh")
			copied := name == "copy"
			if got := spent(t, s); (got == 0) != copied {
				t.Errorf("%d refresh tokens were spent", got)
			}
			connect(t, s, copied)
			task(t, s, "housekeeping")
			arrives(t, s, stdout)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if got := strings.Contains(said.String(), "the state was copied or restored"); got != copied {
				t.Errorf("the stack said:\n%s", &said)
			}
			o.Stderr, o.Disk = nil, disk.Restart(nil)
			s, _ = start(t, o)
			connect(t, s, false)
		})
	}
}

// A copy that is made while the original runs, and runs beside it, spends nothing either. The service account, which has
// no refresh token, goes on in both.
func TestCopiedDirectory(t *testing.T) {
	t.Parallel()
	original := t.TempDir()
	o := stack.Options{StateDir: original, Housekeeping: -1, Refresh: -1, Reconcile: -1, Env: map[string]string{"PROCORE_PRINCIPAL": "both"}}
	o.Procore.ExpiresIn = 8 * time.Minute // so the schedule would refresh it
	s, stdout := start(t, o)
	connect(t, s, true)
	if _, err := s.Connect(t.Context(), procoretest.LockedGate, false); err != nil {
		t.Fatal(err)
	}
	o.StateDir = t.TempDir()
	if err := os.CopyFS(o.StateDir, os.DirFS(original)); err != nil {
		t.Fatal(err)
	}
	second, itsStdout := start(t, o)
	for _, name := range []string{"refresh", "housekeeping", "refresh"} {
		task(t, second, name)
	}
	arrivesFrom(t, second, itsStdout, procoretest.LockedGate)
	if got := spent(t, second); got != 0 {
		t.Errorf("the copy spent %d refresh tokens", got)
	}
	task(t, s, "refresh")
	arrives(t, s, stdout)
	arrivesFrom(t, s, stdout, procoretest.LockedGate)
	if got := spent(t, s); got != 1 {
		t.Errorf("the original spent %d refresh tokens, want 1", got)
	}
	connect(t, second, true)
	task(t, second, "housekeeping")
	arrives(t, second, itsStdout)
}

// A full disk ends the stack, and says so. What was answered before is there when it starts again.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := journal.NewDisk()
	s, _ := start(t, stack.Options{Disk: disk, Housekeeping: -1, Refresh: -1, Reconcile: -1})
	connect(t, s, true)
	disk.Break(1, syscall.ENOSPC)
	if _, err := s.Connect(t.Context(), procoretest.MyConstruction, true); err == nil {
		t.Error("connected without a disk")
	}
	select {
	case <-s.Failed():
	case <-time.After(time.Minute):
		t.Fatal("the stack goes on")
	}
	if err := s.Close(); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "the state cannot be saved") {
		t.Errorf("close: %v", err)
	}
	s, _ = start(t, stack.Options{Disk: disk.Restart(nil), Housekeeping: -1, Refresh: -1, Reconcile: -1})
	connect(t, s, false)
}
