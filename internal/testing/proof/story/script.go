package story

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/consumer"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// Variables are those of the functions' variables that differ from make run's.
func Variables() map[string]string {
	return map[string]string{
		"WEBHOOK_TRIGGERS": "RFIs:create,update;Punch Items:create,update;Company Vendors:create,update",
		"RECONCILE_PERIOD": "6h", "RECONCILE_CALLS_PER_OWNER": "60", "RECONCILE_CALLS_PER_APP": "600",
	}
}

// resources are what people change, in a project or in the company.
var resources = [...]struct {
	name    string
	company bool
	titles  []string
}{
	{"RFIs", false, []string{"Which door schedule applies?", "Beam depth at grid C4", "Slab edge at the loading dock", "Fire rating of the east stair", "Conflict of duct and joist"}},
	{"Punch Items", false, []string{"Paint touch-up, level 2", "Door closer is missing", "Ceiling tile is cracked", "Label the panel"}},
	{"Company Vendors", true, []string{"Northside Glass", "Delta Rebar", "Summit Scaffolding"}},
}

// customer is a company of the story.
type customer struct {
	id       int64
	name, by string
	user     int64
	projects int
	perDay   int // changes on a day of work
	from     time.Time
}

// Featured is the company to which the most happens.
const Featured = 562949953426

const (
	copperline = 562949954210 // its user's authorization ends
	ironwood   = 562949954388 // its user may not make webhooks
	meridian   = 562949957031 // Procore answers 401 right now
	dunmore    = 562949954901
	cedar      = 562949953877
)

// customers are invented.
var customers = []customer{
	{id: 562949953102, name: "Alder Ridge Construction", by: "Dana Whitfield", user: 8410017, projects: 3, perDay: 24},
	{id: 562949953655, name: "Bluewater Civil", by: "Marcus Oyelaran", user: 8410114, projects: 2, perDay: 14},
	{id: cedar, name: "Cedar & Stone Builders", by: "Priya Raman", user: 8411520, projects: 2, perDay: 9},
	{id: copperline, name: "Copperline Electric", by: "Tom Brandt", user: 8412033, projects: 1, perDay: 6},
	{id: dunmore, name: "Dunmore General Contractors", by: "Elena Fischer", user: 8412301, projects: 4, perDay: 30},
	{id: 562949955317, name: "Eastgate Development", by: "Sofia Marchetti", user: 8413998, projects: 2, perDay: 11},
	{id: 562949955318, name: "Fairhaven Homes", by: "Sofia Marchetti", user: 8413998, projects: 1, perDay: 4},
	{id: Featured, name: "Granite Peak Constructors", by: "James Okafor", user: 8414105, projects: 3, perDay: 36},
	{id: ironwood, name: "Ironwood Mechanical", by: "Lena Vogel", user: 8414630, projects: 1, perDay: 0},
	{id: 562949956120, name: "Juniper Street Partners", by: "Noah Bergström", user: 8415872, projects: 1, perDay: 3},
	{id: 562949956644, name: "Keystone Bridge Works", by: "Amara Diallo", user: 8416009, projects: 2, perDay: 13},
	{id: meridian, name: "Meridian Steel Erectors", by: "Carlos Ibáñez", user: 8417412, projects: 2, perDay: 17},
	{id: 562949957803, name: "Northgate Roofing", by: "Wendy Cho", user: 8418260, projects: 1, perDay: 7, from: at(time.Thursday, "09:40")},
}

// at is a time of the week. The second Monday is day 7.
func at(day time.Weekday, clock string) time.Time {
	c := must(time.Parse("15:04", clock))
	return begins.Truncate(24*time.Hour).AddDate(0, 0, int(day-time.Monday)).Add(time.Duration(c.Hour())*time.Hour + time.Duration(c.Minute())*time.Minute)
}

const nextMonday = time.Saturday + 2

// between is a part of the week.
type between struct{ from, to time.Time }

func during(b between) bool { return !time.Now().Before(b.from) && time.Now().Before(b.to) }

var (
	outage     = between{at(time.Wednesday, "09:50"), at(time.Wednesday, "14:20")} // of the receiver
	accounting = between{at(time.Thursday, "13:05"), at(time.Thursday, "13:50")}   // of a system that the consumer writes to
)

