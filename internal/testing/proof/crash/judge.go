package crash

import (
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// judge compares what was seen with what a machine has that has just started. The error is of the disk, which may crash.
func (s *recorder) judge(m *machine) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.judgeQueue(m)
	s.judgeProcore(m)
	if err := s.judgeGrants(m); err != nil {
		return err
	}
	return s.judgeInbox(m)
}

func (s *recorder) wrong(format string, args ...any) {
	s.w.t.Errorf("seed %d, start %d: "+format, append([]any{s.w.seed, s.w.starts}, args...)...)
}

// judgeProcore: what Procore answered is so.
func (s *recorder) judgeProcore(m *machine) {
	state := m.fake.State()
	pairs := map[string]procoretest.RefreshToken{}
	for _, t := range state.RefreshTokens {
		pairs[t.Fingerprint] = t
	}
	for token := range s.issued {
		got, ok := pairs[procoretest.Fingerprint(token)]
		switch {
		case !ok:
			s.wrong("Procore does not know a refresh token that it answered")
		case s.spent[token] && (got.State != procoretest.Spent || got.Presented != 1):
			s.wrong("a refresh token that Procore exchanged was presented %d times and is %s", got.Presented, got.State)
		case s.sent[token] == 0 && got.State != procoretest.Live:
			s.wrong("a refresh token that was never sent is %s", got.State)
		}
	}
	rfis := map[string]bool{}
	for _, r := range state.Resources {
		rfis[string(r.ID)] = true
	}
	for company, id := range s.rfis {
		if !rfis[string(id)] {
			s.wrong("company %d: Procore does not know an RFI that it answered", company)
		}
	}
}

// judgeQueue: each message is there that was accepted, unless it was deleted.
func (s *recorder) judgeQueue(m *machine) {
	want := 0
	for _, deleting := range s.messages {
		if !deleting {
			want++
		}
	}
	waiting, inFlight, delayed := m.events.Counts()
	if got := waiting + inFlight + delayed; got < want {
		s.wrong("the queue has %d messages, want at least %d", got, want)
	}
}

// judgeGrants: what DynamoDB answered is so.
func (s *recorder) judgeGrants(m *machine) error {
	for key := range s.connections {
		c, err := m.store.Connection(m.ctx, key)
		if err != nil && m.journal.Err() != nil {
			return err
		}
		if err != nil || c.State != connections.Connected {
			s.wrong("%v was connected, and is %q: %v", key, c.State, err)
		}
	}
	for p, generation := range s.generations {
		g, err := m.store.Tokens.Grant(m.ctx, p)
		if err != nil && m.journal.Err() != nil {
			return err
		}
		if err != nil || g.Generation < generation {
			s.wrong("%s has generation %d, after %d: %v", p, g.Generation, generation, err)
		}
	}
	return nil
}

// judgeInbox: an event that was answered 2xx is there. Those of earlier lives are judged in the end.
func (s *recorder) judgeInbox(m *machine) error {
	for _, id := range slices.Sorted(maps.Keys(s.unjudged)) {
		out, err := m.db.GetItem(m.ctx, &dynamodb.GetItemInput{TableName: &names.Inbox,
			Key: dynamo.Item{"resource": dynamo.Text(s.events[id]), "event_id": dynamo.Text(id)}})
		if err != nil {
			return err
		}
		if out.Item == nil {
			s.wrong("event %s was answered 200, and is not in the inbox", id)
		}
		delete(s.unjudged, id)
	}
	return nil
}

// settled is for how many minutes nothing happens in the end, because a grant is uncertain for so long.
const settled = 20

// finish runs the last machine until all is done that was begun, and judges the end.
func (m *machine) finish() {
	defer m.end()
	if err := m.startMappings(); err != nil {
		m.t.Fatal(err)
	}
	ended := time.Now().Add(time.Hour)
	for idle := 0; idle < settled; {
		m.refresh()
		if time.Now().After(ended) {
			m.t.Fatalf("seed %d: not idle after an hour", m.seed)
		}
		<-time.After(time.Minute)
		if idle++; !m.idle() {
			idle = 0
		}
	}
	m.seen.do(m.seen.judgeEvents)
	if err := m.seen.judge(m); err != nil {
		m.t.Fatal(err)
	}
	m.judgeEnd()
	if err := m.journal.Close(); err != nil {
		m.t.Errorf("seed %d: %v", m.seed, err)
	}
}

// judgeEvents: each event that was answered is with the consumer.
func (s *recorder) judgeEvents() {
	for id := range s.events {
		s.unjudged[id] = true
		if !s.handled[id] {
			s.wrong("event %s was answered 200, and did not reach the consumer", id)
		}
	}
	for id := range s.changes {
		if s.events[id] == "" {
			s.wrong("event %s was answered to the one who made the change, and was not delivered", id)
		}
	}
}

// idle reports whether nothing is under way.
func (m *machine) idle() bool {
	for _, h := range m.fake.State().Hooks {
		if h.Waiting > 0 {
			return false
		}
	}
	waiting, inFlight, delayed := m.events.Counts()
	return waiting+inFlight+delayed == 0
}

// judgeEnd: each grant works, or asks for its user.
func (m *machine) judgeEnd() {
	for p := range m.seen.generations {
		_, err := m.store.Tokens.Token(m.ctx, p)
		g, err2 := m.store.Tokens.Grant(m.ctx, p)
		if err2 != nil {
			m.t.Fatal(err2)
		}
		switch {
		case g.State == tokens.Active && err == nil:
			m.stats.count("grants active in the end")
		case g.State == tokens.Reauthorize:
			m.stats.count("grants to authorize again in the end")
		default:
			m.seen.wrong("%s is %s in the end: %v", p, g.State, err)
		}
	}
}
