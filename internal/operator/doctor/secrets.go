package doctor

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/smithy-go"

	"errors"

	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
)

// secrets checks that the secrets are there and understood, and that Procore accepts the client id and secret.
func (d *Doctor) secrets(ctx context.Context) []Finding {
	var found []Finding
	setApp := d.Outputs["SetAppSecretCommand"]
	ring, err := d.Connections.Tokens.Keys.Get(ctx)
	if err != nil {
		found = append(found, d.unusable("the keys that seal tokens", err, "restore the value of "+d.Outputs["KeysSecretArn"]+
			": without its keys, every user has to authorize again"))
	}
	if _, err := d.Hooks.Ring.Get(ctx); err != nil {
		found = append(found, d.unusable("the keys of webhooks", err, "restore the value of the secret: deliveries are refused without it"))
	}
	count := "three"
	if d.Links != nil {
		count = "four"
		if _, err := d.Links.Get(ctx); err != nil {
			found = append(found, d.unusable("the keys of signed links", err, "restore the value of "+d.Outputs["LinkSecretArn"]+
				": links of the host application are refused without it"))
		}
	}
	if _, err := d.Connections.Tokens.OAuth.Get(ctx); err != nil {
		return append(found, d.unusable("the client id and secret", err, setApp))
	}
	_, err = keys.Use(ctx, d.Connections.Tokens.OAuth, func(o *procore.OAuth) (struct{}, error) { return struct{}{}, o.Probe(ctx) })
	switch e, answered := errors.AsType[*procore.TokenError](err); {
	case err == nil:
	case answered && e.InvalidClient():
		found = append(found, Finding{Verdict: Failed, Finding: "Procore refuses the client id and secret", Next: setApp})
	default:
		found = append(found, Finding{Verdict: Failed, Finding: fmt.Sprintf("Procore's token endpoint does not answer as it should: %v", err),
			Next: "see https://status.procore.com, and type procore-connect breaker"})
	}
	if ring == nil {
		return found
	}
	return orOK(found, "%s secrets are as they should be: the current key is %s of %s, and Procore accepts the client id and secret",
		count, ring.Current(), strings.Join(ring.IDs(), " "))
}

// unusable is the finding about a secret: one that cannot be read, or whose value is not what it should be.
func (d *Doctor) unusable(what string, err error, next string) Finding {
	if api, isAPI := errors.AsType[smithy.APIError](err); isAPI && isDenied(api.ErrorCode()) {
		return d.cannot(what, err)
	}
	return Finding{Verdict: Failed, Finding: fmt.Sprintf("%s: %v", what, err), Next: next}
}
