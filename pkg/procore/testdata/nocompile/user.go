// A client without a company cannot call into one: that does not compile. The
// compiler must refuse each line that ends in ERROR, and no other.
package main

import (
	"context"

	"procore-connect/pkg/procore"
)

func main() {
	ctx := context.Background()
	user := procore.NewUserClient(procore.Sandbox(), nil)
	_, _ = user.Me(ctx)
	_ = user.Companies(ctx)

	user.Projects(ctx)                                             // ERROR
	user.Project(ctx, 7)                                           // ERROR
	user.RFIs(ctx, 7)                                              // ERROR
	user.CompanyUsers(ctx)                                         // ERROR
	user.Hooks(ctx, "acme")                                        // ERROR
	user.CreateHook(ctx, procore.HookSpec{})                       // ERROR
	user.Triggers(ctx, 1)                                          // ERROR
	user.Deliveries(ctx, 1, procore.AnyDelivery)                   // ERROR
	user.Read(ctx, procore.Event{})                                // ERROR
	procore.Get[any](ctx, user, "/rest/v1.0/projects", nil)        // ERROR
	procore.List[any](ctx, user, "/rest/v1.0/projects", nil)       // ERROR
	procore.Post[any](ctx, user, "/rest/v1.0/projects", nil, nil)  // ERROR
	procore.Patch[any](ctx, user, "/rest/v1.0/projects", nil, nil) // ERROR
	procore.Put[any](ctx, user, "/rest/v1.0/projects", nil, nil)   // ERROR
	procore.Delete(ctx, user, "/rest/v1.0/projects/7", nil)        // ERROR
	_ = procore.NewCompanyClient(procore.Sandbox(), nil)           // ERROR
	var _ *procore.CompanyClient = user                            // ERROR
	_ = (*procore.CompanyClient)(user)                             // ERROR
}
