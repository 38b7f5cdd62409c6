package main

// deliver breaks the way of an event from Procore to the consumer. make chaos catches
// these breakages too, in a run of some thousand deliveries.
func deliver() []mutant {
	const (
		receiver, box, batch = "functions/webhook-receiver/handler/handler.go", "internal/webhook/inbox/inbox.go", "pkg/consumer/batch.go"

		boxPackage, consumerPackage = "./internal/webhook/inbox", "./pkg/consumer"
	)
	return []mutant{
		{"R4", "a delivery that storage refused is answered 200", receiver,
			`return http.StatusServiceUnavailable`, `return http.StatusOK`, only("TestStorageFails", receiverPackage)},
		{"R4", "an event is written again by its repetition", box,
			`Absent("event_id")`, `Absent("nothing")`, boxPackage},
		{"R4", "a counter that fails decides the answer", "internal/webhook/inbox/quarantine.go",
			`return dynamo.ConditionFailed(dynamo.Write(ctx, s.DB, s.count(companyID)))`, `return dynamo.Write(ctx, s.DB, s.count(companyID)) != nil`, receiverPackage},
		{"R4", "an odd field quarantines an event", "pkg/procore/event_decode.go",
			`f.note(odd.Field) // the rest is read, as encoding/json documents`, `return Event{}, &EventError{odd.Field, ""}`, apiPackage},
		{"", "an event has another id in another payload version", "pkg/procore/event_decode.go",
			`range []string{ulid, id}`, `range []string{id}`, apiPackage},
		{"", "a change of the service account is not recognised", "pkg/procore/event.go",
			`userID != 0 && e.UserID == userID`, `userID == 0 && e.UserID == userID`, apiPackage},
		{"", "events of a resource are duplicates of each other", box,
			`queueID(strconv.FormatInt(e.CompanyID, 10) + "#" + e.ID)`, `queueID(strconv.FormatInt(e.CompanyID, 10) + resource)`, boxPackage},
		{"", "each event has its own group", box,
			`"group_id":        dynamo.Text(queueID(resource))`, `"group_id":        dynamo.Text(queueID(e.ID))`, boxPackage},
		{"", "an envelope is stored that every queue refuses", box,
			"strings.NewReplacer(\"\\uFFFE\", `\\ufffe`, \"\\uFFFF\", `\\uffff`)", `strings.NewReplacer()`, boxPackage},
		{"", "a group continues after its first failure", batch,
			`!stopped[group] && ctx.Err()`, `ctx.Err()`, consumerPackage},
		{"", "a handle that panics ends the batch", "pkg/consumer/event.go",
			`if v := recover(); v != nil {`, `if v := any(nil); v != nil {`, consumerPackage},
		{"", "the value of a panic is logged", "pkg/consumer/event.go",
			`with a %T; `, `with a %v; `, consumerPackage},
		{"", "an own change reaches handle", "pkg/consumer/event.go",
			`case !h.own && isOwn(e):`, `case false:`, consumerPackage},
		{"", "what this process wrote is not recognised", "pkg/consumer/own.go",
			`!h.wrote.Knows(e.CompanyID, e.ResourceID)`, `h.wrote.Knows(e.CompanyID, e.ResourceID)`, consumerPackage},
		{"", "a create is skipped because of an update", "pkg/consumer/stale.go",
			`n.Type == e.Type && `, ``, consumerPackage},
		{"", "an event is skipped because of an own change", "pkg/consumer/stale.go",
			`|| isOwn(n) || n.Reconciled`, `|| n.Reconciled`, consumerPackage},
		{"", "an event is skipped because of a change of unknown origin", "pkg/consumer/stale.go",
			`|| isOwn(n) || n.Reconciled`, `|| isOwn(n)`, consumerPackage},
		{"", "a connection that does not work is not replaced", "pkg/consumer/serve.go",
			`if !unusable(err) {`, `if true {`, consumerPackage},
		{"", "a company without calls left is called again", "pkg/consumer/event.go",
			`limited[event.CompanyID] = r.err`, `_ = limited`, consumerPackage},
	}
}

