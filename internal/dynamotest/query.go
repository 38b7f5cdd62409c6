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
	paths  []path    // nil for whole items
	back   bool
}

// query: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html
func (s *Server) query(in query) (any, error) {
	e := in.expressions()
	c, err := s.cursor(in.readMany, e)
	if err != nil {
		return nil, err
	}
	if in.KeyConditionExpression == nil {
		return nil, invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	if c.key, _, err = e.condition("KeyConditionExpression", in.KeyConditionExpression); err != nil {
		return nil, err
	}
	if err := c.checkKeyCondition(); err != nil {
		return nil, err
	}
	c.back = in.ScanIndexForward != nil && !*in.ScanIndexForward
	return c.read(in.readMany, e)
}

// scan: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html
func (s *Server) scan(in readMany) (any, error) {
	e := in.expressions()
	c, err := s.cursor(in, e)
	if err != nil {
		return nil, err
	}
	return c.read(in, e)
}

func (s *Server) cursor(in readMany, e *expressions) (c cursor, err error) {
	if c.table, err = s.table(in.TableName); err != nil {
		return c, err
	}
	c.index = c.table.primary
	if in.IndexName != "" {
		ok := false
		if c.index, ok = c.table.indexes[in.IndexName]; !ok {
			return c, invalid("The table does not have the specified index: %s", in.IndexName)
		}
		if in.ConsistentRead {
			return c, invalid("Consistent reads are not supported on global secondary indexes")
		}
	}
	if in.Limit != nil && *in.Limit < 1 {
		return c, invalid("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: "+
			"Member must have value greater than or equal to 1", *in.Limit)
	}
	if c.paths, err = e.projection(in.ProjectionExpression); err != nil {
		return c, err
	}
	heads := []string(nil)
	if c.filter, heads, err = e.condition("FilterExpression", in.FilterExpression); err != nil {
		return c, err
	}
	return c, c.checkSelect(in, heads)
}

// checkSelect checks what is asked for against what the index has.
func (c cursor) checkSelect(in readMany, heads []string) error {
	switch in.Select {
	case "", "COUNT":
	case "SPECIFIC_ATTRIBUTES":
		if c.paths == nil {
			return invalid("Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES")
		}
	case "ALL_PROJECTED_ATTRIBUTES":
		if c.index.name == "" {
			return invalid("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
		}
	case "ALL_ATTRIBUTES":
		if c.index.projection != "ALL" {
			return badValue("Select type ALL_ATTRIBUTES is not supported for global secondary index %s "+
				"because its projection type is not ALL", c.index.name)
		}
	default:
		return invalid("1 validation error detected: Value '%s' at 'select' failed to satisfy constraint", in.Select)
	}
	if c.paths != nil && in.Select != "" && in.Select != "SPECIFIC_ATTRIBUTES" {
		return invalid("Cannot specify the ProjectionExpression when choosing to get %s", in.Select)
	}
	for _, p := range c.paths {
		heads = append(heads, p[0].name)
	}
	for _, name := range heads {
		if c.index.projection != "ALL" && !slices.Contains(c.index.projected, name) {
			return badValue("Global secondary index %s does not project [%s]", c.index.name, name)
		}
	}
	return nil
}

// read returns one page.
func (c cursor) read(in readMany, e *expressions) (any, error) {
	if err := e.finish(); err != nil {
		return nil, err
	}
	if err := c.checkStart(in.ExclusiveStartKey); err != nil {
		return nil, err
	}
	found, scanned, size := []item{}, 0, 0
	answer := map[string]any{}
	var last item
	for _, i := range c.after(in.ExclusiveStartKey) {
		if in.Limit != nil && scanned == *in.Limit || size > maxPageBytes {
			break
		}
		seen := c.index.view(i)
		scanned, size, last = scanned+1, size+seen.bytes(), i
		if c.filter == nil || c.filter.holds(seen) {
			found = append(found, projected(seen, c.paths))
		}
	}
	// As on the service, a full page has a LastEvaluatedKey even when nothing follows.
	if in.Limit != nil && scanned == *in.Limit || size > maxPageBytes {
		answer["LastEvaluatedKey"] = last.only(c.startKeys())
	}
	answer["Count"], answer["ScannedCount"] = len(found), scanned
	if in.Select != "COUNT" {
		answer["Items"] = found
	}
	return answer, nil
}

// startKeys are the attributes that say where a page ends: the index's key and the table's.
func (c cursor) startKeys() []string {
	keys := slices.Concat(c.index.keys(), c.table.primary.keys())
	slices.Sort(keys)
	return slices.Compact(keys)
}

func (c cursor) checkStart(start item) error {
	if start == nil {
		return nil
	}
	keys := c.startKeys()
	if len(start) != len(keys) || len(start.only(keys)) != len(keys) {
		return invalid("The provided starting key is invalid")
	}
	for _, name := range keys {
		if start[name].kind != c.table.types[name] {
			return invalid("The provided starting key is invalid")
		}
	}
	if c.key != nil && !c.key.holds(start) {
		return invalid("The provided starting key is outside query boundaries based on provided conditions")
	}
	return nil
}

// after returns, in order, the items of the index that the key condition selects and that come after the start.
func (c cursor) after(start item) []item {
	var items []item
	for _, i := range c.table.items {
		if !c.index.holds(i) || c.key != nil && !c.key.holds(i) {
			continue
		}
		if start == nil || c.compare(i, start) > 0 {
			items = append(items, i)
		}
	}
	slices.SortFunc(items, c.compare)
	return items
}

// compare orders by the hash of the partition key, as the service does, so that nobody relies on another order; then
// by sort key; then by the table's own key.
func (c cursor) compare(a, b item) int {
	order := cmp.Or(comparePart(c.index, a, b), comparePart(c.table.primary, a, b))
	if c.back {
		return -order
	}
	return order
}

func comparePart(x index, a, b item) int {
	h, k := sha256.Sum256([]byte(a[x.hash].text)), sha256.Sum256([]byte(b[x.hash].text))
	if order := bytes.Compare(h[:], k[:]); order != 0 || x.sort == "" {
		return order
	}
	order, _ := a[x.sort].compare(b[x.sort])
	return order
}
