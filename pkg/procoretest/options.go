package procoretest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"procore-connect/pkg/procore"
)

// OutOfBand is the redirect URI of installed apps. A page shows the code for the
// user to copy.
//
// https://developers.procore.com/documentation/oauth-auth-grant-flow.
const OutOfBand = "urn:ietf:wg:oauth:2.0:oob"

// SecondAuthorization chooses what happens to a user's first pair of tokens when
// the same user authorizes the app again. Procore does not document it.
type SecondAuthorization string

// The values of [SecondAuthorization].
const (
	Keep   SecondAuthorization = "keep"   // both pairs are valid
	Kill   SecondAuthorization = "kill"   // the earlier pairs are revoked
	Return SecondAuthorization = "return" // the newest pair is issued again while both its tokens are valid
)

// OrphanedHooks chooses what happens to a hook whose creator lost access to the
// company or to its webhooks. Procore does not document it.
type OrphanedHooks string

// The values of [OrphanedHooks].
const (
	Working OrphanedHooks = "working" // it works as before
	Silent  OrphanedHooks = "silent"  // it is listed but reports nothing
	Hidden  OrphanedHooks = "hidden"  // it is not listed and reports nothing
)

// DeliveryOrder chooses the order of the list of deliveries. Procore does not document
// it.
type DeliveryOrder string

// The values of [DeliveryOrder].
const (
	OldestFirst DeliveryOrder = "oldest"
	NewestFirst DeliveryOrder = "newest"
)

// LoseAs chooses how an event that is lost on purpose is listed.
type LoseAs string

// The values of [LoseAs].
const (
	LoseSilently  LoseAs = "silent"    // never
	LoseSucceeded LoseAs = "succeeded" // as if it had been delivered
	LoseDiscarded LoseAs = "discarded" // as after twelve hours without success
)

// Options configures a [Server]. Its zero value is the strict default.
type Options struct {
	// ClientID and ClientSecret of the one registered app.
	// Empty means "fake-client-id" and "fake-client-secret".
	ClientID, ClientSecret string
	// RedirectURIs are the registered redirect URIs, compared exactly. Empty
	// means any loopback URI; [OutOfBand] is always registered.
	RedirectURIs []string
	// ExpiresIn is how long an access token is valid. Zero means 90 minutes.
	ExpiresIn time.Duration
	// SecondAuthorization chooses what a second authorization does. Empty means
	// Keep.
	SecondAuthorization SecondAuthorization
	// KeepRefreshTokenOnError keeps a refresh token valid after a failed call. By
	// default every refresh call spends the token it presents, as in Procore's FAQ.
	KeepRefreshTokenOnError bool
	// RefreshKillsAccess revokes the old access token at a refresh. By default it
	// stays valid until it expires. Procore does not document it.
	RefreshKillsAccess bool
	// ReplayKillsSuccessor revokes the pair that a refresh token was exchanged for
	// when the spent token is presented again. Procore does not document it.
	ReplayKillsSuccessor bool
	// LongAccessTokens makes access tokens 1,400 bytes long, like a JWT.
	LongAccessTokens bool
	// OneEventID reports one change to all matching hooks with the same event id.
	// By default every hook gets its own id. Procore does not document it.
	OneEventID bool
	// OrphanedHooks chooses what happens to a hook whose creator lost access.
	// Empty means Working.
	OrphanedHooks OrphanedHooks
	// SharedURLs allows several hooks of a namespace to have the same URL. By
	// default the second one is refused. Procore does not document it.
	SharedURLs bool
	// DeliveryOrder chooses the order of deliveries. Empty means OldestFirst.
	DeliveryOrder DeliveryOrder
	// DisableAfter is the number of failed deliveries in a row after which a hook is
	// disabled and discards what waits. Zero means never. Procore documents no number.
	DisableAfter int
	// MaxPerPage is how many items a page of a list has at most, whatever a client asks for.
	// Zero means 2,000, and 100 in REST v2.
	MaxPerPage int
	// HourlyLimit and SpikeLimit are the calls that one user may make per hour and
	// per 10 seconds. Zero means 36,000 and 3,600.
	HourlyLimit, SpikeLimit int
	// HideHourlyLimit makes the headers report the 10-second window until the hourly one
	// is used up, as Procore's documents say is typical. By default they report the window
	// that will be used up first.
	HideHourlyLimit bool
	// AppLimit, TokenLimit and CompanyLimit also limit the calls of the whole app, with
	// one access token, and into one company. Their hourly windows are always hidden.
	// Procore does not document for whom it counts alike everywhere.
	AppLimit, TokenLimit, CompanyLimit Limit
	// LoseDeliveries is the share of events that are not delivered to a hook, from 0 to 1.
	// Which ones are lost depends on LoseSeed and on the order of a company's changes.
	// [State] lists them.
	LoseDeliveries float64
	LoseSeed       uint64
	// LoseAs chooses how a lost event is listed among the hook's deliveries. Empty means
	// LoseSilently.
	LoseAs LoseAs
	// CompaniesNeedHeader makes a service account name a company in the header of its
	// call of /companies too. By default it need not. Procore's documents disagree.
	CompaniesNeedHeader bool
	// DeliveryTimeout limits one webhook delivery. Zero means 5 seconds.
	DeliveryTimeout time.Duration
	// Dial opens the connections of webhook deliveries. Nil means [net.Dialer].
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Transport sends deliveries, and the probes of a quirk, instead of connections by Dial.
	Transport http.RoundTripper
	// Shuffle inserts an event, and each copy of it, at a random place among the
	// last Shuffle events that wait in its hook, because Procore promises no order.
	// Zero keeps the order of the changes.
	Shuffle int
	// AllowedHosts are the host names, besides loopback ones, that a hook's
	// destination may have.
	AllowedHosts []string
	// AppURL is the address of the app, to which the page links. Empty means no link.
	AppURL string
	// Crooked makes the fake differ from its plain self, to test what a client bears:
	// names of quirks with commas between, or "seed:42" for three that depend on the
	// number. [Quirks] lists them. Empty means none.
	Crooked string
	// Storage keeps the server's state, which [Open] loads. Nil keeps it in memory.
	Storage Storage
	// lists is what quirks change in lists.
	lists listOptions
	// Now is the clock that [Server.Advance] moves ahead of. Nil means [time.Now].
	Now func() time.Time
	// Random is the source of tokens, codes and ULIDs, and of the places that Shuffle
	// chooses. Its zero value is crypto/rand.
	Random procore.Random
	// Deliver, if set, takes over what the server otherwise does in a goroutine for each
	// hook: it is called with the id of a hook that may have something to deliver. What
	// gets it asks [Server.Next], once it has returned. It is called with the server's lock
	// held, so it must not call the server.
	Deliver func(hookID int64)
	// Watch, if set, is called for each event of the log of tokens, with the pair of the
	// token, the zero Pair if the token is unknown. It too must not call the server.
	Watch func(TokenEvent, Pair)
}

