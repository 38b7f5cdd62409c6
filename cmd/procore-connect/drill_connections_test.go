package main

import "procore-connect/pkg/procoretest"

// refused is the answer to a refresh token that Procore does not accept.
var refused = procoretest.Fault{Kind: procoretest.Status, Status: 400, Body: `{"error":"invalid_grant"}`}

// connectionDrills are those of the states of a connection.
var connectionDrills = map[string]drill{
	"reauthorize": {alone: true, sign: "authorization of User", trouble: func(n *night) { n.refresh(refused) }, others: (*night).connect},
	"disconnected": {sign: "disconnected the app", trouble: func(n *night) {
		n.connected()
		n.patch(procoretest.CompanyPatch{Connected: new(false)})
		n.passing()
	}, others: func(n *night) {
		n.patch(procoretest.CompanyPatch{Connected: new(true)})
		n.connect()
	}},
	"ended": {alone: true, sign: "is no longer connected", trouble: func(n *night) {
		n.connected()
		n.leave(1)
	}, others: func(n *night) {
		n.patch(procoretest.CompanyPatch{Members: new([]int64{n.user})})
		n.connect()
	}},
	"paused": {sign: "to a token that is good", trouble: func(n *night) {
		n.connected()
		n.patch(procoretest.CompanyPatch{Installed: new(false), UnauthorizedUntilInstalled: new(true)})
		n.passing()
	}, others: func(n *night) {
		n.patch(procoretest.CompanyPatch{Installed: new(true)})
		n.connect()
	}},
	"uncertain": {alone: true, sign: "had no answer", trouble: uncertain, others: (*night).connect},
	"needs_admin": {sign: "is not as it should be", trouble: func(n *night) {
		n.hire(1)
		n.patch(procoretest.CompanyPatch{WebhooksPermission: new(false)})
		n.connect()
		n.task("housekeeping")
	}, others: func(n *night) {
		n.patch(procoretest.CompanyPatch{WebhooksPermission: new(true)})
	}},
}
