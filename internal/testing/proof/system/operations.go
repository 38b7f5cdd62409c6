package system

import (
	"context"
	"strings"
	"time"

	"procore-connect/internal/testing/proof/simulation"
	"procore-connect/pkg/procoretest"
)

// trouble is what happens to the whole system now and then.
type trouble struct {
	name  string
	every time.Duration // about
	do    func(ctx context.Context)
}

// troubles starts those of them that the run has, each with its own actor.
func (s *system) troubles() {
	s.ends = s.Now().Add(s.Config.Time)
	for _, t := range []trouble{
		{"storage outage", 12 * time.Hour, s.storageOutage},
		{"queue outage", 12 * time.Hour, s.outage(s.Queues.Outage)},
		{"secrets outage", 12 * time.Hour, s.outage(s.Secrets.Outage)},
		{"token endpoint down", 10 * time.Hour, s.down("token", 503, "")},
		{"token endpoint refuses the app", 12 * time.Hour, s.down("token", 401, `{"error":"invalid_client"}`)},
		{"token endpoint answers a page", 12 * time.Hour, s.down("token", 200, page)},
		{"token endpoint slow", 12 * time.Hour, s.slow},
		{"sandbox cut off from storage", 4 * time.Hour, s.cutsOff},
		{"API down", 10 * time.Hour, s.down("api", 502, page)},
		{"API refuses deliveries", 12 * time.Hour, s.outage(func(begins bool) { s.refusing = begins })},
		{"sandbox freezes", 15 * time.Minute, s.freezes},
		{"clock steps", 2 * time.Hour, s.steps},
		{"sandboxes recycled", time.Hour, s.recycles},
		{"sandbox overwritten", 30 * time.Hour, s.overwrites},
		{"deployments", 5 * time.Hour, s.rollout},
		{"users authorize during refreshes", time.Hour, s.races},
		{"revocations while pairs wait", 2 * time.Hour, s.revokesLate},
		{"grants marked while pairs wait", 30 * time.Hour, s.marksLate},
		{"programs ask for tokens", 30 * time.Minute, s.programs},
	} {
		s.start(t)
	}
	s.operations()
}

// start starts the actor of a trouble. In a storm troubles come five times as often.
func (s *system) start(t trouble) {
	if !s.Swarm().Has(t.name) {
		return
	}
	if s.Config.Storms || s.Draw("storms", "", 0)%3 == 0 {
		t.every /= 5
	}
	s.Go("trouble "+t.name, func(ctx context.Context) {
		for s.Sleep(ctx, s.part(t.name, 2*t.every)) && simulation.Gate(ctx, "begins") == simulation.Fine && !s.Calm() {
			s.Happened("trouble " + t.name)
			s.Note("%s", t.name)
			t.do(ctx)
		}
	})
}

// part draws a duration up to a bound.
func (s *system) part(of string, most time.Duration) time.Duration {
	return time.Duration(s.Next("part", of) % uint64(most))
}

// length draws how long an outage lasts: mostly minutes, at most hours, and never longer than things may fail.
func (s *system) length(of string) time.Duration {
	most := []time.Duration{time.Minute, 10 * time.Minute, 10 * time.Minute, time.Hour, 4 * time.Hour}
	d := s.part(of, most[s.Next("kind", of)%uint64(len(most))])
	return max(min(d, s.ends.Sub(s.Now())), 0)
}

// awaitsClaim waits until a refresh is in flight, for an hour at most. It reports whether the run goes on.
func (s *system) awaitsClaim(ctx context.Context) (c claim, ok bool) {
	claimed := make(chan claim, 1)
	s.judge.claimed = append(s.judge.claimed, claimed)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	select {
	case c = <-claimed:
	case <-timer.C:
	case <-s.Root().Done():
	}
	return c, simulation.Gate(ctx, "goes on after a claim") == simulation.Fine && !s.Calm()
}

// freezes stops the sandbox that has a claim, if it is one of a function.
func (c claim) freezes(s *system, d time.Duration) {
	if p := s.judge.sandboxOf(c.by); p != nil {
		p.Freeze(d)
	}
}

// storageOutage is an outage of DynamoDB, which begins in the middle of a refresh if it can. Procore may disable hooks to
// which it could not deliver for so long.
func (s *system) storageOutage(ctx context.Context) {
	if _, ok := s.awaitsClaim(ctx); !ok {
		return
	}
	s.outage(s.Tables.Outage)(ctx)
	for _, h := range s.procore.State().Hooks {
		if s.Swarm().Has("outages disable hooks") && s.Next("disables", "hooks")%2 == 0 && !s.Calm() {
			s.procore.EnableHook(h.ID, false)
		}
	}
}

// overwrites lets production overwrite the sandbox, which may take so long that all grants are due when it is back. What
// changes before a user connects again is owed to no one: the app is installed nowhere.
func (s *system) overwrites(ctx context.Context) {
	if s.Next("takes long", "overwrites")%2 == 0 {
		s.downFor(ctx, procoretest.Fault{Endpoint: "token", Kind: procoretest.Status, Status: 503}, max(min(2*time.Hour, s.ends.Sub(s.Now())), 0))
	}
	must(s.procore.Overwrite())
	for _, c := range s.customers {
		s.judge.items.gone(c.id, true)
	}
}

// outage lets a service of AWS refuse everything for a while.
func (s *system) outage(set func(begins bool)) func(ctx context.Context) {
	return func(ctx context.Context) {
		set(true)
		s.Sleep(ctx, s.length("outage"))
		set(false)
		s.Note("the outage is over")
	}
}

