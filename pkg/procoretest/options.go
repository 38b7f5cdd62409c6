package procoretest

import (
	"fmt"
	"net"
	"slices"
	"time"
)

// OutOfBand is the redirect URI of installed apps: the code is shown on a page
// for the user to copy.
// See https://developers.procore.com/documentation/oauth-auth-grant-flow.
const OutOfBand = "urn:ietf:wg:oauth:2.0:oob"

// SecondAuthorization says what becomes of a user's first pair of tokens when
// the same user authorizes the app again. Procore does not document it.
type SecondAuthorization string

// The three possibilities.
const (
	Keep   SecondAuthorization = "keep"   // both pairs live
	Kill   SecondAuthorization = "kill"   // the earlier pairs are revoked
	Return SecondAuthorization = "return" // the live earlier pair is handed out again
)

// OrphanedHooks says what becomes of a hook whose creator lost access to the
// company or to its webhooks. Procore does not document it.
type OrphanedHooks string

// The three possibilities.
const (
	Working OrphanedHooks = "working" // it goes on as before
	Silent  OrphanedHooks = "silent"  // it is listed and reports nothing
	Hidden  OrphanedHooks = "hidden"  // it is neither listed nor reports anything
)

// DeliveryPaging says how the list of deliveries is cut. Procore's guide and its
// reference differ.
type DeliveryPaging string

// The possibilities.
const (
	ByPage      DeliveryPaging = "page"   // page and per_page, oldest first, as other lists
	NewestFirst DeliveryPaging = "newest" // the same, newest first
	ByCursor    DeliveryPaging = "cursor" // page_size and page_start, the last id of the page before
)

// Options configures a [Server]. The zero value is the strict default.
type Options struct {
	// ClientID and ClientSecret of the one registered app.
	// Empty means "fake-client-id" and "fake-client-secret".
	ClientID, ClientSecret string
	// RedirectURIs are the registered redirect URIs, compared exactly. Empty
	// means any loopback URI; [OutOfBand] is always registered.
	RedirectURIs []string
	// ExpiresIn is the life of an access token. Zero means 90 minutes.
	ExpiresIn time.Duration
	// SecondAuthorization is what a second authorization does. Empty means Keep.
	SecondAuthorization SecondAuthorization
	// KeepRefreshTokenOnError makes a failed refresh call harmless. By default
	// every refresh call burns the token it presents, as Procore's FAQ says.
	KeepRefreshTokenOnError bool
	// RefreshKillsAccess revokes the old access token at a refresh. By default
	// it lives until it expires. Procore does not say which.
	RefreshKillsAccess bool
	// ReplayKillsSuccessor revokes the pair that a refresh token was spent for
	// when the spent token is presented again. Procore does not say.
	ReplayKillsSuccessor bool
	// LongAccessTokens makes access tokens 1,400 bytes long, as JWTs are.
	LongAccessTokens bool
	// OneEventID gives all hooks that match one change the same event id. By
	// default every hook has an event of its own. Procore does not say.
	OneEventID bool
	// OrphanedHooks is what becomes of a hook whose creator lost access. Empty
	// means Working.
	OrphanedHooks OrphanedHooks
	// SharedURLs lets several hooks of a namespace have one URL. By default the
	// second one is refused. Procore does not say.
	SharedURLs bool
	// DeliveryPaging is how deliveries are listed. Empty means ByPage.
	DeliveryPaging DeliveryPaging
	// HourlyLimit and SpikeLimit are calls per hour and per 10 seconds for one
	// user. Zero means 36,000 and 3,600.
	HourlyLimit, SpikeLimit int
	// DeliveryTimeout bounds one webhook delivery. Zero means 5 seconds.
	DeliveryTimeout time.Duration
	// Shuffle puts an event, and each copy of it, at a random place among the
	// last so many that wait in its hook: Procore promises no order. Zero keeps
	// the order of the changes.
	Shuffle int
	// AllowedHosts are host names, besides loopback ones, that a hook's
	// destination may have.
	AllowedHosts []string
	// Now is the clock under [Server.Advance]. Nil means [time.Now].
	Now func() time.Time
}

