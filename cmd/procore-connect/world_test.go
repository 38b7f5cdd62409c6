package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/internal/testing/stack"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// app is where people reach the app.
const app = "https://connect.example.com"

// world is a stack that the command finds as it finds that of make run.
type world struct {
	*functiontest.World
	t      *testing.T
	aws    *awstest.Services
	addr   string // of the AWS services
	mu     sync.Mutex
	asked  []awstest.Call // of them
	typing []string       // what the command is asked for, while it runs
	shown  bytes.Buffer   // all that the command ever wrote
	lambda *awstest.Functions
	passes bool     // time passes while the command waits
	ids    []string // that are made at random, and have a number in testdata

	instead func(http.ResponseWriter, *http.Request) bool // answers instead of AWS if it returns true; may be nil
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: functiontest.New(t), t: t, lambda: awstest.NewFunctions()}
	w.Clock.Set(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))
	db, err := url.Parse(*w.DB.Options().BaseEndpoint)
	if err != nil {
		t.Fatal(err)
	}
	w.aws = &awstest.Services{
		DynamoDB: httputil.NewSingleHostReverseProxy(db), Secrets: w.Secrets, Stacks: awstest.NewStacks(), Functions: w.lambda, Logs: stack.NewLogs(w.Clock.Now), Queues: awstest.NewQueues(),
		Watch: func(c awstest.Call) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.asked = append(w.asked, c)
			if w.typing != nil {
				policies.add(w.typing, []awstest.Call{c})
			}
		},
	}
	w.aws.Queues.Time = w.Clock.Now
	if err := stack.CreateQueues(w.aws.Queues); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Date", w.Clock.Now().UTC().Format(http.TimeFormat))
		if w.instead == nil || !w.instead(rw, r) {
			w.aws.ServeHTTP(rw, r)
		}
	}))
	t.Cleanup(server.Close)
	w.addr = strings.TrimPrefix(server.URL, "http://")
	w.aws.Stacks.Put(stack.StackName, stack.Outputs(app, server.URL))
	for _, name := range []string{"refresher", "reconciler"} {
		w.lambda.Put(name, w.environment(server.URL))
	}
	t.Cleanup(func() {
		for _, name := range []string{functiontest.KeysSecret, functiontest.WebhookSecret, functiontest.LinkSecret} {
			value, _ := w.Secrets.Value(name)
			w.Log.Secret(slices.DeleteFunc(strings.Split(value, `"`), func(s string) bool { return len(s) < 32 })...) // the keys
		}
		w.Log.Search(t, "the command's output", w.shown.String())
	})
	return w
}

// environment returns the variables of the functions.
func (w *world) environment(aws string) map[string]string {
	env := stack.Environment(app, w.Procore.URL, aws)
	env["GRANTS_TABLE"], env["CONNECTIONS_TABLE"], env["SPENDS_TABLE"] = w.Tables.Grants, w.Tables.Connections, w.Tables.Spends
	env["INBOX_TABLE"], env["SESSIONS_TABLE"] = w.Tables.Inbox, w.Tables.Sessions
	env["APP_SECRET_ID"], env["KEYS_SECRET_ID"], env["WEBHOOK_SECRET_ID"] = functiontest.AppSecret, functiontest.KeysSecret, functiontest.WebhookSecret
	env["LINK_SECRET_ID"] = functiontest.LinkSecret
	return env
}

// deploy shows the command the tables that the world has now.
func (w *world) deploy() {
	for _, name := range []string{"refresher", "reconciler"} {
		w.lambda.Put(name, w.environment("http://"+w.addr))
	}
}

// variable sets a variable of the functions.
func (w *world) variable(name, value string) {
	env := w.environment("http://" + w.addr)
	env[name] = value
	for _, function := range []string{"refresher", "reconciler"} {
		w.lambda.Put(function, env)
	}
}

// stable replaces what differs from one run of a test to the next.
func (w *world) stable(text string) string {
	text = strings.ReplaceAll(text, w.addr, "127.0.0.1:8000")
	for i, id := range w.ids {
		text = strings.ReplaceAll(text, id, fmt.Sprintf("message-%d", i+1))
	}
	return text
}

// run types the command with --local where no person can be asked, and returns what it writes, its answer first, and its
// exit code.
func (w *world) run(args ...string) (out, aside string, code int) {
	w.t.Helper()
	return w.typed(streams{in: strings.NewReader("")}, args...)
}

// typed is run with these streams, whose outputs it sets.
func (w *world) typed(to streams, args ...string) (out, aside string, code int) {
	w.t.Helper()
	var stdout, stderr bytes.Buffer
	to.out, to.err = &stdout, &stderr
	env := func(name string) string { return map[string]string{"LOCAL_AWS_ADDR": w.addr}[name] }
	w.types(args)
	code = run(w.t.Context(), append([]string{"--local"}, args...), env, to, w.clock())
	w.types(nil)
	w.shown.Write(stdout.Bytes())
	w.shown.Write(stderr.Bytes())
	return stdout.String(), stderr.String(), code
}

