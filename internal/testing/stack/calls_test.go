package stack_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/browsertest"
	"procore-connect/internal/testing/stack"
	"procore-connect/internal/webhook/credential"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// callsFile has the calls of AWS services that each function makes. internal/testing/repo compares them with the roles of
// template.yaml. UPDATE=1 go test -run TestCalls ./internal/testing/stack writes it again.
const callsFile = "testdata/calls.txt"

// watcher records each kind of call once.
type watcher struct {
	mu   sync.Mutex
	seen map[string]bool
}

var digits = regexp.MustCompile(`\d+`)

func (w *watcher) watch(c awstest.Call) {
	if c.Caller == "local" {
		return // the stack itself, or this test
	}
	key := ""
	if c.Resource == "grants" || c.Resource == "connections" || c.Resource == "inbox" {
		key = strings.ReplaceAll(digits.ReplaceAllString(c.Key, "N"), " ", "_")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[strings.TrimSpace(fmt.Sprint(c.Caller, " ", c.Action, " ", c.Resource, " ", key))] = true
}

func (w *watcher) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.seen))
}

func (w *watcher) has(call string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen[call]
}

// scene is a stack whose methods make the functions do everything they can.
type scene struct {
	*stack.Stack
	*watcher
	t      *testing.T
	stdout *log
	db     *dynamodb.Client
	rfi    procoretest.Resource
}

