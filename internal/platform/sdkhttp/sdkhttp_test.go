package sdkhttp

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// wire counts connections, and the writes on them.
type wire struct{ connections, writes atomic.Int64 }

type conn struct {
	net.Conn
	*wire
}

func (c conn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

func (w *wire) client() Client {
	return New(func(ctx context.Context, network, address string) (net.Conn, error) {
		w.connections.Add(1)
		c, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return conn{c, w}, err
	})
}

func TestOneWriteForEachRequestAndOneConnectionForAll(t *testing.T) {
	t.Parallel()
	const calls = 50
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err != nil || !strings.Contains(string(body), `"TableName":"connections"`) {
			t.Errorf("the server got %q, %v", body, err)
		}
		_, _ = io.WriteString(w, `{}`)
	}))
	t.Cleanup(server.Close)
	var w wire
	db := dynamodb.New(dynamodb.Options{
		BaseEndpoint: &server.URL, Region: "us-east-1", RetryMaxAttempts: 1, HTTPClient: w.client(),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "fake", SecretAccessKey: "fake"}, nil
		}),
	})
	for range calls {
		if _, err := db.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String("connections")}); err != nil {
			t.Fatal(err)
		}
	}
	if n, c := w.writes.Load(), w.connections.Load(); n != calls || c != 1 {
		t.Errorf("%d writes on %d connections for %d requests, want as many on one", n, c, calls)
	}
}

// A connection that the server closes as the next request arrives costs one new connection, and not the SDK's wait
// before a repetition, whether it is closed or reset. A request on a new connection is not repeated here.
func TestClosedConnection(t *testing.T) {
	t.Parallel()
	if got := New(nil).sdk.GetTransport().IdleConnTimeout; got != idle || got < 10*time.Minute {
		t.Errorf("a connection is kept for %v without a request, want %v", got, idle)
	}
	for name, linger := range map[string]int{"closed": -1, "reset": 0} {
		var asked atomic.Int64
		var down atomic.Bool
		server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil || !strings.Contains(string(body), `"TableName":"connections"`) || r.Header["Idempotency-Key"] != nil {
				t.Errorf("%s: the server got %q, %v, %v", name, r.Header, body, err)
			}
			if n := asked.Add(1); n != 2 && !down.Load() {
				_, _ = io.WriteString(w, `{}`)
				return
			}
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			if secured, ok := c.(*tls.Conn); ok && linger >= 0 {
				_ = secured.NetConn().(*net.TCPConn).SetLinger(linger)
				c = secured.NetConn()
			}
			_ = c.Close()
		}))
		t.Cleanup(server.Close)
		var w wire
		c := w.client()
		c.sdk = c.sdk.WithTransportOptions(func(t *http.Transport) {
			t.TLSClientConfig = &tls.Config{RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
		})
		db := dynamodb.New(dynamodb.Options{
			BaseEndpoint: &server.URL, Region: "us-east-1", Retryer: aws.NopRetryer{}, HTTPClient: c,
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "fake", SecretAccessKey: "fake"}, nil
			}),
		})
		describe := func() error {
			_, err := db.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String("connections")})
			return err
		}
		if err := errors.Join(describe(), describe(), describe()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if a, c := asked.Load(), w.connections.Load(); a != 4 || c != 2 {
			t.Errorf("%s: %d requests on %d connections, want 4 on 2", name, a, c)
		}
		down.Store(true)
		if err := describe(); err == nil || asked.Load() != 6 {
			t.Errorf("%s: down: %v after %d requests, want an error after 6: one on each connection", name, err, asked.Load())
		}
	}
}

// A connection that has gone silent, as behind a gateway that forgot it, costs a
// call some seconds and not all of its time: the SDK repeats it on another one.
func TestSilentConnectionIsGivenUp(t *testing.T) {
	t.Parallel()
	if got := New(nil).sdk.GetTransport().ResponseHeaderTimeout; got != silence {
		t.Errorf("an answer may take %v to begin, want %v", got, silence)
	}
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil || asked.Add(1) == 1 {
			<-r.Context().Done()
			return
		}
		_, _ = io.WriteString(w, `{}`)
	}))
	t.Cleanup(server.Close)
	c := New(nil)
	c.sdk = c.sdk.WithTransportOptions(func(t *http.Transport) { t.ResponseHeaderTimeout /= 50 })
	db := dynamodb.New(dynamodb.Options{
		BaseEndpoint: &server.URL, Region: "us-east-1", HTTPClient: c,
		RetryMaxAttempts: 10, // a busy machine may be slow to answer too
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "fake", SecretAccessKey: "fake"}, nil
		}),
	})
	ctx, cancel := context.WithTimeout(t.Context(), silence)
	defer cancel()
	if _, err := db.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: aws.String("connections")}); err != nil {
		t.Error(err)
	}
}

func TestBodyIsBounded(t *testing.T) {
	t.Parallel()
	var w wire
	for name, body := range map[string]io.Reader{
		"too large": strings.NewReader(strings.Repeat(".", maxBody+1)),
		"broken":    io.MultiReader(strings.NewReader("x"), broken{}),
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1:1/", body)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := w.client().Do(r); err == nil {
			resp.Body.Close()
			t.Errorf("%s: sent", name)
		}
	}
	if w.connections.Load() != 0 {
		t.Error("a connection was made")
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
