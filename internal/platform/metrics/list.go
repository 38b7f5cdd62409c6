package metrics

// The lines that most metrics are made of.
const (
	request = "request"            // of internal/platform/gateway, one for each request
	change  = "connection changed" // of pkg/tokens, one for each change of a connection's state
	refresh = "refresh ended"      // of functions/refresher, one for each run
)

// All are the metrics of this project.
func All() []Metric {
	return []Metric{
		{Name: "EventsStored", Unit: Count, Line: request, Attr: "outcome", Is: []string{"stored"},
			Help: "An event was stored and will be handed on."},
		{Name: "EventsDuplicate", Unit: Count, Line: request, Attr: "outcome", Is: []string{"duplicate"},
			Help: "Procore delivered an event again that was stored before. Some are normal."},
		{Name: "EventsAside", Unit: Count, Line: request, Attr: "outcome", Is: []string{"aside"},
			Help: "A delivery was not understood, or too large: it is kept, and not handed on."},
		{Name: "EventsOverQuota", Unit: Count, Line: request, Attr: "outcome", Is: []string{"over quota"},
			Help: "A company sent more than an hour's quota of what is not understood, and was answered 429."},
		{Name: "EventsRefused", Unit: Count, Line: request, Attr: "reason", Is: []string{"forged or retired", "unknown key"},
			Help: "A delivery had a credential of our form that is not valid, and was answered 401. What has not our form is not counted."},
		{Name: "EventsUnderOldKey", Unit: Count, Line: request, Attr: "current_key", Is: []string{"false"},
			Help: "A delivery had the credential of an older key, which is not to be retired yet."},
		{Name: "EventsFailed", Unit: Count, Line: request, Attr: "outcome", Is: []string{"failed"},
			Help: "A request was answered 5xx. Of a delivery: it could not be stored, and Procore sends it again."},
		{Name: "EventsRecovered", Unit: Count, Line: "discarded deliveries recovered", Value: "stored",
			Help: "An event that Procore had given up on was brought home."},
		{Name: "EventsHandled", Unit: Count, Line: "event handled",
			Help: "The example consumer handled an event."},
		{Name: "EventsRetried", Unit: Count, Line: "event failed, to be tried again",
			Help: "The example consumer could not handle an event, which comes again."},

		{Name: "Connected", Unit: Count, Line: request, Attr: "outcome", Is: []string{"connected"},
			Help: "A user connected a company."},
		{Name: "ConnectionsUncertain", Unit: Count, Line: change, Attr: "to", Is: []string{"uncertain"},
			Help: "A refresh token was sent and no answer is known."},
		{Name: "ConnectionsToReauthorize", Unit: Count, Line: change, Attr: "to", Is: []string{"reauthorize"},
			Help: "A refresh token is spent: the user has to connect again."},
		{Name: "ConnectionsOverwritten", Unit: Count, Line: "connection overwritten",
			Help: "The monthly sandbox was overwritten from production, and its user has to connect again. Expected at the start of each month."},
		{Name: "ConnectionsLeft", Unit: Count, Line: "a user left the company: connection revoked",
			Help: "A user left the company, and the connection was revoked."},
		{Name: "ConnectionsDisconnected", Unit: Count, Line: change, Attr: "to", Is: []string{"disconnected"},
			Help: "An admin disconnected the app in App Management."},
		{Name: "PairsToRescue", Unit: Count, Line: "new pair waits in the rescue queue",
			Help: "A new pair could not be stored and is in the rescue queue."},
		{Name: "PairsRescued", Unit: Count, Line: "rescued pairs stored", Value: "pairs",
			Help: "A pair of the rescue queue was stored."},
		{Name: "PairsLost", Unit: Count, Line: "new pair lost",
			Help: "A new pair could be neither stored nor rescued: its user has to connect again."},
		{Name: "BreakerOpened", Unit: Count, Line: "breaker opened",
			Help: "Refreshes stop, because Procore's token endpoint or the app's credentials do not work."},

		{Name: "Refreshed", Unit: Count, Line: refresh, Value: "refreshed",
			Help: "The schedule refreshed a connection."},
		{Name: "RefreshesFailed", Unit: Count, Line: refresh, Value: "failed",
			Help: "The schedule could not refresh a connection. The lines say which, and why."},
		{Name: "BreakerOpen", Unit: None, Line: refresh, Value: "breaker_open",
			Help: "1 when a run of the refresher ends with the breaker open, else 0."},
		{Name: "OldestDueSeconds", Unit: Seconds, Line: refresh, Value: "oldest_due_s",
			Help: "How long the connection has been due that has been due longest, when a run of the refresher ends. 0: none is due."},
	}
}
