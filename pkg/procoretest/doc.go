// Package procoretest is a strict fake of Procore, as httptest is for http:
// the login, the API, webhook deliveries and a page to make changes happen,
// all on one address.
//
// In a test it is one line:
//
//	p := procoretest.Start(t)
//	// ... use p.URL as login and API base, then look at p.State()
//
// Standing alone, [New] gives an [http.Handler]; [Server.Close] ends its
// delivery workers.
//
// The fake is written from Procore's public documentation and shares no code
// with the client it tests, so that both cannot be wrong in the same way. Where
// Procore is strict, the fake is at least as strict: authorization codes and
// refresh tokens are single-use, any refresh call burns the token it presents,
// redirect URIs match exactly, calls into a company carry its id in the
// Procore-Company-Id header, and a hook that is answered anything but 2xx within
// five seconds is paused. Where Procore's behaviour is unknown, an [Options]
// field chooses between the possibilities.
//
// # Steering
//
// Tests use [Server.State], [Server.Emit], [Server.Fault], [Server.Advance],
// [Server.UpdateCompany] and [Server.UpdateOptions]; [Server.Authorize] goes the
// browser's way and [Server.Token] goes around it. Everything else uses the same
// by JSON:
//
//	GET    /_fake/state            State
//	POST   /_fake/events           Event, answered with Emitted
//	POST   /_fake/faults           Fault
//	DELETE /_fake/faults
//	POST   /_fake/clock            {"advance_seconds": 3600}
//	PATCH  /_fake/companies/{id}   CompanyPatch
//	PATCH  /_fake/options          OptionsPatch
//	POST   /_fake/companies        Company
//	POST   /_fake/users            User
//
// A refused request is answered 400 with {"error": "..."}; unknown fields are
// refused.
//
// # Evidence
//
// [State] counts for each refresh token how often it was presented to the token
// endpoint, by fingerprint: a client that never sends one twice leaves no count
// above 1, whatever faults it met. It lists every API call with its company
// header, and which companies the app is installed in.
package procoretest
