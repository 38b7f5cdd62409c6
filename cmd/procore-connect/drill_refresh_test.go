package main

import (
	"fmt"
	"sync/atomic"
	"time"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/pkg/procoretest"
)

// refreshDrills are those of refreshes that do not run, and of pairs that are lost.
var refreshDrills = map[string]drill{
	"BreakerOpenAlarm": {alone: true, sign: "open since", trouble: func(n *night) {
		n.connected()
		n.must(n.Procore.Fault(procoretest.Fault{
			Endpoint: "token", Kind: procoretest.Status, Status: 401, Body: `{"error":"invalid_client"}`, Times: 1_000_000,
		}))
		n.due()
	}, others: func(n *night) { n.Procore.ClearFaults() }},
	"GrantsUncertainAlarm": {alone: true, sign: "uncertain", trouble: uncertain, others: (*night).connect},
	"PairsLostAlarm": {sign: "had no answer", trouble: func(n *night) {
		n.refusedPair("rescue")
		n.said("new pair lost")
		n.refuse(nil)
		n.set("grants", n.grant(), map[string]string{"claim_until_ms": fmt.Sprint(time.Now().UnixMilli()), "due_at": fmt.Sprint(time.Now().Unix())})
		n.task("refresh") // which finds that the claim has ended
	}, others: (*night).connect},
	"RescueQueueAlarm": {alone: true, sign: "its row waits for it", trouble: func(n *night) {
		n.refusedPair("")
	}, others: func(n *night) { n.refuse(nil) }},
	"RescueDeadLetterAlarm": {alone: true, sign: "dead letters", trouble: func(n *night) {
		n.refusedPair("")
		n.refuse(nil)
		waiting, err := n.Queues.Queue("rescue")
		n.must(err)
		pairs, err := waiting.Receive(n.t.Context(), 1, 0)
		n.must(err)
		dead, err := n.Queues.Queue("rescue-dead")
		n.must(err)
		for _, pair := range pairs { // as the queue does after a day
			_, _, err := dead.Send(awstest.Message{Body: pair.Body})
			n.must(err)
			n.must(waiting.Delete(pair.Receipt))
		}
	}},
	"RefreshOverdueAlarm": {alone: true, sign: "a grant is due to be refreshed", trouble: func(n *night) {
		n.briefly()
		n.set("grants", n.grant(), map[string]string{"due_at": fmt.Sprint(time.Now().Add(-2 * time.Hour).Unix())})
	}},
	"DeparturesStoppedAlarm": {alone: true, sign: "have not ended since", trouble: func(n *night) {
		const companies = 11
		n.hire(companies)
		for i := range int64(companies) {
			n.connectOne(i)
		}
		n.leave(companies)
	}},
}

// uncertain makes a refresh without an answer.
func uncertain(n *night) { n.refresh(procoretest.Fault{Kind: procoretest.Drop}) }

// refusedPair refreshes a grant, whose row then takes no new pair, and neither does the queue.
func (n *night) refusedPair(queue string) {
	n.t.Helper()
	n.briefly()
	claimed := new(atomic.Bool)
	n.refuse(func(c awstest.Call) bool {
		write := c.Caller == "refresher" && c.Key == n.grant()["grant"] && c.Action == "dynamodb:UpdateItem"
		return c.Resource == queue && c.Action == "sqs:SendMessage" || write && claimed.Swap(true)
	})
	_, _ = n.Invoke(n.t.Context(), "refresher", []byte(`{"task":"refresh"}`)) // for up to half a minute, beside the tasks of other drills
}
