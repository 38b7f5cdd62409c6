package simulation

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"procore-connect/internal/operator/keyring"
	"procore-connect/internal/testing/fake/awstest"
)

// wanting chooses the default, but once the first option that ends with a text.
type wanting struct {
	text string
	made decisions
}

func (c *wanting) decisions() decisions { return c.made }

func (c *wanting) choose(all []option) int {
	n := 0
	for i, o := range all {
		if n == 0 && c.text != "" && strings.HasSuffix(o.name, " "+c.text) {
			n, c.text = i, ""
		}
	}
	c.made = append(c.made, n)
	return n
}

// faulty runs one step of an actor, in which an operation ends once as the last words of
// its option say, and then the judge.
func faulty(t *testing.T, option string, step, judge func(ctx context.Context, w *World)) {
	t.Helper()
	s := Scenario{Setup: func(w *World) {
		w.Actor(w.Process(0), Step{"calls", func(ctx context.Context, _ *Actor) { step(ctx, w) }})
		w.Judge = func(ctx context.Context) { judge(ctx, w) }
	}}
	w := explorationOf().schedule(t, quickClient(), s, &wanting{text: option}, true)
	fault := option[strings.LastIndexByte(option, ' ')+1:]
	if w.Events()["fault "+fault] != 1 && fault != "" && fault != "webhook" {
		t.Errorf("%s did not happen:\n%s", option, w.Trace())
	}
	if strings.Contains(w.Trace(), "a pair") {
		t.Errorf("the trace shows a body:\n%s", w.Trace())
	}
}

func bodies(all []Message) string {
	var texts []string
	for _, m := range all {
		texts = append(texts, m.Body)
	}
	return strings.Join(texts, " ")
}

// Each fault of a send and what becomes of the message.
func TestSendFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fault Fault
		fails bool
		want  int // messages
	}{
		{Fine, false, 1}, {Refused, true, 0}, {Throttled, true, 0}, {Lost, true, 1}, {Late, true, 1}, {Twice, false, 2},
		{Crash, true, 0}, {CrashAfter, true, 1},
	} {
		failed := true // unless it returns
		faulty(t, string(tt.fault), func(ctx context.Context, w *World) {
			_, err := sqs.NewFromConfig(w.AWS()).SendMessage(ctx, &sqs.SendMessageInput{
				QueueUrl: aws.String(w.Queues.URL(RescueQueue)), MessageBody: aws.String("a pair"),
			})
			failed = err != nil
		}, func(_ context.Context, w *World) {
			if got := len(w.Queues.Messages(RescueQueue)); failed != tt.fails || got != tt.want {
				t.Errorf("%q: failed %t, %d messages; want %t, %d", tt.fault, failed, got, tt.fails, tt.want)
			}
		})
	}
}

// A service that is away refuses everything, until the outage ends or all is calm.
func TestOutage(t *testing.T) {
	t.Parallel()
	faulty(t, "", func(ctx context.Context, w *World) {
		w.Queues.Outage(true)
		w.Secrets.Outage(true)
		w.Secrets.Put("webhook", ring)
		_, err := keys(w).Read(ctx)
		in := &sqs.ReceiveMessageInput{QueueUrl: aws.String(w.Queues.URL(RescueQueue))}
		if _, err2 := sqs.NewFromConfig(w.AWS()).ReceiveMessage(ctx, in); err == nil || err2 == nil {
			t.Errorf("no error in an outage: %v, %v", err, err2)
		}
		w.Queues.Outage(false)
		if _, err := sqs.NewFromConfig(w.AWS()).ReceiveMessage(ctx, in); err != nil {
			t.Error(err)
		}
		for err != nil {
			_, err = keys(w).Read(ctx)
		}
	}, func(_ context.Context, w *World) {
		if w.Steps() < maxSteps || len(w.Problems()) > 0 {
			t.Errorf("the outage ended after %d steps: %v", w.Steps(), w.Problems())
		}
	})
}

