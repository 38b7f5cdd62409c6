package stack_test

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/browsertest"
	"procore-connect/internal/testing/kit/logtest"
	"procore-connect/internal/testing/stack"
	"procore-connect/pkg/procoretest"
)

const (
	crookedStacks = 6   // that run at once, because most of a flow is waiting
	crookedSeeds  = 200 // random combinations of three quirks
)

// The whole path of a user on the real binaries passes with every quirk of the fake, and
// with random combinations of three. CROOKED=names or CROOKED=seed:NUMBER runs one.
func TestCrooked(t *testing.T) {
	t.Parallel()
	texts := []string{os.Getenv("CROOKED")}
	if texts[0] == "" {
		texts = nil
		for _, q := range procoretest.Quirks() {
			texts = append(texts, q.Name)
		}
		for seed := range crookedSeeds {
			texts = append(texts, "seed:"+strconv.Itoa(seed))
		}
	}
	work := make(chan string)
	var workers sync.WaitGroup
	for range min(crookedStacks, len(texts)) {
		c := startCrooked(t)
		workers.Go(func() {
			for text := range work {
				t.Run(text, func(t *testing.T) { c.flow(t, text) })
			}
		})
	}
	for _, text := range texts {
		work <- text
	}
	close(work)
	workers.Wait()
}

// crooked is a stack whose Procore is crooked, in another way for each flow.
type crooked struct {
	*stack.Stack
	flows   int64
	handled *handledEvents
	log     *log
}

func startCrooked(t *testing.T) *crooked {
	t.Helper()
	if testing.Short() {
		t.Skip("compiles and starts everything")
	}
	dir, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	c := &crooked{handled: &handledEvents{events: make(chan handledEvent, 100)}, log: &log{shown: logtest.Output(t)}}
	c.Stack, err = stack.Start(t.Context(), stack.Options{BuildDir: dir, Housekeeping: -1, Refresh: -1, Reconcile: -1, Stdout: io.MultiWriter(c.handled, c.log), Stderr: c.log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// flow connects a new company of a new user, changes something there, and changes more
// after the access token has expired.
func (c *crooked) flow(t *testing.T, text string) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the stack said:\n%s", c.log.take())
		}
		c.log.take()
	})
	quirks, err := procoretest.Crooked(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range quirks {
		t.Logf("%s: %s", q.Name, q.Does)
	}
	c.flows++
	user, company, project := 1000+c.flows, 1<<40+c.flows, 1<<41+c.flows
	if err := c.arrange(user, company, project, &text); err != nil {
		t.Fatal(err)
	}

	b := browsertest.New()
	b.Open(t.Context(), c.AppURL+"/")
	b.Click(t.Context(), "Connect to Procore")
	b.Choose(fmt.Sprintf("User %d", user))
	b.Click(t.Context(), "Authorize")
	b.Choose("Crooked Builders")
	b.Click(t.Context(), "Connect this company")
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	if b.Status != 200 || b.URL.Path != "/connected" || !strings.Contains(b.Text(), "Crooked Builders") {
		t.Fatalf("after the choice at %s (%d):\n%s", b.URL.Path, b.Status, b.Text())
	}
	hook := c.provision(t, company)
	c.change(t, company, project)

	c.expire(t, user)
	c.change(t, company, project)
	calls := len(c.Procore.State().Calls)
	if err := pass(t, c.Stack, dynamotest.Client(c.AWSURL), company); err != nil {
		t.Error(err)
	}
	if again, ok := c.hook(company); !ok || again.ID != hook.ID {
		t.Errorf("hook %d became %+v", hook.ID, again)
	}
	state := c.Procore.State()
	for i, call := range state.Calls {
		free := call.Path == "/rest/v1.0/me" || call.Path == "/rest/v1.0/companies"
		switch {
		case i >= calls && call.Method != "GET":
			t.Errorf("the second pass over a company in order sent %s %s", call.Method, call.Path)
		case call.CompanyID == 0 && !free || strings.HasPrefix(call.Path, "/rest/v1.0/webhooks"):
			t.Errorf("%s was called for company %d", call.Path, call.CompanyID)
		}
	}
	spent := 0
	for _, token := range state.RefreshTokens {
		if token.UserID == user {
			spent += token.Presented
		}
		if token.Presented > 1 {
			t.Errorf("a refresh token was presented %d times", token.Presented)
		}
	}
	if spent != 1 {
		t.Errorf("%d refresh tokens were spent, want 1", spent)
	}
}
