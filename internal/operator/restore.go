package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"procore-connect/internal/operator/restore"
)

// eraseVerb is what the line of an erasure has.
const eraseVerb = "erase"

// erasedWithin is how long before a backup an erasure may have begun that was not done yet.
const erasedWithin = 24 * time.Hour

// Restorer returns what restores rows as they were at a time, which is in whole seconds.
func (o *Operator) Restorer(at time.Time) *restore.Restorer {
	return &restore.Restorer{Connections: o.Connections, At: at, Clock: o.clock}
}

// Erased returns the companies whose erasure began after a backup, or so shortly before that it may have been under way: a
// restore must not bring them back. It reads the log of the operators' changes, which is kept much longer than a backup. An
// erasure whose line could not be put there (--without-audit) is not among them.
func (o *Operator) Erased(ctx context.Context, backup time.Time) ([]int64, error) {
	group := o.Outputs[groupOutput]
	if group == "" {
		return nil, fmt.Errorf("the stack has no output %s: deploy this version", groupOutput)
	}
	in := &cloudwatchlogs.FilterLogEventsInput{LogGroupName: &group, StartTime: aws.Int64(backup.Add(-erasedWithin).UnixMilli())}
	var erased []int64
	for p := cloudwatchlogs.NewFilterLogEventsPaginator(o.Logs.API, in); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("the operator's log, which has the erasures, cannot be read: %w", err)
		}
		for _, e := range page.Events {
			var line struct {
				Verb      string `json:"verb"`
				CompanyID int64  `json:"company_id"`
			}
			if err := json.Unmarshal([]byte(aws.ToString(e.Message)), &line); err != nil {
				return nil, fmt.Errorf("the operator's log has a line that is not the command's: %w", err)
			}
			if line.Verb == eraseVerb {
				erased = append(erased, line.CompanyID)
			}
		}
	}
	slices.Sort(erased)
	return slices.Compact(erased), nil
}