// A part of a batch is refused, and the rest is done.
func TestBatchFaults(t *testing.T) {
	t.Parallel()
	for f, want := range map[Fault]string{RefusesFirst: "b c", RefusesLast: "a b", RefusesOdd: "b"} {
		faulty(t, string(f), func(ctx context.Context, w *World) {
			in := &sqs.SendMessageBatchInput{QueueUrl: aws.String(w.Queues.URL(EventsQueue))}
			for _, name := range []string{"a", "b", "c"} {
				in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{
					Id: &name, MessageBody: &name, MessageGroupId: &name, MessageDeduplicationId: &name,
				})
			}
			out, err := sqs.NewFromConfig(w.AWS()).SendMessageBatch(ctx, in)
			if err != nil {
				t.Error(err)
				return
			}
			var got []string
			for _, one := range out.Successful {
				got = append(got, *one.Id)
			}
			code := *out.Failed[0].Code
			if strings.Join(got, " ") != want || len(out.Failed)+len(got) != 3 || code != "RequestThrottled" {
				t.Errorf("%s: accepted %v, failed %v", f, got, out.Failed)
			}
		}, func(_ context.Context, w *World) {
			if got := bodies(w.Queues.Messages(EventsQueue)); got != want {
				t.Errorf("%s: the queue has %s, want %s", f, got, want)
			}
		})
	}
}

// A standard queue delivers twice, out of order and in part, and forgets a deletion.
func TestReceiveFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ fault, want string }{
		{"", "1 2,,"}, {"few", "1,2,"}, {"unordered", "2 1,,"},
		{"again", "1 2,,"}, {"undeleted", "1 2,,1"}, {"lost", "-,,1 2"},
	} {
		var got []string
		faulty(t, tt.fault, func(ctx context.Context, w *World) {
			client, url := sqs.NewFromConfig(w.AWS()), w.Queues.URL(RescueQueue)
			in := &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10}
			receive := func() (receipts []*string) {
				out, err := client.ReceiveMessage(ctx, in)
				if err != nil {
					got = append(got, "-")
					return nil
				}
				var all []Message
				for _, m := range out.Messages {
					all, receipts = append(all, Message{Body: *m.Body}), append(receipts, m.ReceiptHandle)
				}
				got = append(got, bodies(all))
				return receipts
			}
			w.Queues.Send(RescueQueue, Message{Body: "1"})
			w.Queues.Send(RescueQueue, Message{Body: "2"})
			if tt.fault == "again" {
				w.Queues.Receive(RescueQueue, 10) // they are in flight
			}
			for _, receipt := range append(receive(), receive()...) {
				_, err := client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: receipt})
				if err != nil {
					t.Error(err)
				}
			}
			ActorOf(ctx).Sleep(5 * time.Minute)
			receive()
		}, func(context.Context, *World) {})
		if got := strings.Join(got, ","); got != tt.want {
			t.Errorf("%q: received %q, want %q", tt.fault, got, tt.want)
		}
	}
}

const ring = `{"current":"k1","k1":"fake-key-1"}`

func keys(w *World) *keyring.Secret {
	return &keyring.Secret{
		Client: secretsmanager.NewFromConfig(w.AWS()), ID: "webhook",
		Parse: func(string) error { return nil }, Random: w.Random(),
	}
}

