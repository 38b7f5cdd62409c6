package metrics

import "slices"

// Most metrics are read from these lines.
const (
	request   = "request"                // of internal/platform/gateway, one per request
	grant     = "grant changed"          // of pkg/tokens, one per change of a grant's state
	change    = "connection changed"     // of pkg/connections, one per change of a connection's state
	refresh   = "refresh run finished"   // of functions/refresher, one per run
	dispatch  = "dispatch run finished"  // of internal/webhook/dispatch, one per invocation
	reconcile = "reconcile run finished" // of internal/webhook/reconcile, one per run
)

// All returns all metrics.
func All() []Metric { return slices.Concat(ofEvents(), ofReconciliation(), ofConnections()) }

func ofEvents() []Metric {
	return []Metric{
		{Name: "EventsStored", Unit: Count, Line: request, Attr: "outcome", Is: []string{"stored"},
			Help: "An event was stored and will be passed to the consumer."},
		{Name: "EventsDuplicated", Unit: Count, Line: request, Attr: "outcome", Is: []string{"duplicate"},
			Help: "Procore redelivered an event that was already stored. A few are normal."},
		{Name: "EventsQuarantined", Unit: Count, Line: request, Attr: "outcome", Is: []string{"quarantined"},
			Help: "A delivery was not understood, or was too large. It is stored in quarantine and does not reach the consumer."},
		{Name: "EventsOverQuota", Unit: Count, Line: request, Attr: "outcome", Is: []string{"over quota"},
			Help: "A company exceeded its hourly quota of quarantined deliveries, and this one was not stored."},
		{Name: "EventFieldsOdd", Unit: Count, Line: request, Value: "odd_fields",
			Help: "A field of an event had an unknown form and was left out. The log names it. The event reached the consumer."},
		{Name: "EventsRejected", Unit: Count, Line: request, Attr: "reason", Is: []string{"forged or retired", "unknown key"},
			Help: "A delivery had an invalid credential in our format, and was answered 401. Credentials in any other format are not counted."},
		{Name: "DeliveriesRefused", Unit: Count, Line: request, Attr: "outcome", Is: []string{"rejected"},
			Help: "The receiver answered a request to the webhook route with 401, whatever its credential."},
		{Name: "EventsWithOldKey", Unit: Count, Line: request, Attr: "current_key", Is: []string{"false"},
			Help: "A delivery used a credential made with an older key. Do not retire that key yet."},
		{Name: "RequestsFailed", Unit: Count, Line: request, Attr: "outcome", Is: []string{"failed"},
			Help: "A request was answered 5xx, or an event was no request in payload format 2.0. If it was a delivery, it could not be stored, and Procore retries it."},
		{Name: "EventsRecovered", Unit: Count, Line: "discarded deliveries recovered", Value: "stored",
			Help: "An event that Procore had discarded was recovered."},
		{Name: "HooksReactivated", Unit: Count, Line: "hook reactivated",
			Help: "Procore had disabled a hook after failed deliveries, and housekeeping made it active again."},
		{Name: "HooksWithOldKey", Unit: Count, Line: "hook has an old key",
			Help: "A pass could not give a hook the current webhook key. Do not retire the old one yet."},
		{Name: "EventsDispatched", Unit: Count, Line: dispatch, Value: "sent",
			Help: "An event was sent to the events queue."},
		{Name: "EventsUndeliverable", Unit: Count, Line: dispatch, Value: "skipped",
			Help: "An event that no queue accepts was marked in the inbox and skipped."},
		{Name: "DispatchLagSeconds", Unit: Seconds, Line: "heartbeat dispatched", Value: "lag_s",
			Help: "How long a heartbeat took from the inbox to the dispatcher, when everything before it had been sent."},
		{Name: "EventsHandled", Unit: Count, Line: "handled",
			Help: "The consumer finished an event. The outcome in its line names how."},
		{Name: "EventsRetried", Unit: Count, Line: "not handled",
			Help: "The consumer did not finish an event, which will be delivered again."},

		{Name: "AnswersOdd", Unit: Count, Line: "odd answer",
			Help: "An answer of Procore had fields of another type than expected, or odd items. They were dropped; the log names them."},
	}
}

