package stack

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/pipetest"
)

// startPipe sends new items of the inbox to the events queue, as the template's pipe
// does. Items that another DynamoDB had before are not new.
func (s *Stack) startPipe(ctx, background context.Context) error {
	o, url := s.db.Options(), s.dynamoURL()
	p := &pipetest.Pipe{
		Streams:  dynamodbstreams.New(dynamodbstreams.Options{BaseEndpoint: &url, Region: o.Region, Credentials: o.Credentials, HTTPClient: o.HTTPClient}),
		Queue:    sqs.New(sqs.Options{BaseEndpoint: &s.AWSURL, Region: o.Region, Credentials: o.Credentials, HTTPClient: o.HTTPClient}),
		Table:    names.Inbox,
		QueueURL: awstest.QueueURL(s.AWSURL, eventsQueue),
		FromNow:  s.Dynamo == nil,
		Report:   s.out.report,
	}
	if err := p.Begin(ctx); err != nil {
		return fmt.Errorf("DynamoDB at %s: %w", url, err)
	}
	s.loops.Go(func() {
		if err := p.Run(background); err != nil {
			s.out.report(err.Error())
		}
	})
	return nil
}
