package stack_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/browsertest"
	"procore-connect/internal/testing/kit/sandboxtest"
	"procore-connect/internal/testing/stack"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

const (
	sandboxID     = "sandbox-client-id"
	sandboxSecret = "fake-client-secret-of-the-sandbox"
)

// settled is how far the sandbox's clock is behind until a test moves it: what changed until then is no longer fresh.
const settled = 3 * time.Minute

// sandboxWorld starts a fake in the place of the sandbox, at which these redirect URIs are registered; none: any on
// loopback.
func sandboxWorld(t *testing.T, redirectURIs ...string) *sandboxtest.World {
	t.Helper()
	return sandboxtest.Start(t, authority, procoretest.Options{
		ClientID: sandboxID, ClientSecret: sandboxSecret, RedirectURIs: redirectURIs,
		ExpiresIn: 8 * time.Minute, // so the schedule would refresh it
		Now:       func() time.Time { return time.Now().Add(-settled) },
	})
}

// sandboxOptions are those of a stack whose schedules do not run.
func sandboxOptions(w *sandboxtest.World, public string) stack.Options {
	return stack.Options{
		AppAddr: "localhost:0", Refresh: -1, Housekeeping: -1, Reconcile: -1,
		Sandbox: &stack.Sandbox{ClientID: sandboxID, ClientSecret: procore.NewSecret(sandboxSecret), PublicURL: public},
		Env:     w.Environment(),
	}
}

// connectSandbox connects a company through the pages, as a person does, and returns the redirect URI of the sign-in.
func connectSandbox(t *testing.T, w *sandboxtest.World, s *stack.Stack) string {
	t.Helper()
	b := browsertest.New()
	b.Transport = w.Transport()
	redirect := ""
	b.StopAt = func(u *url.URL) bool {
		if uri := u.Query().Get("redirect_uri"); uri != "" {
			redirect = uri
		}
		return false
	}
	b.Open(t.Context(), s.PublicURL+"/")
	b.Click(t.Context(), "Connect to Procore")
	if b.Err() == nil && b.URL.Scheme+"://"+b.URL.Host != procore.Sandbox().LoginURL {
		t.Fatalf("the sign-in is at %s", b.URL.Host)
	}
	b.Choose("Joe Builder")
	b.Click(t.Context(), "Authorize")
	b.Choose("Harbor & Hill Builders")
	b.Click(t.Context(), "Connect this company")
	if err := b.Err(); err != nil || b.Status != http.StatusOK || b.URL.Path != "/connected" {
		t.Fatalf("after the choice: %v, %d\n%s", err, b.Status, b.Text())
	}
	return redirect
}

// noMistakes checks that no one but the sandbox's hosts was called, each for what it has.
func noMistakes(t *testing.T, w *sandboxtest.World) {
	t.Helper()
	if m := w.Mistakes(); len(m) > 0 {
		t.Errorf("other calls than those of the sandbox: %q", m)
	}
}

