package repo

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// limit is a part of the stack that gives way at some load.
type limit struct {
	load string  // its unit
	at   float64 // in units
	part string
	seen string // by whom, or as which alarm
	by   string // what raises it
}

var measured = regexp.MustCompile(`(?m)^\| ([a-zA-Z][^|]+) \| ([\d.]+) \| [^|]+ \|$`)

// numbers are those of which docs/DEPLOY.md's tables of loads follow.
type numbers map[string]float64

func readNumbers(t *testing.T) numbers {
	t.Helper()
	_, section, _ := strings.Cut(read(t, "docs/DEPLOY.md"), "### What the loads follow from\n")
	section, _, _ = strings.Cut(section, "\n## ")
	n := make(numbers)
	for _, m := range measured.FindAllStringSubmatch(section, -1) {
		n[m[1]] = parse(t, m[2])
	}
	return n
}

func (n numbers) of(t *testing.T, name string) float64 {
	t.Helper()
	if n[name] == 0 {
		t.Fatalf("docs/DEPLOY.md has no %s", name)
	}
	return n[name]
}

// The units of loads.
const (
	webhooks     = "webhooks a second"
	inNewAccount = "the same, in a new account"
	ofCompany    = "the same, of one company"
	ofResource   = "the same, of one resource"
	inUse        = "grants in use"
	companies    = "companies"
	installed    = "companies of the service account"
	waiting      = "events that wait"
)

// limits are those of a stack with these settings, the lowest of each load first.
func limits(t *testing.T, s settings) []limit {
	t.Helper()
	n := readNumbers(t)
	of := func(name string) float64 { return n.of(t, name) }
	property := func(keys ...string) float64 {
		return s.number(t, get(template(t), append([]string{"Resources"}, keys...)...))
	}
	parameter := func(name string) float64 { return s.number(t, tagged{"Ref", name}) }

	consumers := s.number(t, consumersAtOnce(t))
	consumer := consumers / of("seconds of an event in the consumer")
	units := max(parameter("InboxWarmWrites"), of("write units a second of a new table"))
	partitions := math.Floor(units / of("write units a second of a partition"))
	receivers := parameter("ReservedConcurrency")
	if receivers == 0 { // what the others leave
		receivers = of("executions of an account") - consumers - partitions - besides(s.number(t, tagged{"Ref", "RefresherShares"}))
	}
	receiver := min(of("requests a second of an execution"), 1/of("seconds of a delivery"))
	keeps := property("EventsQueue", "Properties", "MessageRetentionPeriod")

	shares, busy, processor := parameter("RefresherShares"), partOfCycle(t, s), n.processor(t, s)
	checks := min(processor/of("requests of a check"), of("checks a second, 16 at once")*parameter("ChecksAtOnce")/16)
	refresher, checker := "`RefresherShares`, `RefresherMemory`, `RefreshesAtOnce`", "`RefresherShares`, `RefresherMemory`, `ChecksAtOnce`"

	all := []limit{
		{webhooks, consumer, fmt.Sprintf("the consumer, %.0f at once: events wait", consumers), "EventsAgeAlarm", "`ConsumerConcurrency`"},
		{webhooks, receivers * receiver, fmt.Sprintf("the receiver, %.0f at once: hooks pause", receivers), "FunctionThrottlesAlarm", "quota"},
		{webhooks, parameter("WebhooksPerSecond"), "the API's route: hooks pause", "WebhooksRefusedAlarm", "`WebhooksPerSecond`"},
		{webhooks, units / of("write units of an event"), "the Inbox table, before DynamoDB has grown it: 503, hooks pause", "ServerErrorsAlarm", "`InboxWarmWrites`"},
		{webhooks, partitions * of("events a second of a dispatcher"), fmt.Sprintf("the dispatcher, %.0f at once: events wait in the stream", partitions), "StreamAgeAlarm", "`InboxWarmWrites`"},
		{webhooks, of("requests a second of an account's API"), "the account's API: hooks pause", "WebhooksRefusedAlarm", "quota"},
		{inNewAccount, of("executions for the receiver in a new account") * receiver, "the receiver, with `ConsumerConcurrency=2`: hooks pause", "FunctionThrottlesAlarm", "quota"},
		{ofCompany, of("write units a second of a partition"), "its partition of the index `by_company`: 503, hooks pause", "ServerErrorsAlarm", "–"},
		{ofResource, 1 / of("seconds of an event in the consumer"), "its order: its events wait", "EventsAgeAlarm", "a faster consumer"},
		{inUse, shares * n.keepsUp(t, s), "the refresher: tokens are refreshed late", "RefreshOverdueAlarm", refresher},
		{inUse, of("write units a second of a new table") / of("write units of a refresh in Grants") * of("seconds between refreshes"), "the Grants table, before DynamoDB has grown it", "FunctionErrorsAlarm", "–"},
		{companies, shares * busy * checks * of("seconds between checks"), "housekeeping: hooks are checked late", "HousekeepingOverdueAlarm", checker},
		{installed, math.Floor(busy*300/5/of("seconds of a call")) * of("companies in a call"), "a fifth of housekeeping: new installations are not found", "FunctionErrorsAlarm", "–"},
		{waiting, consumer * keeps, fmt.Sprintf("the queue, which keeps %.0f days: the oldest are lost", keeps/86400), "EventsAgeAlarm", "as for the consumer"},
	}
	return all
}

