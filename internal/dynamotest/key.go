package dynamotest

import "strconv"

// The service's limits for one item.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
const (
	maxItemBytes = 400 << 10
	maxHashBytes = 2048
	maxSortBytes = 1024
	maxDepth     = 32
)

// encode joins the parts of the item's primary key, so that no two keys share a string.
func (t *table) encode(i item) string {
	hash := i[t.primary.hash].text
	return strconv.Itoa(len(hash)) + ":" + hash + i[t.primary.sort].text
}

// checkKey refuses what is not a whole primary key and nothing else.
func (t *table) checkKey(key item) {
	if len(key) != len(t.primary.keys()) {
		refuse("The provided key element does not match the schema")
	}
	t.checkContent(key)
	t.checkParts(t.primary, key)
}

// checkParts refuses those parts of the index's key that have another type or are too long. The primary key
// must be whole.
func (t *table) checkParts(x index, i item) {
	for _, name := range x.keys() {
		v, ok := i[name]
		if v.kind != t.types[name] && (ok || x.name == "") {
			refuse("The provided key element does not match the schema: Missing the key %s, or type mismatch for it; "+
				"expected: %s actual: %s IndexName: %s", name, t.types[name], v.kind, x.name)
		}
	}
	if len(i[x.hash].text) > maxHashBytes || len(i[x.sort].text) > maxSortBytes {
		refuse("One or more parameter values were invalid: Size of hashkey or rangekey has exceeded the maximum size limit "+
			"of %d, %d bytes", maxHashBytes, maxSortBytes)
	}
}

// checkItem refuses an item that cannot be stored for its key, its index keys, its size or its depth.
func (t *table) checkItem(i item) {
	t.checkContent(i)
	t.checkParts(t.primary, i)
	for _, x := range t.indexes {
		t.checkParts(x, i)
	}
}

// checkContent refuses what is wrong in an item whatever its key's types: the service looks at this first, so that in
// a transaction it is the request that is refused, not the item.
func (t *table) checkContent(i item) {
	for name := range t.types {
		if v, ok := i[name]; ok && v.text == "" && (v.kind == "S" || v.kind == "B") {
			refuse("One or more parameter values are not valid. The AttributeValue for a key attribute "+
				"cannot contain an empty string value. Key: %s", name)
		}
	}
	if (value{m: i}).depth() > maxDepth+1 {
		refuse("Nesting Levels have exceeded supported limits")
	}
	if i.bytes() > maxItemBytes {
		refuse("Item size has exceeded the maximum allowed size")
	}
}