// page is what a gateway shows in Procore's place.
const page = "<!DOCTYPE html><html><body><h1>We'll be right back</h1></body></html>"

// down lets Procore answer all calls alike for a while.
func (s *system) down(endpoint string, status int, body string) func(ctx context.Context) {
	f := procoretest.Fault{Endpoint: endpoint, Kind: procoretest.Status, Status: status, Body: body}
	if body == page {
		f.Headers = map[string]string{"Content-Type": "text/html; charset=utf-8"}
	}
	return func(ctx context.Context) {
		s.downFor(ctx, f, s.length("down"))
	}
}

// downFor lets Procore answer alike for a time.
func (s *system) downFor(ctx context.Context, f procoretest.Fault, d time.Duration) {
	if f.Seconds = int64(d.Seconds()); f.Seconds > 0 {
		s.judge.costs.outage += d
		must(s.procore.Fault(f))
		s.Sleep(ctx, d.Truncate(time.Second))
		s.Note("Procore is back")
	}
}

// sandbox draws one of the sandboxes that there are; nil: there is none.
func (s *system) sandbox(of string) *simulation.Process {
	f := s.functions[s.Next("function", of)%uint64(len(s.functions))]
	all := f.Processes()
	if len(all) == 0 {
		return nil
	}
	return all[s.Next("sandbox", of)%uint64(len(all))]
}

// freezes stops a sandbox, most often in the middle of a call.
func (s *system) freezes(context.Context) {
	if p := s.sandbox("freezes"); p != nil {
		p.Freeze(time.Second + s.part("frozen", 4*time.Minute))
	}
}

// steps sets the clock of a sandbox, and sets it right after some minutes.
func (s *system) steps(ctx context.Context) {
	p, by := s.sandbox("steps"), s.part("step", 10*time.Minute)-5*time.Minute
	if s.Swarm().Has("clock steps in a refresh") && s.Next("moment", "steps")%2 == 0 {
		p, by = nil, s.part("step in a refresh", time.Minute)
		s.judge.strike = func(claims *simulation.Process) {
			p = claims
			p.Step(by) // before it learns that it has the claim
		}
		if _, ok := s.awaitsClaim(ctx); !ok {
			s.judge.strike = nil
		}
	} else if p != nil {
		p.Step(by)
	}
	if p == nil {
		return
	}
	s.Sleep(ctx, s.part("stepped", 20*time.Minute))
	simulation.Gate(ctx, "corrects the clock")
	p.Step(-by)
}

// slow lets Procore answer requests for a pair slowly.
func (s *system) slow(ctx context.Context) {
	s.Delay = func(actor, operation string, turn uint64) time.Duration {
		if operation != "receives" { // what a token endpoint answers
			return 0
		}
		return time.Duration(s.Draw("slow", actor, turn) % uint64(20*time.Second))
	}
	s.Sleep(ctx, min(s.length("slow"), time.Hour))
	s.Delay = nil
	s.Note("Procore is fast again")
}

// cutsOff cuts a sandbox off from storage when it has opened a connection to the token endpoint: when it claims a grant.
func (s *system) cutsOff(ctx context.Context) {
	cut := make(chan *simulation.Process, 1)
	length := 3*time.Second + s.part("cut off", 20*time.Second)
	s.Connected = func(a *simulation.Actor, about string) {
		if about == "" && s.judge.sandboxOf(a.Name) != nil && !s.Calm() {
			s.Connected = nil
			a.Process.CutOff(length)
			cut <- a.Process
		}
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	select {
	case <-cut:
	case <-timer.C:
		s.Connected = nil
	case <-s.Root().Done():
	}
	simulation.Gate(ctx, "goes on after a cut")
}

// recycles ends the sandboxes of a function that are not busy.
func (s *system) recycles(context.Context) {
	s.functions[s.Next("function", "recycles")%uint64(len(s.functions))].Recycle()
}

// bearable are the quirks of Procore that leave all promises possible. The others change
// lists so that changes cannot be found, are options that the run draws itself, or code
// deliveries, which the judge does not decode.
const bearable = "gateway-502,gateway-503,gateway-504,gateway-520,gateway-524,gateway-page,gateway-empty,gateway-401,status-201," +
	"status-202,status-200,delete-200,revoke-text,grant-401,token-type,callback-extra,pages,link-relative,link-query,link-rel," +
	"link-fields,item-twice,odd-items,limits-absent,limits-odd,date-absent,field-case,unknown,absent,null,odd,names-padded," +
	"dates-zone,url-slash,url-case,headers-masked,headers-absent,resource-case,type-case,state-case,event-field-case,event-unknown," +
	"event-null,event-metadata,event-type-case,event-name-case,event-padded,event-plain,event-no-type," +
	"type-charset,type-text,type-html,blanks,bom,gzip,long-tokens,one-event-id"

// crooked draws up to three quirks.
func (s *system) crooked() string {
	if !s.Swarm().Has("crooked Procore") {
		return ""
	}
	all := strings.Split(bearable, ",")
	var some []string
	for i := range uint64(3) {
		name := all[s.Draw("quirk", "", i)%uint64(len(all))]
		if s.Swarm().Has("quirk " + name) {
			some = append(some, name)
			s.judge.costs.paged = s.judge.costs.paged || name == "pages" || strings.HasPrefix(name, "link-")
		}
	}
	s.Note("crooked: %v", some)
	return strings.Join(some, ",")
}
