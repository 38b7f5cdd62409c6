package awstest_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/journal"
	"procore-connect/internal/testing/kit/storagetest"
)

func openQueues(t *testing.T, disk *journal.Disk) *awstest.Queues {
	t.Helper()
	j, err := journal.Open(disk)
	if err != nil {
		t.Fatal(err)
	}
	queues, err := awstest.OpenQueues(j.Part("queues"))
	if err != nil {
		t.Fatal(err)
	}
	return queues
}

// pair creates a FIFO queue and its dead letters.
func pair(t *testing.T, queues *awstest.Queues) (q, dead *awstest.Queue) {
	t.Helper()
	dead, err := queues.Create("a-dead.fifo", awstest.QueueOptions{})
	if err == nil {
		q, err = queues.Create("a.fifo", awstest.QueueOptions{DeadLetters: dead, MaxReceiveCount: 3, GroupDedup: true})
	}
	if err != nil {
		t.Fatal(err)
	}
	return q, dead
}

func sendTo(t *testing.T, q *awstest.Queue, group, dedup string) (id, sequence string) {
	t.Helper()
	id, sequence, err := q.Send(awstest.Message{Body: "body of " + dedup, Group: group, Dedup: dedup})
	if err != nil {
		t.Fatal(err)
	}
	return id, sequence
}

func receiveFrom(t *testing.T, q *awstest.Queue) (all []awstest.Message) {
	t.Helper()
	all, err := q.Receive(t.Context(), 10, 0)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// The next process has the messages in their order, with their receipts counted, and knows the deduplication ids for as
// long as they count. What was in flight is visible.
func TestQueuesStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := journal.NewDisk()
		next := func() (q, dead *awstest.Queue) {
			disk = disk.Restart(rand.New(rand.NewPCG(1, 1)))
			return pair(t, openQueues(t, disk))
		}
		q, _ := next()
		first, _ := sendTo(t, q, "g", "1")
		sendTo(t, q, "g", "2")
		_, last := sendTo(t, q, "h", "3")
		if err := q.Delete(receiveFrom(t, q)[2].Receipt); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Minute)

		q, _ = next()
		if id, _ := sendTo(t, q, "g", "1"); id != first {
			t.Error("a message is doubled")
		}
		got := receiveFrom(t, q)
		if len(got) != 2 || got[0].ID != first || got[0].Received != 2 || got[0].Body != "body of 1" || got[1].Body != "body of 2" {
			t.Fatalf("after the restart: %+v", got)
		}
		if _, sequence := sendTo(t, q, "h", "4"); sequence <= last {
			t.Errorf("sequence %s after %s", sequence, last)
		}
		time.Sleep(time.Minute) // the deduplication ids of the first process end
		if id, _ := sendTo(t, q, "g", "1"); id == first {
			t.Error("a deduplication id counts for more than five minutes")
		}

		q, _ = next()
		receiveFrom(t, q) // the third time
		q, dead := next()
		if got := receiveFrom(t, q); len(got) != 2 || got[0].Body != "body of 4" || got[1].Body != "body of 1" {
			t.Errorf("after the dead letter: %+v", got)
		}
		if got := receiveFrom(t, dead); len(got) != 2 || got[0].ID != first {
			t.Errorf("dead letters: %+v", got)
		}
		q.Purge()
		sendTo(t, q, "g", "5")
		_, dead = next()
		if got := receiveFrom(t, dead); len(got) != 2 {
			t.Errorf("dead letters: %+v", got)
		}
		q, _ = next()
		if got := receiveFrom(t, q); len(got) != 1 || got[0].Body != "body of 5" {
			t.Errorf("after the purge: %+v", got)
		}
	})
}

