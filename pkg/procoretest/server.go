package procoretest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"sync"
	"time"
)

const (
	maxBody    = 1 << 20          // of any request
	maxSeconds = 10 * 365 * 86400 // of any time span that a caller sets
	farthest   = 100 * 365 * 24 * time.Hour
)

// Server is a fake Procore. Create one with [Start] in a test, or with [New].
type Server struct {
	// URL is the base URL of login, API and pages, without a trailing slash.
	// Start sets it for the caller; the server does not read it.
	URL string

	ctx      context.Context // ends with Close
	stop     context.CancelFunc
	workers  sync.WaitGroup
	delivery *http.Client

	mu          recorder // guards the fields below, and stores their changes
	opts        Options
	plain       Options // opts without the quirks
	quirks      []Quirk
	patched     OptionsPatch    // all patches of the options in one
	met         map[string]bool // of first
	ahead       time.Duration   // how far Advance moved the clock ahead of opts.Now
	advanced    chan struct{}   // closed and replaced by Advance
	lastID      int64
	users       []*User
	byUserID    map[int64]*User
	companies   map[int64]*Company
	order       []int64         // ids of companies, in the order they were added
	linked      []pageLink      // of the page
	projects    map[int64]int64 // project id -> company id
	shelves     map[scope][]*shelf
	created     int64 // resources, ever
	stored      int   // resources, now
	codes       map[string]*grant
	access      map[string]*pair
	refresh     map[string]*pair
	pairs       []*pair
	presented   map[string]int // refresh token -> calls to the token endpoint
	limits      map[owner]*windows
	faults      []*Fault
	calls       []Call
	hooks       []*hook
	reports     map[int64]uint64 // company id -> events that were due to its hooks
	lost        []Lost
	dropped     int64 // lost events before those in lost
	answers     []Answer
	tokenLog    []TokenEvent
	tokenLogged int64 // events that the log has dropped
	called      int64 // calls that the record has dropped
}

// New is [Open] for options that are known to be valid. It panics on an error.
func New(o Options) *Server {
	s, err := Open(o)
	if err != nil {
		panic("procoretest: " + err.Error())
	}
	return s
}

// Open returns a server with the seeded world, or with what Options.Storage has, to be served
// by an [http.Server] or an httptest.Server. The caller must Close it. It fails if the options
// name a quirk that does not exist, or if what is stored cannot be read.
func Open(o Options) (*Server, error) {
	s, err := open(o)
	if err != nil {
		return nil, err
	}
	for _, h := range s.hooks {
		s.startWorker(h)
	}
	return s, nil
}

// open is Open without delivery workers.
func open(o Options) (*Server, error) {
	s := &Server{
		advanced:  make(chan struct{}),
		lastID:    firstID,
		byUserID:  map[int64]*User{},
		companies: map[int64]*Company{},
		shelves:   map[scope][]*shelf{},
		projects:  map[int64]int64{},
		codes:     map[string]*grant{},
		access:    map[string]*pair{},
		refresh:   map[string]*pair{},
		presented: map[string]int{},
		reports:   map[int64]uint64{},
		limits:    map[owner]*windows{},
	}
	s.mu.storage, s.mu.marked = o.Storage, map[string]func() any{}
	if err := s.bend(o.withDefaults()); err != nil {
		return nil, err
	}
	if err := s.restore(); err != nil {
		return nil, err
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.delivery = newDeliveryClient(s.opts)
	s.delivery.Transport = crookedDelivery{s, s.delivery.Transport}
	return s, nil
}

// Close stops the delivery workers and waits for them to return.
func (s *Server) Close() {
	s.stop()
	s.workers.Wait()
	s.delivery.CloseIdleConnections()
}

// now returns the fake's time. The caller holds mu, or is New.
func (s *Server) now() time.Time { return s.opts.Now().Add(s.ahead) }

// Now returns the fake's time.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

// Advance moves the fake's clock forward and wakes what waits on it, such as the
// retry of a paused hook. The clock stops a hundred years ahead, so that it cannot
// overflow.
func (s *Server) Advance(d time.Duration) {
	defer s.mu.sync()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead = min(s.ahead+min(max(d, 0), farthest), farthest)
	s.keepCounters()
	close(s.advanced)
	s.advanced = make(chan struct{})
}

// routes are the same for all servers, because it takes milliseconds to make them.
var routes = sync.OnceValue(func() *http.ServeMux {
	m := http.NewServeMux()
	oauthRoutes(m)
	apiRoutes(m)
	hookRoutes(m)
	controlRoutes(m)
	pageRoutes(m)
	return m
})

// serverKey is in the context of each request on its way to a handler.
type serverKey struct{}

// route passes a request to the handler of its path.
func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	routes().ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), serverKey{}, s)))
}

// on makes a handler of what a server does.
func on(h func(*Server, http.ResponseWriter, *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s, ok := r.Context().Value(serverKey{}).(*Server); ok {
			h(s, w, r)
		}
	}
}

// ServeHTTP implements [http.Handler]. It reads the whole request and buffers the
// whole answer. So no handler waits for a peer while it holds the lock, and a fault
// can withhold the answer after the request has taken effect.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		status := http.StatusBadRequest
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			status = http.StatusRequestEntityTooLarge
		}
		writeJSON(w, status, message("The request body could not be read, or is too large."))
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	// The Date comes from the fake's clock, as do all times in an answer.
	a := &answer{header: http.Header{"Date": {s.Now().UTC().Format(http.TimeFormat)}}, status: http.StatusOK}
	if f := s.takeFault(r); f != nil {
		s.serveFault(w, a, r, f)
		return
	}
	s.serveCrooked(a, r)
	s.send(w, a)
}

// send sends the answer once everything that it may rest on is durable.
func (s *Server) send(w http.ResponseWriter, a *answer) {
	if err := s.mu.sync(); err != nil {
		a = &answer{header: http.Header{}}
		writeJSON(a, http.StatusInternalServerError, message(err.Error()))
	}
	a.send(w)
}

// answer is a buffered [http.ResponseWriter].
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

func (a *answer) send(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.header)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(a.status)
	w.Write(a.body.Bytes())
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.Encode(v) // only this package's types and maps of them, so it cannot fail
}

func message(text string) map[string]string { return map[string]string{"message": text} }
