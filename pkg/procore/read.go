package procore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
)

// An UnknownResourceError reports an event of a resource whose path this package
// does not know. Nothing was called, and another attempt fails too. Read such a
// resource with [Get].
type UnknownResourceError struct {
	Resource string
	// NoProject is true if the path is known but needs a project, and the event has
	// none.
	NoProject bool
}

// Error names the resource.
func (e *UnknownResourceError) Error() string {
	if e.NoProject {
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

// resourcePath maps the resource of an event to its REST endpoint. The names are
// those of Procore's webhook-resources.csv.
//
// https://developers.procore.com/assets/static/webhook-resources.csv
func (c *CompanyClient) resourcePath(e Event) (string, url.Values, error) {
	id := "/" + decimal(e.ResourceID)
	switch e.Resource {
	case "Projects":
		return "/rest/v1.0/projects" + id, c.companyQuery(), nil
	case "Company Users":
		return c.usersPath() + id, nil, nil
	case "Company Vendors":
		return "/rest/v1.0/vendors" + id, c.companyQuery(), nil
	}
	project := decimal(e.ProjectID)
	inProject := url.Values{"project_id": {project}}
	var path string
	var query url.Values
	switch e.Resource {
	case "RFIs":
		path = rfisPath(e.ProjectID) + id
	case "Submittals":
		path = "/rest/v1.0/projects/" + project + "/submittals" + id
	case "Project Users":
		path = "/rest/v1.0/projects/" + project + "/users" + id
	case "Punch Items":
		path, query = "/rest/v1.0/punch_items"+id, inProject
	case "Observation Items":
		path, query = "/rest/v1.0/observations/items"+id, inProject
	case "Purchase Order Contracts":
		path, query = "/rest/v1.0/purchase_order_contracts"+id, inProject
	case "Work Order Contracts":
		path, query = "/rest/v1.0/work_order_contracts"+id, inProject
	default:
		return "", nil, &UnknownResourceError{Resource: e.Resource}
	}
	if e.ProjectID == 0 {
		return "", nil, &UnknownResourceError{Resource: e.Resource, NoProject: true}
	}
	return path, query, nil
}
