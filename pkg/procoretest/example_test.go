package procoretest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// The test in the package documentation.
func TestProjects(t *testing.T) {
	t.Parallel()
	fake := procoretest.Start(t)
	client := fake.Client(t, procoretest.MyConstruction)
	projects, err := procore.Collect(client.Projects(t.Context()))
	if err != nil || len(projects) != 2 {
		t.Errorf("Projects = %v, %v, want two", projects, err)
	}
	if calls := fake.State().Calls; len(calls) != 1 || calls[0].Path != "/rest/v1.1/projects" {
		t.Errorf("calls = %+v, want one for the projects", calls)
	}
}

// start serves a fake without a test, and returns a client for one of its companies.
// The client is the app's service account, which the company has installed.
func start() (fake *procoretest.Server, company *procore.CompanyClient, stop func()) {
	fake = procoretest.New(procoretest.Options{})
	server := httptest.NewServer(fake)
	yes := true
	patch := procoretest.CompanyPatch{Installed: &yes, ServiceAccount: &yes}
	if err := fake.UpdateCompany(procoretest.MyConstruction, patch); err != nil {
		log.Fatal(err)
	}
	env := procore.Environment{Name: "custom", LoginURL: server.URL, APIURL: server.URL}
	app := &procore.OAuth{Environment: env, ClientID: "fake-client-id", ClientSecret: procore.NewSecret("fake-client-secret")}
	token, err := app.ClientCredentials(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	company = procore.NewCompanyClient(env, env.Bearer(token.AccessToken, nil), procoretest.MyConstruction, procore.WithAttempts(1))
	return fake, company, func() {
		server.Close()
		fake.Close()
	}
}

// A client reads projects, and the fake lists its calls.
func Example() {
	fake, company, stop := start()
	defer stop()
	for project, err := range company.Projects(context.Background()) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(project.Name)
	}
	for _, call := range fake.State().Calls {
		fmt.Println(call.Method, call.Path, "of company", call.CompanyID, "answered", call.Status)
	}
	// Output:
	// Riverside School
	// Station Square, Lot 4
	// GET /rest/v1.1/projects of company 5678 answered 200
}

// The next call fails, and the one after it succeeds.
func ExampleServer_Fault() {
	fake, company, stop := start()
	defer stop()
	err := fake.Fault(procoretest.Fault{Endpoint: "api", Kind: procoretest.Status, Status: http.StatusServiceUnavailable})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		project, err := company.Project(context.Background(), 2001)
		fmt.Printf("%q, unavailable: %t\n", project.Name, errors.Is(err, procore.ErrUnavailable))
	}
	// Output:
	// "", unavailable: true
	// "Riverside School", unavailable: false
}

// The fake lacks a path, until it is told what to answer there.
func ExampleServer_Answer() {
	fake, company, stop := start()
	defer stop()
	answer := procoretest.Answer{Method: "GET", Path: "/rest/v1.0/widgets/{id}", Body: json.RawMessage(`{"id":7,"name":"Bolt"}`)}
	if err := fake.Answer(answer); err != nil {
		fmt.Println(err)
		return
	}
	widget, err := procore.Get[struct{ Name string }](context.Background(), company, "/rest/v1.0/widgets/7", nil)
	fmt.Println(widget.Name, err)
	// Output: Bolt <nil>
}

var _ = serveAlone

// serveAlone is a program that serves the fake alone, for docs/FAKE.md.
func serveAlone() {
	fake := procoretest.New(procoretest.Options{ClientID: "my-client-id", ClientSecret: "my-client-secret"})
	defer fake.Close()
	server := &http.Server{Addr: "127.0.0.1:4000", Handler: fake, ConnState: fake.ConnState, ReadTimeout: 30 * time.Second}
	fmt.Println(server.ListenAndServe())
}

// An administrator disconnects the app.
func ExampleServer_UpdateCompany() {
	fake, company, stop := start()
	defer stop()
	no := false
	if err := fake.UpdateCompany(procoretest.MyConstruction, procoretest.CompanyPatch{Connected: &no}); err != nil {
		fmt.Println(err)
		return
	}
	_, err := company.Project(context.Background(), 2001)
	fmt.Println(errors.Is(err, procore.ErrNotConnected))
	// Output: true
}

// A client creates a hook for updates of RFIs. Then someone updates an RFI, and the
// fake delivers the event.
func ExampleServer_Emit() {
	fake, company, stop := start()
	defer stop()
	events := make(chan procore.Event, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		event, err := procore.DecodeEvent(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		events <- event
	}))
	defer receiver.Close()

	ctx := context.Background()
	hook, err := company.CreateHook(ctx, procore.HookSpec{Namespace: "my-app", DestinationURL: receiver.URL, PayloadVersion: "v3.0"})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := company.CreateTrigger(ctx, hook.ID, procore.Trigger{Resource: "RFIs", EventType: "update"}); err != nil {
		fmt.Println(err)
		return
	}
	_, err = fake.Emit(procoretest.Event{CompanyID: procoretest.MyConstruction, ProjectID: 2001, ResourceName: "RFIs", ResourceID: "42", EventType: "update"})
	if err != nil {
		fmt.Println(err)
		return
	}
	event := <-events
	fmt.Println(event.Type, event.Resource, event.ResourceID, "in project", event.ProjectID)
	// Output: update RFIs 42 in project 2001
}
