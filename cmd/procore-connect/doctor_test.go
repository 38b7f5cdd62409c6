package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/internal/testing/stack"
	"procore-connect/internal/upkeep/heartbeat"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// clinic is a world as it is deployed: with public addresses, queues, topics with subscribers and protected tables.
type clinic struct {
	*world
	front   http.HandlerFunc // answers at the public address
	url     string
	env     map[string]string // of all functions
	outputs map[string]string
	ahead   time.Duration // of the operator's clock
}

func newClinic(t *testing.T) *clinic {
	t.Helper()
	c := &clinic{world: newWorld(t), front: answered}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.front(w, r) }))
	t.Cleanup(server.Close)
	c.url = server.URL
	c.env, c.outputs = c.environment("http://"+c.addr), stack.Outputs(c.url, "http://"+c.addr)
	c.env["PUBLIC_URL"] = c.url
	c.set("GRANTS_TABLE", "GrantsTableName", c.Tables.Grants)
	c.set("CONNECTIONS_TABLE", "ConnectionsTableName", c.Tables.Connections)
	c.set("SPENDS_TABLE", "SpendsTableName", c.Tables.Spends)
	c.set("INBOX_TABLE", "InboxTableName", c.Tables.Inbox)
	c.set("APP_SECRET_ID", "AppSecretArn", functiontest.AppSecret)
	c.set("KEYS_SECRET_ID", "KeysSecretArn", functiontest.KeysSecret)
	c.set("LINK_SECRET_ID", "LinkSecretArn", functiontest.LinkSecret)
	c.env["WEBHOOK_SECRET_ID"] = functiontest.WebhookSecret
	c.deploy()
	c.aws.Queues, c.aws.Topics = awstest.NewQueues(), awstest.NewTopics()
	var dead *awstest.Queue
	for _, name := range []string{"events.fifo", "events-dead.fifo", "dispatch-dead", "announce-dead", "rescue-dead", "rescue"} {
		o := awstest.QueueOptions{}
		if name == "rescue" {
			o = awstest.QueueOptions{DeadLetters: dead, MaxReceiveCount: 3}
		}
		var err error
		if dead, err = c.aws.Queues.Create(name, o); err != nil {
			t.Fatal(err)
		}
	}
	c.aws.Topics.Subscribe("none", "email", "oncall@example.com", true)
	c.aws.Topics.Subscribe("connections-topic", "email", "support@example.com", true)
	for _, table := range []string{c.Tables.Grants, c.Tables.Connections, c.Tables.Spends} {
		c.protect(table, true)
		c.recover(table, true)
	}
	for _, user := range []int64{procoretest.Joe, procoretest.Ann} {
		c.Authorize(user)
	}
	c.connect(5678, procoretest.Joe, "My Construction Co.", "Joe Builder", connections.WebhooksActive)
	c.connect(5679, procoretest.Joe, "Second Construction Co.", "Joe Builder", connections.WebhooksActive)
	c.connect(4294967311, procoretest.Ann, "Harbor & Hill", "Ann Admin", connections.WebhooksOff)
	if err := heartbeat.Write(t.Context(), c.Store()); err != nil {
		t.Fatal(err)
	}
	return c
}

// answered answers as the stack's front does.
func answered(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/webhooks/procore" && r.Method == http.MethodHead {
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'")
	if r.URL.Path == "/webhooks/procore" {
		w.WriteHeader(http.StatusNotFound)
	}
}

func (c *clinic) set(variable, output, value string) {
	c.env[variable], c.outputs[output] = value, value
}

// deploy shows outputs and variables to the command.
func (c *clinic) deploy() {
	c.aws.Stacks.Put(stack.StackName, c.outputs)
	for name := range strings.SplitSeq(c.outputs["FunctionNames"], ",") {
		c.lambda.Put(name, c.env)
	}
}

func (c *clinic) protect(table string, on bool) {
	c.t.Helper()
	if _, err := c.DB.UpdateTable(c.t.Context(), &dynamodb.UpdateTableInput{TableName: &table, DeletionProtectionEnabled: &on}); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { // so that it can be deleted
		off := false
		_, _ = c.DB.UpdateTable(context.WithoutCancel(c.t.Context()), &dynamodb.UpdateTableInput{TableName: &table, DeletionProtectionEnabled: &off})
	})
}

