package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"procore-connect/internal/invariants"
	"procore-connect/internal/operator"
	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/invarianttest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// backup is a world whose tables can be restored, after something was lost.
type backup struct {
	*world
	dynamo *dynamotest.Server
	at     time.Time // before it
}

// newBackup connects three companies by two users, and one by the service account. An hour later time has passed for all.
func newBackup(t *testing.T) *backup {
	t.Helper()
	b := &backup{world: newWorld(t), dynamo: dynamotest.New()}
	b.dynamo.Now, b.dynamo.RestoreTime = b.Clock.Now, 25*time.Minute
	b.DB = dynamotest.Client(b.dynamo.Start(t))
	b.aws.DynamoDB = b.dynamo
	b.Tables = tables.Names{Grants: "grants", Connections: "connections", Spends: "spends", Sessions: "sessions", Inbox: "inbox"}
	if err := tables.Create(t.Context(), b.DB, b.Tables); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{b.Tables.Grants, b.Tables.Connections} {
		b.recover(table, true)
	}
	b.deploy()
	b.passes = true
	for _, user := range []int64{procoretest.Joe, procoretest.Ann} {
		b.Authorize(user)
	}
	b.connect(5678, procoretest.Joe, "My Construction Co.", "Joe Builder", connections.WebhooksActive)
	b.connect(5679, procoretest.Joe, "Second Construction Co.", "Joe Builder", connections.WebhooksActive)
	b.connect(4294967311, procoretest.Ann, "Harbor & Hill", "Ann Admin", connections.WebhooksOff)
	if err := b.Store().AddServiceAccount(t.Context(), 7002, "Installed Inc.", connections.WebhooksActive); err != nil {
		t.Fatal(err)
	}
	b.put(b.Tables.Connections, dynamo.Item{"company": dynamo.Text("custom#5678"), "principal": dynamo.Text("webhook"), "rev": dynamo.Number(1)})
	b.put(b.Tables.Grants, dynamo.Item{"grant": dynamo.Text("custom#heartbeat"), "beat_at_ms": dynamo.Number(1)}) // of its moment
	b.elsewhere()
	b.at = b.Clock.Now()
	b.Clock.Advance(time.Hour)
	return b
}

func (w *world) recover(table string, on bool) {
	w.t.Helper()
	_, err := w.DB.UpdateContinuousBackups(w.t.Context(), &dynamodb.UpdateContinuousBackupsInput{TableName: &table,
		PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: &on}})
	if err != nil {
		w.t.Fatal(err)
	}
}

// items are the rows of a table by their keys.
func (b *backup) items(table string) map[string]dynamo.Item {
	b.t.Helper()
	all := map[string]dynamo.Item{}
	for p := dynamodb.NewScanPaginator(b.DB, &dynamodb.ScanInput{TableName: &table}); p.HasMorePages(); {
		page, err := p.NextPage(b.t.Context())
		if err != nil {
			b.t.Fatal(err)
		}
		for _, item := range page.Items {
			all[keyOf(item)] = item
		}
	}
	return all
}

// keyOf returns the key of a row of either table.
func keyOf(item dynamo.Item) string {
	var grant, company, principal string
	_ = dynamo.Decode(item, func(f *dynamo.Fields) {
		f.Text("grant", &grant)
		f.Text("company", &company)
		f.Text("principal", &principal)
	})
	return strings.TrimSpace(grant + company + " " + principal)
}

// same reports whether two rows are the same.
func same(a, b dynamo.Item) bool {
	return cmp.Equal(a, b, cmp.Exporter(func(reflect.Type) bool { return true }))
}

// lose deletes all rows of a table whose keys have one of the texts.
func (b *backup) lose(table string, texts ...string) {
	b.t.Helper()
	for name, item := range b.items(table) {
		for _, text := range texts {
			if !strings.Contains(name, text) {
				continue
			}
			key := dynamo.Item{}
			for _, part := range []string{"grant", "company", "principal"} {
				if v, ok := item[part]; ok {
					key[part] = v
				}
			}
			if _, err := b.DB.DeleteItem(b.t.Context(), &dynamodb.DeleteItemInput{TableName: &table, Key: key}); err != nil {
				b.t.Fatal(err)
			}
		}
	}
}

