package procore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
)

// ErrWrongCompany is the error of [CompanyClient.Read] for an event of another
// company than the client's. Nothing was called: it would have been answered
// with another company's token.
var ErrWrongCompany = errors.New("procore: the event is of another company")

// An UnknownResourceError is an event of a resource whose address this package
// does not know: read it with [Get]. Nothing was called, and it would be the same
// the next time.
type UnknownResourceError struct {
	Resource string
	// NoProject: the address is known, but needs a project, and the event has none.
	NoProject bool
}

// Error names the resource.
func (e *UnknownResourceError) Error() string {
	if e.NoProject {
		return fmt.Sprintf("procore: an event of the project resource %q has no project", e.Resource)
	}
	return fmt.Sprintf("procore: no address is known for the webhook resource %q", e.Resource)
}

// Read reads the changed resource as it is now, not as it was when the event
// happened. After a delete, and for what this token may not see, the error is
// [ErrNotFound].
func (c *CompanyClient) Read(ctx context.Context, e Event) (json.RawMessage, error) {
	if e.CompanyID != c.companyID {
		return nil, ErrWrongCompany
	}
	path, query, err := c.address(e)
	if err != nil {
		return nil, err
	}
	return Get[json.RawMessage](ctx, c, path, query)
}

// address is the table from a webhook's resource to its REST endpoint. Names are
// those of Procore's webhook-resources.csv:
//
// https://developers.procore.com/assets/static/webhook-resources.csv
func (c *CompanyClient) address(e Event) (string, url.Values, error) {
	id := "/" + decimal(e.ResourceID)
	switch e.Resource {
	case "Projects":
		return "/rest/v1.0/projects" + id, c.inCompany(), nil
	case "Company Users":
		return c.usersPath() + id, nil, nil
	case "Company Vendors":
		return "/rest/v1.0/vendors" + id, c.inCompany(), nil
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