// fails is why the consumer does not handle an event.
func (w *world) fails(e procore.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch reason := w.poison[e.ResourceID]; {
	case reason != "":
		return errors.New(reason)
	case e.Resource == "Company Vendors" && during(accounting):
		return errors.New("vendors: the accounting system answers 503")
	}
	return nil
}

// handle is what examples/event-consumer does with an event, except when the script lets it fail.
func (w *world) handle(log *slog.Logger) consumer.Handle {
	return func(ctx context.Context, e procore.Event, c *procore.CompanyClient) error {
		if err := w.fails(e); err != nil {
			return err
		}
		resource, err := c.Read(ctx, e)
		if err != nil {
			return err
		}
		log.InfoContext(ctx, "resource read", slog.Int("bytes", len(resource)))
		takes(30 * time.Millisecond) // its own work
		return nil
	}
}

// poisons changes something whose events the consumer never handles.
func (w *world) poisons(company int64, kind int, reason string) {
	w.mu.Lock()
	defer w.mu.Unlock() // the consumer waits
	w.poison[w.emits(w.customer(company), kind, true)] = reason
}

// step is something that happens at a time.
type step struct {
	at   time.Time
	does func()
}

// script is what happens besides the work of each day.
func (w *world) script() []step {
	return []step{
		{at(time.Tuesday, "09:41"), func() { w.poisons(Featured, 1, "punch list: the location has 312 characters, the column 255") }},
		{at(time.Tuesday, "11:20"), func() { w.garbles(cedar, 1) }},
		{at(time.Thursday, "10:30"), func() { w.garbles(Featured, 2) }},
		{at(time.Thursday, "10:52"), func() { w.poisons(dunmore, 0, "rfi: no column for the status recycle_bin") }},
		{at(time.Friday, "08:05"), func() { w.refuses(Featured) }},
		{at(time.Friday, "11:50"), func() { w.authorizes(w.customer(Featured)) }},
		{at(nextMonday, "06:05"), func() { w.refuses(copperline) }},
		{at(nextMonday, "10:18"), func() {
			w.check(w.fake.Fault(procoretest.Fault{Endpoint: "api", CompanyID: meridian, Kind: procoretest.Status, Status: http.StatusUnauthorized, Seconds: 600}))
			w.emits(w.customer(meridian), 0, false)
		}},
	}
}

func (w *world) customer(id int64) customer {
	return customers[slices.IndexFunc(customers, func(c customer) bool { return c.id == id })]
}

// garbles makes a company's next deliveries such that they are not understood.
func (w *world) garbles(company int64, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.garbled[company] = n
}

// reached lets no delivery reach the receiver in the outage, and makes a delivery one that is not understood.
func (w *world) reached(receiver http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || during(outage) {
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		body = w.garble(body)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		receiver.ServeHTTP(rw, r)
	})
}

// garble removes the resource's id from a delivery that is not to be understood.
func (w *world) garble(body []byte) []byte {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil {
		return body
	}
	company, _ := strconv.ParseInt(string(fields["company_id"]), 10, 64)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.garbled[company] == 0 {
		return body
	}
	w.garbled[company]--
	delete(fields, "resource_id")
	body, _ = json.Marshal(fields) // it was JSON
	return body
}

// refuses makes Procore refuse the refresh token of a company's user, as after its withdrawal.
func (w *world) refuses(company int64) {
	w.check(w.fake.Fault(procoretest.Fault{Endpoint: "token", Kind: procoretest.Status, Status: http.StatusBadRequest, Body: `{"error":"invalid_grant"}`, Times: 1}))
	store := w.store(w.base("refresher"))
	if _, err := store.Tokens.Upkeep().Refresh(invocation(w.ctx), tokens.User(w.customer(company).user), 24*time.Hour); err == nil {
		w.t.Error("a refresh succeeded that was to be refused")
	}
}