// loseAll deletes all rows of both tables.
func (b *backup) loseAll() {
	b.lose(b.Tables.Grants, "")
	b.lose(b.Tables.Connections, "")
}

func (b *backup) time() string { return b.at.UTC().Format(time.RFC3339) }

// restores types restore, which must succeed, and returns its receipt.
func (b *backup) restores(more ...string) restored {
	b.t.Helper()
	out, aside, code := b.run(append([]string{"restore", "--at", b.time(), "--yes", "--json"}, more...)...)
	var r restored
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitOK {
		b.t.Fatalf("exit code %d, %v\n%s%s", code, err, out, aside)
	}
	return r
}

// works fails the test unless a connection makes calls.
func (b *backup) works(company int64, p tokens.Principal, want error) {
	b.t.Helper()
	c, err := b.Store().Connection(b.t.Context(), connections.Key{CompanyID: company, Principal: p})
	if err == nil {
		err = b.Store().Works(b.t.Context(), c)
	}
	if !errors.Is(err, want) {
		b.t.Errorf("company %d by %s: %v, want %v", company, p, err, want)
	}
}

// agree fails the test if the holders of the grants are not the companies that are connected. Those of one user do not count.
func (b *backup) agree(but ...tokens.Principal) {
	b.t.Helper()
	read := func(table string) (all []invariants.Item) {
		for name, item := range b.items(table) {
			if strings.HasPrefix(name, "custom#") {
				all = append(all, invariants.ItemOf(item))
			}
		}
		return all
	}
	for _, problem := range invarianttest.CheckHolders(read(b.Tables.Connections), read(b.Tables.Grants)) {
		if !slices.ContainsFunc(but, func(p tokens.Principal) bool { return strings.Contains(fmt.Sprint(problem), string(p)) }) {
			b.t.Error(problem)
		}
	}
}

// copies are the tables that restore made and has not deleted.
func (b *backup) copies() (all []string) {
	b.t.Helper()
	out, err := b.DB.ListTables(b.t.Context(), &dynamodb.ListTablesInput{})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, name := range out.TableNames {
		if strings.Contains(name, "-restored-") {
			all = append(all, name)
		}
	}
	return all
}

// What was lost comes back as it was, in both tables; what exists remains.
func TestRestore(t *testing.T) {
	t.Parallel()
	b := newBackup(t)
	was, wasGrants := b.items(b.Tables.Connections), b.items(b.Tables.Grants)
	b.lose(b.Tables.Grants, "1234567", "heartbeat")
	b.lose(b.Tables.Connections, "5678", "5679", "sandbox")
	b.connect(4294967311, procoretest.Ann, "Harbor & Hill & Sons", "Ann Admin", connections.WebhooksOff)
	wants(t, b.world, "restore-no-time", "restore")
	wants(t, b.world, "restore-ago", "restore", "--at", "1h")
	wants(t, b.world, "restore-except-name", "restore", "--at", b.time(), "--except", "Harbor")
	wants(t, b.world, "restore-early", "restore", "--at", "2026-03-01", "--yes")
	wants(t, b.world, "restore-late", "restore", "--at", "2026-03-02T08:58", "--yes")
	wants(t, b.world, "restore-dry", "restore", "--at", b.time(), "--dry-run")
	wants(t, b.world, "restore-unasked", "restore", "--at", b.time())
	if got := b.copies(); got != nil {
		t.Errorf("without an answer there are copies: %v", got)
	}
	wants(t, b.world, "restore-keep", "restore", "--at", b.time(), "--keep-copies", "--yes")
	const joes = "custom#user#1234567"
	if got := b.items(b.Tables.Grants)[joes]; !same(got, wasGrants[joes]) {
		t.Errorf("the grant came back as %v, want %v", got, wasGrants[joes])
	}
	for _, name := range []string{"custom#5678 user#1234567", "custom#5679 user#1234567", "custom#5678 webhook"} {
		if got := b.items(b.Tables.Connections)[name]; !same(got, was[name]) {
			t.Errorf("%s came back as %v, want %v", name, got, was[name])
		}
	}
	if got := b.Connection(connections.Key{CompanyID: 4294967311, Principal: tokens.User(procoretest.Ann)}).CompanyName; got != "Harbor & Hill & Sons" {
		t.Errorf("a newer row has become %q", got)
	}
	b.works(5678, tokens.User(procoretest.Joe), nil)
	b.works(5679, tokens.User(procoretest.Joe), nil)
	b.agree()
	wants(t, b.world, "restore-dry-nothing", "restore", "--at", b.time(), "--dry-run", "--json")
	wants(t, b.world, "restore-nothing", "restore", "--at", b.time(), "--yes")
	if got := b.copies(); got != nil {
		t.Errorf("copies remain: %v", got)
	}
}