func ofReconciliation() []Metric {
	return []Metric{
		{Name: "ChangesReconciled", Unit: Count, Line: reconcile, Value: "reconciled",
			Help: "A change that no webhook had reported was found, and stored as an event. The webhook may still come."},
		{Name: "ChangesMoved", Unit: Count, Line: reconcile, Value: "moved",
			Help: "Of these, one whose item had an event in the five minutes before: mostly a recalculation at Procore."},
		{Name: "ChangesBackfilled", Unit: Count, Line: reconcile, Value: "backfilled",
			Help: "A change from before the inbox's 13 days was stored as an event."},
		{Name: "NeverDelivered", Unit: Count, Line: reconcile, Value: "never_delivered",
			Help: "A day after a change was found, its webhook had not come."},
		{Name: "ResourcesNotCovered", Unit: Count, Line: reconcile, Value: "not_covered",
			Help: "A subscribed resource of a company of this run cannot be searched for changes. procore-connect coverage names it."},
		{Name: "ReconcileLagSeconds", Unit: Seconds, Line: reconcile, Value: "reconcile_lag_s",
			Help: "How long the longest overdue company has been due for a search when a run of the reconciler finishes. 0 if none is due."},
	}
}

func ofConnections() []Metric {
	return []Metric{
		{Name: "CompaniesConnected", Unit: Count, Line: request, Attr: "outcome", Is: []string{"connected"},
			Help: "A user connected a company."},
		{Name: "CompaniesInstalled", Unit: Count, Line: "company connected by its installation",
			Help: "The service account found a company that had installed the app, and connected it."},
		{Name: "CompaniesUninstalled", Unit: Count, Line: "uninstalled company's connection ended",
			Help: "A company of the service account uninstalled the app, and its connection ended."},
		{Name: "GrantsUncertain", Unit: Count, Line: grant, Attr: "to", Is: []string{"uncertain"},
			Help: "A refresh token was sent and no answer arrived."},
		{Name: "GrantsToReauthorize", Unit: Count, Line: grant, Attr: "to", Is: []string{"reauthorize"},
			Help: "A grant has no usable refresh token. Its user has to authorize again."},
		{Name: "GrantsOverwritten", Unit: Count, Line: "grant overwritten",
			Help: "The monthly sandbox was overwritten from production, and the grant's user has to authorize again. Expected at the start of each month."},
		{Name: "UsersDeparted", Unit: Count, Line: "departed user's connection ended",
			Help: "A user left the company, and the user's connection ended."},
		{Name: "DeparturesStopped", Unit: Count, Line: "departures stopped until an operator acknowledges",
			Help: "A run of the refresher found that too many users seem to have left. No departed user's connection ends until an operator acknowledges."},
		{Name: "ConnectionsDisconnected", Unit: Count, Line: change, Attr: "to", Is: []string{"disconnected"},
			Help: "An admin disconnected the app in App Management."},
		{Name: "PairsQueued", Unit: Count, Line: "new pair queued for rescue",
			Help: "A new pair could not be stored and was sent to the rescue queue."},
		{Name: "PairsRescued", Unit: Count, Line: "rescued pairs stored", Value: "pairs",
			Help: "A pair from the rescue queue was stored."},
		{Name: "PairsLost", Unit: Count, Line: "new pair lost",
			Help: "A new pair could be neither stored nor queued for rescue. Its user has to authorize again."},
		{Name: "BreakerOpened", Unit: Count, Line: "breaker opened",
			Help: "Refreshes stopped, because Procore's token endpoint or the app's credentials do not work."},

		{Name: "RefreshesSucceeded", Unit: Count, Line: refresh, Value: "refreshed",
			Help: "The schedule refreshed a grant."},
		{Name: "RefreshesFailed", Unit: Count, Line: refresh, Value: "failed",
			Help: "The schedule failed to refresh a grant. The log names the grant and the cause."},
		{Name: "BreakerOpen", Unit: None, Line: refresh, Value: "breaker_open",
			Help: "1 if the breaker is open when a run of the refresher finishes, 0 if not."},
		{Name: "GrantsStreamLagSeconds", Unit: Seconds, Line: "heartbeat announced", Attr: "table", Is: []string{"grants"}, Value: "lag_s",
			Help: "How long a heartbeat took from the table of grants to the announcer, when everything before it had been announced."},
		{Name: "ConnectionsStreamLagSeconds", Unit: Seconds, Line: "heartbeat announced", Attr: "table", Is: []string{"connections"}, Value: "lag_s",
			Help: "How long a heartbeat took from the table of connections to the announcer, when everything before it had been announced."},
		{Name: "OldestDueSeconds", Unit: Seconds, Line: refresh, Value: "oldest_due_s",
			Help: "How long the longest overdue grant has been due when a run of the refresher finishes. 0 if none is due."},
		{Name: "OldestCheckSeconds", Unit: Seconds, Line: "housekeeping run finished", Value: "oldest_check_s",
			Help: "How long the longest overdue check of a company has been due when housekeeping finishes. 0 if none is due."},
	}
}
