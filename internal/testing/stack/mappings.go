package stack

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/streamtest"
	"procore-connect/internal/upkeep/announce"
	"procore-connect/internal/webhook/dispatch"
)

// The template's settings of the event source mappings.
const (
	dispatchBatch = 500
	announceBatch = 10
	maxRecordAge  = 22 * time.Hour
)

// startMappings passes the changes of tables and the events of the queue to their
// functions, as the template's event source mappings do. What another DynamoDB had
// before is not new.
func (s *Stack) startMappings(ctx, background context.Context) error {
	for _, m := range []*streamtest.StreamMapping{
		{Table: names.Inbox, Function: s.functions[dispatcher], Filters: dispatch.Filters(), BatchSize: dispatchBatch, OnFailure: dead(s.dispatchDead)},
		{Table: names.Grants, Function: s.functions[announcer], Filters: announce.GrantFilters(), BatchSize: announceBatch, OnFailure: dead(s.announceDead)},
		{Table: names.Connections, Function: s.functions[announcer], Filters: announce.ConnectionFilters(), BatchSize: announceBatch, OnFailure: dead(s.announceDead)},
	} {
		if err := s.startStream(ctx, background, m); err != nil {
			return err
		}
	}
	m := &streamtest.QueueMapping{Queue: s.Events, Function: s.functions[s.options.consumer()], BatchSize: 1, MaxReceive: maxReceive, Report: s.out.report}
	for range consumers {
		s.loops.Go(func() { m.Run(background) })
	}
	return nil
}

func (s *Stack) startStream(ctx, background context.Context, m *streamtest.StreamMapping) error {
	o, url := s.db.Options(), s.dynamoURL()
	m.Streams = dynamodbstreams.New(dynamodbstreams.Options{BaseEndpoint: &url, Region: o.Region, Credentials: o.Credentials, HTTPClient: o.HTTPClient})
	m.Storage = s.streamStorage(m.Table)
	m.MaxAge, m.FromNow, m.Report = maxRecordAge, s.Dynamo == nil, s.out.report
	if err := m.Begin(ctx); err != nil {
		return fmt.Errorf("DynamoDB at %s: %w", url, err)
	}
	s.loops.Go(func() {
		if err := m.Run(background); err != nil {
			s.out.report(err.Error())
		}
	})
	return nil
}

// dead returns a failure destination.
func dead(q *awstest.Queue) func(context.Context, string) error {
	return func(_ context.Context, message string) error {
		_, _, err := q.Send(awstest.Message{Body: message})
		return err
	}
}