// clock is that of the command.
func (w *world) clock() procore.Clock {
	if w.passes {
		return w.waits()
	}
	return w.Clock.Seam()
}

// waits is the world's clock, which passes while the command waits.
func (w *world) waits() procore.Clock {
	return procore.Clock{Time: w.Clock.Now, Wait: func(ctx context.Context, d time.Duration) error {
		w.Clock.Advance(d)
		return context.Cause(ctx)
	}}
}

// types notes what the command is asked for, for the policies.
func (w *world) types(args []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.typing = args
}

// connect connects a company by a user.
func (w *world) connect(company, user int64, name, by string, webhooks connections.Webhooks) connections.Connection {
	w.t.Helper()
	c, err := w.Store().Connect(w.t.Context(), connections.New{
		Key: connections.Key{CompanyID: company, Principal: tokens.User(user)}, CompanyName: name, UserName: by, Webhooks: webhooks,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// refresh lets a schedule refresh a user's token while the token endpoint answers so.
func (w *world) refresh(user int64, answer procoretest.Fault) {
	w.t.Helper()
	answer.Endpoint, answer.Times = "token", 1
	w.ProcoreFails(answer)
	if g, err := w.Tokens().Upkeep().Refresh(w.t.Context(), tokens.User(user), 24*time.Hour); err == nil && g.Generation > 1 {
		w.t.Fatal("the refresh succeeded")
	}
}

// event stores an event of a company.
func (w *world) event(company int64) {
	w.t.Helper()
	e := procore.Event{ID: "01JA8Z7Q4M6X2V9T3C5B1N0KDE", CompanyID: company, Resource: "RFIs", ResourceID: "1", Type: "create"}
	s := &inbox.Store{DB: w.DB, Table: w.Tables.Inbox, Clock: w.Clock.Seam()}
	if o, err := s.Add(w.t.Context(), e, []byte(`{}`)); err != nil || o.Word != inbox.Stored {
		w.t.Fatalf("the event was not stored: %v, %v", o, err)
	}
}

// morning is a morning on which much is wrong.
func morning(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	const joe, ann, max = procoretest.Joe, procoretest.Ann, procoretest.Max
	for _, user := range []int64{joe, ann, max} {
		w.Authorize(user)
	}
	w.connect(5678, joe, "My Construction Co.", "Joe Builder", connections.WebhooksActive)
	w.connect(5679, joe, "Second Construction Co.", "Joe Builder", connections.WebhooksActive)
	w.connect(4294967311, ann, "Harbor & Hill", "Ann Admin", connections.WebhooksNeedsAdmin)
	harbor := w.connect(4294967312, ann, "Quay \x1b[31mWorks\n", "Ann Admin", connections.WebhooksPending)
	w.connect(7001, max, "Paused Ltd.", "Max Manager", connections.WebhooksOff)
	w.connect(5679, max, "Second Construction Co.", "Max Manager", connections.WebhooksActive)
	w.elsewhere()
	if err := w.Store().AddServiceAccount(t.Context(), 7002, "Installed Inc.", connections.WebhooksActive); err != nil {
		t.Fatal(err)
	}
	w.Clock.Advance(80 * time.Minute)
	w.event(5678)
	w.event(7002)
	w.Clock.Advance(2 * time.Minute)
	w.refresh(joe, procoretest.Fault{Kind: procoretest.Status, Status: 400, Body: `{"error":"invalid_grant"}`})
	if err := w.Store().Disconnect(t.Context(), harbor); err != nil {
		t.Fatal(err)
	}
	if err := w.Store().Pause(t.Context(), w.Connection(connections.Key{CompanyID: 7001, Principal: tokens.User(max)})); err != nil {
		t.Fatal(err)
	}
	if err := w.Store().End(t.Context(), connections.Key{CompanyID: 7002, Principal: tokens.App}, "the app was uninstalled"); err != nil {
		t.Fatal(err)
	}
	w.Clock.Advance(4 * time.Minute)
	return w
}

// elsewhere leaves rows of another environment, as a stack does whose environment was changed.
func (w *world) elsewhere() {
	w.t.Helper()
	for table, item := range map[string]dynamo.Item{
		w.Tables.Connections: {"company": dynamo.Text("sandbox#1"), "principal": dynamo.Text("user#1"), "state": dynamo.Text("connected")},
		w.Tables.Grants:      {"grant": dynamo.Text("sandbox#user#1"), "state": dynamo.Text("active")},
	} {
		w.put(table, item)
	}
}
