package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"procore-connect/internal/operator/logs"
	"procore-connect/internal/platform/logging"
)

// EventKey names an event. Old hooks number the events of each company.
type EventKey struct {
	CompanyID int64
	ID        string
}

// Progress is what the functions' lines tell about an event: the last line of each kind.
type Progress struct {
	Dispatched time.Time // it was put into the queue
	Handled    time.Time // a consumer finished it
	Outcome    string    // how: an Outcome of package consumer
	Failed     time.Time // a consumer did not finish it
	Attempt    int       // which one this was
	Error      string    // why
	By         string    // the function that wrote the last line
}

// The lines that docs/WEBHOOKS.md specifies.
const (
	dispatchedLine = "event dispatched"
	handledLine    = "handled"
	failedLine     = "not handled"
)

// idsAtOnce is how many events one query is about: their ids fit into its text, and their lines into its answer.
const idsAtOnce = 60

// Progress searches the lines about events that arrived at or after a time. An event without lines is not in the map.
//
// The lines of the last seconds, seldom minutes, cannot be found yet, and those beyond the retention of the log groups no
// longer. Neither can those of a consumer whose log group is not among those that are searched, see [Operator.ConsumerLogged].
func (o *Operator) Progress(ctx context.Context, of []EventKey, from time.Time) (map[EventKey]Progress, error) {
	wanted := map[EventKey]EventKey{} // by what a line has
	var ids []string
	for _, k := range of {
		short := EventKey{k.CompanyID, logging.Short(k.ID)}
		if wanted[short] = k; logs.Searchable(short.ID) {
			ids = append(ids, short.ID)
		}
	}
	slices.Sort(ids)
	found := map[EventKey]Progress{}
	for chunk := range slices.Chunk(slices.Compact(ids), idsAtOnce) {
		lines, err := o.Logs.Lines(ctx, logs.Query{
			Filter: logs.All(logs.Text("msg", dispatchedLine, handledLine, failedLine), logs.Text("event_id", chunk...)),
			From:   from.Add(-time.Minute), // the clocks of two functions differ
		})
		if err != nil {
			return found, err
		}
		for _, l := range lines {
			company, _ := strconv.ParseInt(l.Fields.Number("company_id"), 10, 64)
			if k, ok := wanted[EventKey{company, l.Fields.Text("event_id")}]; ok {
				found[k] = found[k].after(l)
			}
		}
	}
	return found, nil
}

// after returns the progress after one more line.
func (p Progress) after(l logs.Line) Progress {
	p.By = l.Function
	switch l.Message {
	case dispatchedLine:
		p.Dispatched = l.Time
	case handledLine:
		p.Handled, p.Outcome = l.Time, l.Fields.Text("outcome")
	case failedLine:
		p.Failed, p.Error = l.Time, l.Fields.Text("error")
		p.Attempt, _ = strconv.Atoi(l.Fields.Number("attempt"))
	}
	return p
}

// ConsumerLogged reports whether the log group of a consumer is among those that are searched. If not, it is not known
// whether any event was handled; --log-group adds one.
func (o *Operator) ConsumerLogged() bool {
	ours := []string{
		"oauth-callback", "company-select", "webhook-receiver", "dispatcher", "announcer", "refresher", "reconciler", "operator", "http-api",
	}
	for _, function := range o.Logs.Groups {
		if !slices.Contains(ours, function) {
			return true
		}
	}
	return false
}

// maxAttempts returns after how many attempts the events queue moves an event to the dead-letter queue.
func (o *Operator) maxAttempts(ctx context.Context) (int, error) {
	url := o.Outputs["EventsQueueUrl"]
	out, err := sqs.NewFromConfig(o.sdk).GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameRedrivePolicy},
	})
	if err != nil {
		return 0, fmt.Errorf("the settings of the events queue cannot be read: %w", err)
	}
	var policy struct {
		Max json.Number `json:"maxReceiveCount"` // a number, or a text
	}
	err = json.Unmarshal([]byte(out.Attributes[string(types.QueueAttributeNameRedrivePolicy)]), &policy)
	n, numberErr := strconv.Atoi(policy.Max.String())
	if err := errors.Join(err, numberErr); err != nil {
		return 0, fmt.Errorf("the events queue has no readable RedrivePolicy: %w", err)
	}
	return n, nil
}