// dispatching breaks the way from the inbox's stream to the queue, once for each of its rules.
func dispatching() []mutant {
	const (
		run, waves, dispatch = "internal/webhook/dispatch/run.go", "internal/webhook/dispatch/waves.go", "internal/webhook/dispatch/dispatch.go"
		mapping              = "internal/testing/fake/streamtest/batch.go"

		dispatchPackage, streamPackage = "./internal/webhook/dispatch", "./internal/testing/fake/streamtest"
	)
	return []mutant{
		{"", "a changed item is dispatched like a new one", dispatch, `r.Name == "INSERT" && e.body`, `e.body`, dispatchPackage},
		{"", "a request has two events of a group", waves, `case seen[e.group]:`, `case false:`, only("TestWaves", dispatchPackage)},
		{"", "later waves continue a group that failed", waves, `case stopped[e.group]:`, `case false:`, only("TestRefusedGroupStops", dispatchPackage)},
		{"", "a request has more than ten events", waves, `len(all[last]) == maxEntries || `, ``, only("TestWaves", dispatchPackage)},
		{"", "a request has more than 256 KB", waves, ` || size+len(e.body) > maxBytes`, ``, only("TestWaves", dispatchPackage)},
		{"", "an event that the queue refuses is skipped", run, `		r.stop(e)
		r.d.Log.WarnContext`, `		r.finish(e)
		r.d.Log.WarnContext`, dispatchPackage},
		{"", "the answer names no failure", run, `slices.Index(r.done, false); at >= 0`, `slices.Index(r.done, false); at > len(r.done)`, dispatchPackage},
		{"", "a run continues after a request that failed", run, `			r.halted = true
`, ``, only("TestRequestFails", dispatchPackage)},
		{"", "an event that is too large is sent", waves, `case len(e.body) > maxBytes:`, `case false:`, only("TestUndeliverable", dispatchPackage)},
		{"", "an event with characters that no queue accepts is sent", waves,
			` || strings.ContainsFunc(e.body, forbidden):`, `:`, only("TestUndeliverable", dispatchPackage)},
		{"", "an event with an id that no queue accepts is sent", waves, ` || len(s) > maxID`, ``, dispatchPackage},
		{"", "poison is skipped without a mark", run, `		r.stop(e)
		r.d.Log.ErrorContext`, `		r.finish(e)
		r.d.Log.ErrorContext`, only("TestUndeliverableIsMarkedFirst", dispatchPackage)},
		{"", "poison holds up its group", run, `	r.finish(e)
	r.skipped++`, `	r.stop(e)
	r.skipped++`, dispatchPackage},
		{"", "what was sent is sent again while another group fails", dispatch, `|| d.sent[record.ID]; !`, `; !`, dispatchPackage},
		{"", "a function prewarms a connection to another host than its client's", "internal/platform/dynamo/warm.go",
			`endpoint.URI.String()`, `endpoint.URI.Scheme+"://dynamodb."+o.Region+".amazonaws.com"`, only("TestWarmAsksTheClientsHost", "./internal/platform/dynamo")},
		{"", "a heartbeat overtakes an event", dispatch, `range in.Records[:first] {`, `range in.Records {`, only("TestHeartbeat", dispatchPackage)},
		{"", "a dispatcher uses all of its time", dispatch, `end.Add(-answerMargin)`, `end`, only("TestOutOfTime", dispatchPackage)},
		{"", "a request without an answer counts as sent", run, `		return fmt.Errorf("dispatch: %w", err)`, `		for _, e := range batch {
			r.finish(e)
		}
		return nil`, only("TestExplore", dispatchPackage)},
		{"", "an announcement repeats what was so before", "internal/upkeep/announce/announce.go", ` && was.S != needs }`, ` }`, "./internal/upkeep/announce"},
		{"", "what the topic refuses is not announced", "internal/upkeep/announce/announce.go", `			out.BatchItemFailures = []events.DynamoDBBatchItemFailure{{ItemIdentifier: r.Change.SequenceNumber}}
`, ``, "./internal/upkeep/announce"},
		{"", "a heartbeat overtakes an announcement", "internal/upkeep/announce/announce.go", `	for _, r := range in.Records {
`, `	for _, r := range in.Records {
		a.beat(ctx, r.Change.NewImage)
	}
	for _, r := range in.Records {
`, "./internal/upkeep/announce"},
		{"", "one of the announcer's streams has no heartbeat", "internal/upkeep/heartbeat/heartbeat.go", `grantsRow(s)), beat(ctx, s, s.Table, s.Row(name, name)))`, `grantsRow(s)))`, "./internal/upkeep/announce"},
		{"", "the stand-in of a stream's mapping continues behind a failure", mapping, `		first = min(first, at)`, `		first = max(first, at)`, streamPackage},
		{"", "the stand-in saves its position before the function has answered", mapping, `		m.advance(records[:done])`, `		m.advance(records)`, streamPackage},
	}
}
