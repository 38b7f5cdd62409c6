package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"procore-connect/pkg/procore"
)

const (
	hookPath  = "/webhooks/sandbox-check"
	maxProbes = 10
	maxIn     = 1 << 10 // bytes that a person types
)

// checker tries one environment.
type checker struct {
	Environment  procore.Environment
	ClientID     string
	ClientSecret procore.Secret
	Listener     net.Listener
	RedirectURI  string
	Public       string // of a tunnel to Listener; may be empty
	Wait         bool
	In           io.Reader
	Out          io.Writer

	Open  func(ctx context.Context, address string) error // signs in, in a test; nil: a person does
	Sleep func(context.Context, time.Duration) error

	wire     *wire
	pairs    []pair // all of this run
	signIns  int
	returned url.Values // of the last redirect
	company  string     // that the person chose
	findings []finding
	gateways map[string]bool // odd first answers to a GET
	leftover []string        // what could not be deleted

	mu      sync.Mutex
	state   procore.Secret
	arrived chan url.Values
	probes  []string
}

// errDeclined means that the person did not want it.
var errDeclined = errors.New("nothing was done")

// check runs everything. After an error in between, what was made is deleted and revoked all the same, and there is no
// report.
func (c *checker) check(ctx context.Context) (*report, error) {
	if err := c.admitted(); err != nil {
		return nil, err
	}
	in := bufio.NewReader(io.LimitReader(c.In, maxIn))
	fmt.Fprintf(c.Out, `This tries Procore's developer sandbox, %s, with grants of its own:

  - it asks you to sign in %d times, as one user, who may connect webhooks (Webhooks API at level Standard) in a company;
  - it reads who you are, your companies and one company's projects, and makes a webhook in that company, which installs
    the app there, and deletes it again;
  - it replays refresh tokens on purpose, and revokes every grant that it made.

Do not sign in as a user whose connections a stack of this app has: they may end. Register this redirect URI:

  %s

Type yes to begin: `, c.Environment.APIURL, c.planned(), c.RedirectURI)
	if answer, _ := in.ReadString('\n'); strings.TrimSpace(answer) != "yes" {
		return nil, errDeclined
	}
	c.wire, c.gateways = newWire(c.Environment, c.ClientID, c.ClientSecret), map[string]bool{}
	server := c.serve()
	defer server.Close()
	err := c.all(ctx, in)
	cleaning, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	if failed := c.revokeAll(cleaning); failed > 0 {
		c.leftover = append(c.leftover, fmt.Sprintf("%d grants: revoke the app's access in your Procore profile", failed))
	}
	if err != nil {
		for _, l := range c.leftover {
			err = fmt.Errorf("%w; not removed: %s", err, l)
		}
		return nil, err
	}
	return &report{At: time.Now(), Environment: c.Environment, Findings: c.findings, Leftover: c.leftover}, nil
}

// admitted refuses every environment with customers.
func (c *checker) admitted() error {
	u, err := url.Parse(c.Environment.LoginURL)
	if c.Environment == procore.Sandbox() || err == nil && c.Environment.Name == "custom" && net.ParseIP(u.Hostname()).IsLoopback() {
		return nil
	}
	return fmt.Errorf("the environment %s is not Procore's developer sandbox: tokens are replayed on purpose, which no customer's may be", c.Environment.Name)
}

// planned is how often a person signs in.
func (c *checker) planned() int {
	if c.Wait {
		return 5
	}
	return 4
}

// all makes the checks in an order in which none spoils another.
func (c *checker) all(ctx context.Context, in *bufio.Reader) error {
	first, err := c.signIn(ctx, "the first grant")
	if err != nil {
		return err
	}
	c.tokenAnswer(first)
	if err := c.choose(ctx, in, first); err != nil {
		return err
	}
	c.companyHeader(ctx, first)
	c.webhooks(ctx, first)
	c.answers(ctx, first)
	second, err := c.signIn(ctx, "again, as the same user")
	if err != nil {
		return err
	}
	c.secondAuthorization(ctx, first, second)
	c.refreshed(ctx, second)
	third, err := c.signIn(ctx, "for a refresh that fails")
	if err != nil {
		return err
	}
	c.failedRefresh(ctx, third)
	fourth, err := c.signIn(ctx, "for a revocation")
	if err != nil {
		return err
	}
	c.revocation(ctx, fourth)
	return c.expired(ctx)
}

// choose asks for the company in which the webhook is made. Its name is shown here, and is not in the report.
func (c *checker) choose(ctx context.Context, in *bufio.Reader, p pair) error {
	s := c.get(ctx, "/rest/v1.0/companies", p.access, "")
	list, _ := s.json.([]any)
	var ids []string
	for _, one := range list {
		if id := text(one, "id"); id != "" && !strings.EqualFold(fmt.Sprint(field(one, "is_active")), "false") {
			ids = append(ids, id)
			fmt.Fprintf(c.Out, "  %s  %.60q\n", id, text(one, "name"))
		}
	}
	if len(ids) == 0 {
		return fmt.Errorf("no company is listed for this user: %s", s)
	}
	fmt.Fprint(c.Out, "Company in which a webhook is made and deleted: ")
	typed, _ := in.ReadString('\n')
	c.company = strings.TrimSpace(typed)
	if !slices.Contains(ids, c.company) {
		return fmt.Errorf("%.30q is not one of these ids", c.company)
	}
	return nil
}

// get makes a GET, and once more if something other than Procore seems to have answered: no JSON, or a redirect.
func (c *checker) get(ctx context.Context, path string, access procore.Secret, company string) seen {
	s := c.wire.api(ctx, http.MethodGet, path, access, company, nil)
	if s.err == nil && s.json != nil && s.status < 500 {
		return s
	}
	again := c.wire.api(ctx, http.MethodGet, path, access, company, nil)
	if again.err == nil && again.json != nil {
		c.gateways[first(s)] = true
	}
	return again
}

// first describes an answer that is not the API's.
func first(s seen) string {
	switch {
	case s.err != nil:
		return "none"
	case len(s.body) == 0:
		return strconv.Itoa(s.status) + " without a body"
	}
	return strconv.Itoa(s.status) + " without JSON"
}
