package sam_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

const (
	managed = "aws-sam-cli-managed-default" // the stack of SAM's bucket
	user    = "arn:aws:iam::123456789012:user/rehearsal"
)

// account is a new AWS account, as far as sam deploy gets in it: it has no stack, creates SAM's bucket and takes what is
// uploaded. It refuses the change set of any other stack.
type account struct {
	url string

	mu         sync.Mutex
	calls      []string
	objects    map[string][]byte // by bucket and key
	hasBucket  bool
	changeSets []url.Values // that were refused
}

func newAccount(t *testing.T) *account {
	t.Helper()
	a := &account{objects: make(map[string][]byte)}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	a.url = server.URL
	return a
}

func (a *account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	switch key := strings.TrimPrefix(r.URL.Path, "/"); {
	case r.Method == http.MethodPost && key == "":
		form, err := url.ParseQuery(string(body))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		a.query(w, form)
	case r.Method == http.MethodPut && strings.HasPrefix(key, bucket+"/"):
		a.note("PutObject")
		a.objects[key] = body
		w.Header().Set("ETag", `"0"`)
	case r.Method == http.MethodHead && a.objects[key] == nil:
		a.note("HeadObject")
		w.WriteHeader(http.StatusNotFound)
	default:
		a.note(r.Method + " " + r.URL.Path)
		w.WriteHeader(http.StatusNotImplemented)
	}
}

// note records a call, but not each of a row of equal ones.
func (a *account) note(call string) {
	if n := len(a.calls); n == 0 || a.calls[n-1] != call {
		a.calls = append(a.calls, call)
	}
}

// query answers CloudFormation's operations, and the one of STS that asks for the account's number.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Operations.html
func (a *account) query(w http.ResponseWriter, form url.Values) {
	action, name := form.Get("Action"), form.Get("StackName")
	a.note(strings.TrimSpace(action + " " + name))
	switch ours := strings.Contains(name, managed); {
	case action == "GetCallerIdentity":
		answer(w, action, "<Account>123456789012</Account><UserId>rehearsal</UserId><Arn>"+user+"</Arn>")
	case action == "DescribeStacks" && (!ours || !a.hasBucket):
		fail(w, http.StatusBadRequest, "ValidationError", "Stack with id "+name+" does not exist")
	case action == "DescribeStacks":
		answer(w, action, fmt.Sprintf(`<Stacks><member><StackName>%s</StackName><StackStatus>CREATE_COMPLETE</StackStatus>
			<CreationTime>2026-01-31T12:00:00Z</CreationTime>
			<Outputs><member><OutputKey>SourceBucket</OutputKey><OutputValue>%s</OutputValue></member></Outputs>
			<Tags><member><Key>ManagedStackSource</Key><Value>AwsSamCli</Value></member></Tags></member></Stacks>`, managed, bucket))
	case action == "CreateChangeSet" && ours:
		answer(w, action, "<Id>change-set</Id><StackId>"+managed+"</StackId>")
	case action == "DescribeChangeSet" && ours:
		answer(w, action, "<Status>CREATE_COMPLETE</Status><ExecutionStatus>AVAILABLE</ExecutionStatus>")
	case action == "ExecuteChangeSet" && ours:
		a.hasBucket = true
		answer(w, action, "")
	case action == "CreateChangeSet":
		a.changeSets = append(a.changeSets, form)
		fail(w, http.StatusForbidden, "AccessDenied", "User: "+user+" is not authorized to perform: cloudformation:CreateChangeSet")
	default:
		fail(w, http.StatusBadRequest, "InvalidAction", "Could not find operation "+action)
	}
}

func fail(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>", code)
	if err := xml.EscapeText(w, []byte(message)); err != nil {
		return // the client has gone
	}
	fmt.Fprint(w, "</Message></Error><RequestId>rehearsal</RequestId></ErrorResponse>")
}
