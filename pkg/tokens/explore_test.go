package tokens

import (
	"cmp"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/invariants"
	"procore-connect/internal/testing/kit/invarianttest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/internal/testing/proof/simulation"
)

// The exploration of the real code: see internal/testing/proof/simulation. Each failure
// prints a line that repeats it, such as
//
//	EXPLORE_SCHEDULE='two:4=3,9=1' go test -run TestExploreReplay -v ./pkg/tokens
//
// EXPLORE_TIME=10m continues with further seeds for that time, from EXPLORE_SEED on, or
// from where the clock stands; EXPLORE_SEEDS=1000 tries so many.

const (
	// seeds are tried without EXPLORE_TIME, and maxTime is how long a test continues at
	// most.
	seeds   = 60_000
	maxTime = 35 * time.Second
	// repeated is how many seeds are run again, also on dynamotest.
	repeated = 600
	// shards run at once.
	shards = 2
)

const (
	grantsTable      = "grants"
	connectionsTable = "connections"
	spendsTable      = "spends"
	sessionsTable    = "sessions"
)

func exploration(all []simulation.Scenario) *simulation.Exploration {
	return &simulation.Exploration{
		Scenarios: all, Command: "go test -run TestExploreReplay -v ./pkg/tokens",
		Tables: []*dynamodb.CreateTableInput{tables.Grants(grantsTable), tables.Connections(connectionsTable),
			tables.Spends(spendsTable), tables.Sessions(sessionsTable)},
	}
}

func TestExplore(t *testing.T) {
	t.Parallel()
	seen := &transitions{all: invariants.Transitions{}}
	e := exploration(scenarios(seen))
	e.Seeds, e.Shards, e.MaxTime = seeds, shards, maxTime
	if racing {
		e.MaxTime /= 4
	}
	e.Environment(t)
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // little is used for longer than a schedule
	e.Run(t)
	seen.compare(t)
}

// TestExploreReplay repeats the schedule of EXPLORE_SCHEDULE and prints it.
func TestExploreReplay(t *testing.T) {
	t.Parallel()
	all := slices.Concat(scenarios(&transitions{all: invariants.Transitions{}}), breakers())
	exploration(all).Replay(t, cmp.Or(os.Getenv("EXPLORE_SCHEDULE"), "two:4=2"))
}

// The same seed always leads to the same schedule.
func TestExploreRepeats(t *testing.T) {
	t.Parallel()
	e := exploration(scenarios(&transitions{all: invariants.Transitions{}}))
	e.Seeds, e.MaxTime = repeated, maxTime/4
	e.Repeats(t)
}

// transitions are those of users' grants in all schedules.
type transitions struct {
	mu  sync.Mutex
	all invariants.Transitions
}

// add adds those of a schedule. The model has no operator who restores a row.
func (y *transitions) add(x *run) {
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, c := range x.changes {
		if line := c.Transition(); line != "" && strings.Contains(c.New.Grant, "#user#") && x.Events()["backup"] == 0 {
			y.all[line] = true
		}
	}
}

// compare compares the transitions that were seen with those that the model allows.
func (y *transitions) compare(t *testing.T) {
	t.Helper()
	forbidden, unseen := invarianttest.Compare(y.all)
	for _, line := range forbidden {
		t.Errorf("the model does not know the transition %s", line)
	}
	t.Logf("transitions of the model that no schedule showed:\n%s", strings.Join(unseen, "\n"))
}
