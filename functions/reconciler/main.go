// Command reconciler is the Lambda function behind a schedule, which calls it with
// {"task": "reconcile"}: it finds what changed at Procore and no webhook reported.
package main

import (
	"procore-connect/functions/reconciler/handler"
	"procore-connect/internal/wire/run"
)

func main() { run.Function("reconciler", handler.New) }