// A rotation is made once or not at all, however its calls end, and its caller knows
// which, unless it crashes.
func TestSecretFaults(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"} {
		for _, f := range []Fault{Fine, Refused, Throttled, Lost, Late, Twice, Crash, CrashAfter} {
			if call == "GetSecretValue" && f != Fine && !slices.Contains(readFaults, f) {
				continue
			}
			err := errors.New("it did not return")
			faulty(t, strings.TrimSpace(call+" webhook "+string(f)), func(ctx context.Context, w *World) {
				w.Secrets.Put("webhook", ring)
				r, readErr := keys(w).Read(ctx)
				if readErr == nil {
					readErr = r.Add("k2", w.Random(), w.Now())
				}
				if readErr == nil {
					readErr = keys(w).Write(ctx, r)
				}
				err = readErr
			}, func(_ context.Context, w *World) {
				made := w.Secrets.Value("webhook") != ring
				sent := f == Lost || f == Late || f == CrashAfter
				want := f == Fine || f == Twice || call == "UpdateSecretVersionStage" && sent
				if made != want || (err == nil) != (made && f != Late && f != CrashAfter) {
					t.Errorf("%s %s: made %t, want %t; error %v", call, f, made, want, err)
				}
			})
		}
	}
}

// The label of the current version moves only from the version that was read.
func TestSecretStages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &World{events: map[string]int{}}
		w.Services = newServices(w)
		ctx, client, arn := t.Context(), secretsmanager.NewFromConfig(w.AWS()), w.Secrets.ARN("webhook")
		w.Secrets.Put("webhook", ring)
		first, err := keys(w).Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		second, err := keys(w).Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(first.Add("k2", w.Random(), w.Now()), keys(w).Write(ctx, first)); err != nil {
			t.Fatal(err)
		}
		err = errors.Join(second.Add("k3", w.Random(), w.Now()), keys(w).Write(ctx, second))
		if !errors.Is(err, keyring.ErrChanged) {
			t.Errorf("the second operator: %v", err)
		}
		texts := map[string]string{}
		for _, stage := range []string{"AWSCURRENT", "AWSPREVIOUS", "procore-connect-next"} {
			in := &secretsmanager.GetSecretValueInput{SecretId: &arn, VersionStage: &stage}
			out, err := client.GetSecretValue(ctx, in)
			if err != nil {
				t.Fatal(err)
			}
			texts[stage] = *out.SecretString
		}
		if texts["AWSPREVIOUS"] != ring || !strings.Contains(texts["AWSCURRENT"], "k2") ||
			!strings.Contains(texts["procore-connect-next"], "k3") {
			t.Errorf("versions %v", texts)
		}
		if n := w.Secrets.Reads("webhook"); n != 6 {
			t.Errorf("read %d times, want 6", n)
		}
		_, err = client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("other")})
		if err == nil || !strings.Contains(err.Error(), "ResourceNotFoundException") {
			t.Errorf("another secret: %v", err)
		}
		token := strings.Repeat("t", 32)
		for text, fails := range map[string]bool{"a": false, "b": true} {
			in := &secretsmanager.PutSecretValueInput{
				SecretId: &arn, ClientRequestToken: &token, SecretString: aws.String("a"),
			}
			if _, err := client.PutSecretValue(ctx, in); err != nil {
				t.Error(err)
			}
			in.SecretString = &text
			if _, err := client.PutSecretValue(ctx, in); (err != nil) != fails {
				t.Errorf("the same token with %q: %v", text, err)
			}
		}
		w.Secrets.Put("webhook", "{}")
		if got := w.Secrets.Value("webhook"); got != "{}" {
			t.Errorf("value %s", got)
		}
	})
}

