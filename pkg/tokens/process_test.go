package tokens

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/logtest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

const (
	processes        = 4
	callersInProcess = 13
)

// process is what a process of TestFourProcesses needs to know.
type process struct {
	DynamoDB, Procore string
	Grants, Spends    string
	Principal         Principal
	Ring              string
	Now               int64 // Unix seconds
}

// Fifty callers and more, in four processes that share nothing but the tables,
// ask for one expired grant's token: one refresh call.
func TestFourProcesses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dynamo := w.dynamo.Start(t)
	g := w.authorize(w.store())
	w.clock.Advance(2 * time.Hour)
	w.fault("token", procoretest.Fault{Kind: procoretest.Delay, DelayMS: 300})
	spec, err := json.Marshal(process{dynamo, w.procore.URL, w.names.Grants, w.names.Spends, g.Principal, ringSecret("k1", "k1"), w.clock.Now().Unix()})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range processes {
		all.Go(func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProcess$", "-test.v")
			cmd.Env = append(os.Environ(), "TOKENS_TEST_PROCESS="+string(spec))
			out, err := cmd.CombinedOutput()
			_, _ = logtest.Output(t).Write(out)
			if err != nil {
				t.Errorf("process: %v\n%s", err, out)
			}
			if got := strings.Count(string(out), "generation 2"); got != callersInProcess {
				t.Errorf("%d of %d callers got the new token", got, callersInProcess)
			}
		})
	}
	all.Wait()
	if got, want := w.presented(), 1; got != want {
		t.Errorf("got %d refreshes, want %d", got, want)
	}
}

// TestProcess is one of the processes of TestFourProcesses; without its
// environment variable there is nothing for it to do.
func TestProcess(t *testing.T) {
	spec := os.Getenv("TOKENS_TEST_PROCESS")
	if spec == "" {
		return
	}
	var p process
	if err := json.Unmarshal([]byte(spec), &p); err != nil {
		t.Fatal(err)
	}
	s := p.store(t)
	var all sync.WaitGroup
	for range callersInProcess {
		all.Go(func() {
			a, err := s.Token(t.Context(), p.Principal)
			if err != nil {
				t.Error(err)
				return
			}
			fmt.Println("generation " + strconv.FormatInt(a.Generation, 10))
		})
	}
	all.Wait()
}

func (p process) store(t *testing.T) *Store {
	t.Helper()
	env, err := procore.ParseEnvironment("custom", p.Procore, p.Procore)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keys.Parse(p.Ring)
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return time.Unix(p.Now, 0) }
	oauth := &procore.OAuth{Environment: env, ClientID: "fake-client-id", ClientSecret: procore.NewSecret("fake-client-secret"), Clock: procore.Clock{Time: now}}
	return &Store{
		DB: dynamotest.Client(p.DynamoDB), Grants: p.Grants, Spends: p.Spends, Environment: env,
		Keys:  secrettest.Constant(ring),
		OAuth: secrettest.Constant(oauth),
		Clock: procore.Clock{Time: now},
	}
}