// A crash at any moment loses no message that was accepted, and none that was deleted returns.
func TestQueuesCrash(t *testing.T) {
	t.Parallel()
	for at := 1; at < 80; at++ {
		disk := journal.NewDisk()
		q, _ := pair(t, openQueues(t, disk))
		disk.Crash(at)
		want := map[string]bool{} // false: perhaps
		for n := 0; ; n++ {
			body := fmt.Sprint("body ", n)
			want[body] = false
			_, _, err := q.Send(awstest.Message{Body: body, Group: fmt.Sprint("group-", n), Dedup: "d"})
			if err != nil {
				break
			}
			want[body] = true
			if n%3 != 0 {
				continue
			}
			got, err := q.Receive(t.Context(), 1, 0)
			if err != nil {
				break
			}
			want[got[0].Body] = false
			if q.Delete(got[0].Receipt) != nil {
				break
			}
			delete(want, got[0].Body)
		}
		q, _ = pair(t, openQueues(t, disk.Restart(rand.New(rand.NewPCG(uint64(at), 0)))))
		for got := receiveFrom(t, q); len(got) > 0; got = receiveFrom(t, q) {
			for _, m := range got {
				if _, ok := want[m.Body]; !ok {
					t.Errorf("crash at %d: %s was deleted", at, m.Body)
				}
				delete(want, m.Body)
			}
		}
		for body, sure := range want {
			if sure {
				t.Errorf("crash at %d: %s is lost", at, body)
			}
		}
	}
}

func TestSecretsStored(t *testing.T) {
	t.Parallel()
	disk := journal.NewDisk()
	next := func() *awstest.Secrets {
		disk = disk.Restart(nil)
		j, err := journal.Open(disk)
		if err != nil {
			t.Fatal(err)
		}
		s, err := awstest.OpenSecrets(j.Part("secrets"))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	const get = `{"SecretId":"local/app"}`
	s := next()
	s.Put("local/app", "old")
	s.Put("local/app", "new")
	s.PutBinary("local/bytes", []byte{0xff, 0})
	want := call(s, "secretsmanager.GetSecretValue", get) + call(s, "secretsmanager.DescribeSecret", get) +
		call(s, "secretsmanager.GetSecretValue", `{"SecretId":"local/bytes"}`)
	s = next()
	got := call(s, "secretsmanager.GetSecretValue", get) + call(s, "secretsmanager.DescribeSecret", get) +
		call(s, "secretsmanager.GetSecretValue", `{"SecretId":"local/bytes"}`)
	if got != want || !strings.Contains(got, `"SecretString":"new"`) {
		t.Errorf("after a restart:\n%s\nbefore:\n%s", got, want)
	}
	if value, ok := s.Value("local/app"); !ok || value != "new" {
		t.Errorf("got %q, %t", value, ok)
	}
	if _, ok := s.Value("local/keys"); ok {
		t.Error("a secret is there that no one made")
	}
}

// call sends one request to a service and returns its answer.
func call(h http.Handler, target, body string) string {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("X-Amz-Target", target)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Body.String()
}

// Nothing leaves before it is durable, over HTTP or in the same process.
func TestNothingLeavesBeforeSync(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		storage := storagetest.New(t)
		queues, err := awstest.OpenQueues(storage)
		if err != nil {
			t.Fatal(err)
		}
		secrets, err := awstest.OpenSecrets(storage)
		if err != nil {
			t.Fatal(err)
		}
		secrets.Put("s", "value")
		q, err := queues.Create("q", awstest.QueueOptions{})
		if err != nil {
			t.Fatal(err)
		}
		const url = `{"QueueUrl":"http://x/000000000000/q"`
		for name, do := range map[string]func() string{
			"GetSecretValue":     func() string { return call(secrets, "secretsmanager.GetSecretValue", `{"SecretId":"s"}`) },
			"an unknown secret":  func() string { return call(secrets, "secretsmanager.GetSecretValue", `{"SecretId":"x"}`) },
			"SendMessage":        func() string { return call(queues, "AmazonSQS.SendMessage", url+`,"MessageBody":"b"}`) },
			"ReceiveMessage":     func() string { return call(queues, "AmazonSQS.ReceiveMessage", url+`}`) },
			"GetQueueAttributes": func() string { return call(queues, "AmazonSQS.GetQueueAttributes", url+`}`) },
			"Send":               func() string { _, _, err := q.Send(awstest.Message{Body: "b"}); return fmt.Sprint(err) },
			"Receive":            func() string { _, err := q.Receive(t.Context(), 1, 0); return fmt.Sprint(err) },
			"Delete":             func() string { return fmt.Sprint(q.Delete("x/y")) },
			"ChangeVisibility":   func() string { return fmt.Sprint(q.ChangeVisibility("x/y", 0)) },
		} {
			if failed := storage.Holds(t, name, do); !strings.Contains(failed, storagetest.Full) && name != "ChangeVisibility" {
				t.Errorf("%s after a Sync that failed: %s", name, failed)
			}
		}
	})
}
