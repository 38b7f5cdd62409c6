// Command company-select is the Lambda function behind the choice of a company:
// GET, HEAD and POST /companies, GET, HEAD and POST /connected.
package main

import (
	"procore-connect/functions/company-select/handler"
	"procore-connect/internal/wire/run"
)

func main() { run.Function("company-select", handler.New) }
