package logs

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"
)

// GroupsOutput is the stack's output with the log groups, as name=group with commas between. [ParseGroups] reads it.
const GroupsOutput = "LogGroups"

// Groups are log groups with what writes to them, such as dispatcher. The key is the group's name, or that and the function's
// own name with a colon between, if several functions write to the group.
type Groups map[string]string

// ParseGroups reads the output, and adds groups of other functions, such as that of a consumer in another stack. Their function
// is the last part of their name.
func ParseGroups(output string, more ...string) Groups {
	groups := Groups{}
	for one := range strings.SplitSeq(output, ",") {
		if function, group, ok := strings.Cut(strings.TrimSpace(one), "="); ok {
			groups[group] = function
		}
	}
	for _, group := range more {
		if _, known := groups[group]; !known {
			groups[group] = path.Base(group)
		}
	}
	return groups
}

// names returns the names of the groups, each once.
func (g Groups) names() []string {
	var names []string
	for key := range maps.Keys(g) {
		name, _, _ := strings.Cut(key, ":")
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// of returns what wrote a stream of a group. A function that the output does not name, such as one that the stack no longer
// has, is returned by its own name.
func (g Groups) of(group, stream string) string {
	function := writer(stream)
	return cmp.Or(g[group+":"+function], g[group], function)
}

// writer returns the function's name in that of a stream, which is in a group that was made for it
// YYYY/MM/DD/FUNCTION[VERSION]ENVIRONMENT.
//
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-loggroups.html
func writer(stream string) string {
	before, _, _ := strings.Cut(stream, "[")
	return before[strings.LastIndexByte(before, '/')+1:]
}
