// Command access-token is the Lambda function that a program in any language invokes with {"company_id": 5678}. It
// answers with an access token for the company and what to send with it, or with the reason why there is none and what
// to do. docs/ANY-LANGUAGE.md is its contract.
package main

import (
	"procore-connect/functions/access-token/handler"
	"procore-connect/internal/wire/run"
)

func main() { run.Function("access-token", handler.New) }
