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
		if s.name == "" {
			if ok = s.index < len(v.list); ok {
				next = v.list[s.index]
			}
		}
		if !ok {
			return value{}, false
		}
		v = next
	}
	return v, true
}

// replace returns a copy of v with another value at the path, or nothing there if put is nil. It fails where the path
// leads through something that is missing or neither map nor list.
func (p path) replace(v value, put *value) (value, bool) {
	if len(p) == 0 {
		return *put, true
	}
	s, last := p[0], len(p) == 1
	if s.name == "" && v.kind != "L" || s.name != "" && v.kind != "M" {
		return v, false
	}
	child, found := p[:1].in(v)
	if !found && !last {
		return v, false
	}
	if last && put == nil {
		return v.without(s, found), true
	}
	child, ok := p[1:].replace(child, put)
	if s.name != "" {
		v.m = maps.Clone(v.m)
		v.m[s.name] = child
		return v, ok
	}
	v.list = slices.Clone(v.list)
	if !found {
		v.list = append(v.list, child)
	} else {
		v.list[s.index] = child
	}
	return v, ok
}

func (v value) without(s step, found bool) value {
	switch {
	case !found:
	case s.name != "":
		v.m = maps.Clone(v.m)
		delete(v.m, s.name)
	default:
		v.list = slices.Delete(slices.Clone(v.list), s.index, s.index+1)
	}
	return v
}

// checkOverlap refuses paths of which one leads to, or through, another.
func checkOverlap(paths []path) error {
	for n, p := range paths {
		for _, q := range paths[:n] {
			short := min(len(p), len(q))
			if slices.Equal(p[:short], q[:short]) {
				return invalid("Two document paths overlap with each other; must remove or rewrite one of these paths")
			}
			for k := range short {
				if (p[k].name == "") != (q[k].name == "") {
					return invalid("Two document paths conflict with each other; must remove or rewrite one of these paths")
				}
				if p[k] != q[k] {
					break
				}
			}
		}
	}
	return nil
}

// project returns the part of v that the paths lead to; list elements move together.
func project(v value, paths []path) value {
	part := value{kind: v.kind, text: v.text, flag: v.flag, set: v.set}
	if v.kind == "M" {
		part.m = item{}
	}
	if v.kind == "L" {
		part.list = []value{}
	}
	rest := map[step][]path{}
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

// projection reads a projection expression.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ProjectionExpressions.html
func (e *expressions) projection(text *string) (paths []path, err error) {
	_, err = e.read("ProjectionExpression", text, func(p *parser) {
		paths = append(paths, p.path())
		for p.accept(",") {
			paths = append(paths, p.path())
		}
		if err := checkOverlap(paths); err != nil {
			panic(err)
		}
	})
	return paths, err
}

// projected returns the item, or the part of it that the paths lead to.
func projected(i item, paths []path) item {
	if paths == nil {
		return i
	}
	return project(value{kind: "M", m: i}, paths).m
}
