package dynamotest

// The service's limits for one item and its keys.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
const (
	maxItemBytes = 400 << 10
	maxHashBytes = 2048
	maxSortBytes = 1024
)

// checkContent refuses an item or a key that is wrong whatever the types of its key. The service checks this first, so
// in a transaction it refuses the request, not the item.
func (t *table) checkContent(i item) {
	for _, a := range t.description.AttributeDefinitions {
		name := a.AttributeName
		if v, ok := i[name]; ok && v.text == "" && (v.kind == "S" || v.kind == "B") {
			refuse("One or more parameter values are not valid. The AttributeValue for a key attribute "+
				"cannot contain an empty string value. Key: %s", name)
		}
	}
	if i.bytes() > maxItemBytes {
		refuse("Item size has exceeded the maximum allowed size")
	}
}

// checkKeys refuses an item that lacks the primary key or has a wrong key for an index. If alone is true, it also
// refuses every attribute that is not part of the key.
func (t *table) checkKeys(i item, alone bool) {
	if alone && len(i) != t.primary().parts {
		refuse("The provided key element does not match the schema")
	}
	for _, x := range t.indexes {
		limit := maxHashBytes
		for _, name := range x.keys() {
			v, ok := i[name]
			if v.kind != t.types[name] && (ok || x == t.primary()) {
				refuse("The provided key element does not match the schema: Missing the key %s, or type mismatch for it; "+
					"expected: %s actual: %s IndexName: %s", name, t.types[name], v.kind, x.name)
			}
			if len(v.text) > limit {
				refuse("One or more parameter values were invalid: Size of %s has exceeded the limit of %d bytes", name, limit)
			}
			limit = maxSortBytes
		}
	}
}
