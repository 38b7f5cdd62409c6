package dispatch

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of a request, and of a message alone, in bytes. SQS accepts more in some regions.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
const (
	maxEntries = 10
	maxBytes   = 256 << 10
	maxID      = 128 // characters of a group or deduplication id
)

// wave returns the first event of each group that is not stopped, in order, and what
// remains for later waves.
func wave(pending []entry, stopped map[string]bool) (heads, rest []entry) {
	seen := map[string]bool{}
	for _, e := range pending {
		switch {
		case stopped[e.group]:
		case seen[e.group]:
			rest = append(rest, e)
		default:
			seen[e.group] = true
			heads = append(heads, e)
		}
	}
	return heads, rest
}

// batches divides a wave into requests.
func batches(heads []entry) (all [][]entry) {
	size := 0
	for _, e := range heads {
		last := len(all) - 1
		if last < 0 || len(all[last]) == maxEntries || size+len(e.body) > maxBytes {
			all, size = append(all, nil), 0
			last++
		}
		all[last] = append(all[last], e)
		size += len(e.body)
	}
	return all
}

// poison returns why the queue would always refuse an event, or "".
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
func poison(e entry) string {
	id := func(r rune) bool { return r <= ' ' || r > '~' }
	switch {
	case len(e.body) > maxBytes:
		return "larger than 256 KB"
	case !utf8.ValidString(e.body) || strings.ContainsFunc(e.body, forbidden):
		return "characters that a message may not have"
	case slices.ContainsFunc([]string{e.group, e.dedup}, func(s string) bool { return s == "" || len(s) > maxID || strings.ContainsFunc(s, id) }):
		return "a group or deduplication id that the queue does not accept"
	}
	return ""
}

// forbidden reports whether a message may not contain r.
func forbidden(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
}