// deployed types the command as for a stack in AWS.
func (c *clinic) deployed(args ...string) (out, aside string, code int) {
	c.t.Helper()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": "http://" + c.addr, "AWS_ACCESS_KEY_ID": "operator", "AWS_SECRET_ACCESS_KEY": "operator", "AWS_SESSION_TOKEN": "",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_PROFILE": "", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		c.t.Setenv(name, value)
	}
	var stdout, stderr bytes.Buffer
	none := func(string) string { return "" }
	c.types(args)
	defer c.types(nil)
	args = append([]string{"--stack", stack.StackName, "--region", "us-east-1"}, args...)
	code = run(c.t.Context(), args, none, streams{in: strings.NewReader(""), out: &stdout, err: &stderr}, procore.Clock{Time: func() time.Time { return c.Clock.Now().Add(c.ahead) }})
	c.shown.Write(stdout.Bytes())
	c.shown.Write(stderr.Bytes())
	return c.stable(stdout.String()), c.stable(stderr.String()), code
}

// stable replaces what differs from run to run.
func (c *clinic) stable(text string) string {
	return strings.NewReplacer(c.url, app, c.addr, "127.0.0.1:8000", c.Procore.URL, "https://login.example.com", c.Tables.Grants, "grants",
		c.Tables.Connections, "connections", c.Tables.Spends, "spends", c.Tables.Sessions, "sessions", c.Tables.Inbox, "inbox").Replace(text)
}

// change changes an attribute of a user's grant by hand.
func (c *clinic) change(user int64, name string, value types.AttributeValue) {
	c.t.Helper()
	key := dynamo.Item{"grant": dynamo.Text("custom#" + string(tokens.User(user)))}
	item, err := dynamo.Get(c.t.Context(), c.DB, c.Tables.Grants, key)
	if err != nil {
		c.t.Fatal(err)
	}
	item[name] = value
	c.put(c.Tables.Grants, item)
}