// allServices calls each service once, from goroutines that begin at once.
func allServices(w *World) {
	w.Topics = awstest.NewTopics("connections")
	w.Stacks.Put("stack", map[string]string{"A": "b"})
	w.Functions.Put("refresher", map[string]string{"KEY": "value"})
	w.Logs = awstest.NewLogs(w.Now, "operator")
	w.Secrets.Put("app", "fake-secret")
	for range 2 {
		w.Actor(w.Process(0), Step{"calls", func(ctx context.Context, a *Actor) {
			c, url := w.AWS(), w.Queues.URL(RescueQueue)
			stream := aws.String(a.Name)
			publish := func(message string) func() error {
				return func() error {
					topic := awstest.TopicARN("connections")
					_, err := sns.NewFromConfig(c).Publish(ctx, &sns.PublishInput{TopicArn: &topic, Message: &message})
					return err
				}
			}
			calls := []func() error{
				publish("1"), publish("2"), publish("3"),
				func() error {
					in := &cloudformation.DescribeStacksInput{StackName: aws.String("stack")}
					out, err := cloudformation.NewFromConfig(c).DescribeStacks(ctx, in)
					if err == nil && *out.Stacks[0].Outputs[0].OutputValue != "b" {
						w.Problem("stack %v", out.Stacks)
					}
					return err
				},
				func() error {
					in := &lambda.GetFunctionConfigurationInput{
						FunctionName: aws.String("refresher"), Qualifier: aws.String("live"),
					}
					out, err := lambda.NewFromConfig(c).GetFunctionConfiguration(ctx, in)
					if err == nil && out.Environment.Variables["KEY"] != "value" {
						w.Problem("function %v", out)
					}
					return err
				},
				func() error {
					_, err := sts.NewFromConfig(c).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
					return err
				},
				func() error {
					in := &secretsmanager.GetSecretValueInput{SecretId: aws.String("app")}
					_, err := secretsmanager.NewFromConfig(c).GetSecretValue(ctx, in)
					return err
				},
				func() error {
					in := &sqs.SendMessageInput{QueueUrl: &url, MessageBody: stream}
					_, err := sqs.NewFromConfig(c).SendMessage(ctx, in)
					return err
				},
				func() error {
					in := &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10}
					out, err := sqs.NewFromConfig(c).ReceiveMessage(ctx, in)
					if err == nil {
						w.Note("  %s: %d messages", a.Name, len(out.Messages))
					}
					return err
				},
				func() error {
					in := &dynamodb.PutItemInput{TableName: aws.String(table), Item: keyOf(a.Name)}
					_, err := dynamodb.NewFromConfig(c).PutItem(ctx, in)
					return err
				},
			}
			results := make(chan string, len(calls))
			for i, call := range calls {
				go func() {
					defer func() { results <- "" }() // also if the process crashed
					if err := call(); err != nil {
						w.Note("  %s: call %d failed", a.Name, i)
					}
				}()
			}
			for range calls {
				<-results
			}
			logs, group := cloudwatchlogs.NewFromConfig(c), aws.String("operator")
			in := &cloudwatchlogs.CreateLogStreamInput{LogGroupName: group, LogStreamName: stream}
			_, err := logs.CreateLogStream(ctx, in)
			if err == nil {
				_, err = logs.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{
					LogGroupName: group, LogStreamName: stream,
					LogEvents: []logtypes.InputLogEvent{{Timestamp: aws.Int64(w.Now().UnixMilli()), Message: stream}}})
			}
			w.Note("  %s: logged %t", a.Name, err == nil)
		}})
	}
	w.Judge = func(context.Context) {
		w.Note("%d published, %d logged, %d sent, %d items", len(w.Topics.Published("connections")),
			len(w.Logs.Messages("operator")), len(w.Queues.Messages(RescueQueue)), len(w.Tables.Items(table)))
	}
}

// Every service is reached by one configuration.
func TestServices(t *testing.T) {
	t.Parallel()
	e := explorationOf()
	w := e.schedule(t, quickClient(), Scenario{Setup: allServices}, &deviating{}, true)
	const want = "6 published, 2 logged, 2 sent, 2 items"
	if !strings.HasSuffix(w.Trace(), want) || strings.Contains(w.Trace(), "failed") || len(w.Problems()) > 0 {
		t.Errorf("problems %v, trace:\n%s", w.Problems(), w.Trace())
	}
}

// A seed repeats the calls of all services to the letter, although they begin at once.
func TestServicesRepeat(t *testing.T) {
	t.Parallel()
	e := explorationOf(Scenario{Name: "all services", Setup: allServices})
	e.Seeds = 30
	e.Repeats(t)
}
