package dynamotest

import (
	"maps"
	"slices"
)

// A path leads to an attribute or into it. A step with a name goes into a map, one without into a list.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.Attributes.html
type path []step

type step struct {
	name  string
	index int
}

// in finds what the path leads to.
func (p path) in(v value) (value, bool) {
	for _, s := range p {
		next, ok := v.m[s.name]
		if s.name == "" && s.index < len(v.list) {
			next, ok = v.list[s.index], true
		}
		if !ok {
			return value{}, false
		}
		v = next
	}
	return v, true
}

// replace returns a copy of v with another value at the path, or nothing there if put is nil. It refuses a path that
// leads through something that is missing or neither map nor list.
func (p path) replace(v value, put *value) value {
	if len(p) == 0 {
		return *put
	}
	s, last := p[0], len(p) == 1
	child, found := p[:1].in(v)
	if s.name == "" && v.kind != "L" || s.name != "" && v.kind != "M" || !found && !last {
		refuse("The document path provided in the update expression is invalid for update")
	}
	v.m, v.list = maps.Clone(v.m), slices.Clone(v.list)
	switch {
	case last && put == nil && !found:
	case last && put == nil && s.name != "":
		delete(v.m, s.name)
	case last && put == nil:
		v.list = slices.Delete(v.list, s.index, s.index+1)
	case s.name != "":
		v.m[s.name] = p[1:].replace(child, put)
	case found:
		v.list[s.index] = p[1:].replace(child, put)
	default:
		v.list = append(v.list, *put)
	}
	return v
}

// refuseOverlap refuses paths of which one leads to, or through, another, or takes for a list what another takes for
// a map.
func refuseOverlap(paths []path) {
	for n, p := range paths {
		for _, q := range paths[:n] {
			k := 0
			for k < min(len(p), len(q)) && p[k] == q[k] {
				k++
			}
			if k == min(len(p), len(q)) {
				refuse("Two document paths overlap with each other; must remove or rewrite one of these paths")
			}
			if (p[k].name == "") != (q[k].name == "") {
				refuse("Two document paths conflict with each other; must remove or rewrite one of these paths")
			}
		}
	}
}

// project returns the part of v that the paths lead to; list elements move together.
func project(v value, paths []path) value {
	part, rest := v, map[step][]path{}
	if v.kind == "M" {
		part.m = item{}
	}
	if v.kind == "L" {
		part.list = []value{}
	}
	for _, p := range paths {
		if len(p) == 0 {
			return v
		}
		if _, ok := p.in(v); ok {
			rest[p[0]] = append(rest[p[0]], p[1:])
		}
	}
	for _, s := range slices.SortedFunc(maps.Keys(rest), func(a, b step) int { return a.index - b.index }) {
		child, _ := path{s}.in(v)
		if s.name != "" {
			part.m[s.name] = project(child, rest[s])
		} else {
			part.list = append(part.list, project(child, rest[s]))
		}
	}
	return part
}

// projection reads a projection expression; without a text it is nil, which means the whole item.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ProjectionExpressions.html
func (e *expressions) projection(text *string) (paths []path) {
	e.read("ProjectionExpression", text, func(p *parser) {
		paths = append(paths, p.path())
		for p.accept(",") {
			paths = append(paths, p.path())
		}
		refuseOverlap(paths)
	})
	return paths
}

// projected returns the item, or the part of it that the paths lead to.
func projected(i item, paths []path) item {
	if paths == nil {
		return i
	}
	return project(value{kind: "M", m: i}, paths).m
}
