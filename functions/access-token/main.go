// Command access-token is the Lambda function that a program in any language invokes with {"company_id": 5678}. It
// answers with an access token for the company and what to send with it, or with the reason why there is none and what
// to do. docs/ANY-LANGUAGE.md is its contract.
package main

import (
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"procore-connect/internal/platform/queue"
	"procore-connect/internal/upkeep/rescue"
	"procore-connect/internal/wire"
	"procore-connect/internal/wire/secret"
	"procore-connect/internal/wire/stores"
	"procore-connect/pkg/tokens"
)

func main() {
	h, err := newHandler()
	if err != nil {
		fmt.Fprintln(os.Stderr, "access-token:", err)
		os.Exit(1)
	}
	lambda.Start(tokens.Wrap(h.store.Tokens, h.handle))
}

func newHandler() (*handler, error) {
	base, err := wire.New()
	if err != nil {
		return nil, err
	}
	procoreEnv := base.Environment()
	keys, oauth := secret.Keys(base), secret.OAuth(base, procoreEnv)
	grants := stores.Grants(base, procoreEnv, keys, oauth)
	grants.Rescue = (&rescue.Queue{Queue: queue.New(base.AWS, base.Env.Endpoint("SQS"), base.Env.Require("RESCUE_QUEUE_URL"))}).Send
	h := &handler{store: stores.Connections(base, grants), log: base.Log}
	if err := base.Env.Err(); err != nil {
		return nil, err
	}
	base.Warm(secret.Read(keys), secret.Read(oauth))
	return h, nil
}
