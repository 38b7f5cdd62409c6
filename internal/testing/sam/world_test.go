package sam_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/connect/session"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/browsertest"
	"procore-connect/internal/testing/kit/logtest"
	"procore-connect/internal/testing/stack"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

const root = "../../.."

// world is a stack whose schedules do not run, so that sample events make all of its changes.
type world struct {
	*stack.Stack
	dir    string // what Prepare wrote
	login  string // Procore's address for the functions
	db     *dynamodb.Client
	env    map[string]string
	before snapshot // from before the tested event
	invoke func(t *testing.T, event string) []byte
}

// start starts the stack. It calls prepare, which fills dir, while access tokens are short-lived, so that the refresher
// has work to do.
func start(t *testing.T, o stack.Options, prepare func(*world)) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("compiles and starts everything")
	}
	o.Refresh, o.Housekeeping, o.Reconcile = -1, -1, -1
	o.Stdout, o.Stderr = logtest.Output(t), logtest.Output(t)
	s, err := stack.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	w := &world{
		Stack: s, login: s.ProcoreURL, db: dynamotest.Client(s.AWSURL),
		env: stack.Environment(s.AppURL, s.ProcoreURL, s.AWSURL),
	}
	w.expiresIn(t, 10*time.Minute)
	prepare(w)
	w.expiresIn(t, 90*time.Minute)
	return w
}

func (w *world) expiresIn(t *testing.T, d time.Duration) {
	t.Helper()
	seconds := int64(d.Seconds())
	if err := w.Procore.UpdateOptions(procoretest.OptionsPatch{ExpiresInSeconds: &seconds}); err != nil {
		t.Fatal(err)
	}
}

// run invokes the functions with every sample event but the last, and checks the outcomes.
func (w *world) run(t *testing.T) {
	t.Helper()
	all := samples()
	w.runSome(t, all[:len(all)-1])
}

// disconnect invokes company-select with the last sample event, which ends the connection, and connects the company again.
func (w *world) disconnect(t *testing.T) {
	t.Helper()
	all := samples()
	w.runSome(t, all[len(all)-1:])
	b := browsertest.New()
	b.Open(t.Context(), w.AppURL+"/")
	b.Click(t.Context(), "Connect to Procore")
	b.Choose("Joe Builder")
	b.Click(t.Context(), "Authorize")
	b.Choose("My Construction Company")
	b.Click(t.Context(), "Connect this company")
	if b.Err() != nil || b.URL.Path != "/connected" {
		t.Fatalf("%v; at %s:\n%s", b.Err(), b.URL, b.Text())
	}
	w.invoke(t, "refresher/housekeeping") // makes its hook
}

func (w *world) runSome(t *testing.T, some []sample) {
	t.Helper()
	for _, s := range some {
		ok := t.Run(s.event, func(t *testing.T) {
			w.before = w.snapshot(t)
			answer := w.invoke(t, s.event)
			s.check(t, w, answer)
		})
		if !ok {
			t.FailNow() // the next sample needs this one's state
		}
	}
}

// snapshot counts what sample events change.
type snapshot struct {
	sessions, events int
	connection       connections.Connection
	grant            tokens.Grant
	refreshes, calls int
}

func (w *world) snapshot(t *testing.T) snapshot {
	t.Helper()
	state := w.Procore.State()
	s := snapshot{
		sessions: w.count(t, "SESSIONS_TABLE", "session"), events: w.count(t, "INBOX_TABLE", "envelope"), calls: len(state.Calls),
	}
	s.connection, s.grant = w.stored(t)
	for _, r := range state.RefreshTokens {
		s.refreshes += r.Presented
	}
	return s
}

// count returns how many items of a table have the attribute.
func (w *world) count(t *testing.T, table, attribute string) int {
	t.Helper()
	out, err := w.db.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String(w.env[table])})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, item := range out.Items {
		if item[attribute] != nil {
			n++
		}
	}
	return n
}

// stored returns the connection of the sample events as it is stored, and its user's grant.
func (w *world) stored(t *testing.T) (connections.Connection, tokens.Grant) {
	t.Helper()
	environment, err := procore.ParseEnvironment(w.env["PROCORE_ENVIRONMENT"], w.ProcoreURL, w.ProcoreURL)
	if err != nil {
		t.Fatal(err)
	}
	s := &connections.Store{DB: w.db, Table: w.env["CONNECTIONS_TABLE"], Tokens: &tokens.Store{
		DB: w.db, Grants: w.env["GRANTS_TABLE"], Spends: w.env["SPENDS_TABLE"], Environment: environment,
	}}
	key := connections.Key{CompanyID: procoretest.MyConstruction, Principal: tokens.User(procoretest.Joe)}
	c, err := s.Connection(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	g, err := s.Tokens.Grant(t.Context(), key.Principal)
	if err != nil {
		t.Fatal(err)
	}
	return c, g
}

// session returns the status of a flow, and reports whether its row holds a pair or a verifier.
func (w *world) session(t *testing.T, flow string) (session.Status, bool) {
	t.Helper()
	out, err := w.db.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String(w.env["SESSIONS_TABLE"]), Key: map[string]types.AttributeValue{"session": &types.AttributeValueMemberS{Value: flow}},
	})
	if err != nil {
		t.Fatal(err)
	}
	status, ok := out.Item["status"].(*types.AttributeValueMemberS)
	if !ok {
		t.Fatalf("there is no session of flow %s", flow)
	}
	return session.Status(status.Value), out.Item["sealed"] != nil
}

// event returns a prepared event.
func (w *world) event(t *testing.T, name string) (e events.APIGatewayV2HTTPRequest) {
	t.Helper()
	if err := json.Unmarshal(w.payload(t, name), &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func (w *world) payload(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, "events", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
