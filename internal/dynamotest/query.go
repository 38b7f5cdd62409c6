package dynamotest

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"slices"
)

const maxPageBytes = 1 << 20

// readMany is what Query and Scan have in common.
type readMany struct {
	TableName            string
	IndexName            string
	Select               string
	Limit                *int
	ConsistentRead       bool
	ExclusiveStartKey    item
	FilterExpression     *string
	ProjectionExpression *string
	placeholders
}

type query struct {
	readMany
	KeyConditionExpression *string
	ScanIndexForward       *bool
}

// A cursor walks the items of an index in order.
type cursor struct {
	table  *table
	index  index
	key    condition // nil for a scan
	filter condition // nil for none
	heads  []string  // the attributes that the filter mentions
	paths  []path    // nil for whole items
	back   bool
}

// query: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html
func (s *Server) query(in query) any {
	e := in.expressions()
	c := s.cursor(in.readMany, e)
	if in.KeyConditionExpression == nil {
		refuse("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	c.key = e.keyCondition(c.table, c.index, in.KeyConditionExpression)
	for _, name := range c.index.keys() {
		if slices.Contains(c.heads, name) {
			refuse("Filter Expression can only contain non-primary key attributes: Primary key attribute: %s", name)
		}
	}
	c.back = in.ScanIndexForward != nil && !*in.ScanIndexForward
	e.finish()
	return c.page(in.readMany)
}

// scan: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html
func (s *Server) scan(in readMany) any {
	e := in.expressions()
	c := s.cursor(in, e)
	e.finish()
	return c.page(in)
}

func (s *Server) cursor(in readMany, e *expressions) cursor {
	c := cursor{table: s.table(in.TableName)}
	c.index = c.table.primary
	if in.IndexName != "" {
		x, ok := c.table.indexes[in.IndexName]
		if !ok {
			refuse("The table does not have the specified index: %s", in.IndexName)
		}
		c.index = x
		if in.ConsistentRead {
			refuse("Consistent reads are not supported on global secondary indexes")
		}
	}
	if in.Limit != nil && *in.Limit < 1 {
		refuse("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: at least 1", *in.Limit)
	}
	c.paths = e.projection(in.ProjectionExpression)
	c.filter, c.heads = e.condition("FilterExpression", in.FilterExpression)
	if in.Select != "" && in.Select != "COUNT" || in.Select == "COUNT" && c.paths != nil {
		refuse("dynamotest knows only Select COUNT, without a ProjectionExpression; got %s", in.Select)
	}
	wanted := slices.Clone(c.heads)
	for _, p := range c.paths {
		wanted = append(wanted, p[0].name)
	}
	for _, name := range wanted {
		if c.index.projected != nil && !slices.Contains(c.index.projected, name) {
			refuse("One or more parameter values were invalid: Global secondary index %s does not project [%s]",
				c.index.name, name)
		}
	}
	return c
}

// page reads one page.
func (c cursor) page(in readMany) any {
	found, scanned, size := []item{}, 0, 0
	full := func() bool { return in.Limit != nil && scanned == *in.Limit || size > maxPageBytes }
	var last item
	for _, i := range c.after(in.ExclusiveStartKey) {
		if full() {
			break
		}
		seen := c.index.view(i)
		scanned, size, last = scanned+1, size+seen.bytes(), i
		if c.filter == nil || c.filter(seen) {
			found = append(found, projected(seen, c.paths))
		}
	}
	answer := map[string]any{"Count": len(found), "ScannedCount": scanned}
	if in.Select != "COUNT" {
		answer["Items"] = found
	}
	if full() { // as on the service, even when nothing follows
		answer["LastEvaluatedKey"] = last.only(c.startKeys())
	}
	return answer
}

// startKeys are the attributes that say where a page ends: the index's key and the table's.
func (c cursor) startKeys() []string {
	keys := slices.Concat(c.index.keys(), c.table.primary.keys())
	slices.Sort(keys)
	return slices.Compact(keys)
}

// after returns, in order, the items of the index that the key condition selects and that come after the start, which
// need not exist any more.
func (c cursor) after(start item) []item {
	if start != nil {
		c.checkStart(start)
	}
	var items []item
	for _, i := range c.table.items {
		if c.index.holds(i) && (c.key == nil || c.key(i)) && (start == nil || c.compare(i, start) > 0) {
			items = append(items, i)
		}
	}
	slices.SortFunc(items, c.compare)
	return items
}

func (c cursor) checkStart(start item) {
	keys := c.startKeys()
	ok := len(start) == len(keys)
	for _, name := range keys {
		ok = ok && start[name].kind == c.table.types[name]
	}
	if !ok {
		refuse("The provided starting key is invalid")
	}
	if c.key != nil && !c.key(start) {
		refuse("The provided starting key is outside query boundaries based on provided conditions")
	}
}

// compare orders by the hash of the partition key, as the service does, so that nobody relies on another order; then
// by sort key; then by the table's own key.
func (c cursor) compare(a, b item) int {
	order := cmp.Or(c.index.compare(a, b), c.table.primary.compare(a, b))
	if c.back {
		return -order
	}
	return order
}

func (x index) compare(a, b item) int {
	order := 0
	if a[x.hash].text != b[x.hash].text {
		h, k := sha256.Sum256([]byte(a[x.hash].text)), sha256.Sum256([]byte(b[x.hash].text))
		order = bytes.Compare(h[:], k[:])
	}
	if order == 0 && x.sort != "" {
		order, _ = a[x.sort].compare(b[x.sort])
	}
	return order
}
