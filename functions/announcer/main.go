// Command announcer is the Lambda function between the streams of the tables Grants and
// Connections and the topic of what needs a person, and of
// what hosts learn about their tenants.
package main

import (
	"procore-connect/functions/announcer/handler"
	"procore-connect/internal/wire/run"
)

func main() { run.Function("announcer", handler.New) }
