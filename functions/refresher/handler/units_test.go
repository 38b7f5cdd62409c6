//go:build !race

package handler

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/testing/fake/dynamotest"
)

// write is one write of storage. In a transaction each counts twice.
type write struct {
	table string
	times int
	of    *counted
}

// record notes the writes of an operation, and whose grant they concern.
func (c *count) record(operation string, body []byte) dynamotest.Fault {
	type one struct{ TableName string }
	var in struct {
		one
		TransactItems []struct{ Put, Update, Delete, ConditionCheck one }
	}
	if operation != "PutItem" && operation != "UpdateItem" && operation != "DeleteItem" && operation != "TransactWriteItems" {
		return dynamotest.Fault{}
	}
	if err := json.Unmarshal(body, &in); err != nil {
		c.t.Error(err)
	}
	of := c.of(string(body))
	if of != nil && in.TableName != "" {
		c.writes = append(c.writes, write{in.TableName, 1, of})
	}
	for _, item := range in.TransactItems {
		if of != nil {
			c.writes = append(c.writes, write{cmp.Or(item.Put, item.Update, item.Delete, item.ConditionCheck).TableName, 2, of})
		}
	}
	return dynamotest.Fault{}
}

// of returns whose grant or company a row or a request names.
func (c *count) of(s string) *counted {
	for _, k := range c.kinds {
		for _, one := range k.all {
			if strings.Contains(s, `#`+string(one.Principal)+`"`) || strings.Contains(s, fmt.Sprintf(`#%d"`, one.CompanyID)) {
				return k
			}
		}
	}
	return nil
}

// units are write units by table, and those of the indexes.
type units struct{ grants, connections, spends, indexes int }

// settle adds the writes of a step: an item of a kilobyte is a unit, and a new place in
// an index two.
func (c *count) settle() {
	c.t.Helper()
	grant, connection := map[*counted]int{}, map[*counted]int{}
	for _, item := range c.rows() {
		key := `#` + text(item["grant"]) + text(item["company"]) + `"`
		of, size := c.of(key), 0
		if of == nil {
			continue
		}
		for name, value := range item {
			size += len(name) + sizeOf(value)
		}
		sizes := connection
		if item["grant"] != nil {
			sizes = grant
		}
		sizes[of] = max(sizes[of], (size+1023)/1024)
		place := text(item["due_shard"]) + " " + text(item["due_at"]) + text(item["check_at"])
		if key += text(item["principal"]); c.places[key] != place {
			of.units.indexes += 2
		}
		c.places[key] = place
	}
	for _, w := range c.writes {
		switch u := &w.of.units; w.table {
		case c.Tables.Grants:
			u.grants += w.times * grant[w.of]
		case c.Tables.Connections:
			u.connections += w.times * connection[w.of]
		case c.Tables.Spends:
			u.spends += w.times
		}
	}
	c.writes = nil
}

// month returns those of a month, of the units of some days.
func (u units) month(days int) string {
	month := func(n int) int { return n * 30 / days }
	return fmt.Sprintf("%d (grants %d, connections %d, spends %d, indexes %d)", month(u.grants+u.connections+u.spends+u.indexes),
		month(u.grants), month(u.connections), month(u.spends), month(u.indexes))
}

// text returns a text or a number, and "" for any other value.
func text(v types.AttributeValue) string {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	}
	return ""
}

// sizeOf returns about the bytes of a value that are billed.
func sizeOf(v types.AttributeValue) int {
	n := len(text(v))
	switch v := v.(type) {
	case *types.AttributeValueMemberB:
		n = len(v.Value)
	case *types.AttributeValueMemberSS:
		n = len(strings.Join(v.Value, ""))
	case *types.AttributeValueMemberL:
		for _, one := range v.Value {
			n += 1 + sizeOf(one)
		}
	case *types.AttributeValueMemberM:
		for name, one := range v.Value {
			n += 1 + len(name) + sizeOf(one)
		}
	}
	return n
}