// partOfCycle returns how much of a cycle a run of the refresher has: all but what the function's timeout leaves, and ten seconds
// to finish.
func partOfCycle(t *testing.T, s settings) float64 {
	t.Helper()
	return (s.number(t, get(template(t), "Resources", "RefresherFunction", "Properties", "Timeout")) - 10) / 300
}

// processor returns how many requests a second the refresher's memory buys.
func (n numbers) processor(t *testing.T, s settings) float64 {
	t.Helper()
	return n.of(t, "requests a second of a processor") * s.number(t, tagged{"Ref", "RefresherMemory"}) / n.of(t, "MB of a processor")
}

// refreshes returns how many refreshes a second a run makes.
func (n numbers) refreshes(t *testing.T, s settings) float64 {
	t.Helper()
	return min(n.processor(t, s)/n.of(t, "requests of a refresh"),
		n.of(t, "refreshes a second, ten in flight")*s.number(t, tagged{"Ref", "RefreshesAtOnce"})/10)
}

// keepsUp returns how many grants in use one share's runs keep fresh.
func (n numbers) keepsUp(t *testing.T, s settings) float64 {
	t.Helper()
	return partOfCycle(t, s) * n.refreshes(t, s) * n.of(t, "seconds between refreshes")
}

// How many grants in use one refresher keeps up with, and five.
func TestRefresherLimits(t *testing.T) {
	t.Parallel()
	n := readNumbers(t)
	var want []string
	for _, s := range []settings{
		{"RefresherMemory": "256", "RefreshesAtOnce": "10"},
		{"RefresherMemory": "512", "RefreshesAtOnce": "10"},
		{"RefresherMemory": "1024", "RefreshesAtOnce": "10"},
		{"RefresherMemory": "1024", "RefreshesAtOnce": "16"},
		{"RefresherMemory": "1769", "RefreshesAtOnce": "30"},
	} {
		want = append(want, fmt.Sprintf("| %s | %s | %s | %s | %s |", s["RefresherMemory"], s["RefreshesAtOnce"],
			trim(n.refreshes(t, s)), rounded(n.keepsUp(t, s)), rounded(5*n.keepsUp(t, s))))
	}
	wantTable(t, "| `RefresherMemory` | `RefreshesAtOnce` | refreshes a second | grants in use, one share | five shares |", want)
	million := 1_000_000 / n.of(t, "seconds between refreshes")
	text := fmt.Sprintf("1,000,000 grants in use need %s refreshes a second all the time, which is %s while runs last, and %s for each of five.",
		trim(million), trim(million/partOfCycle(t, nil)), trim(million/partOfCycle(t, nil)/5))
	if doc := strings.Join(strings.Fields(read(t, "docs/DEPLOY.md")), " "); !strings.Contains(doc, text) {
		t.Errorf("docs/DEPLOY.md lacks: %s", text)
	}
}

// first sorts the limits of each load, the one that breaks first before the others.
func first(all []limit) []limit {
	var order []string
	for _, l := range all {
		order = append(order, l.load)
	}
	slices.SortStableFunc(all, func(a, b limit) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.load), slices.Index(order, b.load)), cmp.Compare(a.at, b.at))
	})
	return all
}