// Without a tunnel there is no hook, and reconciliation alone finds a change. What is kept is for this user alone.
func TestSandboxWithoutWebhooks(t *testing.T) {
	t.Parallel()
	w, dir := sandboxWorld(t), t.TempDir()
	o := sandboxOptions(w, "")
	o.StateDir = dir
	s, stdout := start(t, o)
	if s.Procore != nil || s.ProcoreURL != "" {
		t.Error("a fake runs beside the sandbox")
	}
	redirect := connectSandbox(t, w, s)
	if want := s.AppURL + "/oauth/callback"; redirect != want || !strings.HasPrefix(want, "http://localhost:") {
		t.Errorf("the redirect URI is %s, want %s on localhost", redirect, want)
	}
	task(t, s, "housekeeping")
	if hooks := w.Fake.State().Hooks; len(hooks) != 0 {
		t.Errorf("hooks to an address that Procore does not reach: %+v", hooks)
	}
	found := reconciledInSandbox(t, w, s)
	eventually(t, "reconciliation finds the change, and the consumer reads it", func() bool {
		return slices.ContainsFunc(handled(t, stdout), func(line map[string]any) bool { return line["resource_id"] == found && line["outcome"] == "handled" })
	})
	if hooks := w.Fake.State().Hooks; len(hooks) != 0 {
		t.Errorf("hooks after reconciliation: %+v", hooks)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	noMistakes(t, w)
	private(t, dir)
	if strings.Contains(stdout.String(), sandboxSecret) {
		t.Error("the log has the client secret")
	}

	other := o
	other.Sandbox = nil
	refusesState(t, other, "the state of the sandbox Procore")
	app := *o.Sandbox
	app.ClientID = "another-client-id"
	other.Sandbox = &app
	refusesState(t, other, "the state of another app")
	o.Sandbox.ClientSecret = procore.NewSecret("reset-" + sandboxSecret) // which the portal does on demand
	if err := w.Fake.UpdateOptions(procoretest.OptionsPatch{ClientSecret: new("reset-" + sandboxSecret)}); err != nil {
		t.Fatal(err)
	}
	s, _ = start(t, o)
	task(t, s, "refresh")
	noMistakes(t, w)
	var pairs []string
	for _, r := range w.Fake.State().RefreshTokens {
		if r.State != procoretest.Unknown { // the refresher's probe was never issued
			pairs = append(pairs, fmt.Sprint(r.State, " ", r.Presented))
		}
	}
	if d := cmp.Diff(pairs, []string{"spent 1", "live 0"}); d != "" {
		t.Errorf("the pair of the first run, and what the next run exchanged it for (-got +want):\n%s", d)
	}
}

// reconciledInSandbox changes something of which nothing is delivered, makes a pass due, and returns what changed.
func reconciledInSandbox(t *testing.T, w *sandboxtest.World, s *stack.Stack) string {
	t.Helper()
	var rfi procoretest.Resource
	for _, r := range w.Fake.State().Resources {
		if r.CompanyID == procoretest.HarborHill && r.Name == "RFIs" {
			rfi = r
		}
	}
	emitted, err := w.Fake.Emit(procoretest.Event{CompanyID: rfi.CompanyID, ProjectID: rfi.ProjectID, ResourceName: rfi.Name, EventType: "create", UserID: procoretest.Joe})
	if err != nil {
		t.Fatal(err)
	}
	w.Fake.Advance(settled)
	db := dynamotest.Client(s.AWSURL, func(o *dynamodb.Options) { o.Credentials = local })
	set, at := "SET since_ms = :v", fmt.Sprint(time.Now().Add(-time.Hour).UnixMilli()) // so that the first pass is due
	_, err = db.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: new("connections"), UpdateExpression: &set, ConditionExpression: new("since_ms > :zero AND attribute_not_exists(hook_id)"),
		Key: map[string]types.AttributeValue{
			"company":   &types.AttributeValueMemberS{Value: fmt.Sprint("sandbox#", rfi.CompanyID)},
			"principal": &types.AttributeValueMemberS{Value: "webhook"},
		},
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":v": &types.AttributeValueMemberN{Value: at}, ":zero": &types.AttributeValueMemberN{Value: "0"},
		},
	})
	if err != nil {
		t.Fatal("housekeeping noted nothing to reconcile from: ", err)
	}
	if _, err := s.Invoke(t.Context(), "reconciler", []byte(`{"task":"reconcile"}`)); err != nil {
		t.Fatal(err)
	}
	return emitted.ResourceID.String()
}

// private checks that a directory is for this user alone.
func private(t *testing.T, dir string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == dir { // which the test made
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %v", path, info.Mode())
		}
		files++
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("%d files are kept: %v", files, err)
	}
}

func refusesState(t *testing.T, o stack.Options, why string) {
	t.Helper()
	o.BuildDir = buildDir
	s, err := stack.Start(t.Context(), o)
	if err == nil {
		s.Close()
	}
	if err == nil || !strings.Contains(err.Error(), why) || strings.Contains(err.Error(), sandboxID) {
		t.Errorf("Start = %v, want a refusal of %s", err, why)
	}
}

