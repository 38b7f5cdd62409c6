package dynamotest

import (
	"hash/fnv"
	"slices"
	"sort"
)

// readMany has the parameters that Query and Scan share.
type readMany struct {
	TableName         string
	IndexName         string
	Limit             *int
	ConsistentRead    bool
	ExclusiveStartKey item
}

type query struct {
	readMany
	placeholders
	KeyConditionExpression *string
	ScanIndexForward       *bool
}

// query: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html
func (s *Server) query(in query) any {
	t, x := s.index(in.readMany)
	p := in.parser()
	condition, partition := p.keyCondition(t, x, in.KeyConditionExpression)
	p.finish()
	if in.ExclusiveStartKey != nil && !condition.holds(in.ExclusiveStartKey) {
		refuse("The provided starting key is outside query boundaries based on provided conditions")
	}
	items := x.partitions[partition] // in order, so that those of a key condition are adjacent
	items = items[sort.Search(len(items), func(n int) bool { return !condition.precedes(items[n]) }):]
	items = items[:sort.Search(len(items), func(n int) bool { return !condition.holds(items[n]) })]
	order := x.compare
	if in.ScanIndexForward != nil && !*in.ScanIndexForward {
		items = slices.Clone(items)
		slices.Reverse(items)
		order = func(a, b item) int { return x.compare(b, a) }
	}
	return x.page(items, order, in.readMany)
}

type scan struct {
	readMany
	Segment, TotalSegments *int // of a parallel scan
}

const maxSegments = 1_000_000

// scan: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html
func (s *Server) scan(in scan) any {
	_, x := s.index(in.readMany)
	switch {
	case (in.Segment == nil) != (in.TotalSegments == nil):
		refuse("The Segment parameter and the TotalSegments parameter are required together")
	case in.Segment != nil && (*in.TotalSegments < 1 || *in.TotalSegments > maxSegments || *in.Segment < 0 || *in.Segment >= *in.TotalSegments):
		refuse("The Segment parameter is zero-based and must be less than parameter TotalSegments, which is between 1 and %d", maxSegments)
	}
	var items []item
	for partition, some := range x.partitions {
		if in.Segment == nil || segment(partition, *in.TotalSegments) == *in.Segment {
			items = append(items, some...)
		}
	}
	slices.SortFunc(items, x.compare)
	return x.page(items, x.compare, in.readMany)
}

// segment returns the part of a parallel scan that has a partition.
func segment(partition string, total int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(partition)) // never fails
	return int(h.Sum32()) % total
}

// index returns the table and index to read, and checks the request against them.
func (s *Server) index(in readMany) (*table, *index) {
	t := s.table(in.TableName)
	n := slices.IndexFunc(t.indexes, func(x *index) bool { return x.name == in.IndexName })
	switch {
	case n < 0:
		refuse("The table does not have the specified index: %s", in.IndexName)
	case n > 0 && in.ConsistentRead:
		refuse("Consistent reads are not supported on global secondary indexes")
	case in.Limit != nil && *in.Limit < 1:
		refuse("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: at least 1", *in.Limit)
	}
	x := t.indexes[n]
	for name, v := range in.ExclusiveStartKey {
		if len(in.ExclusiveStartKey) != len(x.names) || !slices.Contains(x.names, name) || v.kind() != t.types[name] {
			refuse("The provided starting key is invalid")
		}
	}
	return t, x
}

// page answers with the ordered items after the start key, up to the limit or the size of a page. The item of the start
// key need not exist.
func (x *index) page(items []item, order func(a, b item) int, in readMany) any {
	if in.ExclusiveStartKey != nil {
		n, ok := slices.BinarySearchFunc(items, in.ExclusiveStartKey, order)
		if ok {
			n++
		}
		items = items[n:]
	}
	found, size := []item{}, 0
	full := func() bool { return in.Limit != nil && len(found) == *in.Limit || size > 1<<20 }
	for len(found) < len(items) && !full() {
		seen := items[len(found)]
		if x.projected != nil {
			seen = seen.only(x.projected)
		}
		found, size = append(found, seen), size+seen.bytes()
	}
	answer := map[string]any{"Items": found, "Count": len(found), "ScannedCount": len(found)}
	if full() { // as on the service, even when nothing follows
		answer["LastEvaluatedKey"] = found[len(found)-1].only(x.names)
	}
	return answer
}