// withDefaults fills in what the caller left out.
func (o Options) withDefaults() Options {
	o.ClientID = or(o.ClientID, "fake-client-id")
	o.ClientSecret = or(o.ClientSecret, "fake-client-secret")
	o.ExpiresIn = or(o.ExpiresIn, 90*time.Minute)
	o.SecondAuthorization = or(o.SecondAuthorization, Keep)
	o.OrphanedHooks = or(o.OrphanedHooks, Working)
	o.DeliveryPaging = or(o.DeliveryPaging, ByPage)
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

// OptionsPatch changes options of a running server; nil fields stay. It is the
// body of PATCH /_fake/options.
type OptionsPatch struct {
	SecondAuthorization     *SecondAuthorization `json:"second_authorization"`
	ExpiresInSeconds        *int64               `json:"expires_in_seconds"`
	KeepRefreshTokenOnError *bool                `json:"keep_refresh_token_on_error"`
	RefreshKillsAccess      *bool                `json:"refresh_kills_access"`
	ReplayKillsSuccessor    *bool                `json:"replay_kills_successor"`
	OneEventID              *bool                `json:"one_event_id"`
	OrphanedHooks           *OrphanedHooks       `json:"orphaned_hooks"`
	SharedURLs              *bool                `json:"shared_urls"`
	DeliveryPaging          *DeliveryPaging      `json:"delivery_paging"`
	HourlyLimit             *int                 `json:"hourly_limit"`
	SpikeLimit              *int                 `json:"spike_limit"`
	ClientSecret            *string              `json:"client_secret"`
}

// UpdateOptions applies the patch, or nothing of it when a value is refused.
func (s *Server) UpdateOptions(p OptionsPatch) error {
	if m := p.SecondAuthorization; m != nil && *m != Keep && *m != Kill && *m != Return {
		return fmt.Errorf("second_authorization is %q, not keep, kill or return", *m)
	}
	if o := p.OrphanedHooks; o != nil && *o != Working && *o != Silent && *o != Hidden {
		return fmt.Errorf("orphaned_hooks is %q, not working, silent or hidden", *o)
	}
	if d := p.DeliveryPaging; d != nil && *d != ByPage && *d != NewestFirst && *d != ByCursor {
		return fmt.Errorf("delivery_paging is %q, not page, newest or cursor", *d)
	}
	if e := p.ExpiresInSeconds; e != nil && (*e < 1 || *e > maxSeconds) {
		return fmt.Errorf("expires_in_seconds is %d, not 1 to %d", *e, maxSeconds)
	}
	for _, n := range []*int{p.HourlyLimit, p.SpikeLimit} {
		if n != nil && *n < 1 {
			return fmt.Errorf("a limit is %d, not 1 or more", *n)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.ExpiresInSeconds != nil {
		s.opts.ExpiresIn = time.Duration(*p.ExpiresInSeconds) * time.Second
	}
	set(&s.opts.SecondAuthorization, p.SecondAuthorization)
	set(&s.opts.KeepRefreshTokenOnError, p.KeepRefreshTokenOnError)
	set(&s.opts.RefreshKillsAccess, p.RefreshKillsAccess)
	set(&s.opts.ReplayKillsSuccessor, p.ReplayKillsSuccessor)
	set(&s.opts.OneEventID, p.OneEventID)
	set(&s.opts.OrphanedHooks, p.OrphanedHooks)
	set(&s.opts.SharedURLs, p.SharedURLs)
	set(&s.opts.DeliveryPaging, p.DeliveryPaging)
	set(&s.opts.HourlyLimit, p.HourlyLimit)
	set(&s.opts.SpikeLimit, p.SpikeLimit)
	set(&s.opts.ClientSecret, p.ClientSecret)
	return nil
}

func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

// loopback reports whether host (no port) names this machine.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
