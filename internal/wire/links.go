package wire

import "procore-connect/internal/connect/linked"

// Links reads LINK_SECRET_ID and RETURN_URLS, and returns what takes the signed links of host applications; without them
// it takes none.
func (b *Base) Links() linked.Links {
	return linked.Links{Keys: b.LinkKeys(), Returns: b.Env.ReturnURLs(), Clock: b.Clock}
}
