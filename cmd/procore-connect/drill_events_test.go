package main

import (
	"encoding/json"
	"fmt"
	"net/http"

	"procore-connect/internal/testing/fake/awstest"
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
		n.secret("local/webhook", map[string]string{"current": "k2", "k2": "a new key of this drill, of 32 bytes or more"})
		n.emit()
		n.said(`"claimed_company_id"`, fmt.Sprint(n.company))
	}},
	"EventsAgeAlarm": {alone: true, sign: "RFIs", trouble: func(n *night) {
		n.failing()
	}, others: (*night).corrected},
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
