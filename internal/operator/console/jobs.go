package console

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// maxRunning is how many runs of the command are under way at once, those that wait for an answer included.
	maxRunning = 20
	// maxKept is how many runs are remembered.
	maxKept = 100
	// maxOutput is how much of a run's output is kept.
	maxOutput = 256 << 10
	// answerWithin is how long after the question the answer counts. Later, what the plan says may no longer be so.
	answerWithin = 15 * time.Minute
)

// job is a run of the command, or a change that waits for its answer.
type job struct {
	ID    int
	Verb  verb
	Args  []string
	Began time.Time

	mu      sync.Mutex
	dry     output // of --dry-run
	out     output
	plan    string
	asked   time.Time // when it asked; zero: it has not, or was answered
	number  int       // of the question
	agreed  bool      // the last answer was yes
	ended   time.Time
	code    int
	stopped bool

	answers chan bool
	cancel  context.CancelFunc
	done    chan struct{}
	waits   chan struct{} // is closed when it asked first, or has ended
	once    sync.Once
}

// state is a job at one moment, for a page.
type state struct {
	ID             int
	Verb           verb
	Args           []string
	Began, Ended   time.Time
	Dry, Out, Plan string
	Asks           bool
	Number         int
	Agreed         bool // it was answered with yes
	Stopped        bool
	Code           int
}

// Runs reports whether the run is under way, and does not wait for an answer.
func (s state) Runs() bool { return s.Ended.IsZero() && !s.Asks }

func (j *job) state() state {
	j.mu.Lock()
	defer j.mu.Unlock()
	return state{
		ID: j.ID, Verb: j.Verb, Args: j.Args, Began: j.Began, Ended: j.ended, Dry: j.dry.String(), Out: j.out.String(), Plan: j.plan, Asks: !j.asked.IsZero(),
		Number: j.number, Agreed: j.agreed, Stopped: j.stopped, Code: j.code,
	}
}

// output keeps the beginning and the end of what is written.
type output struct {
	text strings.Builder
	cut  int
}

func (o *output) write(p []byte) {
	o.text.Write(p)
	if text := o.text.String(); len(text) > maxOutput {
		o.cut += len(text) - maxOutput/2
		o.text.Reset()
		o.text.WriteString(text[len(text)-maxOutput/2:])
	}
}

func (o *output) String() string {
	text := strings.ToValidUTF8(o.text.String(), "�")
	if o.cut > 0 {
		return fmt.Sprintf("[%d bytes before are left out]\n%s", o.cut, text)
	}
	return text
}

// sink writes to one of a job's outputs.
type sink struct {
	j  *job
	to *output
}

func (s sink) Write(p []byte) (int, error) {
	s.j.mu.Lock()
	defer s.j.mu.Unlock()
	s.to.write(p)
	return len(p), nil
}

// jobs are the runs of a console.
type jobs struct {
	ctx context.Context //nolint:containedctx // that of the console, which outlives the request that begins a run
	mu  sync.Mutex
	all []*job
	id  int
	run sync.WaitGroup
}

func (j *jobs) begin(ctx context.Context) { j.ctx = ctx }

// wait returns when no run is under way.
func (j *jobs) wait() { j.run.Wait() }

// find returns a job.
func (j *jobs) find(id int) (*job, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, one := range j.all {
		if one.ID == id {
			return one, true
		}
	}
	return nil, false
}

// list returns all that are remembered, the last first.
func (j *jobs) list() (all []state) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, one := range slices.Backward(j.all) {
		all = append(all, one.state())
	}
	return all
}

// start begins a job, unless too many are under way.
func (j *jobs) start(v verb, args []string, now time.Time, work func(ctx context.Context, one *job)) (*job, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	running := 0
	for _, one := range j.all {
		if one.state().Ended.IsZero() {
			running++
		}
	}
	if running >= maxRunning || j.ctx.Err() != nil {
		return nil, errBusy
	}
	if len(j.all) >= maxKept {
		old := slices.IndexFunc(j.all, func(one *job) bool { return !one.state().Ended.IsZero() })
		j.all = slices.Delete(j.all, old, old+1)
	}
	j.id++
	ctx, cancel := context.WithCancel(j.ctx)
	one := &job{ID: j.id, Verb: v, Args: args, Began: now, answers: make(chan bool, 1), cancel: cancel, done: make(chan struct{}), waits: make(chan struct{})}
	j.all = append(j.all, one)
	j.run.Go(func() {
		defer cancel()
		defer close(one.done)
		work(ctx, one)
		one.once.Do(func() { close(one.waits) })
	})
	return one, nil
}

// read notes that the run asks nothing.
func (j *job) read() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.agreed = true
}

// ask is how the command asks the person of the page.
func (j *job) ask(now func() time.Time) func(ctx context.Context, plan string) bool {
	return func(ctx context.Context, plan string) bool {
		j.mu.Lock()
		j.plan, j.asked, j.agreed = plan, now(), false
		j.number++
		j.mu.Unlock()
		j.once.Do(func() { close(j.waits) })
		yes := false
		select {
		case yes = <-j.answers:
		case <-ctx.Done():
		}
		j.mu.Lock()
		defer j.mu.Unlock()
		j.asked, j.agreed = time.Time{}, yes
		return yes
	}
}

// answer answers the question with this number, if it waits for an answer. A yes that is too late is a no.
func (j *job) answer(number int, yes bool, now time.Time) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.asked.IsZero() || number != j.number {
		return false
	}
	late := now.Sub(j.asked) > answerWithin
	select {
	case j.answers <- yes && !late:
		j.asked = time.Time{}
		return !late
	default:
		return false
	}
}

// stop interrupts a run as ^C does.
func (j *job) stop() {
	j.mu.Lock()
	j.stopped = j.ended.IsZero()
	j.mu.Unlock()
	j.cancel()
}

// end notes the exit code.
func (j *job) end(code int, now time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.code, j.ended, j.asked = code, now, time.Time{}
}