// What breaks first at what load, by the template's defaults and the numbers of docs/DEPLOY.md.
func TestLoadLimits(t *testing.T) {
	t.Parallel()
	var want []string
	for _, l := range first(limits(t, nil)) {
		want = append(want, fmt.Sprintf("| %s | %s | %s | %s | %s |", l.load, rounded(l.at), l.part, l.seen, l.by))
	}
	wantTable(t, "| load | at | breaks | seen as | raised by |", want)
}

// fourFifths is how much of a limit a load may use.
const fourFifths = 0.8

// busiest is a deployment, and what it needs.
type busiest struct {
	grants, events float64 // events a month
	set            settings
}

// workingSeconds is how many seconds of a month are working hours, in which all its events happen: 22 days of ten hours.
const workingSeconds = 22 * 10 * 3600

func (b busiest) load() map[string]float64 {
	return map[string]float64{webhooks: b.events / workingSeconds, inUse: b.grants, companies: b.grants}
}

// uses returns the limit of which a load uses the greatest part, and that part.
func (b busiest) uses(t *testing.T, s settings) (most limit, part float64) {
	t.Helper()
	for _, l := range limits(t, s) {
		if p := b.load()[l.load] / l.at; p > part {
			most, part = l, p
		}
	}
	return most, part
}

// Loads up to a million grants, and the settings that serve each: no limit is used by more than four fifths, and none of
// the settings is superfluous. The load that Cost prices is served by the defaults.
func TestLoads(t *testing.T) {
	t.Parallel()
	var want []string
	for _, b := range []busiest{
		{100, 10_000, nil},
		{10_000, 10_000_000, nil},
		{100_000, 100_000_000, settings{"ConsumerConcurrency": "80", "RefresherMemory": "512"}},
		{1_000_000, 1_000_000_000, settings{
			"ConsumerConcurrency": "700", "WebhooksPerSecond": "2000", "InboxWarmWrites": "6000",
			"RefresherShares": "5", "RefresherMemory": "1024", "RefreshesAtOnce": "16",
		}},
	} {
		broken, _ := b.uses(t, nil)
		most, part := b.uses(t, b.set)
		if part > fourFifths {
			t.Errorf("%.0f grants with %v: %s is used by %.0f %%", b.grants, b.set, most.part, 100*part)
		}
		var set []string
		for _, name := range slices.Sorted(maps.Keys(b.set)) {
			less := settings{}
			for other, v := range b.set {
				if other != name {
					less[other] = v
				}
			}
			if _, part := b.uses(t, less); part <= fourFifths {
				t.Errorf("%.0f grants: %s=%s is superfluous", b.grants, name, b.set[name])
			}
			set = append(set, fmt.Sprintf("`%s=%s`", name, b.set[name]))
		}
		now := short(broken.part)
		if _, part := b.uses(t, nil); part <= fourFifths {
			now = "nothing"
		}
		want = append(want, fmt.Sprintf("| %s | %s | %s | %s | %s | %s | %s, %.0f %% |", thousands(b.grants), rounded(b.events), rounded(b.events/workingSeconds),
			now, cmp.Or(strings.Join(set, ", "), "nothing"), thousands(b.executions(t)), short(most.part), 100*part))
	}
	wantTable(t, "| grants, companies | events a month | a second | breaks first with the defaults | set | executions | then the busiest |", want)
}

// executions returns how many the load keeps busy at once, by four fifths, and those of the tasks that a schedule starts.
func (b busiest) executions(t *testing.T) float64 {
	t.Helper()
	n, load := readNumbers(t), b.load()[webhooks]
	units := max(b.set.number(t, tagged{"Ref", "InboxWarmWrites"}), n.of(t, "write units a second of a new table"))
	consumers := math.Ceil(load * n.of(t, "seconds of an event in the consumer") / fourFifths)
	receivers := math.Ceil(load / n.of(t, "requests a second of an execution") / fourFifths)
	dispatchers := min(math.Ceil(load), math.Floor(units/n.of(t, "write units a second of a partition")))
	return consumers + receivers + dispatchers + besides(b.set.number(t, tagged{"Ref", "RefresherShares"}))
}

