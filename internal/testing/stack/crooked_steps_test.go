package stack_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/procoretest"
)

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
		err = pass(t, c.Stack, dynamotest.Client(c.AWSURL), company)
		if hook, ok := c.hook(company); ok && err == nil {
			return hook
		}
	}
	t.Fatalf("eight passes, and no hook with all triggers: %v; hooks %+v", err, c.Procore.State().Hooks)
	return procoretest.Hook{}
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
			if e.CompanyID != company || fmt.Sprint(e.ResourceID) != string(made.ResourceID) {
				continue // of an earlier flow
			}
			if e.Resource != "RFIs" || e.Type != "create" || e.Outcome != "handled" {
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
	Outcome    string `json:"outcome"`
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
		if d.Decode(&e) == nil && e.Msg == "handled" {
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
