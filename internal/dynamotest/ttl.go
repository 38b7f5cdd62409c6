package dynamotest

import "time"

type timeToLive struct {
	AttributeName string
	Enabled       bool
}

// updateTimeToLive: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTimeToLive.html
func (s *Server) updateTimeToLive(in struct {
	TableName               string
	TimeToLiveSpecification timeToLive
}) (any, error) {
	t, err := s.table(in.TableName)
	if err != nil {
		return nil, err
	}
	switch ttl := in.TimeToLiveSpecification; {
	case ttl.AttributeName == "":
		return nil, invalid("1 validation error detected: TimeToLiveSpecification.AttributeName is missing")
	case ttl.Enabled && t.ttl != "":
		return nil, invalid("TimeToLive is already enabled")
	case !ttl.Enabled && t.ttl == "":
		return nil, invalid("TimeToLive is already disabled")
	case !ttl.Enabled && t.ttl != ttl.AttributeName:
		return nil, invalid("TimeToLive is active on a different AttributeName: current AttributeName is %s", t.ttl)
	case ttl.Enabled:
		t.ttl = ttl.AttributeName
	default:
		t.ttl = ""
	}
	return map[string]any{"TimeToLiveSpecification": in.TimeToLiveSpecification}, nil
}

func (s *Server) describeTimeToLive(in tableName) (any, error) {
	t, err := s.table(in.TableName)
	if err != nil {
		return nil, err
	}
	description := map[string]any{"TimeToLiveStatus": "DISABLED"}
	if t.ttl != "" {
		description = map[string]any{"TimeToLiveStatus": "ENABLED", "AttributeName": t.ttl}
	}
	return map[string]any{"TimeToLiveDescription": description}, nil
}

// Expire removes, in every table with time to live, the items whose time has come, and returns how many. Until it is
// called they are still read and still count, as on the service, which removes them within days. What is older than
// five years, or is no number, is never removed. The removals are in the feed, marked as the service's own.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html
func (s *Server) Expire() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	removed := 0
	for _, t := range s.tables {
		for _, i := range t.items {
			v, ok := i[t.ttl]
			if !ok || v.kind != "N" {
				continue
			}
			expiry := mustNumber(v.text)
			if expiry.cmp(seconds(now)) < 0 && expiry.cmp(seconds(now.AddDate(-5, 0, 0))) > 0 {
				s.store(t, i, nil, true)
				removed++
			}
		}
	}
	return removed
}

func seconds(t time.Time) number { return numberOf(t.Unix()) }
