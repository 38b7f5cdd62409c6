package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// eventDrills are those of events that do not arrive, or are not handled.
var eventDrills = map[string]drill{
	"ServerErrorsAlarm": {alone: true, sign: "There is no such event.", trouble: func(n *night) {
		n.connected()
		n.refuse(func(c awstest.Call) bool { return c.Caller == "webhook-receiver" })
		n.emit()
		n.said(`"function":"webhook-receiver"`, `"outcome":"failed"`)
	}, others: func(n *night) {
		n.refuse(nil)
		n.redeliver()
	}},
	"EventsRejectedAlarm": {alone: true, sign: "is not as it should be", trouble: func(n *night) {
		n.connected()
		n.secret("local/webhook", map[string]string{"current": "k9", "k9": "a new key of this drill, of 32 bytes or more"})
		n.emit()
		n.said(`"claimed_company_id"`, fmt.Sprint(n.company))
	}},
	"EventsAgeAlarm": {alone: true, sign: "RFIs", trouble: func(n *night) {
		n.failing()
	}, others: (*night).corrected},
	"EventsDeadLetterAlarm": {sign: "RFIs", trouble: func(n *night) {
		n.failing()
		dead, err := n.Queues.Queue("events-dead.fifo")
		n.must(err)
		n.until("the event is a dead letter", func() bool { waiting, _, _ := dead.Counts(); return waiting > 0 })
	}, others: (*night).corrected},
	"event not handled": {alone: true, sign: "failing", trouble: func(n *night) {
		n.failing()
		n.Events.Purge()
	}, others: (*night).corrected},
	"EventsQuarantinedAlarm": {sign: "a replay stores it", trouble: func(n *night) {
		n.connected()
		store := &inbox.Store{DB: dynamotest.Client(n.AWSURL), Table: "inbox"}
		body := fmt.Appendf(nil, `{"id":%[1]d,"company_id":%[1]d,"resource_name":"RFIs","resource_id":5,"event_type":"update","timestamp":"2026-03-01T12:00:00Z"}`, n.company)
		_, err := store.Quarantine(n.t.Context(), n.company, "an older version did not understand it", body)
		n.must(err)
		n.fills["ID"] = regexp.MustCompile(fmt.Sprintf(`%d/[0-9a-f]+`, n.company)).FindString(n.enter("procore-connect quarantine list"))
	}},
	"StreamDeadLetterAlarm": {alone: true, sign: "Position", trouble: func(n *night) {
		n.connected()
		began := time.Now().UTC()
		n.emit()
		n.said(`"msg":"handled"`, n.fills["EVENT"])
		dead, err := n.Queues.Queue("dispatch-dead")
		n.must(err)
		id, _, err := dead.Send(awstest.Message{Body: fmt.Sprintf(`{"DDBStreamBatchInfo":{"approximateArrivalOfFirstRecord":%[1]q,"approximateArrivalOfLastRecord":%[1]q,"batchSize":1}}`,
			began.Format(time.RFC3339))})
		n.must(err)
		n.fills["ID"], n.fills["FROM"], n.fills["TO"] = id, began.Add(-time.Minute).Format("2006-01-02T15:04"), began.Add(2*time.Minute).Format("2006-01-02T15:04")
	}},
	"DispatchStoppedAlarm": notDispatched,
	"StreamAgeAlarm":       notDispatched,
	"HooksReactivatedAlarm": {sign: "is not as it should be", trouble: func(n *night) {
		n.connected()
		n.must(n.Procore.UpdateHook(n.hook().ID, procoretest.HookPatch{Disabled: new(true)}))
	}},
	"NeverDeliveredAlarm": {sign: "missing triggers", trouble: func(n *night) {
		n.connected()
		hook, client := procore.ID(fmt.Sprint(n.hook().ID)), n.Procore.Client(n.t, n.company)
		for trigger, err := range client.Triggers(n.t.Context(), hook) {
			n.must(err)
			n.must(client.DeleteTrigger(n.t.Context(), hook, trigger.ID))
		}
	}},
	"EventsUndeliverableAlarm": {nowhere: "the receiver quarantines what no queue accepts", trouble: func(n *night) {
		n.connected()
		n.fills["PATH"] = "/rest/v1.0/me"
	}},
	"WebhooksRefusedAlarm":   {alone: true, nowhere: "API Gateway's own 4xx"},
	"FunctionThrottlesAlarm": {alone: true, nowhere: "Lambda's own limit of executions"},
	"AnnounceStoppedAlarm":   {alone: true, nowhere: "the place of the announcer in a stream is Lambda's"},
}

// notDispatched: the queue does not accept what the dispatcher sends.
var notDispatched = drill{alone: true, sign: "RFIs", trouble: func(n *night) {
	n.connected()
	n.refuse(func(c awstest.Call) bool { return c.Caller == "dispatcher" && c.Action == "sqs:SendMessage" })
	n.emit()
	n.said(`"function":"webhook-receiver"`, `"outcome":"stored"`)
}, others: func(n *night) { n.refuse(nil) }}

// hook returns the company's hook.
func (n *night) hook() procoretest.Hook {
	n.t.Helper()
	for _, h := range n.Procore.State().Hooks {
		if h.CompanyID == n.company {
			return h
		}
	}
	n.t.Fatal("the company has no hook")
	return procoretest.Hook{}
}

// failing makes the consumer fail at an event, because Procore does not show the resource.
func (n *night) failing() {
	n.t.Helper()
	n.connected()
	n.must(n.Procore.Answer(procoretest.Answer{
		Method: http.MethodGet, Path: fmt.Sprintf("/rest/v1.0/projects/%d/rfis/*", n.company), CompanyID: n.company, Status: http.StatusServiceUnavailable,
	}))
	n.emit()
	n.said("not handled", n.fills["EVENT"])
}

// corrected ends what failing began.
func (n *night) corrected() { n.Procore.ClearAnswers() }

// redeliver lets Procore deliver again what was not accepted.
func (n *night) redeliver() {
	n.t.Helper()
	for _, d := range n.Procore.State().Deliveries {
		if d.CompanyID == n.company {
			n.must(n.Procore.Redeliver(d.ID))
		}
	}
}

// secret writes a secret, and replaces the functions' processes, which would read it again within five minutes.
func (n *night) secret(name string, value map[string]string) {
	n.t.Helper()
	text, err := json.Marshal(value)
	n.must(err)
	n.Secrets.Put(name, string(text))
	n.must(n.Renew(n.t.Context()))
}
