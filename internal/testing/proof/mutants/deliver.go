package main

// deliver breaks the way of an event from Procore to the consumer. make chaos catches
// these breakages too, in a run of some thousand deliveries.
func deliver() []mutant {
	const (
		receiver, box, pipe, batch = "functions/webhook-receiver/handler.go", "internal/webhook/inbox/inbox.go", "internal/testing/fake/pipetest/pipe.go", "examples/event-consumer/batch.go"

		boxPackage, pipePackage, consumerPackage = "./internal/webhook/inbox", "./internal/testing/fake/pipetest", "./examples/event-consumer"
	)
	return []mutant{
		{"R4", "a delivery that storage refused is answered 200", receiver,
			`return http.StatusServiceUnavailable`, `return http.StatusOK`, receiverPackage},
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
		{"", "the pipe drops what the queue does not accept at once", pipe,
			`		pause(ctx, retryWait)
	}
}

// refusals`, `		return
	}
}

// refusals`, pipePackage},
		{"", "the pipe saves its position before it sends", pipe,
			`		if r.EventName == types.OperationTypeInsert {`, `		p.at.sequence = aws.ToString(r.Dynamodb.SequenceNumber)
		_ = p.at.save(p.PositionFile)
		if r.EventName == types.OperationTypeInsert {`, pipePackage},
		{"", "a group continues after its first failure", batch,
			`!stopped[group] && ctx.Err()`, `ctx.Err()`, consumerPackage},
	}
}
