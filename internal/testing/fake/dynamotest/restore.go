package dynamotest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	// recoveryPeriod is how far a table can be restored, and recoveryDelay how far the backup is behind at most.
	// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html
	recoveryPeriod = 35 * 24 * time.Hour
	recoveryDelay  = 5 * time.Minute
)

// A history is what a table needs to be restored to an earlier time: what it had before each change.
type history struct {
	since   time.Time
	changes []pastChange // oldest first
}

type pastChange struct {
	at           time.Time
	old, updated item
}

// add records a change. A table without point-in-time recovery has a nil history.
func (h *history) add(now time.Time, old, updated item) {
	if h == nil {
		return
	}
	h.changes = append(h.changes, pastChange{now, old, updated})
	n := 0
	for n < len(h.changes) && now.Sub(h.changes[n].at) > recoveryPeriod {
		n++
	}
	h.changes = h.changes[n:]
}

// window returns the earliest and the latest time to which a table can be restored. A history that is younger than the delay
// reaches until now, so that a test in real time needs no five minutes.
func (h *history) window(now time.Time) (earliest, latest time.Time) {
	earliest = h.since
	if past := now.Add(-recoveryPeriod); earliest.Before(past) {
		earliest = past
	}
	latest = now.Add(-recoveryDelay)
	if latest.Before(earliest) {
		latest = now
	}
	return earliest.Truncate(time.Second), latest.Truncate(time.Second)
}

// at returns the items that the table had at the end of a second.
func (t *table) at(second time.Time) map[string]item {
	items := map[string]item{}
	for i := range t.primary().all() {
		items[t.itemKey(i)] = i
	}
	for _, c := range slices.Backward(t.recovery.changes) {
		if c.at.Before(second.Add(time.Second)) {
			break
		}
		if c.old != nil {
			items[t.itemKey(c.old)] = c.old
		} else {
			delete(items, t.itemKey(c.updated))
		}
	}
	return items
}

type restoreSummary struct {
	SourceTableArn    string
	RestoreDateTime   epoch
	RestoreInProgress bool
}

// An epoch is a time as JSON has it: seconds.
type epoch struct{ time.Time }

// MarshalJSON writes whole seconds.
func (e epoch) MarshalJSON() ([]byte, error) { return json.Marshal(e.Unix()) }

// UnmarshalJSON reads whole seconds, and refuses any other number.
func (e *epoch) UnmarshalJSON(text []byte) error {
	var seconds float64
	if err := json.Unmarshal(text, &seconds); err != nil {
		return err
	}
	if seconds != float64(int64(seconds)) {
		refuse("dynamotest supports only whole seconds of RestoreDateTime")
	}
	e.Time = time.Unix(int64(seconds), 0)
	return nil
}

type restoreTable struct {
	SourceTableName, TargetTableName string
	RestoreDateTime                  *epoch
	GlobalSecondaryIndexOverride     *[]struct{} // an empty list: no index
}

// restoreTableToPointInTime makes a table with the items that another one had. It is CREATING at first, see
// [Server.RestoreTime].
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_RestoreTableToPointInTime.html
func (s *Server) restoreTableToPointInTime(in restoreTable) any {
	source := s.tables[in.SourceTableName]
	switch {
	case source == nil:
		fail("TableNotFoundException", "Table not found: %s", in.SourceTableName)
	case s.tables[in.TargetTableName] != nil:
		fail("TableAlreadyExistsException", "Table already exists: %s", in.TargetTableName)
	case !source.active():
		fail("TableInUseException", "Table is being created: %s", in.SourceTableName)
	case source.recovery == nil:
		fail("PointInTimeRecoveryUnavailableException", "Point in time recovery is not enabled for table '%s'", in.SourceTableName)
	case in.RestoreDateTime == nil:
		refuse("dynamotest supports no restore without RestoreDateTime")
	case in.GlobalSecondaryIndexOverride != nil && len(*in.GlobalSecondaryIndexOverride) > 0:
		refuse("dynamotest supports only an empty GlobalSecondaryIndexOverride")
	}
	at := in.RestoreDateTime.Time
	if earliest, latest := source.recovery.window(s.Now()); at.Before(earliest) || at.After(latest) {
		fail("InvalidRestoreTimeException", "The requested restore time is not within the allowed range: %s to %s", earliest.UTC(), latest.UTC())
	}
	s.createTable(source.copied(in))
	t := s.tables[in.TargetTableName]
	t.description.TableStatus = "CREATING"
	t.description.RestoreSummary = &restoreSummary{source.description.TableArn, epoch{at}, true}
	t.readyAt = s.Now().Add(s.RestoreTime)
	t.saveTable()
	items := source.at(at)
	for _, key := range slices.Sorted(maps.Keys(items)) {
		t.index(nil, items[key])
		t.saveChange(nil, items[key])
	}
	return map[string]any{"TableDescription": t.description}
}

// copied is the definition of a restored table. It has no stream.
func (t *table) copied(in restoreTable) createTable {
	definition := t.description.createTable
	definition.TableName, definition.StreamSpecification = in.TargetTableName, nil
	if in.GlobalSecondaryIndexOverride != nil {
		definition.GlobalSecondaryIndexes = nil
		keys := t.primary().keys()
		definition.AttributeDefinitions = slices.Clone(definition.AttributeDefinitions)
		definition.AttributeDefinitions = slices.DeleteFunc(definition.AttributeDefinitions, func(a attributeDefinition) bool { return !slices.Contains(keys, a.AttributeName) })
	}
	return definition
}

// active reports whether the table can be used.
func (t *table) active() bool { return t.description.TableStatus == "ACTIVE" }

// settle makes a restored table ACTIVE after its time.
func (t *table) settle() {
	if t.active() || t.server.Now().Before(t.readyAt) {
		return
	}
	done := *t.description.RestoreSummary
	done.RestoreInProgress = false
	t.description.TableStatus, t.description.RestoreSummary = "ACTIVE", &done
	t.saveTable()
}

// arn returns the ARN of a table, as clients of the region us-east-1 see it.
func arn(name string) string {
	return strings.Join([]string{"arn:aws:dynamodb:us-east-1:000000000000:table", name}, "/")
}
