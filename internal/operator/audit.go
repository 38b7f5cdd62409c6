package operator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go"
)

// auditWithin is how long a change waits for its line to be kept: on a bad day CloudWatch Logs may not answer at all.
const auditWithin = 10 * time.Second

// groupOutput is the stack's output with the log group of the operator's changes.
const groupOutput = "OperatorLogGroup"

// ErrNotAudited means that the line of a change could not be put into the log group of the operator's changes.
var ErrNotAudited = errors.New("the change could not be noted in the operator's log")

// Record writes the log line of a change that begins: what it is, and who makes it. It writes the line to w, and puts it
// into the log group of the operator's changes, where it is kept for 400 days.
//
// If it cannot be put there, the error matches [ErrNotAudited], and the caller makes the change only if the person has said
// so before (--without-audit). A change is needed most on a day on which other things are down too, CloudWatch Logs among
// them, so that the log must not be able to forbid it. But a change that silently has no line is one that no one can explain
// a week later, so that the person decides it, who then has the line on the screen. The rows that change have the name too,
// see [By], and CloudTrail has the calls.
func (o *Operator) Record(ctx context.Context, w io.Writer, a Action, by string) error {
	line := slog.NewRecord(o.clock.Now(), slog.LevelInfo, "operator action", 0)
	line.AddAttrs(slog.String("verb", a.Verb), slog.String("by", by))
	if a.CompanyID != 0 {
		line.AddAttrs(slog.Int64("company_id", a.CompanyID))
	}
	if a.Principal != "" {
		line.AddAttrs(slog.String("principal", string(a.Principal)))
	}
	if a.Reference != "" {
		line.AddAttrs(slog.String("reference", a.Reference))
	}
	if !a.Backup.IsZero() {
		line.AddAttrs(slog.Time("backup", a.Backup))
	}
	var text bytes.Buffer
	if err := slog.NewJSONHandler(&text, nil).Handle(ctx, line); err != nil {
		return err
	}
	if _, err := w.Write(text.Bytes()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, auditWithin)
	defer cancel()
	if err := o.audit(ctx, strings.TrimSpace(text.String())); err != nil {
		return fmt.Errorf("%w: %w", ErrNotAudited, err)
	}
	return nil
}

// audit puts a line into the stream of the day.
func (o *Operator) audit(ctx context.Context, line string) error {
	group, now := o.Outputs[groupOutput], o.clock.Now()
	if group == "" {
		return fmt.Errorf("the stack has no output %s: deploy this version", groupOutput)
	}
	stream := now.UTC().Format(time.DateOnly)
	_, err := o.Logs.API.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: &group, LogStreamName: &stream})
	if e, ok := errors.AsType[smithy.APIError](err); err != nil && (!ok || e.ErrorCode() != "ResourceAlreadyExistsException") {
		return err
	}
	out, err := o.Logs.API.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{
		LogGroupName: &group, LogStreamName: &stream, LogEvents: []types.InputLogEvent{{Timestamp: aws.Int64(now.UnixMilli()), Message: &line}},
	})
	if err == nil && out.RejectedLogEventsInfo != nil {
		err = errors.New("CloudWatch Logs refuses the time of this machine's clock")
	}
	return err
}
