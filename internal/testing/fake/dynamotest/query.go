package dynamotest

import (
	"hash/fnv"
	"iter"
	"slices"
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
func (s *Server) query(in query) page {
	t, x := s.index(in.readMany)
	if in.KeyConditionExpression == nil {
		refuse("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	e := conditionOf("KeyConditionExpression", in.KeyConditionExpression)
	in.check(e)
	holds := func(i item) bool { return e.condition.holds(i, &in.placeholders) }
	key := e.condition.partitionKey(t, x, &in.placeholders)
	if in.ExclusiveStartKey != nil && !holds(in.ExclusiveStartKey) {
		refuse("The provided starting key is outside query boundaries based on provided conditions")
	}
	p := x.partitions[key]
	if p == nil {
		p = &partition{}
	}
	// The items that the condition selects are adjacent.
	before := func(r row) bool { return e.condition.precedes(r.item, &in.placeholders) }
	backward := in.ScanIndexForward != nil && !*in.ScanIndexForward
	switch {
	case in.ExclusiveStartKey != nil:
		before = x.before(in.ExclusiveStartKey, !backward)
	case backward:
		first := before
		before = func(r row) bool { return first(r) || holds(r.item) }
	}
	rows := p.rows.from(before)
	if backward {
		rows = p.rows.backward(before)
	}
	return x.page(while(rows, holds), in.readMany)
}

// while returns the items before the first that does not match.
func while(rows iter.Seq[row], matches func(item) bool) iter.Seq[item] {
	return func(yield func(item) bool) {
		for r := range rows {
			if !matches(r.item) || !yield(r.item) {
				return
			}
		}
	}
}

type scan struct {
	readMany
	Segment, TotalSegments *int // of a parallel scan
}

const maxSegments = 1_000_000

// scan: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html
func (s *Server) scan(in scan) page {
	_, x := s.index(in.readMany)
	switch {
	case (in.Segment == nil) != (in.TotalSegments == nil):
		refuse("The Segment parameter and the TotalSegments parameter are required together")
	case in.Segment != nil && (*in.TotalSegments < 1 || *in.TotalSegments > maxSegments || *in.Segment < 0 || *in.Segment >= *in.TotalSegments):
		refuse("The Segment parameter is zero-based and must be less than parameter TotalSegments, which is between 1 and %d", maxSegments)
	}
	return x.page(x.after(in), in.readMany)
}

// after returns the items of a scan's segment in order, from the start key on.
func (x *index) after(in scan) iter.Seq[item] {
	start := in.ExclusiveStartKey
	return func(yield func(item) bool) {
		for p := range x.order.from(beforePartition(start[x.names[0]])) {
			if in.Segment != nil && segment(p.key.text, *in.TotalSegments) != *in.Segment {
				continue
			}
			rows := p.rows.all()
			if start != nil && p.key.text == start[x.names[0]].text {
				rows = p.rows.from(x.before(start, true))
			}
			for r := range rows {
				if !yield(r.item) {
					return
				}
			}
		}
	}
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
		if len(in.ExclusiveStartKey) != len(x.names) || !slices.Contains(x.names, name) || v.kind != t.types[name] {
			refuse("The provided starting key is invalid")
		}
	}
	return t, x
}

// A page is an answer to Query or Scan.
type page struct {
	Items               []item
	Count, ScannedCount int
	LastEvaluatedKey    item `json:",omitzero"`
}

// page answers with the first of the items, up to the limit or the size of a page.
func (x *index) page(items iter.Seq[item], in readMany) page {
	p, size := page{Items: []item{}}, 0
	for i := range items {
		if x.projected != nil {
			i = i.only(x.projected)
		}
		p.Items, size = append(p.Items, i), size+i.bytes()
		if in.Limit != nil && len(p.Items) == *in.Limit || size > 1<<20 {
			p.LastEvaluatedKey = i.only(x.names) // as on the service, even when nothing follows
			break
		}
	}
	p.Count, p.ScannedCount = len(p.Items), len(p.Items)
	return p
}
