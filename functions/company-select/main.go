// Command company-select is the Lambda function behind the choice of a company:
// GET, HEAD and POST /companies, GET and HEAD /connected.
package main

import (
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/connect/session"
	"procore-connect/internal/platform/gateway"
	"procore-connect/internal/webhook/provision"
	"procore-connect/internal/wire"
)

func main() {
	h, base, err := newHandler()
	if err != nil {
		fmt.Fprintln(os.Stderr, "company-select:", err)
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
	public := env.PublicURL()
	procoreEnv := base.Environment()
	keys, oauth := base.Keys(), base.OAuth(procoreEnv)
	grants := base.Tokens(procoreEnv, keys, oauth)
	principals := env.Principals()
	h := &handler{
		public:      public.String(),
		principals:  principals,
		allowed:     env.AllowedCompanies(),
		webhooks:    provision.ReadConfig(env, public.String()).Initial(),
		next:        env.ProductURL(),
		sessions:    &session.Store{DB: base.DB, Table: env.Require("SESSIONS_TABLE"), Keys: keys, OAuth: oauth},
		tokens:      grants,
		connections: base.Connections(grants),
		cookies:     session.Cookies{Secure: public.Scheme == "https"},
		pages:       pages.New(pages.Site{PublicURL: public.String(), Support: env.Optional("SUPPORT_CONTACT"), ProcoreLogin: procoreEnv.LoginURL, Principals: principals}),
	}
	if err := env.Err(); err != nil {
		return nil, nil, err
	}
	base.Warm(wire.Read(keys), wire.Read(oauth), h.pages.Prepare)
	return h, base, nil
}