// addCompanies adds the companies, and connects those that are there from the beginning, one after the other.
func (w *world) addCompanies() {
	added := map[int64]bool{}
	for _, c := range customers {
		if !added[c.user] {
			w.check(w.fake.AddUser(procoretest.User{ID: c.user, Login: "user@example.com", Name: c.by}))
		}
		added[c.user] = true
		of := procoretest.NewCompany(c.id, c.name, c.user)
		of.WebhooksPermission = c.id != ironwood
		for i := range int64(c.projects) {
			of.Projects = append(of.Projects, procoretest.Project{ID: c.id*10 + i, Name: "A project"})
		}
		w.check(w.fake.AddCompany(of))
	}
}

// authorizes is what functions/oauth-callback and functions/company-select do when a user connects a company.
func (w *world) authorizes(c customer) {
	ctx, base := invocation(w.ctx), w.base("company-select")
	store := w.store(base)
	pair := w.fake.Token(w.t, c.user, functiontest.RedirectURI)
	_, err := store.Tokens.Authorize(ctx, tokens.Authorization{Principal: tokens.User(c.user), RedirectURI: functiontest.RedirectURI, Pair: procore.Token{
		AccessToken: procore.NewSecret(pair.AccessToken), RefreshToken: procore.NewSecret(pair.RefreshToken),
		IssuedAt: time.Now(), Expiry: time.Now().Add(time.Duration(pair.ExpiresIn) * time.Second),
	}})
	w.check(err)
	_, err = store.Connect(ctx, connections.New{Key: connections.Key{CompanyID: c.id, Principal: tokens.User(c.user)}, CompanyName: c.name, UserName: c.by, Webhooks: connections.WebhooksPending})
	w.check(err)
	base.Log.InfoContext(ctx, "request", slog.String("route", "POST /companies"), slog.Int("status", http.StatusSeeOther), slog.String("outcome", "connected"), slog.Int64("company_id", c.id))
}

// people connect their companies, and work.
func (w *world) people() {
	all := w.script()
	for i, c := range customers {
		connects := c.from
		if connects.IsZero() {
			connects = begins.Add(time.Duration(1+i*7) * time.Minute)
		}
		all = append(all, step{connects, func() { w.authorizes(c) }})
		for _, at := range w.moments(c, connects.Add(20*time.Minute)) {
			all = append(all, step{at, func() { w.emits(c, w.random.IntN(len(resources)), false) }})
		}
	}
	slices.SortStableFunc(all, func(a, b step) int { return a.at.Compare(b.at) })
	for _, s := range all {
		if !w.until(s.at) {
			return
		}
		s.does()
	}
}

// moments are when a company's people change something: on days of work, most before and after noon.
func (w *world) moments(c customer, from time.Time) (all []time.Time) {
	for day := begins.Truncate(24 * time.Hour); day.Before(ends); day = day.AddDate(0, 0, 1) {
		n := c.perDay
		if weekend := day.Weekday() == time.Saturday || day.Weekday() == time.Sunday; weekend {
			n /= 8
		}
		if n > 0 {
			n += w.random.IntN(n/2+1) - n/4
		}
		for range n {
			peak := []float64{10, 15}[w.random.IntN(2)]
			hour := min(max(peak+w.random.NormFloat64()*1.7, 5.5), 19.5)
			if at := day.Add(time.Duration(hour * float64(time.Hour))); at.After(from) && at.Before(ends) {
				all = append(all, at)
			}
		}
	}
	return all
}

// emits changes something at a company, new or of what is there, and returns its id.
func (w *world) emits(c customer, kind int, create bool) procore.ID {
	r := resources[kind]
	e := procoretest.Event{CompanyID: c.id, ResourceName: r.name, EventType: "create", UserID: c.user, Title: r.titles[w.random.IntN(len(r.titles))]}
	if !r.company {
		e.ProjectID = c.id*10 + w.random.Int64N(int64(c.projects))
	}
	where := place{r.name, c.id, e.ProjectID}
	if known := w.known[where]; len(known) > 0 && !create && w.random.IntN(2) == 0 {
		e.EventType, e.ResourceID, e.Title = "update", known[w.random.IntN(len(known))], ""
	}
	made, err := w.fake.Emit(e)
	w.check(err)
	if e.EventType == "create" && !create {
		w.known[where] = append(w.known[where], made.ResourceID)
	}
	return made.ResourceID
}

// place is where things of one kind are.
type place struct {
	resource         string
	company, project int64
}
