// Package procoretest provides a strict fake of Procore for tests, as package
// httptest provides HTTP servers. One address serves the login, the API, webhook
// deliveries, and a page to change resources by hand.
//
// A test starts the fake, points a client at it, and checks what the fake saw:
//
//	func TestProjects(t *testing.T) {
//		fake := procoretest.Start(t)
//		client := fake.Client(t, procoretest.MyConstruction)
//		projects, err := procore.Collect(client.Projects(t.Context()))
//		if err != nil || len(projects) != 2 {
//			t.Errorf("Projects = %v, %v, want two", projects, err)
//		}
//		if calls := fake.State().Calls; len(calls) != 1 || calls[0].Path != "/rest/v1.1/projects" {
//			t.Errorf("calls = %+v, want one for the projects", calls)
//		}
//	}
//
// Every fake starts with the same users, companies, projects and RFIs; [Joe],
// [MyConstruction] and the constants beside them are their ids.
//
// # Control
//
// [Server.Client] returns a client for a company, [Server.Token] issues a user's tokens,
// [Server.ServiceToken] the service account's, and [Server.Authorize] goes through the
// login page, which shows one user alone if it is opened with login_hint=LOGIN.
// [Server.Fault] makes the next requests fail: a number of them, those of a while, or
// those of one company. [Server.Emit] changes a resource, and the fake delivers
// the event to the hooks that the client has created; [Server.EmitAll] makes thousands of
// changes at once, and [Server.Change] returns the event as a consumer receives it.
// [Server.Answer] adds an answer for a path that the fake lacks. [Server.Advance] moves
// the clock, so that tokens expire and paused hooks retry. [Server.UpdateCompany] changes
// what a company allows, and [Server.UpdateOptions] how Procore behaves. [Server.State]
// returns everything that the fake knows: calls, hooks, deliveries, and the use of
// refresh tokens. [Server.Wait] waits for a state, as after deliveries.
//
// Procore's delivery is best-effort, and so are the fake's on demand: Options.LoseDeliveries
// loses some events, which [State] lists, and a change with Event.Silent has none.
//
// Outside a test, [New] returns an [http.Handler]. Programs in other languages
// control it with JSON:
//
//	GET    /_fake/state            State
//	POST   /_fake/events           Event, answered with Emitted
//	POST   /_fake/batches          a list of Event, answered with a list of Emitted
//	POST   /_fake/faults           Fault
//	DELETE /_fake/faults
//	POST   /_fake/answers          Answer
//	GET    /_fake/answers          a list of Answer
//	DELETE /_fake/answers
//	POST   /_fake/redeliveries     {"delivery_id": ...}
//	PATCH  /_fake/hooks/{id}       HookPatch
//	POST   /_fake/overwrite        {}
//	POST   /_fake/end-access       {"user_id": 1}
//	POST   /_fake/clock            {"advance_seconds": 3600}
//	PATCH  /_fake/companies/{id}   CompanyPatch
//	PATCH  /_fake/options          OptionsPatch
//	POST   /_fake/companies        Company
//	POST   /_fake/users            User
//
// An invalid request, such as one with an unknown field, is answered 400 with
// {"error": "..."}.
//
// # State
//
// A fake keeps its state in memory. With Options.Storage, which may be a file, the next
// server goes on where the last one ended: with the same tokens, hooks, queues and clock. No
// answer leaves the server before the change that it tells of is durable.
//
// # Strictness
//
// The fake is written from Procore's public documentation and shares no code with
// the client that it tests, so that both cannot be wrong in the same way. Where
// Procore is strict, the fake is at least as strict. Authorization codes and refresh
// tokens are single-use, and any refresh call spends the token that it presents.
// Redirect URIs match exactly. Calls into a company name it in the
// Procore-Company-Id header. A hook is paused when a delivery is not answered 2xx
// within five seconds. Where Procore's behavior is unknown, a field of [Options]
// chooses between the possibilities.
//
// # Crookedness
//
// Where Procore documents nothing, an answer may have another form than the plain fake's.
// [Quirks] lists such forms: other statuses, codings and letter cases, odd or absent
// fields, echoes in a normal form, links to elsewhere, a gateway that answers once.
// Options.Crooked sets them by name, as a patch of the options does, or three at a time
// by a seed. A client that passes its tests with each of them reads Procore liberally:
//
//	for _, q := range procoretest.Quirks() {
//		t.Run(q.Name, func(t *testing.T) {
//			fake := procoretest.Start(t, procoretest.Options{Crooked: q.Name})
//			...
//		})
//	}
//
// # Evidence
//
// [State] counts how often each refresh token was presented to the token endpoint. A
// client that never sends a token twice leaves no count above 1, whatever faults it
// met. State also lists every API call with its company header, and the companies in
// which the app is installed.
package procoretest
