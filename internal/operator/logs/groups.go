package logs

import (
	"path"
	"strings"
)

// GroupsOutput is the stack's output with the log groups, as function=group with commas between. [Groups] reads it.
const GroupsOutput = "LogGroups"

// Groups reads the output, and adds groups of other functions, such as that of a consumer in another stack. Their function is
// the last part of their name.
func Groups(output string, more ...string) map[string]string {
	groups := map[string]string{}
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