// The functions make these calls in a flow that covers almost everything: see docs/DEPLOY.md.
func TestCalls(t *testing.T) {
	t.Parallel()
	w := &watcher{seen: make(map[string]bool)}
	first := newScene(t, w, 0, "both")
	first.abandoned()
	first.installed()
	sc := newScene(t, w, 13*time.Second, "user") // a rescue uses all of it
	sc.connect("Joe Builder", "Harbor & Hill Builders")
	sc.task("housekeeping", true) // creates the hook
	sc.rfi = resource(t, sc.Stack, procoretest.HarborHill)
	sc.expire()
	sc.event()
	sc.served(true)
	sc.reconciled()
	sc.expire()
	sc.task("refresh", true)
	sc.garbage()
	sc.disconnected()
	sc.departed()
	sc.outageOfTheReceiver()
	sc.rescued()
	sc.outageOfProcore()
	sc.served(false)
	eventually(t, "what needs a person is announced", func() bool { return len(sc.Topics.Messages("connections-topic")) > 0 })

	got := w.all()
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(callsFile, []byte(strings.Join(got, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(callsFile)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Join(got, "\n")+"\n", string(want)); d != "" {
		t.Errorf("calls - %s +; UPDATE=1 writes them there:\n%s", callsFile, d)
	}
}

// newScene starts a stack whose schedules do not run.
func newScene(t *testing.T, w *watcher, timeout time.Duration, principal string) *scene {
	t.Helper()
	s, stdout := start(t, stack.Options{
		Refresh: -1, Housekeeping: -1, Reconcile: -1, Watch: w.watch, Timeout: timeout,
		Procore: procoretest.Options{ExpiresIn: 100 * time.Second}, // so that it is due for the schedule
		Env:     map[string]string{"PROCORE_PRINCIPAL": principal},
	})
	return &scene{
		Stack: s, watcher: w, t: t, stdout: stdout, db: dynamotest.Client(s.AWSURL, func(o *dynamodb.Options) { o.Credentials = local }),
	}
}

// nowhere is the company of a browser that is closed before it shows the list.
const nowhere = ""

func (s *scene) connect(user, company string) *browsertest.Browser {
	s.t.Helper()
	ctx, b := s.t.Context(), browsertest.New()
	b.StopAt = func(u *url.URL) bool { return company == nowhere && u.Path == "/companies" }
	b.Open(ctx, s.AppURL+"/")
	b.Click(ctx, "Connect to Procore")
	b.Choose(user)
	b.Click(ctx, "Authorize")
	if company != nowhere {
		b.Choose(company)
		b.Click(ctx, "Connect this company")
	}
	if b.Err() != nil || company != nowhere && b.URL.Path != "/connected" {
		s.t.Fatalf("%v; at %s:\n%s", b.Err(), b.URL, b.Text())
	}
	return b
}

// disconnected is a user who comes back when the access token has expired, and disconnects.
func (s *scene) disconnected() {
	s.t.Helper()
	ctx, b := s.t.Context(), s.connect("Ann Planner", "Northern Planning Ltd")
	s.task("housekeeping", true)
	s.Procore.Advance(time.Hour)
	s.set("grants", grantOf(procoretest.Ann), "refreshed_at", time.Now().Add(-time.Hour))
	b.Open(ctx, s.AppURL+"/connected")
	b.Click(ctx, "Disconnect this company")
	b.Click(ctx, "Disconnect")
	if b.Err() != nil || b.Status != http.StatusGone || !strings.Contains(b.Text(), "You have disconnected this company") {
		s.t.Fatalf("%v; at %s:\n%s", b.Err(), b.URL, b.Text())
	}
}

// served asks for an access token, which has expired: it is refreshed, or the breaker is open.
func (s *scene) served(well bool) {
	s.t.Helper()
	s.expire()
	answer, err := s.Invoke(s.t.Context(), "access-token", fmt.Appendf(nil, `{"company_id":"%d"}`, s.rfi.CompanyID))
	if err != nil || strings.Contains(string(answer), `"access_token"`) != well {
		s.t.Errorf("a token was served: %v, want %v; %v", !well, well, err)
	}
}

// task runs a task of the refresher.
func (s *scene) task(name string, well bool) {
	s.t.Helper()
	if _, err := s.Invoke(s.t.Context(), "refresher", fmt.Appendf(nil, `{"task":%q}`, name)); (err == nil) != well {
		s.t.Errorf("task %s: %v, want it to go well: %v", name, err, well)
	}
}

// emit changes something and returns the event's id.
func (s *scene) emit() (id string) {
	s.t.Helper()
	emitted, err := s.Procore.Emit(procoretest.Event{
		CompanyID: s.rfi.CompanyID, ProjectID: s.rfi.ProjectID, ResourceName: s.rfi.Name, ResourceID: s.rfi.ID, EventType: "update", UserID: procoretest.Joe,
	})
	if err != nil || len(emitted.EventIDs) != 1 {
		s.t.Fatalf("emitted %v, want one event; %v", emitted.EventIDs, err)
	}
	return emitted.EventIDs[0]
}

// handled waits until the consumer has handled an event.
func (s *scene) handled(id string) {
	s.t.Helper()
	eventually(s.t, "event "+id+" is handled", func() bool {
		return slices.ContainsFunc(handled(s.t, s.stdout), func(line map[string]any) bool { return line["event_id"] == id })
	})
}

// event changes something and waits until the consumer has handled it.
func (s *scene) event() {
	s.t.Helper()
	id := s.emit()
	s.handled(id)
	s.correlated(id)
}

// correlated checks that each function's lines about an event have its id.
func (s *scene) correlated(id string) {
	s.t.Helper()
	for _, function := range []string{"webhook-receiver", "dispatcher"} {
		has := func(line string) bool {
			return strings.Contains(line, function) && strings.Contains(line, fmt.Sprintf(`"event_id":%q`, id))
		}
		if !slices.ContainsFunc(strings.Split(s.stdout.String(), "\n"), has) {
			s.t.Errorf("no line of %s has the event's id %s", function, id)
		}
	}
	var lines []map[string]any
	request := any(nil)
	for text := range strings.Lines(s.stdout.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			s.t.Fatal(err)
		}
		if lines = append(lines, line); line["msg"] == "handled" && line["event_id"] == id {
			request = line["request_id"]
		}
	}
	for _, line := range lines {
		if line["request_id"] == request && line["event_id"] != id {
			s.t.Errorf("the consumer's line %v lacks the event's id %s", line, id)
		}
	}
}

// garbage sends deliveries that are quarantined and counted.
func (s *scene) garbage() {
	s.t.Helper()
	ring, err := credential.Parse(s.secret("local/webhook"))
	if err != nil {
		s.t.Fatal(err)
	}
	header, err := ring.Header(procoretest.HarborHill)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, body := range []string{"one", "two"} {
		r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.AppURL+"/webhooks/procore", strings.NewReader(body))
		if err != nil {
			s.t.Fatal(err)
		}
		r.Header.Set("Authorization", header.Reveal())
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			s.t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			s.t.Errorf("%s, want 200", resp.Status)
		}
	}
}

