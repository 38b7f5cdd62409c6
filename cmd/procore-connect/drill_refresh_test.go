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
	}, others: func(n *night) {
		n.Procore.ClearFaults()
		n.task("refresh")
	}},
	"GrantsUncertainAlarm": {alone: true, sign: "uncertain", trouble: uncertain, others: (*night).connect},
	"PairsLostAlarm": {alone: true, sign: "had no answer", trouble: func(n *night) {
		claimed := new(atomic.Bool)
		n.refuse(func(c awstest.Call) bool { // after the claim, nothing is stored
			write := c.Caller == "refresher" && c.Key == n.grant()["grant"] && c.Action == "dynamodb:UpdateItem"
			return c.Resource == "rescue" || write && claimed.Swap(true)
		})
		n.refresh(procoretest.Fault{Kind: procoretest.Delay, DelayMS: 1})
		n.said("new pair lost")
		n.refuse(nil)
		n.set("grants", n.grant(), map[string]string{"claim_until_ms": fmt.Sprint(time.Now().UnixMilli()), "due_at": fmt.Sprint(time.Now().Unix())})
		n.task("refresh") // which finds that the claim has ended
	}, others: (*night).connect},
}

// uncertain makes a refresh without an answer.
func uncertain(n *night) { n.refresh(procoretest.Fault{Kind: procoretest.Drop}) }
