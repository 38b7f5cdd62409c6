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
// Tests and scripts in other languages steer it by JSON under /_fake/ (see
// [Server.State], [Fault], [Event], [CompanyPatch], [OptionsPatch]).
package procoretest
