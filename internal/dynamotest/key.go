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

// checkKey checks that the item is a whole primary key and nothing else.
func (t *table) checkKey(key item) error {
	if len(key) != len(t.primary.keys()) {
		return invalid("The provided key element does not match the schema")
	}
	for _, name := range t.primary.keys() {
		if key[name].kind != t.types[name] {
			return invalid("The provided key element does not match the schema")
		}
	}
	return t.checkPrimary(key)
}

func (t *table) checkPrimary(i item) error {
	for _, name := range t.primary.keys() {
		if i[name].text == "" && i[name].kind != "N" {
			return invalid("One or more parameter values are not valid. The AttributeValue for a key attribute "+
				"cannot contain an empty string value. Key: %s", name)
		}
	}
	return t.primary.checkLength(i)
}

// checkIndexKey checks those parts of the index's key that the item has.
func (t *table) checkIndexKey(x index, i item) error {
	for _, name := range x.keys() {
		switch v, ok := i[name]; {
		case !ok:
		case v.kind != t.types[name]:
			return badValue("Type mismatch for Index Key %s Expected: %s Actual: %s IndexName: %s",
				name, t.types[name], v.kind, x.name)
		case v.text == "":
			return invalid("One or more parameter values are not valid. A value specified for a secondary index key is "+
				"not supported. The AttributeValue for a key attribute cannot contain an empty string value. "+
				"IndexName: %s, IndexKey: %s", x.name, name)
		}
	}
	return x.checkLength(i)
}

func (x index) checkLength(i item) error {
	if len(i[x.hash].text) > maxHashBytes {
		return badValue("Size of hashkey has exceeded the maximum size limit of 2048 bytes")
	}
	if len(i[x.sort].text) > maxSortBytes {
		return badValue("Aggregated size of all range keys has exceeded the size limit of 1024 bytes")
	}
	return nil
}

// checkItem checks a whole item before it is stored: its key, its index keys, its size and its depth.
func (t *table) checkItem(i item) error {
	for _, name := range t.primary.keys() {
		v, ok := i[name]
		if !ok {
			return badValue("Missing the key %s in the item", name)
		}
		if v.kind != t.types[name] {
			return badValue("Type mismatch for key %s expected: %s actual: %s", name, t.types[name], v.kind)
		}
	}
	if err := t.checkPrimary(i); err != nil {
		return err
	}
	for _, x := range t.indexes {
		if err := t.checkIndexKey(x, i); err != nil {
			return err
		}
	}
	if depth(value{kind: "M", m: i}) > maxDepth+1 {
		return invalid("Nesting Levels have exceeded supported limits: " +
			"Attributes in the item have nested levels beyond supported limit")
	}
	if i.bytes() > maxItemBytes {
		return invalid("Item size has exceeded the maximum allowed size")
	}
	return nil
}

func depth(v value) int {
	deepest := 0
	for _, e := range v.list {
		deepest = max(deepest, depth(e))
	}
	for _, e := range v.m {
		deepest = max(deepest, depth(e))
	}
	return deepest + 1
}
