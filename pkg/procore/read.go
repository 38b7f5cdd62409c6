package procore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// An UnknownResourceError reports an event of a resource whose path this package
// does not know. Nothing was called, and another attempt fails too. Read such a
// resource with [Get].
type UnknownResourceError struct {
	Resource string
	// NoProject is true if the path is known but needs a project, and the event has
	// none.
	NoProject bool
	// NoParent names the resource, such as Prime Contracts, in which the changed one is,
	// and which the event does not name. Only payloads v3.0 do.
	NoParent string
}

// Error names the resource.
func (e *UnknownResourceError) Error() string {
	switch {
	case e.NoParent != "":
		return fmt.Sprintf("procore: an event of %q does not name which of %q it belongs to", e.Resource, e.NoParent)
	case e.NoProject:
		return fmt.Sprintf("procore: an event of the project resource %q has no project", e.Resource)
	}
	return fmt.Sprintf("procore: no path is known for the webhook resource %q", e.Resource)
}

// Read returns the changed resource as it is now, not as it was when the event
// happened. After a delete, and for a resource that this token may not see, the
// error is [ErrNotFound]. For an event of another company Read returns an error and
// calls nothing, because the token is that of this client's company.
func (c *CompanyClient) Read(ctx context.Context, e Event) (json.RawMessage, error) {
	if e.CompanyID != c.companyID {
		return nil, errors.New("procore: the event is of another company")
	}
	path, query, err := c.resourcePath(e)
	if err != nil {
		return nil, err
	}
	return Get[json.RawMessage](ctx, c, path, query)
}

// resourcePath returns where the resource of an event is read.
func (c *CompanyClient) resourcePath(e Event) (string, url.Values, error) {
	r, ok := ResourceOf(e.Resource)
	if !ok || r.Item == "" {
		return "", nil, &UnknownResourceError{Resource: e.Resource}
	}
	if e.ProjectID == 0 && strings.Contains(r.Item, "{project_id}") {
		return "", nil, &UnknownResourceError{Resource: e.Resource, NoProject: true}
	}
	id, parent := e.ResourceID, ID("none")
	if r.Parent != "" {
		i := slices.IndexFunc(e.Related, func(in RelatedResource) bool { return CanonicalResource(in.Name) == r.Parent })
		if i < 0 {
			return "", nil, &UnknownResourceError{Resource: e.Resource, NoParent: r.Parent}
		}
		parent = e.Related[i].ID
	}
	if !id.oneSegment() || !parent.oneSegment() {
		return "", nil, errors.New("procore: the event's resource_id cannot be part of a path")
	}
	fill := strings.NewReplacer("{company_id}", decimal(c.companyID), "{project_id}", decimal(e.ProjectID), "{id}", string(id), "{parent_id}", string(parent))
	path, query, _ := strings.Cut(r.Item, "?")
	values, err := url.ParseQuery(fill.Replace(query))
	return fill.Replace(path), values, err
}