// Both tables are empty. A company that was erased since does not come back, nor one that is excepted, and their users' grants
// are held by the others alone.
func TestRestoreAll(t *testing.T) {
	t.Parallel()
	b := newBackup(t)
	if _, aside, code := b.run("erase", "5678", "--yes"); code != exitOK {
		t.Fatal(aside)
	}
	b.loseAll()
	wants(t, b.world, "restore-all", "restore", "--at", b.time(), "--except", "4294967311", "--yes")
	b.works(5678, tokens.User(procoretest.Joe), connections.ErrNotFound)
	b.works(5679, tokens.User(procoretest.Joe), nil)
	b.works(4294967311, tokens.User(procoretest.Ann), connections.ErrNotFound)
	b.works(7002, tokens.App, nil)
	b.agree()
	if g := b.Grant(tokens.User(procoretest.Ann)); len(g.Holders) != 0 || g.UnheldAt.IsZero() {
		t.Errorf("Ann's grant is held by %v since it came back; the schedule would not revoke it", g.Holders)
	}
	for name := range b.items(b.Tables.Grants) {
		if strings.Contains(name, "heartbeat") || strings.Contains(name, "sandbox") {
			t.Errorf("%s came back", name)
		}
	}
}

// A company that ended its connection since the backup holds no grant that comes back.
func TestRestoreAfterAnEnd(t *testing.T) {
	t.Parallel()
	b := newBackup(t)
	if err := b.Store().End(t.Context(), connections.Key{CompanyID: 5678, Principal: tokens.User(procoretest.Joe)}, "asked for"); err != nil {
		t.Fatal(err)
	}
	b.lose(b.Tables.Grants, "1234567")
	if r := b.restores(); r.Grants != 1 || r.Rows != 0 || r.Released != 1 {
		t.Errorf("%+v", r)
	}
	b.works(5678, tokens.User(procoretest.Joe), connections.ErrEnded)
	b.works(5679, tokens.User(procoretest.Joe), nil)
	b.agree()
}

// A grant that is newer than the backup is released by a company whose connection is newer too, and was lost.
func TestRestoreWithNewerGrant(t *testing.T) {
	t.Parallel()
	b := newBackup(t)
	b.Authorize(procoretest.Max)
	b.connect(6000, procoretest.Max, "Lost Inc.", "Max", connections.WebhooksOff)
	b.connect(6001, procoretest.Max, "Kept Inc.", "Max", connections.WebhooksOff)
	b.lose(b.Tables.Connections, "6000")
	if r := b.restores(); r.Grants != 0 || r.Rows != 0 || r.Released != 1 {
		t.Errorf("%+v", r)
	}
	b.works(6001, tokens.User(procoretest.Max), nil)
	b.agree()
}

