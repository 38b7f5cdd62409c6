package dynamotest

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// A table keeps its items in its indexes. Every access happens under the server's lock.
type table struct {
	server      *Server
	description tableDescription
	types       map[string]string // of the key attributes: S, N or B
	indexes     []*index          // the first is the table itself, by its primary key
	ttl         string            // the attribute's name; empty if not enabled
	feed        *feed             // nil without a stream
	recovery    *history          // nil: point-in-time recovery is not enabled
	readyAt     time.Time         // when a restored table becomes ACTIVE
}

// primary returns the index of the table's own key.
func (t *table) primary() *index { return t.indexes[0] }

type keyElement struct{ AttributeName, KeyType string }

type attributeDefinition struct{ AttributeName, AttributeType string }

type projection struct {
	ProjectionType   string
	NonKeyAttributes []string `json:",omitempty"`
}

type createTable struct {
	TableName              string
	AttributeDefinitions   []attributeDefinition
	KeySchema              []keyElement
	BillingMode            string            `json:",omitempty"`
	GlobalSecondaryIndexes []indexDefinition `json:",omitempty"`
	StreamSpecification    *streamDefinition `json:",omitempty"`
}

type indexDefinition struct {
	IndexName  string
	KeySchema  []keyElement
	Projection projection
}

type streamDefinition struct {
	StreamEnabled  bool
	StreamViewType string
}

type tableDescription struct {
	createTable
	BillingModeSummary struct{ BillingMode string }
	TableStatus        string
	TableArn           string

	DeletionProtectionEnabled bool
	RestoreSummary            *restoreSummary `json:",omitempty"` // of a restored table
}

type tableName struct{ TableName string }

// createTable makes a table, which is ACTIVE at once.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
func (s *Server) createTable(in createTable) any {
	if strings.Contains(in.TableName, "/") {
		refuse("1 validation error detected: Value '%s' at 'tableName' failed to satisfy constraint", in.TableName)
	}
	if old := s.tables[in.TableName]; old != nil {
		old.checkStored(in)
		fail("ResourceInUseException", "Table already exists: %s", in.TableName)
	}
	if in.BillingMode != "PAY_PER_REQUEST" {
		refuse("dynamotest supports only BillingMode PAY_PER_REQUEST")
	}
	t := &table{server: s, types: map[string]string{}, description: tableDescription{createTable: in, TableStatus: "ACTIVE", TableArn: arn(in.TableName)}}
	t.description.BillingModeSummary.BillingMode = in.BillingMode
	for _, a := range in.AttributeDefinitions {
		t.types[a.AttributeName] = a.AttributeType
	}
	t.addIndex("", in.KeySchema, projection{ProjectionType: "ALL"})
	for _, g := range in.GlobalSecondaryIndexes {
		t.addIndex(g.IndexName, g.KeySchema, g.Projection)
	}
	if stream := in.StreamSpecification; stream != nil {
		old := stream.StreamViewType == "NEW_AND_OLD_IMAGES"
		if !stream.StreamEnabled || stream.StreamViewType != "NEW_IMAGE" && !old {
			refuse("dynamotest supports only StreamViewType NEW_IMAGE and NEW_AND_OLD_IMAGES, not %q", stream.StreamViewType)
		}
		t.feed = &feed{table: t, old: old, length: cmp.Or(s.FeedLength, feedLength), records: map[uint64]Record{}}
	}
	s.tables[in.TableName] = t
	t.saveTable()
	return map[string]any{"TableDescription": t.description}
}

// addIndex checks a key schema against the attribute definitions.
func (t *table) addIndex(name string, schema []keyElement, p projection) {
	x := &index{name: name, parts: len(schema), partitions: map[string]*partition{}}
	for n, element := range schema {
		if n > 1 || element.KeyType != []string{"HASH", "RANGE"}[n] || t.types[element.AttributeName] == "" {
			refuse("Invalid KeySchema: it is a HASH element and perhaps a RANGE element, of attributes that are in "+
				"AttributeDefinitions: %s", element.AttributeName)
		}
		x.names = append(x.names, element.AttributeName)
	}
	if x.parts == 0 || !slices.Contains([]string{"ALL", "KEYS_ONLY", "INCLUDE"}, p.ProjectionType) || (len(p.NonKeyAttributes) > 0) != (p.ProjectionType == "INCLUDE") {
		refuse("One or more parameter values were invalid: a KeySchema is empty, ProjectionType %q is unknown, or NonKeyAttributes do not fit it", p.ProjectionType)
	}
	t.indexes = append(t.indexes, x)
	for _, part := range t.primary().keys() {
		if !slices.Contains(x.names, part) {
			x.names = append(x.names, part)
		}
	}
	if p.ProjectionType != "ALL" {
		x.projected = slices.Concat(x.names, p.NonKeyAttributes)
	}
}

type listTables struct {
	ExclusiveStartTableName string
	Limit                   *int
}

// listTables returns names in order. Those after Limit are the next request's.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListTables.html
func (s *Server) listTables(in listTables) any {
	const most = 100
	limit := most
	if in.Limit != nil {
		limit = *in.Limit
	}
	if limit < 1 || limit > most {
		refuse("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: between 1 and %d", limit, most)
	}
	names := slices.Sorted(maps.Keys(s.tables))
	names = slices.DeleteFunc(names, func(name string) bool { return name <= in.ExclusiveStartTableName })
	out := map[string]any{"TableNames": names[:min(limit, len(names))]}
	if len(names) > limit {
		out["LastEvaluatedTableName"] = names[limit-1]
	}
	return out
}

func (s *Server) describeTable(in tableName) any {
	t := s.existing(in.TableName)
	described := t.description
	t.settle()
	return map[string]any{"Table": described}
}

func (s *Server) deleteTable(in tableName) any {
	t := s.existing(in.TableName)
	if !t.active() {
		fail("ResourceInUseException", "Attempt to change a resource which is still in use: Table is being created: %s", in.TableName)
	}
	if t.description.DeletionProtectionEnabled {
		refuse("Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")
	}
	delete(s.tables, in.TableName)
	for i := range t.primary().all() {
		t.saveChange(i, nil)
	}
	t.feed.forget(0)
	s.save(t.storageKey(), nil)
	t.feed.wake()
	return map[string]any{"TableDescription": t.description}
}

// table returns a table that can be used.
func (s *Server) table(name string) *table {
	t := s.existing(name)
	if !t.active() {
		fail("ResourceNotFoundException", "Requested resource not found: Table: %s is being created", name)
	}
	return t
}

// existing returns a table, whatever its status.
func (s *Server) existing(name string) *table {
	t := s.tables[name]
	if t == nil {
		fail("ResourceNotFoundException", "Requested resource not found: Table: %s not found", name)
	}
	return t
}
