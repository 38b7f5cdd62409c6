package main

import "procore-connect/pkg/procoretest"

// refreshDrills are those of what stops refreshes.
var refreshDrills = map[string]drill{
	"breaker open": {alone: true, sign: "open since", trouble: func(n *night) {
		n.connected()
		n.must(n.Procore.Fault(procoretest.Fault{
			Endpoint: "token", Kind: procoretest.Status, Status: 401, Body: `{"error":"invalid_client"}`, Times: 1_000_000,
		}))
		n.due()
	}, others: func(n *night) { n.Procore.ClearFaults() }},
}