// A row of reconciliation that is newer than the backup was lost. The company has a turn again, unless its hook reports nothing.
func TestRestoreReconciliation(t *testing.T) {
	t.Parallel()
	b := newBackup(t)
	for _, company := range []string{"5678", "5679"} {
		b.put(b.Tables.Connections, dynamo.Item{"company": dynamo.Text("custom#" + company), "principal": dynamo.Text("webhook"), "rev": dynamo.Number(2),
			"since_ms": dynamo.Number(1772438400000)})
	}
	turn := dynamo.Item{"company": dynamo.Text("custom#5679"), "principal": dynamo.Text("reconcile"), "check_shard": dynamo.Text("custom#reconcile#1"),
		"check_at": dynamo.Number(7)}
	b.put(b.Tables.Connections, turn)
	b.put(b.Tables.Connections, dynamo.Item{"company": dynamo.Text("custom#6000"), "principal": dynamo.Text("webhook"), "since_ms": dynamo.Number(1772438400000)})
	b.restores()
	all := b.items(b.Tables.Connections)
	want := b.Store().InTurn(connections.Reconciliation, 5678, b.Clock.Now())
	want["company"], want["principal"] = dynamo.Text("custom#5678"), dynamo.Text("reconcile")
	if got := all["custom#5678 reconcile"]; !same(got, want) {
		t.Errorf("the company's turn is %v, want %v", got, want)
	}
	if got := all["custom#5679 reconcile"]; !same(got, turn) {
		t.Errorf("the other company's turn has become %v", got)
	}
	for _, name := range []string{"custom#4294967311 reconcile", "custom#6000 reconcile"} {
		if got, ok := all[name]; ok {
			t.Errorf("without a hook, or a connection, there is the turn %s: %v", name, got)
		}
	}
}

// A user whose grant was lost authorizes for one company before it comes back. The other one needs the user, and the list that
// the receipt names begins with it.
func TestRestoreAfterAnAuthorization(t *testing.T) {
	t.Parallel()
	b := newBackup(t)
	b.lose(b.Tables.Grants, "1234567")
	b.Authorize(procoretest.Joe)
	b.connect(5678, procoretest.Joe, "My Construction Co.", "Joe Builder", connections.WebhooksActive)
	if r := b.restores(); r.Grants != 0 || r.Newer != 0 || r.Released != 0 {
		t.Errorf("%+v", r)
	}
	b.works(5678, tokens.User(procoretest.Joe), nil)
	b.works(5679, tokens.User(procoretest.Joe), tokens.ErrReauthorize)
	out, aside, code := b.run("list", "--json")
	var list []operator.Connection
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != exitOK {
		t.Fatalf("exit code %d, %v\n%s%s", code, err, out, aside)
	}
	if len(list) == 0 || list[0].CompanyID != 5679 || !list[0].NeedsPerson {
		t.Errorf("the list begins otherwise: %+v", list)
	}
}

