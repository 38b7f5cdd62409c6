package procore

import (
	"context"
	"iter"
	"net/http"
	"net/url"
)

// Get reads one resource of the company. With it and its five siblings an
// endpoint that this package lacks is a function of three statements:
//
//	func ShowMeeting(ctx context.Context, c *procore.CompanyClient, project, id int64) (Meeting, error) {
//		path := fmt.Sprintf("/rest/v1.0/meetings/%d", id)
//		query := url.Values{"project_id": {strconv.FormatInt(project, 10)}}
//		return procore.Get[Meeting](ctx, c, path, query)
//	}
//
// The path begins with /rest/ and is not escaped. In REST v2, T is the value
// under "data". A GET is repeated as often as [WithAttempts] allows.
func Get[T any](ctx context.Context, c *CompanyClient, path string, query url.Values) (T, error) {
	return get[T](ctx, &c.api, path, query)
}

// List reads a list of the company, page by page as the loop asks for more; see
// [Collect] for a slice. A query without per_page asks for 100 items a page.
//
// An odd item is dropped (see [WithOdd]). A list that ends before its last page, such as
// at the end of ctx, or with fewer items than Procore announced, ends with a
// [*PartialError]: the items before it are right, the rest is missing.
//
// https://procore.github.io/documentation/pagination
func List[T any](ctx context.Context, c *CompanyClient, path string, query url.Values) iter.Seq2[T, error] {
	return list[T](ctx, &c.api, path, query)
}

// Post creates a resource. It is repeated only after a 429 or when no connection
// was made: after any other failure Procore may have written something.
func Post[T any](ctx context.Context, c *CompanyClient, path string, query url.Values, body any) (T, error) {
	return send[T](ctx, &c.api, http.MethodPost, path, query, body)
}

// Patch changes a resource. It is repeated as rarely as a [Post].
func Patch[T any](ctx context.Context, c *CompanyClient, path string, query url.Values, body any) (T, error) {
	return send[T](ctx, &c.api, http.MethodPatch, path, query, body)
}

// Put replaces a resource, where an endpoint wants that instead of PATCH. It is
// idempotent, so it is repeated like a GET.
func Put[T any](ctx context.Context, c *CompanyClient, path string, query url.Values, body any) (T, error) {
	return send[T](ctx, &c.api, http.MethodPut, path, query, body)
}

// Delete deletes a resource. It is idempotent, so it is repeated like a GET. A
// repetition that answers 404 is a success if an earlier attempt may have worked.
func Delete(ctx context.Context, c *CompanyClient, path string, query url.Values) error {
	_, err := c.api.do(ctx, call{method: http.MethodDelete, path: path, query: query}, nil)
	return err
}

func get[T any](ctx context.Context, a *api, path string, query url.Values) (T, error) {
	return send[T](ctx, a, http.MethodGet, path, query, nil)
}

func send[T any](ctx context.Context, a *api, method, path string, query url.Values, body any) (T, error) {
	var v T
	_, err := a.do(ctx, call{method: method, path: path, query: query, body: body}, &v)
	return v, err
}