// withDefaults returns the options with their defaults filled in.
func (o Options) withDefaults() Options {
	o.ClientID = or(o.ClientID, "fake-client-id")
	o.ClientSecret = or(o.ClientSecret, "fake-client-secret")
	o.ExpiresIn = or(o.ExpiresIn, 90*time.Minute)
	o.SecondAuthorization = or(o.SecondAuthorization, Keep)
	o.OrphanedHooks = or(o.OrphanedHooks, Working)
	o.DeliveryOrder = or(o.DeliveryOrder, OldestFirst)
	o.LoseAs = or(o.LoseAs, LoseSilently)
	o.HourlyLimit = or(o.HourlyLimit, 36_000)
	o.SpikeLimit = or(o.SpikeLimit, 3_600)
	o.DeliveryTimeout = or(o.DeliveryTimeout, 5*time.Second)
	o.RedirectURIs = slices.Clone(o.RedirectURIs)
	o.AllowedHosts = slices.Clone(o.AllowedHosts)
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// OptionsPatch changes options of a running server. Nil fields keep their value.
// It is the body of PATCH /_fake/options.
type OptionsPatch struct {
	SecondAuthorization     *SecondAuthorization `json:"second_authorization,omitempty"`
	ExpiresInSeconds        *int64               `json:"expires_in_seconds,omitempty"`
	KeepRefreshTokenOnError *bool                `json:"keep_refresh_token_on_error,omitempty"`
	RefreshKillsAccess      *bool                `json:"refresh_kills_access,omitempty"`
	ReplayKillsSuccessor    *bool                `json:"replay_kills_successor,omitempty"`
	OneEventID              *bool                `json:"one_event_id,omitempty"`
	OrphanedHooks           *OrphanedHooks       `json:"orphaned_hooks,omitempty"`
	SharedURLs              *bool                `json:"shared_urls,omitempty"`
	DeliveryOrder           *DeliveryOrder       `json:"delivery_order,omitempty"`
	DisableAfter            *int                 `json:"disable_after,omitempty"`
	MaxPerPage              *int                 `json:"max_per_page,omitempty"`
	HourlyLimit             *int                 `json:"hourly_limit,omitempty"`
	SpikeLimit              *int                 `json:"spike_limit,omitempty"`
	HideHourlyLimit         *bool                `json:"hide_hourly_limit,omitempty"`
	AppLimit                *Limit               `json:"app_limit,omitempty"`
	TokenLimit              *Limit               `json:"token_limit,omitempty"`
	CompanyLimit            *Limit               `json:"company_limit,omitempty"`
	LoseDeliveries          *float64             `json:"lose_deliveries,omitempty"`
	LoseSeed                *uint64              `json:"lose_seed,omitempty"`
	LoseAs                  *LoseAs              `json:"lose_as,omitempty"`
	CompaniesNeedHeader     *bool                `json:"companies_need_header,omitempty"`
	ClientSecret            *string              `json:"client_secret,omitempty"`
	Crooked                 *string              `json:"crooked,omitempty"`
}

// UpdateOptions applies the patch. If a value is invalid, it changes nothing and
// returns an error.
func (s *Server) UpdateOptions(p OptionsPatch) (err error) {
	defer s.mu.synced(&err)
	if m := p.SecondAuthorization; m != nil && *m != Keep && *m != Kill && *m != Return {
		return fmt.Errorf("second_authorization is %q, not keep, kill or return", *m)
	}
	if o := p.OrphanedHooks; o != nil && *o != Working && *o != Silent && *o != Hidden {
		return fmt.Errorf("orphaned_hooks is %q, not working, silent or hidden", *o)
	}
	if d := p.DeliveryOrder; d != nil && *d != OldestFirst && *d != NewestFirst {
		return fmt.Errorf("delivery_order is %q, not oldest or newest", *d)
	}
	if e := p.ExpiresInSeconds; e != nil && (*e < 1 || *e > maxSeconds) {
		return fmt.Errorf("expires_in_seconds is %d, not 1 to %d", *e, maxSeconds)
	}
	if n := p.MaxPerPage; n != nil && *n < 0 {
		return fmt.Errorf("max_per_page is %d, not 0 or more", *n)
	}
	for _, n := range []*int{p.HourlyLimit, p.SpikeLimit} {
		if n != nil && *n < 1 {
			return fmt.Errorf("a limit is %d, not 1 or more", *n)
		}
	}
	for _, l := range []*Limit{p.AppLimit, p.TokenLimit, p.CompanyLimit} {
		if l != nil && (l.Hourly < 0 || l.Spike < 0) {
			return fmt.Errorf("a limit is %d an hour and %d in 10 seconds, not 0 or more", l.Hourly, l.Spike)
		}
	}
	if d := p.LoseDeliveries; d != nil && !(*d >= 0 && *d <= 1) {
		return fmt.Errorf("lose_deliveries is %v, not 0 to 1", *d)
	}
	if l := p.LoseAs; l != nil && *l != LoseSilently && *l != LoseSucceeded && *l != LoseDiscarded {
		return fmt.Errorf("lose_as is %q, not silent, succeeded or discarded", *l)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.bend(p.apply(s.plain)); err != nil {
		return err
	}
	s.keepPatch(p)
	return nil
}

// apply returns the options with the patch's changes.
func (p OptionsPatch) apply(o Options) Options {
	if p.ExpiresInSeconds != nil {
		o.ExpiresIn = time.Duration(*p.ExpiresInSeconds) * time.Second
	}
	set(&o.SecondAuthorization, p.SecondAuthorization)
	set(&o.KeepRefreshTokenOnError, p.KeepRefreshTokenOnError)
	set(&o.RefreshKillsAccess, p.RefreshKillsAccess)
	set(&o.ReplayKillsSuccessor, p.ReplayKillsSuccessor)
	set(&o.OneEventID, p.OneEventID)
	set(&o.OrphanedHooks, p.OrphanedHooks)
	set(&o.SharedURLs, p.SharedURLs)
	set(&o.DeliveryOrder, p.DeliveryOrder)
	set(&o.DisableAfter, p.DisableAfter)
	set(&o.MaxPerPage, p.MaxPerPage)
	set(&o.HourlyLimit, p.HourlyLimit)
	set(&o.SpikeLimit, p.SpikeLimit)
	set(&o.HideHourlyLimit, p.HideHourlyLimit)
	set(&o.AppLimit, p.AppLimit)
	set(&o.TokenLimit, p.TokenLimit)
	set(&o.CompanyLimit, p.CompanyLimit)
	set(&o.LoseDeliveries, p.LoseDeliveries)
	set(&o.LoseSeed, p.LoseSeed)
	set(&o.LoseAs, p.LoseAs)
	set(&o.CompaniesNeedHeader, p.CompaniesNeedHeader)
	set(&o.ClientSecret, p.ClientSecret)
	set(&o.Crooked, p.Crooked)
	return o
}

func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

// loopback reports whether a host, without its port, is this machine.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
