package dynamotest

import "strconv"

// updateTimeToLive: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTimeToLive.html
func (s *Server) updateTimeToLive(in struct {
	TableName               string
	TimeToLiveSpecification struct {
		AttributeName string
		Enabled       bool
	}
}) any {
	t, ttl := s.table(in.TableName), in.TimeToLiveSpecification
	switch {
	case ttl.AttributeName == "":
		refuse("1 validation error detected: TimeToLiveSpecification.AttributeName is missing")
	case ttl.Enabled && t.ttl != "":
		refuse("TimeToLive is already enabled")
	case !ttl.Enabled && t.ttl != ttl.AttributeName:
		refuse("TimeToLive is already disabled, or active on a different AttributeName")
	}
	t.ttl = ""
	if ttl.Enabled {
		t.ttl = ttl.AttributeName
	}
	return map[string]any{"TimeToLiveSpecification": ttl}
}

func (s *Server) describeTimeToLive(in tableName) any {
	description := map[string]any{"TimeToLiveStatus": "DISABLED"}
	if ttl := s.table(in.TableName).ttl; ttl != "" {
		description = map[string]any{"TimeToLiveStatus": "ENABLED", "AttributeName": ttl}
	}
	return map[string]any{"TimeToLiveDescription": description}
}

// Expire removes, in every table with time to live, the items whose time has come, and returns how many. Until it is
// called they are still read and still count, as on the service, which removes them within days. What is older than
// five years, or is no number, is never removed. The removals are in the feed, marked as the service's own.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html
func (s *Server) Expire() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, old := strconv.FormatInt(s.now().Unix(), 10), strconv.FormatInt(s.now().AddDate(-5, 0, 0).Unix(), 10)
	removed := 0
	for _, t := range s.tables {
		for _, i := range t.items {
			v := i[t.ttl]
			if v.kind == "N" && compareNumbers(v.text, now) < 0 && compareNumbers(v.text, old) > 0 {
				s.store(t, i.only(t.primary.keys()), i, nil, true)
				removed++
			}
		}
	}
	return removed
}
