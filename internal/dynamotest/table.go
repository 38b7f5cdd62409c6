package dynamotest

import (
	"maps"
	"regexp"
	"slices"
)

// A table holds its items by encoded primary key. Every access happens under the server's lock.
type table struct {
	description tableDescription
	types       map[string]string // of the attributes that are in a key: S, N or B
	primary     index
	indexes     map[string]index
	items       map[string]item
	ttl         string // the attribute's name; empty when not enabled
	feed        *feed  // nil without a stream
}

// An index is a key schema and what it projects. The table itself is the index without a name.
type index struct {
	name       string
	hash, sort string   // sort is empty when the key has one part
	projected  []string // names; nil for all
}

func (x index) keys() []string {
	if x.sort == "" {
		return []string{x.hash}
	}
	return []string{x.hash, x.sort}
}

// holds reports whether the item has the index's key: a sparse index leaves out those that have not.
func (x index) holds(i item) bool { return len(i.only(x.keys())) == len(x.keys()) }

// view is what a read through the index sees of an item.
func (x index) view(i item) item {
	if x.projected == nil {
		return i
	}
	return i.only(x.projected)
}

type keyElement struct{ AttributeName, KeyType string }

type globalIndex struct {
	IndexName   string
	KeySchema   []keyElement
	Projection  struct{ ProjectionType string }
	IndexStatus string `json:",omitempty"`
}

type createTable struct {
	TableName              string
	AttributeDefinitions   []struct{ AttributeName, AttributeType string }
	KeySchema              []keyElement
	BillingMode            string        `json:",omitempty"`
	GlobalSecondaryIndexes []globalIndex `json:",omitempty"`
	StreamSpecification    *struct {
		StreamEnabled  bool
		StreamViewType string `json:",omitempty"`
	} `json:",omitempty"`
}

type tableDescription struct {
	createTable
	BillingModeSummary struct{ BillingMode string }
	TableStatus        string
	TableArn           string
	CreationDateTime   float64
	ItemCount          int
}

type tableName struct{ TableName string }

// createTable makes a table, which is ACTIVE at once.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
func (s *Server) createTable(in createTable) any {
	t := newTable(in)
	if s.tables[in.TableName] != nil {
		panic(&apiError{code: "ResourceInUseException", message: "Table already exists: " + in.TableName})
	}
	t.description = tableDescription{createTable: in, TableStatus: "ACTIVE"}
	t.description.BillingModeSummary.BillingMode = in.BillingMode
	t.description.TableArn = "arn:aws:dynamodb:local:000000000000:table/" + in.TableName
	t.description.CreationDateTime = float64(s.now().UnixMilli()) / 1000
	if stream := in.StreamSpecification; stream != nil && stream.StreamEnabled {
		t.feed = newFeed(stream.StreamViewType)
	}
	s.tables[in.TableName] = t
	return map[string]any{"TableDescription": t.description}
}

func newTable(in createTable) *table {
	if !regexp.MustCompile(`^[a-zA-Z0-9_.-]{3,255}$`).MatchString(in.TableName) {
		refuse("Invalid table/index name. Table/index names must be between 3 and 255 characters long, " +
			"and may contain only the characters a-z, A-Z, 0-9, '_', '-', and '.'")
	}
	if in.BillingMode != "PAY_PER_REQUEST" {
		refuse("dynamotest has only BillingMode PAY_PER_REQUEST")
	}
	t := &table{types: map[string]string{}, indexes: map[string]index{}, items: map[string]item{}}
	for _, a := range in.AttributeDefinitions {
		if !slices.Contains([]string{"S", "N", "B"}, a.AttributeType) {
			refuse("AttributeType %s of %s is not one of B, N, S", a.AttributeType, a.AttributeName)
		}
		t.types[a.AttributeName] = a.AttributeType
	}
	t.primary = t.newIndex("", in.KeySchema, "ALL")
	used := t.primary.keys()
	for n, g := range in.GlobalSecondaryIndexes {
		x := t.newIndex(g.IndexName, g.KeySchema, g.Projection.ProjectionType)
		t.indexes[x.name], used = x, append(used, x.keys()...)
		in.GlobalSecondaryIndexes[n].IndexStatus = "ACTIVE"
	}
	if len(t.indexes) < len(in.GlobalSecondaryIndexes) {
		refuse("One or more parameter values were invalid: Duplicate index name")
	}
	for name := range t.types {
		if !slices.Contains(used, name) {
			refuse("One or more parameter values were invalid: Some AttributeDefinitions are not used: %s", name)
		}
	}
	return t
}

// newIndex checks a key schema against the attribute definitions.
func (t *table) newIndex(name string, schema []keyElement, projection string) index {
	x := index{name: name}
	for n, element := range schema {
		switch {
		case t.types[element.AttributeName] == "":
			refuse("One or more parameter values were invalid: Some index key attributes are not defined in "+
				"AttributeDefinitions: %s", element.AttributeName)
		case n == 0 && element.KeyType == "HASH":
			x.hash = element.AttributeName
		case n == 1 && element.KeyType == "RANGE" && element.AttributeName != x.hash:
			x.sort = element.AttributeName
		default:
			refuse("Invalid KeySchema: a HASH element, then at most one RANGE element of another name")
		}
	}
	if x.hash == "" {
		refuse("Invalid KeySchema: there is no HASH element")
	}
	switch projection {
	case "ALL":
	case "KEYS_ONLY":
		x.projected = slices.Concat(x.keys(), t.primary.keys())
	default:
		refuse("One or more parameter values were invalid: dynamotest does not know ProjectionType %q", projection)
	}
	return x
}

func (s *Server) describeTable(in tableName) any {
	t := s.table(in.TableName)
	description := t.description
	description.ItemCount = len(t.items)
	return map[string]any{"Table": description}
}

func (s *Server) deleteTable(in tableName) any {
	t := s.table(in.TableName)
	delete(s.tables, in.TableName)
	t.feed.wake()
	description := t.description
	description.TableStatus = "DELETING"
	return map[string]any{"TableDescription": description}
}

// listTables lists names in order.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListTables.html
func (s *Server) listTables(in struct {
	ExclusiveStartTableName string
	Limit                   *int
}) any {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(s.tables)), func(name string) bool {
		return name <= in.ExclusiveStartTableName
	})
	limit := 100
	if in.Limit != nil {
		limit = *in.Limit
	}
	if limit < 1 || limit > 100 {
		refuse("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: between 1 and 100", limit)
	}
	if len(names) <= limit {
		return map[string]any{"TableNames": append([]string{}, names...)}
	}
	return map[string]any{"TableNames": names[:limit], "LastEvaluatedTableName": names[limit-1]}
}

func (s *Server) table(name string) *table {
	t := s.tables[name]
	if t == nil {
		panic(&apiError{code: "ResourceNotFoundException",
			message: "Requested resource not found: Table: " + name + " not found"})
	}
	return t
}
