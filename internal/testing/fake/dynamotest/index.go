package dynamotest

import (
	"iter"
	"slices"
)

// An index keeps items in order by a key schema. The table itself is the index without a name.
type index struct {
	name       string
	names      []string // the attributes of its key and then those of the table's, each once
	parts      int      // how many of them form the index's key: a partition key and perhaps a sort key
	projected  []string // the attributes that it projects, names among them; nil: everything
	partitions map[string]*partition
	order      sorted[*partition] // all partitions, for a scan
}

// A partition has the items with one partition key. None is empty.
type partition struct {
	key  value
	rows sorted[row]
}

// A row is an item of a partition. It repeats the sort key, because a search compares many of them.
type row struct {
	sort value // without a kind if the index has no sort key
	item
}

func (x *index) row(i item) row {
	if x.parts == 1 {
		return row{item: i}
	}
	return row{i[x.names[1]], i}
}

func (x *index) keys() []string { return x.names[:x.parts] }

// has reports whether the item has the index's key: a sparse index leaves out items without it.
func (x *index) has(i item) bool {
	return !slices.ContainsFunc(x.keys(), func(name string) bool { return i[name].kind == "" })
}

// compare orders the items of a partition by sort key, then by the table's own key.
func (x *index) compare(a, b row) int {
	if order, _ := a.sort.compare(b.sort); order != 0 {
		return order
	}
	for _, name := range x.names[x.parts:] {
		if order, _ := a.item[name].compare(b.item[name]); order != 0 {
			return order
		}
	}
	return 0
}

// same reports whether two items have the same key.
func (x *index) same(a, b item) bool {
	return !slices.ContainsFunc(x.names, func(name string) bool { return !a[name].equal(b[name]) })
}

// before is the position of an item in its partition, or of that after the item.
func (x *index) before(key item, after bool) func(row) bool {
	wanted := x.row(key)
	return func(r row) bool {
		order := x.compare(r, wanted)
		return order < 0 || after && order == 0
	}
}

// beforePartition is the position of a partition among all.
func beforePartition(key value) func(*partition) bool {
	return func(p *partition) bool {
		order, _ := p.key.compare(key)
		return order < 0
	}
}

// all returns the items of the index in order.
func (x *index) all() iter.Seq[item] {
	return func(yield func(item) bool) {
		for p := range x.order.all() {
			for r := range p.rows.all() {
				if !yield(r.item) {
					return
				}
			}
		}
	}
}

// replace puts one item in another's place. Either may be without the index's key.
func (x *index) replace(old, updated item) {
	had, has := x.has(old), x.has(updated)
	if had && has && x.same(old, updated) {
		x.partitions[old[x.names[0]].text].rows.set(x.before(old, false), x.row(updated))
		return
	}
	if had {
		x.delete(old)
	}
	if has {
		x.insert(updated)
	}
}

func (x *index) insert(i item) {
	key := i[x.names[0]]
	p := x.partitions[key.text]
	if p == nil {
		p = &partition{key: key}
		x.partitions[key.text] = p
		x.order.insert(beforePartition(key), p)
	}
	p.rows.insert(x.before(i, false), x.row(i))
}

func (x *index) delete(i item) {
	key := i[x.names[0]]
	p := x.partitions[key.text]
	p.rows.delete(x.before(i, false))
	if len(p.rows.chunks) == 0 {
		delete(x.partitions, key.text)
		x.order.delete(beforePartition(key))
	}
}

// clear removes all items.
func (x *index) clear() { x.partitions, x.order = map[string]*partition{}, sorted[*partition]{} }

// find returns the item with the primary key, or nil.
func (t *table) find(key item) item {
	x := t.primary()
	p := x.partitions[key[x.names[0]].text]
	if p == nil {
		return nil
	}
	if r, ok := p.rows.at(x.before(key, false)); ok && x.same(r.item, key) {
		return r.item
	}
	return nil
}

// replace puts one item in another's place, saves it and adds the change to the feed. Either may be nil.
func (t *table) replace(old, updated item) {
	t.index(old, updated)
	t.saveChange(old, updated)
	t.feed.add(old, updated)
	t.recovery.add(t.server.Now(), old, updated)
	switch name := t.description.TableName; {
	case updated != nil && t.server.Written != nil:
		t.server.Written(name, typedItem(updated))
	case updated == nil && old != nil && t.server.Deleted != nil:
		t.server.Deleted(name, typedItem(old))
	}
}

func (t *table) index(old, updated item) {
	for _, x := range t.indexes {
		x.replace(old, updated)
	}
}
