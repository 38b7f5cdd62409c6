package operator

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"procore-connect/pkg/tokens"
)

// Action is a change that a person makes by the command.
type Action struct {
	Verb      string           // as it is typed, such as "departures acknowledge"
	CompanyID int64            // 0: it is about no one company
	Principal tokens.Principal // empty: it is about no one grant
	Reference string           // of a host application's tenant; empty: it is about no one tenant
	Backup    time.Time        // of which it restores something; zero: it restores nothing
}

// Caller returns the ARN of the identity that makes the operator's changes.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
func (o *Operator) Caller(ctx context.Context) (string, error) {
	out, err := sts.NewFromConfig(o.sdk).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", fmt.Errorf("AWS does not say who you are, and a change is not made without a name: %w", err)
	}
	return aws.ToString(out.Arn), nil
}

// Finish makes a change, and returns when the refreshes that it began have ended: the process that received a new pair
// must not end before it has stored it.
func (o *Operator) Finish(ctx context.Context, do func(context.Context) error) error {
	_, err := tokens.Wrap(o.Connections.Tokens, func(ctx context.Context, _ struct{}) (struct{}, error) {
		return struct{}{}, do(ctx)
	})(ctx, struct{}{})
	return err
}

// By is the reason of a change that is stored with what changed.
func By(verb, by string) string { return fmt.Sprintf("%s by an operator (%.200s)", verb, by) }
