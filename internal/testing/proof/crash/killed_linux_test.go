package crash

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// kill -9 ends everything that make run started, at any moment. It starts again on the same state each time, and nothing
// is lost that was answered. KILLS sets how often.
func TestKilled(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("compiles and starts everything")
	}
	kills := 3
	if text := os.Getenv("KILLS"); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatalf("KILLS: %v", err)
		}
	}
	began := time.Now()
	v := newVictim(t)
	c := newClients(t, v)
	v.start()
	v.untilReady()
	c.populate()
	stop := c.begin()
	c.eventually("all are connected, and events arrive", c.underWay)
	c.patch(life)
	for range kills {
		<-time.After(moment())
		v.kill()
		v.start()
	}
	v.untilReady()
	c.eventually("a token is refreshed", func() bool { return c.presented() > 0 })
	stop()
	c.judge()
	t.Logf("%d kills in %v, %d of them before everything was ready; %v", kills, time.Since(began).Round(time.Second), v.early, c)
}

// moment is how long after its start a stack is killed: often while it starts.
func moment() time.Duration {
	if rand.IntN(3) == 0 {
		return time.Duration(rand.Int64N(int64(400 * time.Millisecond)))
	}
	return time.Duration(rand.Int64N(int64(4 * time.Second)))
}