// secret reads a secret as a function does.
func (s *scene) secret(id string) string {
	s.t.Helper()
	manager := secretsmanager.New(secretsmanager.Options{BaseEndpoint: &s.AWSURL, Region: "us-east-1", Credentials: local})
	out, err := manager.GetSecretValue(s.t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &id})
	if err != nil {
		s.t.Fatal(err)
	}
	return *out.SecretString
}

// local holds the credentials that the stack itself uses.
var local = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
})

// fails makes one operation on a table fail until the returned function is called.
func (s *scene) fails(operation, table string) (mend func()) {
	s.Dynamo.Intercept(func(op string, body []byte) dynamotest.Fault {
		if op == operation && strings.Contains(string(body), `"TableName":"`+table+`"`) {
			return dynamotest.Fault{Code: "InternalServerError"}
		}
		return dynamotest.Fault{}
	})
	return func() { s.Dynamo.Intercept(nil) }
}

// outageOfTheReceiver lasts until Procore discards an event, which is then recovered.
func (s *scene) outageOfTheReceiver() {
	s.t.Helper()
	mend := s.fails("PutItem", "inbox")
	id := s.emit()
	eventually(s.t, "a delivery failed", func() bool { return slices.ContainsFunc(s.Procore.State().Deliveries, failed) })
	s.Procore.Advance(13 * time.Hour)
	eventually(s.t, "Procore gave up", func() bool {
		return slices.ContainsFunc(s.Procore.State().Deliveries, func(d procoretest.Delivery) bool { return d.Outcome == procoretest.OutcomeDiscarded })
	})
	mend()
	s.expire()
	if err := pass(s.t, s.Stack, s.db, procoretest.HarborHill); err != nil {
		s.t.Error(err)
	}
	s.handled(id)
}

// reconciled finds a change that no webhook reported, once time has passed at Procore.
func (s *scene) reconciled() {
	s.t.Helper()
	lost := procoretest.Event{
		CompanyID: s.rfi.CompanyID, ProjectID: s.rfi.ProjectID, ResourceName: s.rfi.Name, EventType: "create", UserID: procoretest.Joe, Silent: true,
	}
	emitted, err := s.Procore.Emit(lost)
	if err != nil {
		s.t.Fatal(err)
	}
	s.expire()
	hook := map[string]types.AttributeValue{
		"company": &types.AttributeValueMemberS{Value: fmt.Sprint("custom#", s.rfi.CompanyID)}, "principal": &types.AttributeValueMemberS{Value: "webhook"},
	}
	s.set("connections", hook, "since_ms", time.Now().Add(-time.Hour)) // so that the first pass is due
	if _, err := s.Invoke(s.t.Context(), "reconciler", []byte(`{"task":"reconcile"}`)); err != nil {
		s.t.Error(err)
	}
	eventually(s.t, "the change is handled", func() bool {
		return slices.ContainsFunc(handled(s.t, s.stdout), func(line map[string]any) bool { return line["resource_id"] == emitted.ResourceID.String() })
	})
}

func failed(d procoretest.Delivery) bool { return d.ResponseStatus >= 500 }

// abandoned makes an authorization whose browser does not come back, and then a grant without a company.
func (s *scene) abandoned() {
	s.t.Helper()
	s.connect("Joe Builder", nowhere)
	held, err := s.db.Scan(s.t.Context(), &dynamodb.ScanInput{TableName: aws.String("sessions"), IndexName: aws.String("held")})
	if err != nil || len(held.Items) != 1 {
		s.t.Fatalf("%d sessions hold a pair, want 1; %v", len(held.Items), err)
	}
	s.set("sessions", map[string]types.AttributeValue{"session": held.Items[0]["session"]}, "expires_at", time.Now().Add(24*time.Minute))
	s.task("housekeeping", true)
	s.set("grants", grantOf(procoretest.Joe), "unheld_at", time.Now().Add(-time.Hour))
	s.set("grants", grantOf(procoretest.Joe), "due_at", time.Now().Add(-time.Minute))
	s.task("housekeeping", true)
}

