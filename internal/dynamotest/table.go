package dynamotest

import (
	"maps"
	"regexp"
	"slices"
	"time"
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
	projection string   // ALL, KEYS_ONLY or INCLUDE
	projected  []string // names, unless ALL
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
	if x.projection == "ALL" {
		return i
	}
	return i.only(x.projected)
}

type keyElement struct{ AttributeName, KeyType string }

type attributeDefinition struct{ AttributeName, AttributeType string }

type projection struct {
	ProjectionType   string
	NonKeyAttributes []string `json:",omitempty"`
}

type globalIndex struct {
	IndexName   string
	KeySchema   []keyElement
	Projection  projection
	IndexStatus string `json:",omitempty"`
}

type streamSpecification struct {
	StreamEnabled  bool
	StreamViewType string `json:",omitempty"`
}

type createTable struct {
	TableName              string
	AttributeDefinitions   []attributeDefinition
	KeySchema              []keyElement
	BillingMode            string               `json:",omitempty"`
	GlobalSecondaryIndexes []globalIndex        `json:",omitempty"`
	StreamSpecification    *streamSpecification `json:",omitempty"`
}

type tableDescription struct {
	createTable
	BillingModeSummary struct{ BillingMode string }
	TableStatus        string
	TableArn           string
	LatestStreamArn    string `json:",omitempty"`
	CreationDateTime   float64
	ItemCount          int
}

type tableName struct{ TableName string }

// createTable makes a table, which is ACTIVE at once.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
func (s *Server) createTable(in createTable) (any, error) {
	t, err := newTable(in)
	if err != nil {
		return nil, err
	}
	if s.tables[in.TableName] != nil {
		return nil, &apiError{code: "ResourceInUseException", message: "Table already exists: " + in.TableName}
	}
	t.description.CreationDateTime = float64(s.now().UnixMilli()) / 1000
	s.tables[in.TableName] = t
	return map[string]any{"TableDescription": t.description}, nil
}

func newTable(in createTable) (*table, error) {
	if !regexp.MustCompile(`^[a-zA-Z0-9_.-]{3,255}$`).MatchString(in.TableName) {
		return nil, invalid("Invalid table/index name. Table/index names must be between 3 and 255 characters long, " +
			"and may contain only the characters a-z, A-Z, 0-9, '_', '-', and '.'")
	}
	if in.BillingMode != "PAY_PER_REQUEST" {
		return nil, badValue("dynamotest has only BillingMode PAY_PER_REQUEST")
	}
	t := &table{types: map[string]string{}, indexes: map[string]index{}, items: map[string]item{}}
	for _, a := range in.AttributeDefinitions {
		if !slices.Contains([]string{"S", "N", "B"}, a.AttributeType) {
			return nil, badValue("AttributeType %s of %s is not one of B, N, S", a.AttributeType, a.AttributeName)
		}
		t.types[a.AttributeName] = a.AttributeType
	}
	var err error
	if t.primary, err = t.index("", in.KeySchema, projection{ProjectionType: "ALL"}); err != nil {
		return nil, err
	}
	used := t.primary.keys()
	for n, g := range in.GlobalSecondaryIndexes {
		if t.indexes[g.IndexName], err = t.index(g.IndexName, g.KeySchema, g.Projection); err != nil {
			return nil, err
		}
		used = append(used, t.indexes[g.IndexName].keys()...)
		in.GlobalSecondaryIndexes[n].IndexStatus = "ACTIVE"
	}
	if len(t.indexes) < len(in.GlobalSecondaryIndexes) {
		return nil, badValue("Duplicate index name")
	}
	for name := range t.types {
		if !slices.Contains(used, name) {
			return nil, badValue("Some AttributeDefinitions are not used. AttributeDefinition: %s", name)
		}
	}
	t.describe(in)
	return t, nil
}

// index checks a key schema against the attribute definitions.
func (t *table) index(name string, schema []keyElement, p projection) (index, error) {
	x := index{name: name, projection: p.ProjectionType}
	for n, element := range schema {
		switch {
		case n == 0 && element.KeyType == "HASH":
			x.hash = element.AttributeName
		case n == 1 && element.KeyType == "RANGE" && element.AttributeName != x.hash:
			x.sort = element.AttributeName
		default:
			return x, badValue("Invalid KeySchema: a HASH element, then at most one RANGE element of another name")
		}
		if t.types[element.AttributeName] == "" {
			return x, badValue("Some index key attributes are not defined in AttributeDefinitions. Key: %s",
				element.AttributeName)
		}
	}
	if x.hash == "" {
		return x, invalid("Invalid KeySchema: Some index key attribute have no definition")
	}
	switch p.ProjectionType {
	case "ALL", "KEYS_ONLY", "INCLUDE":
	default:
		return x, badValue("Unknown ProjectionType: %s", p.ProjectionType)
	}
	x.projected = slices.Concat(x.keys(), t.primary.keys(), p.NonKeyAttributes)
	return x, nil
}

func (t *table) describe(in createTable) {
	t.description = tableDescription{createTable: in, TableStatus: "ACTIVE"}
	t.description.BillingModeSummary.BillingMode = in.BillingMode
	t.description.TableArn = "arn:aws:dynamodb:local:000000000000:table/" + in.TableName
	if stream := in.StreamSpecification; stream != nil && stream.StreamEnabled {
		t.feed = newFeed(stream.StreamViewType)
		t.description.LatestStreamArn = t.description.TableArn + "/stream/1"
	}
}

func (s *Server) describeTable(in tableName) (any, error) {
	t := s.tables[in.TableName]
	if t == nil {
		return nil, notFound(": Table: %s not found", in.TableName)
	}
	description := t.description
	description.ItemCount = len(t.items)
	return map[string]any{"Table": description}, nil
}

func (s *Server) deleteTable(in tableName) (any, error) {
	t := s.tables[in.TableName]
	if t == nil {
		return nil, notFound(": Table: %s not found", in.TableName)
	}
	delete(s.tables, in.TableName)
	t.feed.close()
	description := t.description
	description.TableStatus = "DELETING"
	return map[string]any{"TableDescription": description}, nil
}

// listTables lists names in order.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListTables.html
func (s *Server) listTables(in struct {
	ExclusiveStartTableName string
	Limit                   *int
}) (any, error) {
	limit := 100
	if in.Limit != nil {
		limit = *in.Limit
	}
	if limit < 1 || limit > 100 {
		return nil, invalid("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: "+
			"Member must have value between 1 and 100", limit)
	}
	names := []string{}
	for _, name := range slices.Sorted(maps.Keys(s.tables)) {
		if name <= in.ExclusiveStartTableName {
			continue
		}
		if len(names) == limit {
			return map[string]any{"TableNames": names, "LastEvaluatedTableName": names[limit-1]}, nil
		}
		names = append(names, name)
	}
	return map[string]any{"TableNames": names}, nil
}

// table finds the table of an item operation.
func (s *Server) table(name string) (*table, error) {
	if t := s.tables[name]; t != nil {
		return t, nil
	}
	return nil, notFound("")
}

func (s *Server) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}
