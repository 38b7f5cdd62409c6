// Package links builds what takes the signed links of host applications. It is apart from package wire so that only what
// needs them links it.
package links

import (
	"procore-connect/internal/connect/linked"
	"procore-connect/internal/wire"
	"procore-connect/internal/wire/secret"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/link"
)

// New reads LINK_SECRET_ID and RETURN_URLS, and returns what takes links; without them it takes none.
func New(b *wire.Base) linked.Links {
	return linked.Links{Keys: Keys(b), Returns: b.Env.ReturnURLs(), Clock: b.Clock}
}

// Keys reads LINK_SECRET_ID, and returns the secret with the keys of links; nil: there are no links, and RETURN_URLS is
// empty too.
func Keys(b *wire.Base) keys.Source[*link.Keys] {
	id := b.Env.Optional("LINK_SECRET_ID")
	if (id == "") != (b.Env.Optional("RETURN_URLS") == "") {
		b.Env.Fail("LINK_SECRET_ID", "is set without RETURN_URLS, or the other way round")
	}
	if id == "" {
		return nil
	}
	return secret.New(b, id, link.ParseKeys)
}
