package procore

import (
	"context"
	"iter"
	"time"
)

// An RFI is a request for information in a project. Its webhooks have the
// resource name "RFIs".
//
// https://developers.procore.com/reference/rest/rfis?version=latest
type RFI struct {
	ID        int64     `json:"id"`
	Subject   string    `json:"subject"`
	Status    string    `json:"status"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// RFIs lists the RFIs of a project.
func (c *CompanyClient) RFIs(ctx context.Context, projectID int64) iter.Seq2[RFI, error] {
	return List[RFI](ctx, c, rfisPath(projectID), nil)
}

// RFI returns one RFI.
func (c *CompanyClient) RFI(ctx context.Context, projectID, id int64) (RFI, error) {
	return Get[RFI](ctx, c, rfisPath(projectID)+"/"+decimal(id), nil)
}

func rfisPath(projectID int64) string {
	return "/rest/v1.0/projects/" + decimal(projectID) + "/rfis"
}
