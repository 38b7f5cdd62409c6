package procore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A Changed is an item of a list, as far as its changes need it. Each field may be zero:
// some lists show no times.
type Changed struct {
	ID        ID
	UpdatedAt time.Time
	CreatedAt time.Time
	// Whole reports whether UpdatedAt is written in whole seconds: the change may have
	// happened up to a second later.
	Whole bool
}

// UnmarshalJSON reads an item. An odd part is left zero.
func (i *Changed) UnmarshalJSON(b []byte) error {
	var v struct {
		ID        ID              `json:"id"`
		UpdatedAt json.RawMessage `json:"updated_at"`
		CreatedAt time.Time       `json:"created_at"`
	}
	if _, err := Unmarshal(b, &v); err != nil {
		return err
	}
	*i = Changed{ID: v.ID, CreatedAt: v.CreatedAt, Whole: !strings.Contains(string(v.UpdatedAt), ".")}
	if !null(v.UpdatedAt) && !readTime(v.UpdatedAt, &i.UpdatedAt) {
		i.UpdatedAt = time.Time{}
	}
	return nil
}

// A ChangeQuery selects items by the time of their last change, and one page of them.
type ChangeQuery struct {
	ProjectID int64     // of a resource in a project
	From, To  time.Time // Procore reads whole seconds; whether both ends belong to the range is not documented
	Page      int       // from 1
	PerPage   int       // 0: 100. REST v2 has 100 at most, v1 2,000
}

// ErrNoChanges means that the changes of a resource cannot be listed: its list is not
// known, cannot be limited to a time, or is one for each of another resource.
var ErrNoChanges = errors.New("procore: the changes of this resource cannot be listed")

// Changes reads one page of the items of a resource that changed in a range of time, in
// whatever order Procore sends them. more reports whether another page follows. It is one
// call. Without a list to read the error matches [ErrNoChanges], and nothing is called.
//
// https://procore.github.io/documentation/webhooks
func Changes(ctx context.Context, c *CompanyClient, r Resource, q ChangeQuery) (items []Changed, more bool, err error) {
	if !r.ListsChanges() || q.ProjectID == 0 && r.InProject() {
		return nil, false, fmt.Errorf("%w: %s", ErrNoChanges, r.Name)
	}
	fill := strings.NewReplacer("{company_id}", decimal(c.companyID), "{project_id}", decimal(q.ProjectID))
	path, text, _ := strings.Cut(fill.Replace(r.List), "?")
	query, err := url.ParseQuery(text)
	if err != nil {
		return nil, false, err
	}
	query.Set(r.Filter, q.From.UTC().Format(time.RFC3339)+"..."+q.To.UTC().Format(time.RFC3339))
	return listPage[Changed](ctx, &c.api, path, query, q.Page, q.PerPage)
}

// ListsChanges reports whether [Changes] can read the resource.
func (r Resource) ListsChanges() bool {
	return r.List != "" && r.Filter != "" && !strings.Contains(r.List, "{parent_id}")
}

// ChangedItem reads the times of one item, for a resource whose list does not show them. It
// is one call. An item that is gone is [ErrNotFound].
func ChangedItem(ctx context.Context, c *CompanyClient, r Resource, projectID int64, id ID) (Changed, error) {
	b, err := c.Read(ctx, Event{CompanyID: c.companyID, ProjectID: projectID, Resource: r.Name, ResourceID: id})
	var item Changed
	if err == nil {
		_, err = Unmarshal(b, &item)
	}
	return item, err
}

// ProjectPage reads one page of the company's projects, up to a thousand of them; number
// counts from 1. more reports whether another page follows. It is one call.
func (c *CompanyClient) ProjectPage(ctx context.Context, number int) (projects []Project, more bool, err error) {
	return listPage[Project](ctx, &c.api, projectsPath, c.companyQuery(), number, 1000)
}

// listPage reads one page of a list.
func listPage[T any](ctx context.Context, a *api, path string, query url.Values, number, size int) (items []T, more bool, err error) {
	number = max(number, 1)
	if size == 0 {
		size, _ = strconv.Atoi(defaultPerPage)
	}
	query.Set("page", strconv.Itoa(number))
	query.Set("per_page", strconv.Itoa(size))
	var page []json.RawMessage
	c := call{method: http.MethodGet, path: path, query: query}
	h, err := a.do(ctx, c, &page)
	if err != nil {
		return nil, false, err
	}
	items, odd := itemsOf[T](page)
	a.noteOdd(ctx, c, odd)
	return items, follows(h, len(page), number, size), nil
}

// follows reports whether a page follows one with n items. Procore announces it in Link,
// or by Total. Where it announces nothing, a full page may have a successor; a page with
// more items than it was asked for is the whole list of an endpoint that has no pages.
func follows(h http.Header, n, number, size int) bool {
	if h.Get("Link") != "" {
		return linkTo(h, "next") != ""
	}
	if served, err := strconv.Atoi(h.Get("Per-Page")); err == nil && served > 0 {
		size = min(size, served)
	}
	if total, err := strconv.Atoi(h.Get("Total")); err == nil && total > 0 {
		return (number-1)*size+n < total
	}
	return n == size
}
