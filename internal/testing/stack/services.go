package stack

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/platform/sdkhttp"
	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/streamtest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/pkg/procoretest"
)

// LinkSecret is the name of the secret that signs links.
const LinkSecret = "local/link"

const (
	appSecret     = "local/app"
	keysSecret    = "local/keys"
	webhookSecret = "local/webhook"

	eventsQueue = "events.fifo"
	rescueQueue = "rescue"

	rescueDeadQueue = "rescue-dead"

	eventsDeadQueue = "events-dead.fifo"

	dispatchDeadQueue = "dispatch-dead"
	announceDeadQueue = "announce-dead"

	connectionsTopic = "connections-topic"

	maxReceive  = 5   // deliveries of an event before it is a dead letter
	rescueTries = 288 // the same of a pair, as in the template
)

var names = tables.Names{Grants: "grants", Connections: "connections", Spends: "spends", Sessions: "sessions", Inbox: "inbox"}

// credentials makes up the secrets, unless the last run has left them, and starts the fake Procore with them, if there is
// to be one.
func (s *Stack) credentials() error {
	for _, name := range []string{keysSecret, webhookSecret, LinkSecret} {
		s.secret(name, map[string]string{"current": "k1", "k1": rand.Text() + rand.Text()})
	}
	if s.options.Sandbox != nil {
		s.sandboxCredentials()
		return nil
	}
	o := s.options.Procore
	s.secret(appSecret, map[string]string{
		"client_id": cmp.Or(o.ClientID, "fake-client-id"), "client_secret": cmp.Or(o.ClientSecret, "fake-client-secret-"+rand.Text()),
	})
	text, _ := s.Secrets.Value(appSecret)
	var app map[string]string
	if err := json.Unmarshal([]byte(text), &app); err != nil {
		return fmt.Errorf("the secret %s that the last run left is not an object of texts; start over (-fresh)", appSecret)
	}
	o.ClientID, o.ClientSecret, o.Storage = app["client_id"], app["client_secret"], s.procoreStorage()
	if o.RedirectURIs == nil {
		o.RedirectURIs = []string{s.AppURL + "/oauth/callback"}
	}
	o.AppURL = s.AppURL
	var err error
	if s.Procore, err = procoretest.Open(o); err != nil {
		return err
	}
	s.Procore.URL = s.ProcoreURL
	return nil
}

func (s *Stack) put(name string, value map[string]string) {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // a map of strings always marshals
	}
	s.Secrets.Put(name, string(text))
}

// CreateQueues creates the template's queues. Outputs has their URLs.
func CreateQueues(to *awstest.Queues) error {
	dead, err := to.Create(eventsDeadQueue, awstest.QueueOptions{})
	for _, name := range []string{rescueDeadQueue, dispatchDeadQueue, announceDeadQueue} {
		if err == nil {
			_, err = to.Create(name, awstest.QueueOptions{})
		}
	}
	if err == nil {
		var rescueDead *awstest.Queue
		if rescueDead, err = to.Queue(rescueDeadQueue); err == nil {
			_, err = to.Create(rescueQueue, awstest.QueueOptions{DeadLetters: rescueDead, MaxReceiveCount: rescueTries})
		}
	}
	if err == nil {
		_, err = to.Create(eventsQueue, awstest.QueueOptions{
			VisibilityTimeout: time.Minute, DeadLetters: dead, MaxReceiveCount: maxReceive, GroupDedup: true,
		})
	}
	return err
}

// queues creates the queues of the stack.
func (s *Stack) queues() error {
	err := CreateQueues(s.Queues)
	for name, q := range map[string]**awstest.Queue{eventsQueue: &s.Events, dispatchDeadQueue: &s.dispatchDead, announceDeadQueue: &s.announceDead} {
		if err == nil {
			*q, err = s.Queues.Queue(name)
		}
	}
	return err
}

// aws returns the handler of AWSURL.
func (s *Stack) aws() (http.Handler, error) {
	services := &awstest.Services{Secrets: s.Secrets, Queues: s.Queues, Topics: s.Topics, Stacks: awstest.NewStacks(), Functions: s.Lambda, Logs: s.Logs, Watch: s.options.Watch}
	outputs := Outputs(s.PublicURL, s.AWSURL)
	outputs["LogGroups"], outputs["FunctionNames"] = logGroups(s.options.consumer()), functionNames(s.options.consumer())
	services.Stacks.Put(StackName, outputs)
	if s.options.DynamoDBEndpoint == "" {
		services.DynamoDB, services.Streams = s.Dynamo, streamtest.Streams(s.Dynamo)
	} else {
		s.Dynamo = nil
		u, err := url.Parse(s.options.DynamoDBEndpoint)
		if err != nil {
			return nil, err
		}
		services.DynamoDB = httputil.NewSingleHostReverseProxy(u)
	}
	s.db = dynamodb.New(dynamodb.Options{
		BaseEndpoint: aws.String(s.dynamoURL()),
		Region:       "us-east-1",
		HTTPClient:   sdkhttp.New(nil),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		}),
	})
	if s.options.Sandbox != nil {
		return guarded(services), nil
	}
	return services, nil
}

func (s *Stack) dynamoURL() string { return cmp.Or(s.options.DynamoDBEndpoint, s.AWSURL) }
