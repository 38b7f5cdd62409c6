// Command dispatcher is the Lambda function between the Inbox table's stream and the
// events queue.
package main

import (
	"procore-connect/functions/dispatcher/handler"
	"procore-connect/internal/wire/run"
)

func main() { run.Function("dispatcher", handler.New) }
