// Package handler answers the requests of the function company-select.
package handler

import (
	"procore-connect/internal/connect/pages"
	"procore-connect/internal/connect/session"
	"procore-connect/internal/platform/gateway"
	"procore-connect/internal/platform/queue"
	"procore-connect/internal/upkeep/rescue"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/internal/webhook/provision"
	"procore-connect/internal/wire"
	"procore-connect/internal/wire/links"
	"procore-connect/internal/wire/secret"
	"procore-connect/internal/wire/stores"
	"procore-connect/pkg/tokens"
)

// New returns the function, made from the base.
func New(base *wire.Base) (gateway.Func, error) {
	env := base.Env
	public := env.PublicURL()
	procoreEnv := base.Environment()
	keys, oauth := secret.Keys(base), secret.OAuth(base, procoreEnv)
	grants := stores.Grants(base, procoreEnv, keys, oauth)
	grants.Rescue = (&rescue.Queue{Queue: queue.New(base.AWS, env.Endpoint("SQS"), env.Require("RESCUE_QUEUE_URL"))}).Send
	store, hooks := stores.Connections(base, grants), provision.ReadConfig(env, public.String())
	principals := env.Principals()
	takes := links.New(base)
	h := &handler{
		public:     public.String(),
		principals: principals,
		allowed:    env.AllowedCompanies(),
		webhooks:   hooks.Initial(),
		next:       env.ProductURL(),
		links:      takes,
		sessions: &session.Store{
			DB: base.DB, Table: env.Require("SESSIONS_TABLE"), Keys: keys, OAuth: oauth, Clock: base.Clock, Random: base.Random,
		},
		tokens:      grants,
		connections: store,
		hooks:       &provision.Reconciler{Store: store, Want: hooks, Log: base.Log},
		inbox:       &inbox.Store{DB: base.DB, Table: env.Require("INBOX_TABLE"), Clock: base.Clock, Random: base.Random},
		cookies:     session.Cookies{Secure: public.Scheme == "https"},
		pages:       pages.New(pages.Site{PublicURL: public.String(), Support: env.Optional("SUPPORT_CONTACT"), ProcoreLogin: procoreEnv.LoginURL, Principals: principals, Returns: takes.Returns}),
		log:         base.Log,
	}
	if err := env.Err(); err != nil {
		return nil, err
	}
	base.Warm(secret.Read(keys), secret.Read(oauth), secret.Read(takes.Keys), h.pages.Prepare)
	options := gateway.Options{PublicURL: h.public, Log: base.Log, Clock: base.Clock, Random: base.Random}
	return tokens.Wrap(grants, gateway.Handler(h.routes(), options)), nil
}
