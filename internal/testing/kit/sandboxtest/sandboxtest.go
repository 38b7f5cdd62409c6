// Package sandboxtest puts a fake Procore where the developer sandbox is, for programs that know no other addresses than
// Procore's own: a proxy (HTTPS_PROXY) leads both of the sandbox's hosts to the fake, which has their certificate
// (SSL_CERT_FILE). So the programs under test are configured as they are for Procore.
//
//	authority := sandboxtest.NewAuthority(t.TempDir())
//	w := sandboxtest.Start(t, authority, procoretest.Options{...})
//	run(w.Environment())
package sandboxtest

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// Tunnel is the host of a tunnel, at which the fake may deliver.
const Tunnel = "tunnel.example.com"

// Authority has the certificate of the sandbox's hosts and of the tunnel.
type Authority struct {
	File        string // of the certificate, as for SSL_CERT_FILE
	pool        *x509.CertPool
	certificate tls.Certificate
}

// NewAuthority makes a certificate, which it writes into a directory.
func NewAuthority(dir string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sandboxtest"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{hostOf(procore.Sandbox().LoginURL), hostOf(procore.Sandbox().APIURL), Tunnel},
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	a := &Authority{
		File: filepath.Join(dir, "sandbox.pem"), pool: x509.NewCertPool(),
		certificate: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
	}
	a.pool.AddCert(leaf)
	return a, os.WriteFile(a.File, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
}

// listen returns a TLS listener on loopback.
func (a *Authority) listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{a.certificate}})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// World is a server in the place of the sandbox.
type World struct {
	Fake *procoretest.Server // nil after [Serve]

	authority      *Authority
	procore        http.Handler
	proxy, sandbox net.Listener
	tunnel         net.Listener // set by Lead

	mu       sync.Mutex
	mistakes []string
}

// Start serves a fake until the test ends. The fake delivers to [Tunnel] too, once [World.Lead] was called; for that the
// test's own process has to trust the authority (SSL_CERT_FILE, before its first connection).
func Start(t testing.TB, a *Authority, o procoretest.Options) *World {
	t.Helper()
	w := &World{authority: a}
	o.AllowedHosts = []string{Tunnel}
	o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if host, _, _ := net.SplitHostPort(address); host == Tunnel {
			address = w.tunnel.Addr().String()
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	w.Fake = procoretest.New(o)
	t.Cleanup(w.Fake.Close)
	w.start(t, w.Fake)
	return w
}

// Serve serves another server than the fake, until the test ends.
func Serve(t testing.TB, a *Authority, procore http.Handler) *World {
	t.Helper()
	w := &World{authority: a}
	w.start(t, procore)
	return w
}

func (w *World) start(t testing.TB, procore http.Handler) {
	t.Helper()
	w.procore, w.sandbox = procore, w.authority.listen(t)
	w.serve(t, w.sandbox, http.HandlerFunc(w.separate))
	var err error
	if w.proxy, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	w.serve(t, w.proxy, http.HandlerFunc(w.connect))
}

func (w *World) serve(t testing.TB, l net.Listener, h http.Handler) {
	t.Helper()
	server := &http.Server{Handler: h, ReadTimeout: 30 * time.Second}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
}

// Environment returns the variables by which a program reaches the server at the sandbox's addresses.
func (w *World) Environment() map[string]string {
	return map[string]string{"HTTPS_PROXY": "http://" + w.proxy.Addr().String(), "SSL_CERT_FILE": w.authority.File}
}

// Transport is for a browser: it reaches what is on loopback, and everything else by the proxy, which has the sandbox alone.
func (w *World) Transport() http.RoundTripper {
	return &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: w.authority.pool},
		Proxy: func(r *http.Request) (*url.URL, error) {
			if host := r.URL.Hostname(); host == "localhost" || net.ParseIP(host).IsLoopback() {
				return nil, nil
			}
			return url.Parse("http://" + w.proxy.Addr().String())
		},
	}
}

// Lead makes the tunnel lead to an address.
func (w *World) Lead(t testing.TB, to string) {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	w.tunnel = w.authority.listen(t)
	w.serve(t, w.tunnel, httputil.NewSingleHostReverseProxy(target))
}

// Mistakes lists connections to other hosts than the sandbox's, and calls of one of its hosts that only the other has.
func (w *World) Mistakes() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.mistakes)
}

func (w *World) mistake(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mistakes = append(w.mistakes, text)
}

// separate lets the API's host have the API alone, and the login's host everything else.
func (w *World) separate(rw http.ResponseWriter, r *http.Request) {
	want := hostOf(procore.Sandbox().LoginURL)
	if strings.HasPrefix(r.URL.Path, "/rest/") {
		want = hostOf(procore.Sandbox().APIURL)
	}
	if r.Host != want {
		w.mistake(r.Method + " " + r.Host + r.URL.Path)
		http.NotFound(rw, r)
		return
	}
	w.procore.ServeHTTP(rw, r)
}

// connect is the proxy.
func (w *World) connect(rw http.ResponseWriter, r *http.Request) {
	addresses := map[string]net.Listener{
		hostOf(procore.Sandbox().LoginURL) + ":443": w.sandbox,
		hostOf(procore.Sandbox().APIURL) + ":443":   w.sandbox,
	}
	if w.tunnel != nil {
		addresses[Tunnel+":443"] = w.tunnel
	}
	to := addresses[r.Host]
	if r.Method != http.MethodConnect || to == nil {
		w.mistake(r.Method + " " + r.Host)
		http.Error(rw, "no", http.StatusForbidden)
		return
	}
	out, err := new(net.Dialer).DialContext(r.Context(), "tcp", to.Addr().String())
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadGateway)
		return
	}
	rw.WriteHeader(http.StatusOK)
	in, buffered, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		out.Close()
		return
	}
	go pass(out, in, buffered.Reader)
}

// pass copies both ways until one side ends.
func pass(out, in net.Conn, buffered *bufio.Reader) {
	go func() {
		_, _ = io.Copy(out, buffered)
		out.Close()
	}()
	_, _ = io.Copy(in, out)
	in.Close()
}

func hostOf(address string) string { return strings.TrimPrefix(address, "https://") }
