package system

import (
	"maps"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"procore-connect/internal/invariants"
)

// versions judges that this version keeps what the next one has stored in a row that it
// changes: a rollback would lose it.
type versions struct {
	court
	next map[string]bool // rows that have it
}

func newVersions(c court) *versions { return &versions{court: c, next: map[string]bool{}} }

// wrote learns of a write.
func (v *versions) wrote(by, table string, i invariants.Item) {
	key := keyOf(table, i)
	switch _, has := i[nextAttribute]; {
	case has:
		v.next[key] = true
	case v.next[key] && !restores(by): // a backup may be older
		delete(v.next, key)
		v.problem("%s drops what the next version stores in %s", by, key)
	}
}

// deleted learns of a deletion: another row may follow.
func (v *versions) deleted(table string, i invariants.Item) { delete(v.next, keyOf(table, i)) }

// restored learns that a table has these rows now, and no others.
func (v *versions) restored(table string, all []invariants.Item) {
	maps.DeleteFunc(v.next, func(key string, _ bool) bool { return strings.HasPrefix(key, table+" ") })
	for _, i := range all {
		v.wrote("", table, i)
	}
}

// keyOf names the row of an item.
func keyOf(table string, i invariants.Item) string {
	parts := []string{table}
	for _, name := range []string{"grant", "company", "principal", "session", "resource", "event_id", "fingerprint"} {
		if v, ok := i[name]; ok {
			parts = append(parts, aws.ToString(v.S))
		}
	}
	return strings.Join(parts, " ")
}
