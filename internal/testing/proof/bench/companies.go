package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"procore-connect/internal/testing/fake/gatewaytest"
	"procore-connect/internal/testing/kit/browsertest"
	"procore-connect/pkg/procoretest"
)

const (
	manyCompanies = 2000
	login         = "Mia Many"
	lastCompany   = "Company 2000"
	aCall         = "a call"
)

// office is the two functions with pages behind an API, and a browser.
type office struct {
	procore  *slowProcore
	server   *http.Server
	url      string
	callback *sandbox
	selects  *timed
	browser  *browsertest.Browser
}

// timed measures the answers of a function.
type timed struct {
	*sandbox
	took   []time.Duration
	inARow []float64 // calls of Procore
	calls  func() float64
}

// Invoke implements gatewaytest.Invoker.
func (t *timed) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	t.calls()
	began := time.Now()
	answer, err := t.sandbox.Invoke(ctx, payload)
	t.took, t.inARow = append(t.took, time.Since(began)), append(t.inARow, t.calls())
	return answer, err
}

// companies measures the list of a user with many companies, and the choice of the last one.
func (b *bench) companies(ctx context.Context) (err error) {
	o, err := b.newOffice()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	o.login(ctx, "Ann Planner") // so that the functions are warm
	o.login(ctx, login)
	list := len(o.selects.took) - 1
	o.browser.Open(ctx, o.browser.URL.String()+"&q=2000") // as the page's search does
	o.browser.Choose(lastCompany)
	choice := len(o.selects.took)
	o.browser.Click(ctx, "Connect this company")
	if err := o.browser.Err(); err != nil {
		return err
	}
	if o.browser.URL.Path != "/connected" {
		return fmt.Errorf("the pages end with: %s", o.browser.Text())
	}
	for _, q := range []struct {
		time, calls quantity
		answer      int
	}{{listTime, listCalls, list}, {choiceTime, choiceCalls, choice}} {
		b.seen.add(q.time, companySelect, o.selects.took[q.answer].Seconds())
		b.seen.add(q.time, aCall, call.Seconds())
		b.seen.add(q.calls, companySelect, o.selects.inARow[q.answer])
		b.seen.add(q.calls, aCall, 1)
	}
	return nil
}

func (b *bench) newOffice() (*office, error) {
	procore, err := b.newProcore(procoretest.Options{})
	if err != nil {
		return nil, err
	}
	user := procoretest.User{ID: 7654321, Login: "mia@many.example", Name: login}
	if err := procore.AddUser(user); err != nil {
		return nil, err
	}
	for i := range manyCompanies {
		c := procoretest.NewCompany(int64(700_001+i), fmt.Sprintf("Company %04d", i+1), user.ID)
		if err := procore.AddCompany(c); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	o := &office{procore: procore, url: "http://" + l.Addr().String()}
	env := procore.env()
	env["PUBLIC_URL"] = o.url
	if o.callback, err = b.sandbox(b.subject(oauthCallback), b.deployed(oauthCallback, env)); err != nil {
		return nil, err
	}
	selects, err := b.sandbox(b.subject(companySelect), b.deployed(companySelect, env))
	if err != nil {
		return nil, err
	}
	o.selects = &timed{sandbox: selects, calls: procore.inARow}
	o.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: gatewaytest.New(map[string]gatewaytest.Invoker{
		"GET /": o.callback, "GET /oauth/start": o.callback, "GET /oauth/callback": o.callback,
		"GET /companies": o.selects, "POST /companies": o.selects, "GET /connected": o.selects,
	}, gatewaytest.Options{})}
	go func() { _ = o.server.Serve(l) }() // ends with close
	o.browser = browsertest.New()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(b.authority)
	o.browser.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	return o, nil
}

// login goes through the pages as a user, to the list of companies.
func (o *office) login(ctx context.Context, name string) {
	o.browser.Open(ctx, o.url+"/")
	o.browser.Click(ctx, "Connect to Procore")
	o.browser.Choose(name)
	o.browser.Click(ctx, "Authorize")
}

func (o *office) close() error {
	err := errors.Join(o.server.Close(), o.callback.close(), o.selects.close())
	o.procore.close()
	return err
}
