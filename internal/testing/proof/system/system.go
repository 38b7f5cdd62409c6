package system

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/gatewaytest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/internal/testing/proof/simulation"
	"procore-connect/pkg/procoretest"
)

// The tables.
const (
	grants           = "grants"
	connectionsTable = "connections"
	spends           = "spends"
	sessions         = "sessions"
	inboxTable       = "inbox"
)

const (
	clientID = "fake-client-id"
	perOwner = 600 // calls of the reconciler in an hour
	perApp   = 6000
)

// Config is the size of a run.
type Config struct {
	Seed      uint64
	Companies int
	Time      time.Duration     // in which things fail
	Settle    time.Duration     // in which nothing does, before the judge looks
	Events    int               // of a company in a day
	Storms    bool              // troubles come often in each run, not in one of three
	Without   []string          // what does not happen although the seed says so
	Faults    []string          // the only ones that happen, as actor/turn; nil: all
	Trace     func(line string) `json:"-"`
}

// system is the whole system in a world.
type system struct {
	*simulation.World
	Config

	procore   *simulation.FakeProcore
	gateway   *gatewaytest.Front
	functions []*simulation.Function
	access    *simulation.Function
	judge     *judge

	customers []*customer
	ends      time.Time // when nothing fails any longer
	deployed  int       // the version of the code
	typed     int       // commands of the operator
	refusing  bool      // the API answers deliveries itself
	lost      bool      // rows are gone, and not restored yet
	unsure    int       // losses of rows, and reverts, after which no one has asked the customers yet
	reverted  time.Time // when backups were last put in the tables' place
	apart     bool      // one of them without the other
	rare      *reached
}

// Run makes a run.
func Run(t *testing.T, c Config) *Result {
	t.Helper()
	var s *system
	swarm := simulation.NewSwarm(c.Seed)
	swarm.Without, swarm.Faults = c.Without, c.Faults
	began := time.Now()
	simulation.Long{
		Seed: c.Seed, Swarm: swarm, Faulty: c.Time, Settle: c.Settle, Trace: c.Trace,
		Tables: []*dynamodb.CreateTableInput{tables.Grants(grants), tables.Connections(connectionsTable), tables.Spends(spends),
			tables.Sessions(sessions), tables.Inbox(inboxTable)},
		Setup: func(w *simulation.World) {
			s = &system{World: w, Config: c}
			s.begin()
		},
	}.Run(t)
	return s.result(time.Since(began))
}

// begin sets the world up.
func (s *system) begin() {
	s.plain()
	s.judge, s.rare = newJudge(s), newReached()
	s.Topics = awstest.NewTopics("connections")
	s.Secrets.Put("app", `{"client_id":"`+clientID+`","client_secret":"fake-client-secret"}`)
	s.Secrets.Put("keys", `{"current":"k1","k1":"fake-seal-key-0123456789-0123456789-0123456789"}`)
	s.Secrets.Put("webhook", `{"current":"k1","k1":"fake-webhook-key-0123456789-0123456789-01234"}`)
	s.procore = simulation.NewFakeProcore(s.World, s.crookedness())
	s.procore.Receive = s.deliver
	s.judge.listen()
	s.deploy()
	for i := range s.Companies {
		s.populate(i)
	}
	s.troubles()
}

// crookedness draws what Procore does where its documents are silent.
func (s *system) crookedness() procoretest.Options {
	o := procoretest.Options{SecondAuthorization: procoretest.Keep, Shuffle: 0}
	switch s.Draw("second authorization", "", 0) % 3 {
	case 0:
		o.SecondAuthorization = procoretest.Kill
	case 1:
		o.SecondAuthorization = procoretest.Return
	}
	o.Crooked = s.crooked()
	s.lists(&o)
	if s.Swarm().Has("events have odd fields") {
		o.Crooked = strings.TrimPrefix(o.Crooked+",event-metadata", ",")
	}
	o.ReplayKillsSuccessor = s.Swarm().Has("replay kills successor")
	o.RefreshKillsAccess = s.Swarm().Has("refresh kills access")
	if s.Swarm().Has("lost deliveries") {
		o.LoseDeliveries, o.LoseSeed, o.LoseAs = 0.02, s.Config.Seed, procoretest.LoseSilently
	}
	if s.Swarm().Has("shuffle") {
		o.Shuffle = 2
	}
	if s.Swarm().Has("orphaned hooks are silent") {
		o.OrphanedHooks = procoretest.Silent
	}
	return o
}

// logger returns a process's logger.
func (s *system) logger(p *simulation.Process) *slog.Logger {
	return slog.New(slog.NewJSONHandler(&lines{system: s, process: p}, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

// lines takes the lines of a process's log.
type lines struct {
	system  *system
	process *simulation.Process
}

// Write implements io.Writer.
func (l *lines) Write(line []byte) (int, error) {
	if !l.process.Dead() && !l.system.Over() {
		l.system.judge.logged(l.process, string(line))
		l.system.rare.logged(string(line))
	}
	return len(line), nil
}

// recorder is the answer to one request.
type recorder struct {
	request *http.Request
	header  http.Header
	status  int
	body    bytes.Buffer
}

func newRecorder(r *http.Request) *recorder {
	return &recorder{request: r, header: http.Header{}, status: http.StatusOK}
}

// Header implements http.ResponseWriter.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) { r.status = status }

// Write implements http.ResponseWriter.
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

func (r *recorder) response() *http.Response {
	return &http.Response{StatusCode: r.status, Header: r.header, Body: io.NopCloser(&r.body), ContentLength: int64(r.body.Len()), Request: r.request,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
}

// Result is what came of a run.
type Result struct {
	Problems      []string
	Found         time.Duration // after which the first problem was found
	Days          float64       // of companies
	Took          time.Duration
	Calls, Faults int
	Sum           string
	Events        map[string]int // how often what happened
	Reached       map[string]int // how often each rare state was
	Messages      map[string]int // of the logs
	Features      []string       // of the swarm
	Happened      []string       // faults, as actor/turn
	Last          []string
	Config        Config
}

func (s *system) result(took time.Duration) *Result {
	r := &Result{Problems: s.Problems(), Found: s.Found(), Days: float64(s.Companies) * s.Time.Hours() / 24, Took: took, Sum: s.Sum(), Events: s.World.Events(), Last: s.Last(), Config: s.Config}
	r.Calls, r.Faults = s.Counts()
	r.Happened, r.Features = s.World.Faults(), s.Swarm().Features()
	r.Reached, r.Messages = s.rare.count(r.Events), s.rare.messages
	return r
}

// usualEvents are those of a company in a day, as long as a command names no others.
const usualEvents = 20

// separator is that of names in a command. Some names have a comma.
const separator = ";"

// Replay is the command that repeats the run.
func (r *Result) Replay() string {
	line := fmt.Sprintf("make simulate SEED=%d COMPANIES=%d DAYS=%g", r.Config.Seed, r.Config.Companies, r.Config.Time.Hours()/24)
	if r.Config.Events != usualEvents {
		line += fmt.Sprintf(" EVENTS=%d", r.Config.Events)
	}
	if r.Config.Storms {
		line += " STORMS=1"
	}
	if len(r.Config.Without) > 0 {
		line += fmt.Sprintf(" WITHOUT='%s'", strings.Join(r.Config.Without, separator))
	}
	if r.Config.Faults != nil {
		line += fmt.Sprintf(" FAULTS='%s'", strings.Join(r.Config.Faults, separator))
	}
	return line
}
