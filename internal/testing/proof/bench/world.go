package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/fake/lambdatest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/internal/testing/stack"
	"procore-connect/internal/webhook/credential"
)

const (
	company  = 5678 // of the sample
	sampleID = "5982324300946918154"

	// otherRoots is about as many as the certificate bundle of Lambda's image has:
	// a process reads them for its first connection.
	otherRoots = 140
)

// idempotencyTable is where Powertools keeps its records.
const idempotencyTable = "idempotency"

// world stands in for AWS over TLS, and makes Procore's deliveries.
type world struct {
	env    map[string]string // of every function
	sample events.APIGatewayV2HTTPRequest
	ring   string       // the text of both secrets with keys
	names  tables.Names // those in env

	services    *awstest.Services
	certificate *tls.Config
	authority   []byte           // its root, in PEM
	db          *dynamodb.Client // of this process, which does without TLS
	plain       *http.Server
	region      region // of all functions that have no own
	others      *front // the services beside them

	last   atomic.Int64 // id of an event or of a user
	stored atomic.Int64 // items written to the inbox
}

func newWorld(ctx context.Context, dir string, s settings) (*world, error) {
	w := &world{ring: fmt.Sprintf(`{"current":"k1","k1":%q}`, rand.Text()+rand.Text())}
	w.last.Store(time.Now().UnixNano())
	if err := w.readSample(ctx); err != nil {
		return nil, err
	}
	w.services = &awstest.Services{DynamoDB: w.dynamo(), Queues: awstest.NewQueues(), Secrets: awstest.NewSecrets(nil)}
	var err error
	if w.certificate, w.authority, err = lambdatest.Certificate(); err != nil {
		return nil, err
	}
	if err := w.configure(dir, s); err != nil {
		return nil, err
	}
	return w, w.fill(ctx)
}

// dynamo returns a DynamoDB that counts what reaches the inbox.
func (w *world) dynamo() *dynamotest.Server {
	s := dynamotest.New()
	s.Intercept(func(operation string, body []byte) dynamotest.Fault {
		if operation == "PutItem" && bytes.Contains(body, []byte(`"`+w.names.Inbox+`"`)) {
			w.stored.Add(1)
		}
		return dynamotest.Fault{}
	})
	return s
}

// configure opens the addresses and sets the variables of the functions.
func (w *world) configure(dir string, s settings) error {
	bundle := bytes.Clone(w.authority)
	for range otherRoots {
		_, root, err := lambdatest.Certificate()
		if err != nil {
			return err
		}
		bundle = append(bundle, root...)
	}
	roots, root, none := filepath.Join(dir, "roots.pem"), filepath.Join(dir, "root.pem"), filepath.Join(dir, "none")
	for path, pem := range map[string][]byte{roots: bundle, root: w.authority} {
		if err := os.WriteFile(path, pem, 0o600); err != nil {
			return err
		}
	}
	if err := os.Mkdir(none, 0o700); err != nil {
		return err
	}
	var err error
	if w.region, err = w.newRegion(); err != nil {
		return err
	}
	if w.others, err = newFront(w.services, w.certificate); err != nil {
		return err
	}
	w.env = stack.Environment("https://connect.example.com", "https://procore.example.com", w.others.url)
	w.env["RETURN_URLS"], w.env["LINK_SECRET_ID"] = "", "" // as the template has them
	maps.Copy(w.env, w.region.env())
	maps.Copy(w.env, map[string]string{
		"SSL_CERT_FILE": roots, "SSL_CERT_DIR": none,
		// The same for the peers. Node.js has the usual roots in its binary.
		"AWS_CA_BUNDLE": roots, "NODE_EXTRA_CA_CERTS": root, "IDEMPOTENCY_TABLE": idempotencyTable,
	})
	maps.Copy(w.env, s.env)
	w.names = tables.Names{
		Grants: w.env["GRANTS_TABLE"], Connections: w.env["CONNECTIONS_TABLE"], Spends: w.env["SPENDS_TABLE"],
		Sessions: w.env["SESSIONS_TABLE"], Inbox: w.env["INBOX_TABLE"],
	}
	return nil
}

// fill creates secrets, queue and tables: those by plain http, because this process does not trust the certificate.
func (w *world) fill(ctx context.Context) error {
	for variable, text := range map[string]string{
		"APP_SECRET_ID":  fmt.Sprintf(`{"client_id":%q,"client_secret":%q}`, clientID, clientSecret),
		"KEYS_SECRET_ID": w.ring, "WEBHOOK_SECRET_ID": w.ring,
	} {
		w.services.Secrets.Put(w.env[variable], text)
	}
	if _, err := w.services.Queues.Create(path.Base(w.env["RESCUE_QUEUE_URL"]), awstest.QueueOptions{}); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	w.plain = &http.Server{Handler: w.services, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = w.plain.Serve(l) }() // ends with close
	w.db = dynamotest.Client("http://" + l.Addr().String())
	if err := tables.Create(ctx, w.db, w.names); err != nil {
		return err
	}
	return tables.CreateOne(ctx, w.db, idempotency())
}

// readSample reads the repository's sample of a delivery and adds a valid credential.
func (w *world) readSample(ctx context.Context) error {
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
	ring, err := credential.Parse(w.ring)
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

func (w *world) close() {
	w.region.close()
	w.others.close()
	w.plain.Close()
}
