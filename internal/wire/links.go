package wire

import "procore-connect/internal/connect/linked"

// Links reads LINK_SECRET_ID and RETURN_URLS.
func (b *Base) Links() linked.Links { return linked.Links{} }
