package dynamotest

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// updateTimeToLive: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTimeToLive.html
func (s *Server) updateTimeToLive(in struct {
	TableName               string
	TimeToLiveSpecification struct {
		AttributeName string
		Enabled       bool
	}
}) any {
	t, ttl := s.table(in.TableName), in.TimeToLiveSpecification
	if ttl.AttributeName == "" || !ttl.Enabled || t.ttl != "" {
		refuse("TimeToLive is already enabled, or the request disables it, which dynamotest does not support")
	}
	t.ttl = ttl.AttributeName
	t.saveTable()
	return map[string]any{"TimeToLiveSpecification": ttl}
}

func (s *Server) describeTimeToLive(in tableName) any {
	description := map[string]any{"TimeToLiveStatus": "DISABLED"}
	if ttl := s.table(in.TableName).ttl; ttl != "" {
		description = map[string]any{"TimeToLiveStatus": "ENABLED", "AttributeName": ttl}
	}
	return map[string]any{"TimeToLiveDescription": description}
}

// Expire removes the expired items of every table with time to live and returns how many it removed. Until then reads
// and conditions still see them, as on the service, which removes them within days. It never removes an item that
// expired more than five years ago or whose time is not a number. The removals appear in the feed, always in the same
// order.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html
func (s *Server) Expire() int { return s.ExpireAt(s.Now()) }

// ExpireAt is Expire as if it was this time.
func (s *Server) ExpireAt(t time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := number(strconv.FormatInt(t.Unix(), 10))
	old := number(strconv.FormatInt(t.AddDate(-5, 0, 0).Unix(), 10))
	removed := 0
	for _, name := range slices.Sorted(maps.Keys(s.tables)) {
		t := s.tables[name]
		var expired []item
		for i := range t.primary().all() {
			if v := i[t.ttl]; v.kind == "N" && number(v.text).compare(now) < 0 && number(v.text).compare(old) > 0 {
				expired = append(expired, i)
			}
		}
		for _, i := range expired {
			t.replace(i, nil)
		}
		removed += len(expired)
	}
	s.saved()
	return removed
}
