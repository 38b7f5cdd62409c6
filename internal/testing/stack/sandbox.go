package stack

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"procore-connect/pkg/procore"
)

// Sandbox is Procore's developer sandbox, in place of the fake. The functions have the configuration of a deployment for
// it, and their credentials are sent to no host but its two.
type Sandbox struct {
	ClientID     string
	ClientSecret procore.Secret
	// PublicURL is where a tunnel passes requests on to the app: PUBLIC_URL of the functions. Empty: the app's address on
	// this machine, where Procore delivers nothing, so that no hook is made and reconciliation alone finds changes.
	PublicURL string
}

// The sandbox counts calls, and waits for no test.
const (
	sandboxRefresh      = time.Minute
	sandboxHousekeeping = 30 * time.Second
	sandboxReconcile    = 30 * time.Second
	sandboxPeriod       = "2m"
	sandboxCalls        = "300" // an hour
)

// check reports what does not go with the sandbox.
func (s *Sandbox) check(o Options) error {
	switch {
	case s == nil:
		return nil
	case s.ClientID == "" || s.ClientSecret.IsZero():
		return errors.New("the sandbox needs a client id and a client secret")
	case o.DynamoDBEndpoint != "":
		return errors.New("DYNAMODB_ENDPOINT names a DynamoDB that may have the state of another Procore: a run against the sandbox keeps its state in its own directory")
	case o.ContainersIP != "":
		return errors.New("containers would reach the app's secrets: -docker is for the fake Procore alone")
	case !onLoopback(cmp.Or(o.AWSAddr, "127.0.0.1:0")):
		return fmt.Errorf("the AWS services have the app's secrets, and answer without a password: they listen on loopback alone, not on %s", o.AWSAddr)
	}
	return nil
}

// schedules fills in how often the tasks run.
func (s *Sandbox) schedules(o *Options) {
	if s != nil {
		o.Refresh = cmp.Or(o.Refresh, sandboxRefresh)
		o.Housekeeping = cmp.Or(o.Housekeeping, sandboxHousekeeping)
		o.Reconcile = cmp.Or(o.Reconcile, sandboxReconcile)
	}
}

// environment replaces the addresses of the fake.
func (s *Sandbox) environment(env map[string]string) {
	delete(env, "PROCORE_LOGIN_URL")
	delete(env, "PROCORE_API_URL")
	env["PROCORE_ENVIRONMENT"] = procore.Sandbox().Name
	env["RECONCILE_PERIOD"] = sandboxPeriod
	env["RECONCILE_CALLS_PER_OWNER"], env["RECONCILE_CALLS_PER_APP"] = sandboxCalls, sandboxCalls
}

// sandboxCredentials stores the app's as they are now: they may have changed since the last run.
func (s *Stack) sandboxCredentials() {
	s.put(appSecret, map[string]string{"client_id": s.options.Sandbox.ClientID, "client_secret": s.options.Sandbox.ClientSecret.Reveal()})
}

// originKey is where the journal has the origin.
const originKey = "procore"

// origin is whose tokens a state has.
type origin struct {
	Procore  string `json:"procore"`             // fake or sandbox
	ClientID string `json:"client_id,omitempty"` // of the sandbox: another app's refresh tokens would be refused, and so lost
}

const fakeOrigin = "fake"

func (s *Stack) origin() origin {
	if s.options.Sandbox == nil {
		return origin{Procore: fakeOrigin}
	}
	return origin{procore.Sandbox().Name, s.options.Sandbox.ClientID}
}

// checkOrigin refuses a state that another Procore, or another app, is known to, and marks a new one. A state without a
// mark, but with secrets, is that of a fake, from before there was another.
func (s *Stack) checkOrigin() error {
	part, want := s.journal.Part("origin"), s.origin()
	var have origin
	if _, used := s.Secrets.Value(keysSecret); used {
		have.Procore = fakeOrigin
	}
	if text := part.Load()[originKey]; text != nil {
		if err := json.Unmarshal(text, &have); err != nil {
			return fmt.Errorf("the state's origin cannot be read: %w", err)
		}
	}
	switch {
	case have == want:
		return nil
	case have.Procore == "": // new
	case have.Procore != want.Procore:
		return fmt.Errorf("%s has the state of the %s Procore, and this run is for the %s: choose another directory (-state DIR)", s.options.StateDir, have.Procore, want.Procore)
	default:
		return fmt.Errorf("%s has the state of another app, whose client id is not PROCORE_CLIENT_ID: choose another directory (-state DIR), or start over (-fresh)", s.options.StateDir)
	}
	text, err := json.Marshal(want)
	if err == nil {
		part.Append(map[string][]byte{originKey: text})
		err = part.Sync()
	}
	return err
}

// onLoopback reports whether an address to listen on, or a Host header, names this machine alone.
func onLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// guarded keeps web pages out, which a browser on this machine may show: those of another origin, and those whose own
// name was made to lead to loopback.
func guarded(h http.Handler) http.Handler {
	safe := http.NewCrossOriginProtection().Handler(h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !onLoopback(r.Host) {
			http.Error(w, "this address is for this machine alone, by the name of localhost or 127.0.0.1", http.StatusMisdirectedRequest)
			return
		}
		safe.ServeHTTP(w, r)
	})
}