// A refresh token that was sent after the backup comes back, and is not sent again.
func TestRestoreSpentPair(t *testing.T) {
	t.Parallel()
	b := newBackup(t)
	b.Clock.Advance(20 * time.Minute)
	p := tokens.User(procoretest.Joe)
	if _, err := b.Tokens().Upkeep().Refresh(t.Context(), p, 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	b.lose(b.Tables.Grants, "1234567")
	b.restores()
	if g := b.Grant(p); g.Generation != 1 || g.State != tokens.Active {
		t.Fatalf("generation %d came back, %s", g.Generation, g.State)
	}
	sent := b.Requests("POST /oauth/token")
	if _, err := b.Tokens().Upkeep().Refresh(t.Context(), p, 24*time.Hour); !errors.Is(err, tokens.ErrReauthorize) {
		t.Errorf("got %v, want ErrReauthorize", err)
	}
	if got := b.Requests("POST /oauth/token"); got != sent {
		t.Errorf("Procore got %d requests more", got-sent)
	}
}

// Without the operator's log it is not known who was erased, and nothing comes back unless the person says so.
func TestRestoreWithoutLog(t *testing.T) {
	t.Parallel()
	b := newBackup(t)
	b.lose(b.Tables.Connections, "5678")
	b.instead = nil
	read := new(atomic.Bool)
	b.aws.Watch = func(c awstest.Call) {
		if c.Action == "logs:FilterLogEvents" && !read.Swap(true) {
			b.aws.Logs.Fail(&awstest.Error{Code: "ServiceUnavailableException", Message: "down"})
		}
	}
	_, aside, code := b.run("restore", "--at", b.time(), "--yes")
	if code != exitFailed || !strings.Contains(aside, "--except") || !strings.Contains(aside, "--without-audit") || !strings.Contains(aside, "this goes on: procore-connect restore") {
		t.Errorf("exit code %d, %s", code, aside)
	}
	b.works(5678, tokens.User(procoretest.Joe), connections.ErrNotFound)
	r := b.restores("--without-audit", "--except", "4294967311")
	if r.Rows != 2 {
		t.Errorf("%+v", r)
	}
}

// The command is interrupted at each fifth of its calls of DynamoDB in turn, and typed again. Each row comes back as it was.
func TestRestoreInterrupted(t *testing.T) {
	t.Parallel()
	b := newBackup(t)
	b.dynamo.RestoreTime = 0
	b.lose(b.Tables.Grants, "heartbeat", "sandbox")
	b.lose(b.Tables.Connections, "sandbox")
	want := []map[string]dynamo.Item{b.items(b.Tables.Grants), b.items(b.Tables.Connections)}
	for stop, finished := int64(1), false; !finished; stop += 5 {
		b.at = b.Clock.Now()
		b.Clock.Advance(time.Hour)
		b.loseAll()
		ctx, cancel := context.WithCancel(t.Context())
		var calls atomic.Int64
		b.dynamo.Intercept(func(string, []byte) dynamotest.Fault {
			if calls.Add(1) != stop {
				return dynamotest.Fault{}
			}
			cancel()
			return dynamotest.Fault{Drop: true, Applied: stop%2 == 0}
		})
		code := run(ctx, []string{"--local", "restore", "--at", b.time(), "--yes"}, func(string) string { return b.addr }, streams{out: &b.shown, err: &b.shown}, b.clock())
		cancel()
		b.dynamo.Intercept(nil)
		if finished = calls.Load() < stop; !finished {
			if code != exitFailed {
				t.Fatalf("call %d: exit code %d", stop, code)
			}
			b.restores()
		}
		for i, table := range []string{b.Tables.Grants, b.Tables.Connections} {
			if got := b.items(table); !cmp.Equal(got, want[i], cmp.Exporter(func(reflect.Type) bool { return true })) {
				t.Fatalf("call %d: %s has %v, want %v", stop, table, got, want[i])
			}
		}
		if got := b.copies(); got != nil {
			t.Fatalf("call %d: copies remain: %v", stop, got)
		}
		if finished {
			t.Logf("it makes %d calls", calls.Load())
		}
	}
	b.agree()
}

// A grant that cannot be put keeps its user's connections away, so that no one authorizes because of them. The rest comes back.
func TestRestoreFails(t *testing.T) {
	t.Parallel()
	b := newBackup(t)
	b.loseAll()
	b.dynamo.Intercept(func(operation string, body []byte) dynamotest.Fault {
		if operation == "PutItem" && strings.Contains(string(body), `"custom#user#1234567"`) {
			return dynamotest.Fault{Code: "ValidationException"}
		}
		return dynamotest.Fault{}
	})
	wants(t, b.world, "restore-fails", "restore", "--at", b.time(), "--yes")
	b.works(5678, tokens.User(procoretest.Joe), connections.ErrNotFound)
	b.works(4294967311, tokens.User(procoretest.Ann), nil)
	b.dynamo.Intercept(nil)
	b.restores()
	b.works(5678, tokens.User(procoretest.Joe), nil)
	b.agree()
}

// A table that only has a copy's name is neither read nor deleted, and a table without backups is not restored.
func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	b := newBackup(t)
	other := tables.Grants("grants-restored-20260302T080000Z")
	if err := tables.CreateOne(t.Context(), b.DB, other); err != nil {
		t.Fatal(err)
	}
	if _, aside, code := b.run("restore", "--at", b.time(), "--yes"); code != exitFailed || !strings.Contains(aside, "is no copy of grants") {
		t.Errorf("another table: exit code %d, %s", code, aside)
	}
	if len(b.copies()) != 1 {
		t.Errorf("the other table was deleted, or copies were made: %v", b.copies())
	}
	if _, err := b.DB.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: other.TableName}); err != nil {
		t.Fatal(err)
	}
	b.recover(b.Tables.Connections, false)
	if _, aside, code := b.run("restore", "--at", b.time(), "--yes"); code != exitFailed || !strings.Contains(aside, "connections has no point-in-time recovery") {
		t.Errorf("no backups: exit code %d, %s", code, aside)
	}
	if got := b.copies(); got != nil {
		t.Errorf("copies were made: %v", got)
	}
}

