// Command oauth-callback is the Lambda function behind the landing page and
// Procore's OAuth redirect: GET /, GET /oauth/start and GET /oauth/callback. It also
// answers what no route of the API matches.
package main

import (
	"procore-connect/functions/oauth-callback/handler"
	"procore-connect/internal/wire/run"
)

func main() { run.Function("oauth-callback", handler.New) }
