package dynamotest

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// WireRequest returns the request of an operation on items whose body is from the wire, to be named. It returns nil for other
// operations.
func WireRequest(operation string, body []byte) *Request {
	read := map[string]func([]byte) any{
		"GetItem": decoded[getItem], "PutItem": decoded[*request], "UpdateItem": decoded[*request], "DeleteItem": decoded[*request],
		"TransactWriteItems": decoded[transactWriteItems], "Query": decoded[query], "Scan": decoded[scan],
	}[operation]
	if read == nil {
		return nil
	}
	r := &Request{Operation: operation}
	r.refused = attempt(func() { r.in = read(body) })
	return r
}

func decoded[In any](body []byte) any {
	var in In
	_ = json.Unmarshal(body, &in) // the operation itself refuses it
	return in
}

// Name returns what the request is about: the tables and keys, or what it reads. Requests on other items have other
// names.
func (s *Server) Name(r *Request) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r == nil {
		return ""
	}
	return s.name(r.in)
}

func (s *Server) name(in any) string {
	switch in := in.(type) {
	case getItem:
		return s.keyName(in.TableName, in.Key)
	case single:
		return s.name(in.request)
	case *request:
		if in.Item != nil {
			return s.keyName(in.TableName, in.Item)
		}
		return s.keyName(in.TableName, in.Key)
	case query:
		return in.name() + " " + in.ExpressionAttributeValues.name(nil)
	case scan:
		if in.Segment != nil {
			return in.name() + " " + strconv.Itoa(*in.Segment)
		}
		return in.name()
	case transactWriteItems:
		var all []string
		for _, i := range in.TransactItems {
			kind, w := i.member()
			all = append(all, kind+" "+s.name(w))
		}
		return strings.Join(all, ", ")
	}
	return ""
}

func (in readMany) name() string {
	return strings.TrimSpace(strings.TrimSuffix(in.TableName+"/"+in.IndexName, "/") + " " + in.ExclusiveStartKey.name(nil))
}

func (s *Server) keyName(table string, key item) string {
	t := s.tables[table]
	if t == nil {
		return table
	}
	return table + " " + key.name(t.primary().names)
}

// name returns the named attributes of an item as text, all of them if names is nil.
func (i item) name(names []string) string {
	if names == nil {
		names = slices.Sorted(maps.Keys(i))
	}
	all := make([]string, len(names))
	for n, name := range names {
		all[n] = name + "=" + i[name].text
	}
	return strings.Join(all, " ")
}

// Mentions reports whether an attribute or a value of the request is this text.
func (r *Request) Mentions(text string) bool {
	switch in := r.in.(type) {
	case getItem:
		return in.Key.mentions(text)
	case single:
		return in.mentions(text)
	case query:
		return in.ExpressionAttributeValues.mentions(text) || in.ExclusiveStartKey.mentions(text)
	case scan:
		return in.ExclusiveStartKey.mentions(text)
	case transactWriteItems:
		return slices.ContainsFunc(in.TransactItems, func(i transactItem) bool {
			_, w := i.member()
			return w.mentions(text)
		})
	}
	return false
}

func (in *request) mentions(text string) bool {
	return in.Item.mentions(text) || in.Key.mentions(text) || in.ExpressionAttributeValues.mentions(text)
}

func (i item) mentions(text string) bool {
	for _, v := range i {
		if v.text == text {
			return true
		}
	}
	return false
}