// While the rows come back, users connect companies, connections end, and a schedule refreshes. Whichever writes a row first, no
// row is overwritten, no token is sent twice, and holders and connections agree.
func TestRestoreBesideFunctions(t *testing.T) {
	t.Parallel()
	b := newBackup(t)
	b.dynamo.RestoreTime = 0
	users := []int64{procoretest.Joe, procoretest.Ann, procoretest.Max}
	for round := range 8 {
		for i, user := range users {
			b.Authorize(user)
			b.connect(6000+int64(round*10+i), user, "Company", "User", connections.WebhooksOff)
			b.connect(6500+int64(round*10+i), user, "Company", "User", connections.WebhooksOff)
		}
		b.at = b.Clock.Now()
		b.Clock.Advance(80 * time.Minute) // the tokens are due
		b.lose(b.Tables.Grants, "user#")
		b.lose(b.Tables.Connections, "custom#6")
		var g errgroup.Group
		began := make(chan struct{})
		b.dynamo.Intercept(beforeFirstPut(began))
		g.Go(func() error {
			b.restores()
			return nil
		})
		for i, user := range users {
			p, company := tokens.User(user), 6000+int64(round*10+i)
			g.Go(func() error {
				<-began
				if i == 0 { // a user authorizes and chooses one company
					b.Authorize(user)
					b.connect(company, user, "Newer", "User", connections.WebhooksOff)
				}
				_, err := b.Tokens().Upkeep().Refresh(t.Context(), p, 24*time.Hour)
				if i == 1 {
					err = b.Store().End(t.Context(), connections.Key{CompanyID: company, Principal: p}, "asked for")
				}
				if errors.Is(err, tokens.ErrNotFound) || errors.Is(err, connections.ErrNotFound) { // it was faster than the restore
					err = nil
				}
				return err
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		b.dynamo.Intercept(nil)
		b.agree(tokens.User(users[0])) // who may have been faster, and then connects the other companies again too
		key := connections.Key{CompanyID: 6000 + int64(round*10), Principal: tokens.User(users[0])}
		if c := b.Connection(key); c.CompanyName != "Newer" {
			t.Errorf("round %d: the newer row has become %q", round, c.CompanyName)
		}
		b.works(key.CompanyID, key.Principal, nil)
		b.works(6500+int64(round*10+2), tokens.User(users[2]), nil)
	}
	for _, token := range b.Procore.State().RefreshTokens {
		if token.Presented > 1 {
			t.Errorf("a refresh token of user %d was sent %d times", token.UserID, token.Presented)
		}
	}
}

// beforeFirstPut closes began before the first row is put.
func beforeFirstPut(began chan struct{}) func(string, []byte) dynamotest.Fault {
	var once sync.Once
	return func(operation string, _ []byte) dynamotest.Fault {
		if operation == "PutItem" {
			once.Do(func() { close(began) })
		}
		return dynamotest.Fault{}
	}
}