// besides returns the executions of what does not depend on the events: the announcer's of its two streams, the
// reconciler's, and the refresher's of two tasks for each share.
func besides(shares float64) float64 { return 2 + 1 + 2*shares }

// The load of the cost table is the second of the loads.
func TestPricedLoad(t *testing.T) {
	t.Parallel()
	if !strings.Contains(read(t, "docs/DEPLOY.md"), "10,000 companies, 3,334 grants, 10 million events |") {
		t.Error("docs/DEPLOY.md prices another load than the one that this test computes")
	}
	priced := busiest{grants: 10_000, events: 10_000_000}
	most, part := priced.uses(t, nil)
	if part > fourFifths {
		t.Errorf("the priced load uses %.0f %% of %s", 100*part, most.part)
	}
	arrive, outage := priced.load()[webhooks], 12.0
	backlog := arrive * outage * 3600
	want := fmt.Sprintf("Twelve hours of %s events a second are %s, which the default seven at once handle in %.0f hours more.",
		rounded(arrive), rounded(backlog), backlog/(most.at-arrive)/3600)
	if doc := strings.Join(strings.Fields(read(t, "docs/DEPLOY.md")), " "); !strings.Contains(doc, want) {
		t.Errorf("docs/DEPLOY.md lacks: %s", want)
	}
}

// The numbers that are also elsewhere are the same there.
func TestLoadNumbers(t *testing.T) {
	t.Parallel()
	n := readNumbers(t)
	for name, place := range map[string][2]string{
		"requests a second of a processor":   {"docs/PERFORMANCE.md", `warm webhooks per core +webhook-receiver +(\d+)/s`},
		"events a second of a dispatcher":    {"docs/WEBHOOKS.md", `it was (\d+) a second`},
		"checks a second, 16 at once":        {"docs/WEBHOOKS.md", `\| \*\*16\*\* \| (\d+) \|`},
		"refreshes a second, ten in flight":  {"docs/REFRESH.md", `it refreshes (\d+) a second, with at most ten in flight`},
		"write units of an event":            {"docs/DEPLOY.md", `an item of (\d) KB has a place in one index`},
		"seconds of a call":                  {"internal/testing/repo/capacity_test.go", `secondsACall\s+= ([\d.]+)`},
		"write units of a refresh in Grants": {"docs/REFRESH.md", `store 3; index 2\. |claim (3) KB and ledger`},
	} {
		m := regexp.MustCompile(place[1]).FindStringSubmatch(read(t, place[0]))
		if m == nil {
			t.Errorf("%s lacks %s", place[0], place[1])
			continue
		}
		want, err := strconv.ParseFloat(m[1], 64)
		if name == "write units of a refresh in Grants" {
			want *= 3 // the claim counts twice, and the pair is stored
		}
		if got := n.of(t, name); err != nil || got != want {
			t.Errorf("docs/DEPLOY.md has %v %s, %s has %v", got, name, place[0], want)
		}
	}
}

// wantTable compares the rows of a table of docs/DEPLOY.md.
func wantTable(t *testing.T, head string, want []string) {
	t.Helper()
	_, table, _ := strings.Cut(read(t, "docs/DEPLOY.md"), head+"\n")
	_, table, _ = strings.Cut(table, "\n") // the rule below the head
	table, _, _ = strings.Cut(table, "\n\n")
	if d := gocmp.Diff(strings.Split(table, "\n"), want); d != "" {
		t.Errorf("docs/DEPLOY.md, table %s (-got +want):\n%s", head, d)
	}
}

// short returns what a limit is, without what follows from it.
func short(part string) string {
	part, _, _ = strings.Cut(part, ":")
	part, _, _ = strings.Cut(part, ", before")
	return part
}

// rounded writes a number with two or three digits that count: 0.01, 2.5, 436, 91,000, 6 million.
func rounded(f float64) string {
	switch {
	case f >= 1e9:
		return trim(f/1e9) + " billion"
	case f >= 1e6:
		return trim(f/1e6) + " million"
	case f >= 10_000:
		return thousands(math.Round(f/1000) * 1000)
	case f >= 100:
		return thousands(f)
	case f >= 0.1:
		return trim(f)
	}
	return fmt.Sprintf("%.2f", f)
}

func trim(f float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0") }
