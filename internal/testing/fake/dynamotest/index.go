package dynamotest

import "slices"

// An index keeps items in order by a key schema. The table itself is the index without a name.
type index struct {
	name       string
	names      []string // the attributes of its key and then those of the table's, each once
	parts      int      // how many of them form the index's key: a partition key and perhaps a sort key
	projected  []string // the attributes that it projects, names among them; nil: everything
	partitions map[string][]item
}

func (x *index) keys() []string { return x.names[:x.parts] }

func (x *index) partition(i item) string { return i[x.names[0]].text() }

// has reports whether the item has the index's key: a sparse index leaves out items without it.
func (x *index) has(i item) bool {
	return !slices.ContainsFunc(x.keys(), func(name string) bool { return i[name].kind() == "" })
}

// compare orders items by partition key, then by sort key, then by the table's own key.
func (x *index) compare(a, b item) int {
	for _, name := range x.names {
		if order, _ := a[name].compare(b[name]); order != 0 {
			return order
		}
	}
	return 0
}

// find returns the position in its partition where an item with the key is, or would be.
func (x *index) find(key item) (partition []item, n int, ok bool) {
	partition = x.partitions[x.partition(key)]
	n, ok = slices.BinarySearchFunc(partition, key, x.compare)
	return partition, n, ok
}

// find returns the item with the primary key, or nil.
func (t *table) find(key item) item {
	partition, n, ok := t.primary().find(key)
	if !ok {
		return nil
	}
	return partition[n]
}

// replace puts one item in another's place, saves it and adds the change to the feed. Either may be nil.
func (t *table) replace(old, updated item) {
	t.index(old, updated)
	t.saveChange(old, updated)
	t.feed.add(t.primary().names, old, updated)
	t.recovery.add(t.server.Now(), old, updated)
}

func (t *table) index(old, updated item) {
	for _, x := range t.indexes {
		if x.has(old) {
			partition, n, _ := x.find(old)
			x.partitions[x.partition(old)] = slices.Delete(partition, n, n+1)
		}
		if x.has(updated) {
			partition, n, _ := x.find(updated)
			x.partitions[x.partition(updated)] = slices.Insert(partition, n, updated)
		}
	}
}
