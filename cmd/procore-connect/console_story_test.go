package main

import (
	"encoding/json"
	"maps"
	"net/http/httputil"
	"net/url"
	"os"
	"testing"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/proof/story"
)

// storied is the end of the week that the file of STORY has; see package story.
func storied(t *testing.T) *world {
	t.Helper()
	var s story.Story
	text, err := os.ReadFile(os.Getenv("STORY"))
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.Clock.Set(s.At)
	tables, err := dynamotest.Open(s.DynamoDB)
	if err != nil {
		t.Fatal(err)
	}
	tables.Now = w.Clock.Now
	if w.aws.Queues, err = awstest.OpenQueues(s.Queues); err != nil {
		t.Fatal(err)
	}
	w.aws.Queues.Time = w.Clock.Now
	w.DB, w.Tables = dynamotest.Client(tables.Start(t)), s.Tables
	at, err := url.Parse(*w.DB.Options().BaseEndpoint)
	if err != nil {
		t.Fatal(err)
	}
	w.aws.DynamoDB = httputil.NewSingleHostReverseProxy(at)
	for _, l := range s.Lines {
		w.aws.Logs.Put(l.Group, l.At, l.Text)
	}
	env := w.environment("http://" + w.addr)
	maps.Copy(env, story.Variables())
	for _, function := range []string{"refresher", "reconciler"} {
		w.lambda.Put(function, env)
	}
	return w
}
