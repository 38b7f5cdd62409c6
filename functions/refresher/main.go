// Command refresher is the Lambda function behind two schedules, which call it with
// {"task": "refresh"} and {"task": "housekeeping"}, and with the time of the call.
package main

import (
	"procore-connect/functions/refresher/handler"
	"procore-connect/internal/wire/run"
)

func main() { run.Function("refresher", handler.New) }