// installed makes a company install the app and remove it.
func (s *scene) installed() {
	s.t.Helper()
	for _, installed := range []bool{true, false} {
		if err := s.Procore.UpdateCompany(procoretest.LockedGate, procoretest.CompanyPatch{Installed: &installed}); err != nil {
			s.t.Fatal(err)
		}
		s.task("housekeeping", true)
	}
}

func grantOf(user int64) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"grant": &types.AttributeValueMemberS{Value: fmt.Sprint("custom#user#", user)}}
}

// set changes a stored time directly in the table.
func (s *scene) set(table string, key map[string]types.AttributeValue, name string, at time.Time) {
	s.t.Helper()
	n := at.Unix()
	if strings.HasSuffix(name, "_ms") {
		n = at.UnixMilli()
	}
	_, err := s.db.UpdateItem(s.t.Context(), &dynamodb.UpdateItemInput{
		TableName: &table, Key: key, UpdateExpression: aws.String("SET #n = :v"), ExpressionAttributeNames: map[string]string{"#n": name},
		ExpressionAttributeValues: map[string]types.AttributeValue{":v": &types.AttributeValueMemberN{Value: fmt.Sprint(n)}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// rescued makes storage refuse a pair of the refresher and one of the consumer.
func (s *scene) rescued() {
	s.t.Helper()
	s.expire()
	mend := s.fails("UpdateItem", "grants")
	s.task("refresh", true)
	mend()
	s.task("housekeeping", true)
	s.expire()
	mend = s.fails("UpdateItem", "grants")
	id := s.emit()
	eventually(s.t, "the consumer's pair is rescued", func() bool { return s.has("event-consumer sqs:SendMessage rescue") })
	mend()
	s.task("housekeeping", true)
	s.handled(id)
}

// departed makes a user leave a company.
func (s *scene) departed() {
	s.t.Helper()
	s.connect("Ann Planner", "Northern Planning Ltd")
	s.task("housekeeping", true)
	e := procoretest.Event{CompanyID: procoretest.NorthernPlanner, ResourceName: "Company Users", ResourceID: procore.NewID(procoretest.Ann), EventType: "update", Inactive: true}
	if emitted, err := s.Procore.Emit(e); err != nil || len(emitted.EventIDs) != 1 {
		s.t.Fatalf("emitted %v, want one event; %v", emitted.EventIDs, err)
	}
	eventually(s.t, "the departure is counted", func() bool { return s.has("event-consumer dynamodb:UpdateItem connections custom#departures") })
}

// outageOfProcore leaves a refresh without an answer.
func (s *scene) outageOfProcore() {
	s.t.Helper()
	s.expire()
	if err := s.Procore.Fault(procoretest.Fault{Endpoint: "token", Kind: procoretest.Reset, Times: 1}); err != nil {
		s.t.Fatal(err)
	}
	s.emit()
	eventually(s.t, "the breaker knows of it", func() bool { return s.has("event-consumer dynamodb:UpdateItem grants custom#breaker") })
	if err := s.Procore.Fault(procoretest.Fault{Endpoint: "token", Kind: procoretest.Status, Status: 503, Times: 1}); err != nil {
		s.t.Fatal(err)
	}
	s.task("refresh", false) // its probe opens the breaker
}

// expire ends the access token at Procore, also of a function that has it in memory. The
// next use refreshes it: for the functions, the last refresh was an hour ago.
func (s *scene) expire() {
	s.t.Helper()
	s.Procore.Advance(time.Hour)
	s.set("grants", grantOf(procoretest.Joe), "refreshed_at", time.Now().Add(-time.Hour))
}
