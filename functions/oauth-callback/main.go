// Command oauth-callback is the Lambda function behind the landing page and
// Procore's OAuth redirect: GET /, GET /oauth/start and GET /oauth/callback. It also
// answers what no route of the API matches.
package main

import (
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/connect/session"
	"procore-connect/internal/platform/gateway"
	"procore-connect/internal/wire"
	"procore-connect/internal/wire/links"
	"procore-connect/internal/wire/secret"
)

func main() {
	h, base, err := newHandler()
	if err != nil {
		fmt.Fprintln(os.Stderr, "oauth-callback:", err)
		os.Exit(1)
	}
	lambda.Start(gateway.Handler(h.routes(), gateway.Options{PublicURL: h.public, Log: base.Log}))
}

func newHandler() (*handler, *wire.Base, error) {
	base, err := wire.New()
	if err != nil {
		return nil, nil, err
	}
	env := base.Env
	procoreEnv := base.Environment()
	public, keys, oauth := env.PublicURL(), secret.Keys(base), secret.OAuth(base, procoreEnv)
	principals := env.Principals()
	takes := links.New(base)
	h := &handler{
		users:    principals.Users,
		public:   public.String(),
		oauth:    oauth,
		links:    takes,
		sessions: &session.Store{DB: base.DB, Table: env.Require("SESSIONS_TABLE"), Keys: keys, OAuth: oauth},
		cookies:  session.Cookies{Secure: public.Scheme == "https"},
		pages:    pages.New(pages.Site{PublicURL: public.String(), Support: env.Optional("SUPPORT_CONTACT"), ProcoreLogin: procoreEnv.LoginURL, Principals: principals, Returns: takes.Returns}),
	}
	if err := env.Err(); err != nil {
		return nil, nil, err
	}
	base.Warm(secret.Read(keys), secret.Read(oauth), secret.Read(takes.Keys), h.pages.Prepare)
	return h, base, nil
}
