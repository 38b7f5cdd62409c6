package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/fake/lambdatest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/internal/webhook/credential"
)

const (
	company  = 5678 // of the sample
	sampleID = "5982324300946918154"

	// otherRoots is about as many as the certificate bundle of Lambda's image has:
	// a process reads them for its first connection.
	otherRoots = 140
)

// world stands in for AWS over TLS, and makes Procore's deliveries.
type world struct {
	env    map[string]string
	sample events.APIGatewayV2HTTPRequest
	server *http.Server

	last    atomic.Int64 // event id
	inserts atomic.Int64 // PutItem requests
}

func newWorld(ctx context.Context, dir string) (*world, error) {
	w := &world{}
	w.last.Store(time.Now().UnixNano())
	secret := fmt.Sprintf(`{"current":"k1","k1":%q}`, rand.Text()+rand.Text())
	if err := w.readSample(ctx, secret); err != nil {
		return nil, err
	}
	dynamo := dynamotest.New()
	dynamo.Intercept(func(operation string, _ []byte) dynamotest.Fault {
		if operation == "PutItem" {
			w.inserts.Add(1)
		}
		return dynamotest.Fault{}
	})
	queues := awstest.NewQueues()
	if _, err := queues.Create("rescue", awstest.QueueOptions{}); err != nil {
		return nil, err
	}
	services := &awstest.Services{DynamoDB: dynamo, Queues: queues, Secrets: awstest.NewSecrets(map[string]string{
		"app": `{"client_id":"fake-client-id","client_secret":"fake-client-secret"}`, "keys": secret, "webhook": secret,
	})}
	if err := w.serve(services, dir); err != nil {
		return nil, err
	}
	return w, w.createTables(ctx, services)
}

// serve listens on an https address whose certificate the functions trust.
func (w *world) serve(h http.Handler, dir string) error {
	config, bundle, err := lambdatest.Certificate()
	if err != nil {
		return err
	}
	for range otherRoots {
		_, root, err := lambdatest.Certificate()
		if err != nil {
			return err
		}
		bundle = append(bundle, root...)
	}
	roots, none := filepath.Join(dir, "roots.pem"), filepath.Join(dir, "none")
	if err := os.WriteFile(roots, bundle, 0o600); err != nil {
		return err
	}
	if err := os.Mkdir(none, 0o700); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := "https://" + l.Addr().String()
	config.NextProtos = []string{"http/1.1"} // DynamoDB speaks nothing else
	w.server = &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = w.server.Serve(tls.NewListener(l, config)) }() // ends with close
	w.env = map[string]string{
		"PROCORE_ENVIRONMENT": "sandbox", "PUBLIC_URL": "https://connect.example.com",
		"GRANTS_TABLE": "grants", "CONNECTIONS_TABLE": "connections", "SPENDS_TABLE": "spends", "SESSIONS_TABLE": "sessions", "INBOX_TABLE": "inbox",
		"APP_SECRET_ID": "app", "KEYS_SECRET_ID": "keys", "WEBHOOK_SECRET_ID": "webhook",
		"RESCUE_QUEUE_URL": awstest.QueueURL(address, "rescue"), "ALLOWED_COMPANIES": "*",
		"WEBHOOK_NAMESPACE": "procore-connect", "WEBHOOK_TRIGGERS": "RFIs:create,update,delete", "LOG_LEVEL": "info",
		"AWS_ENDPOINT_URL_DYNAMODB": address, "AWS_ENDPOINT_URL_SECRETS_MANAGER": address, "AWS_ENDPOINT_URL_SQS": address,
		"SSL_CERT_FILE": roots, "SSL_CERT_DIR": none,
	}
	return nil
}

// createTables uses the handler over plain http, because this process does not trust the certificate.
func (w *world) createTables(ctx context.Context, h http.Handler) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	plain := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	defer plain.Close()
	go func() { _ = plain.Serve(l) }() // ends with Close
	return tables.Create(ctx, dynamotest.Client("http://"+l.Addr().String()), tables.Names{
		Grants: w.env["GRANTS_TABLE"], Connections: w.env["CONNECTIONS_TABLE"], Spends: w.env["SPENDS_TABLE"],
		Sessions: w.env["SESSIONS_TABLE"], Inbox: w.env["INBOX_TABLE"],
	})
}

// readSample reads the repository's sample of a delivery and adds a valid credential.
func (w *world) readSample(ctx context.Context, secret string) error {
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(root, "events/webhook-receiver/v2.json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &w.sample); err != nil {
		return err
	}
	if !bytes.Contains(text, []byte(sampleID)) {
		return fmt.Errorf("the sample's event id is no longer %s", sampleID)
	}
	ring, err := credential.Parse(secret)
	if err != nil {
		return err
	}
	header, err := ring.Header(company)
	w.sample.Headers["authorization"] = header.Reveal()
	return err
}

// event returns a delivery with a new id.
func (w *world) event() ([]byte, error) {
	e := w.sample
	e.Body = strings.Replace(e.Body, sampleID, strconv.FormatInt(w.last.Add(1), 10), 1)
	return json.Marshal(e)
}

func (w *world) close() { w.server.Close() }
