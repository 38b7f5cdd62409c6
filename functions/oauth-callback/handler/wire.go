// Package handler answers the requests of the function oauth-callback.
package handler

import (
	"procore-connect/internal/connect/pages"
	"procore-connect/internal/connect/session"
	"procore-connect/internal/platform/gateway"
	"procore-connect/internal/wire"
	"procore-connect/internal/wire/links"
	"procore-connect/internal/wire/secret"
)

// New returns the function, made from the base.
func New(base *wire.Base) (gateway.Func, error) {
	env := base.Env
	procoreEnv := base.Environment()
	public, keys, oauth := env.PublicURL(), secret.Keys(base), secret.OAuth(base, procoreEnv)
	principals := env.Principals()
	takes := links.New(base)
	h := &handler{
		users:  principals.Users,
		public: public.String(),
		oauth:  oauth,
		links:  takes,
		sessions: &session.Store{
			DB: base.DB, Table: env.Require("SESSIONS_TABLE"), Keys: keys, OAuth: oauth, Clock: base.Clock, Random: base.Random,
		},
		cookies: session.Cookies{Secure: public.Scheme == "https"},
		pages:   pages.New(pages.Site{PublicURL: public.String(), Support: env.Optional("SUPPORT_CONTACT"), ProcoreLogin: procoreEnv.LoginURL, Principals: principals, Returns: takes.Returns}),
	}
	if err := env.Err(); err != nil {
		return nil, err
	}
	base.Warm(secret.Read(keys), secret.Read(oauth), secret.Read(takes.Keys), h.pages.Prepare)
	options := gateway.Options{PublicURL: h.public, Log: base.Log, Clock: base.Clock, Random: base.Random}
	return gateway.Handler(h.routes(), options), nil
}
