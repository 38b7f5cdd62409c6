package stack_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

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
	c.Stack, err = stack.Start(t.Context(), stack.Options{BuildDir: dir, Housekeeping: -1, Refresh: -1, Stdout: c.handled, Stderr: c.log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// flow connects a new company of a new user, changes something there, and changes more
// after the access token has expired.
func (c *crooked) flow(t *testing.T, text string) {
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
	if err := c.reconcile(t, company); err != nil {
		t.Error(err)
	}
	if again, ok := c.hook(company); !ok || again.ID != hook.ID {
		t.Errorf("hook %d became %+v", hook.ID, again)
	}
	state := c.Procore.State()
	for _, call := range state.Calls[calls:] {
		if call.Method != "GET" {
			t.Errorf("the second pass over a company in order sent %s %s", call.Method, call.Path)
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

// arrange adds a user with a company, and makes Procore crooked.
func (c *crooked) arrange(user, company, project int64, text *string) error {
	p := c.Procore
	if err := p.AddUser(procoretest.User{ID: user, Login: "una@example.com", Name: fmt.Sprintf("User %d", user)}); err != nil {
		return err
	}
	made := procoretest.NewCompany(company, "Crooked Builders", user)
	made.Projects = []procoretest.Project{{ID: project, Name: "Leaning Tower"}}
	if err := p.AddCompany(made); err != nil {
		return err
	}
	if err := p.AddCompany(procoretest.NewCompany(company+1<<30, "Other Builders", user)); err != nil {
		return err
	}
	return p.UpdateOptions(procoretest.OptionsPatch{Crooked: text})
}

// expire makes two hours pass for the user's pair, at Procore and in the grant.
func (c *crooked) expire(t *testing.T, user int64) {
	t.Helper()
	c.Procore.Advance(2 * time.Hour)
	db := dynamotest.Client(c.AWSURL)
	_, err := db.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName:                 aws.String("grants"),
		Key:                       map[string]types.AttributeValue{"grant": &types.AttributeValueMemberS{Value: fmt.Sprintf("custom#user#%d", user)}},
		UpdateExpression:          aws.String("SET expires_at = expires_at - :n, refreshed_at = refreshed_at - :n"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":n": &types.AttributeValueMemberN{Value: "7200"}},
		ConditionExpression:       aws.String("attribute_exists(expires_at)"),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// provision makes passes over the company's hook until it is in order, and returns it. A
// pass may end at a path that a gateway answered, or find the hook disabled.
func (c *crooked) provision(t *testing.T, company int64) procoretest.Hook {
	t.Helper()
	var err error
	for range 8 {
		err = c.reconcile(t, company)
		if hook, ok := c.hook(company); ok && err == nil {
			return hook
		}
	}
	t.Fatalf("eight passes, and no hook with all triggers: %v; hooks %+v", err, c.Procore.State().Hooks)
	return procoretest.Hook{}
}

// reconcile makes a pass over the company's hook.
func (c *crooked) reconcile(t *testing.T, company int64) error {
	t.Helper()
	_, err := c.Invoke(t.Context(), "refresher", fmt.Appendf(nil, `{"task":"recovery","company_id":"%d"}`, company))
	return err
}

// hook returns the company's only hook, and whether it is in order.
func (c *crooked) hook(company int64) (hook procoretest.Hook, ok bool) {
	n := 0
	for _, h := range c.Procore.State().Hooks {
		if h.CompanyID == company {
			hook, n = h, n+1
		}
	}
	return hook, n == 1 && len(hook.Triggers) == 5 && !hook.Disabled
}

// change creates an RFI, and waits until the consumer has read it.
func (c *crooked) change(t *testing.T, company, project int64) {
	t.Helper()
	made, err := c.Procore.Emit(procoretest.Event{CompanyID: company, ProjectID: project, ResourceName: "RFIs", EventType: "create"})
	if err != nil || len(made.EventIDs) != 1 {
		t.Fatalf("emitted %+v, %v, want an event of one hook", made, err)
	}
	late := time.After(30 * time.Second)
	for {
		select {
		case e := <-c.handled.events:
			if e.CompanyID != company || fmt.Sprint(e.ResourceID) != strconv.FormatInt(made.ResourceID, 10) {
				continue // of an earlier flow
			}
			if e.Resource != "RFIs" || e.Type != "create" || e.ReadBytes == 0 {
				t.Errorf("the consumer handled %+v, want a created RFI that was read", e)
			}
			return
		case <-late:
			t.Fatalf("the event was not handled; deliveries: %+v", c.deliveries(company))
		}
	}
}

func (c *crooked) deliveries(company int64) (all []string) {
	for _, d := range c.Procore.State().Deliveries {
		if d.CompanyID == company {
			all = append(all, fmt.Sprintf("%d %s", d.ResponseStatus, d.ResponseError))
		}
	}
	return all
}

// handledEvents are what the consumer logs.
type handledEvents struct {
	mu     sync.Mutex
	rest   []byte
	events chan handledEvent
}

type handledEvent struct {
	Msg        string `json:"msg"`
	CompanyID  int64  `json:"company_id"`
	Resource   string `json:"resource"`
	ResourceID any    `json:"resource_id"`
	Type       string `json:"type"`
	ReadBytes  int    `json:"read_bytes"`
}

// Write takes the consumer's output.
func (h *handledEvents) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rest = append(h.rest, b...)
	for {
		line, rest, ok := bytes.Cut(h.rest, []byte("\n"))
		if !ok {
			return len(b), nil
		}
		h.rest = rest
		d := json.NewDecoder(bytes.NewReader(line))
		d.UseNumber()
		var e handledEvent
		if d.Decode(&e) == nil && e.Msg == "event handled" {
			h.events <- e
		}
	}
}

// take returns and forgets what was logged.
func (l *log) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.buf.Reset()
	return l.buf.String()
}
