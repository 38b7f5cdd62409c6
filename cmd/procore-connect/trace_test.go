package main

import (
	"strings"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/stack"
)

// What a person on call pastes leads to all lines that belong to it, whichever id it is.
func TestTrace(t *testing.T) {
	t.Parallel()
	w := busy(t)
	const request, api, procoreID = "8f0a3c6e-5d0b-4f43-9c1e-2f1f5a7f4b11", "JKJaXmPLvHcESHA=", "b9d2a7c4-procore"
	w.line("company-select", `"level":"WARN","msg":"companies not listed","request_id":%q,"error":"Procore answers 503 (request %s)"`, request, procoreID)
	w.Clock.Advance(20 * time.Millisecond)
	w.line("company-select", `"level":"INFO","msg":"request","request_id":%q,"method":"GET","route":"GET /companies","status":502,"duration_ms":31,`+
		`"outcome":"failed","api_request_id":%q,"name":"\u001b[2J"`, request, api)
	w.aws.Logs.Put(stack.LogGroup("company-select"), w.Clock.Now(), "REPORT RequestId: "+request+"\tDuration: 33.10 ms\t\n")
	const crashed = "JKJbYnQMwIdFTIB="
	w.aws.Logs.Put(stack.LogGroup("http-api"), w.Clock.Now(), `{"requestId":"`+crashed+`","route":"POST /webhooks/procore","status":"503",`+
		`"lambdaRequestId":"1c2d3e4f-0000-4000-8000-5a6b7c8d9e0f"}`)
	w.aws.Logs.Put(stack.LogGroup("webhook-receiver"), w.Clock.Now(), "2026-03-03T09:00:00Z 1c2d3e4f-0000-4000-8000-5a6b7c8d9e0f Task timed out after 5.00 seconds\n")
	for _, one := range []struct{ file, args string }{
		{"trace-request", "trace " + request},
		{"trace-api", "trace " + api},
		{"trace-procore", "trace " + procoreID},
		{"trace-event", "trace 01JB0000000000000000000007"},
		{"trace-json", "trace 01JB0000000000000000000009 --json"},
		{"trace-crash", "trace " + crashed},
		{"trace-none", "trace 00000000-0000-0000-0000-000000000000"},
		{"trace-short", "trace 12"},
	} {
		wants(t, w, one.file, strings.Fields(one.args)...)
	}
	wants(t, w, "trace-quotes", "trace", `x" or @message like "request`)
	w.aws.Logs.Fail(&awstest.Error{Code: "MalformedQueryException", Message: "end date and time exceeds the log groups log retention settings"})
	wants(t, w, "trace-retention", "trace", request, "--since", "2020-01-01")
}