// dead sends a message to a queue in which none should be.
func (c *clinic) dead(queue string) {
	c.t.Helper()
	q, err := c.aws.Queues.Queue(queue)
	if err == nil {
		m := awstest.Message{Body: "{}"}
		if strings.HasSuffix(queue, ".fifo") {
			m.Group, m.Dedup = "g", "d"
		}
		_, _, err = q.Send(m)
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// deny makes IAM refuse operations.
func (c *clinic) deny(targets ...string) {
	c.instead = func(w http.ResponseWriter, r *http.Request) bool {
		if !slices.Contains(targets, r.Header.Get("X-Amz-Target")) {
			return false
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"__type":"AccessDeniedException","message":"User is not authorized"}`))
		return true
	}
}

// Each check of the doctor fails for its reason, and says what to type. Not parallel: AWS is found by this process's
// environment.
func TestDoctor(t *testing.T) {
	for name, tt := range map[string]struct {
		harm func(*clinic)
		args string
	}{
		"well": {func(*clinic) {}, "doctor"},
		"json": {func(*clinic) {}, "doctor --json"},
		"configuration": {func(c *clinic) {
			c.lambda.Put("dispatcher", map[string]string{"INBOX_TABLE": "another", "LOG_LEVEL": "debug"})
			c.lambda.Put("company-select", map[string]string{"ALLOWED_COMPANIES": "Acme"})
		}, "doctor"},
		"variable": {func(c *clinic) { c.env["PROCORE_ENVIRONMENT"] = "staging" }, "doctor"},
		"clock":    {func(c *clinic) { c.ahead = time.Minute }, "doctor"},
		"secret": {func(c *clinic) {
			c.Secrets.Put(functiontest.AppSecret, `{"client_id":"fake-client-id","client_secret":"fake-wrong"}`)
		}, "doctor"},
		"placeholder": {func(c *clinic) {
			c.Secrets.Put(functiontest.AppSecret, `{"client_id":"FILL-IN","client_secret":"FILL-IN"}`)
		}, "doctor"},
		"keys":         {func(c *clinic) { c.Secrets.Put(functiontest.KeysSecret, `{"current":"k2"}`) }, "doctor"},
		"link-keys":    {func(c *clinic) { c.Secrets.Put(functiontest.LinkSecret, `{"current":"k1","k1":"short"}`) }, "doctor"},
		"return-urls":  {func(c *clinic) { c.env["RETURN_URLS"] = "https://host.example/a#top" }, "doctor"},
		"no-return":    {func(c *clinic) { c.env["RETURN_URLS"] = "" }, "doctor"},
		"no-links":     {func(c *clinic) { c.env["RETURN_URLS"] = ""; c.set("LINK_SECRET_ID", "LinkSecretArn", "") }, "doctor"},
		"another-link": {func(c *clinic) { c.outputs["LinkSecretArn"] = "another" }, "doctor"},
		"another-key": {func(c *clinic) {
			c.Secrets.Put(functiontest.KeysSecret, strings.ReplaceAll(functiontest.KeysValue, `"k1"`, `"k2"`))
		}, "doctor"},
		"recovery":    {func(c *clinic) { c.recover(c.Tables.Connections, false) }, "doctor"},
		"protection":  {func(c *clinic) { c.protect(c.Tables.Grants, false) }, "doctor"},
		"no-table":    {func(c *clinic) { c.env["SESSIONS_TABLE"] = "none" }, "doctor"},
		"wrong-table": {func(c *clinic) { c.env["SESSIONS_TABLE"] = c.Tables.Grants }, "doctor"},
		"row":         {func(c *clinic) { c.change(procoretest.Joe, "reason", dynamo.Text("by hand")) }, "doctor"},
		"holders":     {func(c *clinic) { c.change(procoretest.Joe, "holders", dynamo.Texts([]string{"5678"})) }, "doctor"},
		"ledger": {func(c *clinic) {
			c.change(procoretest.Joe, "claim_until_ms", dynamo.Millis(c.Clock.Now().Add(time.Second)))
			c.change(procoretest.Joe, "attempt", dynamo.Text("a"))
		}, "doctor"},
		"breaker": {func(c *clinic) {
			c.refresh(procoretest.Joe, procoretest.Fault{Kind: procoretest.Status, Status: 401, Body: `{"error":"invalid_client"}`})
		}, "doctor"},
		"brake": {func(c *clinic) {
			c.put(c.Tables.Connections, dynamo.Item{"company": dynamo.Text("custom#departures"), "principal": dynamo.Text("brake"), "rev": dynamo.Number(1), "engaged_at": dynamo.Seconds(c.Clock.Now().Add(-time.Hour)), "withheld": dynamo.Number(3)})
		}, "doctor"},
		"dead-letters": {func(c *clinic) { c.dead("events-dead.fifo"); c.dead("rescue"); c.dead("rescue-dead") }, "doctor"},
		"schedules":    {func(c *clinic) { c.Clock.Advance(4 * time.Hour) }, "doctor"},
		"unsubscribed": {func(c *clinic) {
			c.aws.Topics = awstest.NewTopics("none")
			c.aws.Topics.Subscribe("connections-topic", "email", "support@example.com", false)
		}, "doctor"},
		"pending":     {func(c *clinic) { c.aws.Topics.Subscribe("none", "email", "new@example.com", false) }, "doctor"},
		"unreachable": {func(c *clinic) { c.front = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) } }, "doctor"},
		"elsewhere":   {func(c *clinic) { c.front = func(http.ResponseWriter, *http.Request) {} }, "doctor"},
		"denied":      {func(c *clinic) { c.deny("DynamoDB_20120810.DescribeContinuousBackups", "AmazonSQS.GetQueueAttributes") }, "doctor"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClinic(t)
			tt.harm(c)
			if name != "configuration" {
				c.deploy()
			}
			args := strings.Fields(tt.args)
			out, aside, code := c.deployed(args...)
			golden(t, "doctor-"+name, args, out, aside, code)
		})
	}
}

// On make run there is no backup and no subscriber.
func TestDoctorOnThisMachine(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	for _, table := range []string{c.Tables.Grants, c.Tables.Connections, c.Tables.Spends} {
		c.recover(table, false)
		c.protect(table, false)
	}
	c.aws.Topics = awstest.NewTopics("connections-topic")
	out, aside, code := c.run("doctor")
	golden(t, "doctor-local", []string{"doctor"}, c.stable(out), aside, code)
}

// The rows of ten thousand connections are read by pages, and the doctor reports how far it is. Nothing else costs more
// because of them.
func TestDoctorOfTenThousand(t *testing.T) {
	t.Parallel()
	w := worldOfMany(t)
	w.aws.Stacks.Put(stack.StackName, stack.Outputs("http://127.0.0.1:9", "http://"+w.addr))
	began := time.Now()
	out, aside, code := w.run("doctor")
	t.Logf("doctor among %d connections: %v", many, time.Since(began))
	if !strings.Contains(out, "10 more rows or entries break an invariant") || code != exitTrouble { // three of each row that worldOfMany changes
		t.Errorf("got exit code %d, and not the rows that break an invariant: %s", code, out)
	}
	for _, want := range []string{"checking rows: 1000 rows of connections read", "checking rows: 10000 rows of grants read"} {
		if !strings.Contains(aside, want) {
			t.Errorf("the progress lacks %q", want)
		}
	}
	w.wantCalls(map[string]int{"dynamodb:Scan": 31, "dynamodb:GetItem": 3 + 10*3, "dynamodb:Query": 80, "dynamodb:DescribeTable": 5, "dynamodb:DescribeTimeToLive": 3})

	ctx, stop := context.WithCancel(t.Context())
	clock := procore.Clock{Time: w.Clock.Now, Wait: func(ctx context.Context, _ time.Duration) error {
		stop()
		return context.Cause(ctx)
	}}
	env := func(string) string { return w.addr }
	to := streams{in: strings.NewReader(""), out: &w.shown, err: &w.shown}
	if code := run(ctx, []string{"--local", "doctor", "--watch"}, env, to, clock); code != exitTrouble {
		t.Errorf("got exit code %d of a watch, want %d", code, exitTrouble)
	}
	w.wantCalls(map[string]int{"dynamodb:Scan": 15})
}

// A watch finds what no function does between two reads, and nothing in what functions do.
func TestDoctorWatch(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	change := func(user int64, rev int64, name string, value types.AttributeValue) func() {
		return func() {
			c.change(user, "rev", dynamo.Number(rev))
			c.change(user, name, value)
		}
	}
	joe, ann := c.Grant(tokens.User(procoretest.Joe)), c.Grant(tokens.User(procoretest.Ann))
	steps := []func(){
		func() { // a refresh is three writes
			if _, err := c.Tokens().Upkeep().Refresh(t.Context(), joe.Principal, 24*time.Hour); err != nil {
				t.Error(err)
			}
		},
		change(procoretest.Ann, ann.Rev+1, "state", dynamo.Text("revoked")),
		func() {},
		func() { c.change(procoretest.Ann, "reason", dynamo.Text("by hand")) },
		func() { c.Fault(functiontest.Down) },
		func() { c.Fault(nil) },
		func() {
			key := dynamo.Item{"grant": dynamo.Text("custom#" + string(joe.Principal))}
			if _, err := c.DB.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &c.Tables.Grants, Key: key}); err != nil {
				t.Error(err)
			}
		},
		stop,
	}
	clock := procore.Clock{Time: c.Clock.Now, Wait: func(ctx context.Context, d time.Duration) error {
		if d != 10*time.Second {
			return nil // of a client that repeats a call
		}
		steps[0]()
		steps = steps[1:]
		c.Clock.Advance(d)
		return context.Cause(ctx)
	}}
	var stdout, stderr bytes.Buffer
	env := func(name string) string { return map[string]string{"LOCAL_AWS_ADDR": c.addr}[name] }
	args := []string{"doctor", "--watch"}
	code := run(ctx, append([]string{"--local"}, args...), env, streams{in: strings.NewReader(""), out: &stdout, err: &stderr}, clock)
	c.shown.Write(stdout.Bytes())
	aside := regexp.MustCompile(`not read: .*`).ReplaceAllString(stderr.String(), "not read: ...")
	golden(t, "doctor-watch", args, stdout.String(), aside, code)
}

// A row that changes while it is examined is in use, and what looked wrong is not reported.
func TestDoctorBesideFunctions(t *testing.T) {
	t.Parallel()
	for name, always := range map[string]bool{"put right": false, "still changing": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClinic(t)
			good := c.Grant(tokens.User(procoretest.Joe))
			c.change(procoretest.Joe, "holders", dynamo.Texts([]string{"5678"}))
			rev := good.Rev
			c.instead = func(_ http.ResponseWriter, r *http.Request) bool {
				body, err := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(body))
				examined := r.Header.Get("X-Amz-Target") == "DynamoDB_20120810.GetItem" && bytes.Contains(body, []byte("custom#"+good.Principal)) &&
					bytes.Contains(body, []byte(c.Tables.Grants))
				if err == nil && examined && (always || rev == good.Rev) {
					rev++
					c.change(procoretest.Joe, "rev", dynamo.Number(rev))
					if !always {
						c.change(procoretest.Joe, "holders", dynamo.Texts(good.Holders))
					}
				}
				return false
			}
			out, _, code := c.run("doctor")
			if code != exitOK || rev == good.Rev || !strings.Contains(out, "3 connections, 2 grants") {
				t.Errorf("got exit code %d after %d writes, want none of a row in use: %s", code, rev-good.Rev, out)
			}
		})
	}
}