// Through a tunnel Procore delivers, and the sign-in comes back by it too.
func TestSandboxThroughATunnel(t *testing.T) {
	t.Parallel()
	const public = "https://" + sandboxtest.Tunnel
	w := sandboxWorld(t, public+"/oauth/callback")
	s, stdout := start(t, sandboxOptions(w, public))
	w.Lead(t, s.AppURL)
	if redirect := connectSandbox(t, w, s); redirect != public+"/oauth/callback" {
		t.Errorf("the redirect URI is %s, want the tunnel's", redirect)
	}
	task(t, s, "housekeeping")
	hooks := w.Fake.State().Hooks
	if len(hooks) != 1 || hooks[0].DestinationURL != public+"/webhooks/procore" {
		t.Fatalf("hooks %+v, want one at the tunnel", hooks)
	}
	var rfi procoretest.Resource
	for _, r := range w.Fake.State().Resources {
		if r.CompanyID == procoretest.HarborHill && r.Name == "RFIs" {
			rfi = r
		}
	}
	emitted, err := w.Fake.Emit(procoretest.Event{
		CompanyID: rfi.CompanyID, ProjectID: rfi.ProjectID, ResourceName: rfi.Name, ResourceID: rfi.ID, EventType: "update", UserID: procoretest.Joe,
	})
	if err != nil || len(emitted.EventIDs) != 1 {
		t.Fatalf("emitted %+v: %v", emitted, err)
	}
	eventually(t, "the event came through the tunnel and was handled", func() bool {
		return slices.ContainsFunc(handled(t, stdout), func(line map[string]any) bool { return line["event_id"] == emitted.EventIDs[0] })
	})
	noMistakes(t, w)
	foreign(t, s)
}

// foreign checks that pages in a browser on this machine get nothing of the AWS services, which have the app's secret.
func foreign(t *testing.T, s *stack.Stack) {
	t.Helper()
	for name, change := range map[string]func(*http.Request){
		"this machine":          func(*http.Request) {},
		"a rebound name":        func(r *http.Request) { r.Host = "evil.example.com:8000" },
		"a page":                func(r *http.Request) { r.Header.Set("Origin", "https://evil.example.com") },
		"a page's form":         func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"a name like localhost": func(r *http.Request) { r.Host = "localhost.evil.example.com" },
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.AWSURL+"/", strings.NewReader(`{"SecretId":"local/app"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Target", "secretsmanager.GetSecretValue")
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/secretsmanager/aws4_request, SignedHeaders=host, Signature=0")
		change(r)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if admitted := resp.StatusCode == http.StatusOK; admitted != (name == "this machine") || err != nil {
			t.Errorf("%s: %s %.60q %v", name, resp.Status, text, err)
		}
	}
}

// What does not go with the sandbox is refused before anything starts.
func TestSandboxRefusals(t *testing.T) {
	t.Parallel()
	good := &stack.Sandbox{ClientID: sandboxID, ClientSecret: procore.NewSecret(sandboxSecret)}
	for why, o := range map[string]stack.Options{
		"client secret":      {Sandbox: &stack.Sandbox{ClientID: sandboxID}},
		"client id":          {Sandbox: &stack.Sandbox{ClientSecret: procore.NewSecret(sandboxSecret)}},
		"DYNAMODB_ENDPOINT":  {Sandbox: good, DynamoDBEndpoint: "http://127.0.0.1:1"},
		"-docker":            {Sandbox: good, ContainersIP: "127.0.0.1"},
		"on loopback alone":  {Sandbox: good, AWSAddr: "0.0.0.0:0"},
		"not on :0":          {Sandbox: good, AWSAddr: ":0"},
		"not on example.com": {Sandbox: good, AWSAddr: "example.com:0"},
	} {
		if s, err := stack.Start(t.Context(), o); err == nil || !strings.Contains(err.Error(), why) || strings.Contains(err.Error(), sandboxSecret) {
			t.Errorf("%s: Start = %v", why, err)
			if err == nil {
				s.Close()
			}
		}
	}
}

// A state of the fake, one of before there was a mark among them, is not used for the sandbox.
func TestFakeStateIsNotTheSandboxes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := stack.Options{StateDir: dir, Refresh: -1, Housekeeping: -1, Reconcile: -1}
	s, _ := start(t, o)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	o.Sandbox = &stack.Sandbox{ClientID: sandboxID, ClientSecret: procore.NewSecret(sandboxSecret)}
	refusesState(t, o, "the state of the fake Procore")
	o.Sandbox = nil
	start(t, o) // which works on
}
