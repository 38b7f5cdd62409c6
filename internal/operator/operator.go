// Package operator is what cmd/procore-connect does, without a command line: it answers a person who is on call.
//
// It reads the configuration that the functions have, from the functions themselves, and works with the packages that
// they are made of. So no name of a table is written down twice, and what the operator is told is what the functions do.
package operator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"procore-connect/internal/operator/logs"
	"procore-connect/internal/operator/meters"
	"procore-connect/internal/platform/config"
	"procore-connect/internal/platform/queue"
	"procore-connect/internal/upkeep/departures"
	"procore-connect/internal/upkeep/rescue"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/internal/webhook/provision"
	"procore-connect/internal/webhook/reconcile"
	"procore-connect/internal/webhook/recovery"
	"procore-connect/internal/wire"
	"procore-connect/internal/wire/links"
	"procore-connect/internal/wire/secret"
	"procore-connect/internal/wire/stores"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/link"
	"procore-connect/pkg/procore"
)

// Target names what to operate on.
type Target struct {
	Stack   string // the name of the CloudFormation stack
	Region  string // empty: the default of AWS's configuration
	Profile string // likewise
	// Local is the address of the AWS services of make run, such as 127.0.0.1:8000. Then Stack, Region and Profile do not
	// count. Empty: AWS.
	Local string
	// LogGroups are searched too, such as that of a consumer in another stack.
	LogGroups []string

	Log   *slog.Logger // nil: nothing is logged
	Clock procore.Clock

	// SDK is the configuration of AWS's clients, in place of Region, Profile and Local. Random and Dial are the operator's
	// randomness and its way to Procore. Zero: this machine's.
	SDK    *aws.Config
	Random procore.Random
	Dial   procore.Dial
}

// Operator answers what is asked of one stack. [Open] returns one.
type Operator struct {
	Local bool // the stack is that of make run

	Outputs    map[string]string // of the stack
	PublicURL  string            // where people reach the app
	Principals config.Principals
	Allowed    config.Companies

	Connections *connections.Store
	Inbox       *inbox.Store
	Hooks       *provision.Reconciler
	Departures  *departures.Watch
	Rescue      *rescue.Queue
	Reconciler  *reconcile.Reconciler
	Logs        *logs.Client
	Meters      *meters.Client
	EventsQueue queue.Queue // to the consumer

	Links      keys.Source[*link.Keys] // nil: the stack takes no signed links
	ReturnURLs []string                // where users return to who came by one

	secrets                               *secretsmanager.Client
	sealSecret, webhookSecret, linkSecret string // their names; without signed links there is no third

	sdk   aws.Config
	log   *slog.Logger
	clock procore.Clock
}

// Open finds the stack and reads the configuration of its functions. The error names what is missing, and which option
// would be another one. If only a variable of the functions is wrong, the operator is returned beside the error, for what
// does not need it.
func Open(ctx context.Context, t Target) (*Operator, error) {
	sdk, err := t.sdk(ctx)
	if err != nil {
		return nil, err
	}
	found, err := t.discover(ctx, sdk)
	if err != nil {
		return nil, err
	}
	env := config.New(func(name string) string { return found.variables[name] })
	o := &Operator{Outputs: found.outputs, Principals: env.Principals(), Allowed: env.AllowedCompanies(), PublicURL: env.PublicURL().String(), sdk: sdk, log: t.Log, clock: t.Clock}
	o.Local = t.Local != ""
	if o.log == nil {
		o.log = slog.New(slog.DiscardHandler)
	}
	base := wire.From(env, o.sdk, o.log)
	base.Clock, base.Random, base.Dial = t.Clock, t.Random, t.Dial
	o.wire(base)
	o.Logs = &logs.Client{API: cloudwatchlogs.NewFromConfig(sdk), Groups: logs.ParseGroups(o.Outputs[logs.GroupsOutput], t.LogGroups...), Clock: t.Clock}
	o.Meters = &meters.Client{API: cloudwatch.NewFromConfig(sdk), Namespace: env.Optional("METRICS_NAMESPACE")}
	if err := env.Err(); err != nil {
		return o, fmt.Errorf("the configuration of the functions %s is not what this version of the command reads: %w", found.functions, err)
	}
	return o, nil
}

// wire makes what the refresher is made of.
func (o *Operator) wire(base *wire.Base) {
	env := base.Env
	procoreEnv := base.Environment()
	grants := stores.Grants(base, procoreEnv, secret.Keys(base), secret.OAuth(base, procoreEnv))
	o.Rescue = &rescue.Queue{Queue: queue.New(o.sdk, env.Endpoint("SQS"), env.Require("RESCUE_QUEUE_URL"))}
	grants.Rescue = o.Rescue.Send
	o.Connections = stores.Connections(base, grants)
	o.EventsQueue = queue.New(o.sdk, env.Endpoint("SQS"), o.Outputs["EventsQueueUrl"])
	o.Inbox = &inbox.Store{DB: base.DB, Table: env.Require("INBOX_TABLE"), Clock: o.clock}
	o.Hooks = &provision.Reconciler{
		Store: o.Connections, Ring: secret.Webhook(base), Want: provision.ReadConfig(env, o.PublicURL), Log: o.log,
		Recovery: &recovery.Recoverer{Inbox: o.Inbox, Log: o.log},
	}
	o.secrets, o.sealSecret, o.webhookSecret = secret.Client(base), env.Require("KEYS_SECRET_ID"), env.Require("WEBHOOK_SECRET_ID")
	o.Links, o.ReturnURLs, o.linkSecret = links.Keys(base), env.ReturnURLs(), env.Optional("LINK_SECRET_ID")
	o.Reconciler = &reconcile.Reconciler{Store: o.Connections, Inbox: o.Inbox, Hooks: o.Hooks, Want: reconcile.ReadConfig(env), Log: o.log}
	o.Departures = &departures.Watch{Store: o.Connections, Hooks: o.Hooks, Log: o.log}
}

// ErrNotConnected means that no user, and no service account, ever connected the company.
var ErrNotConnected = errors.New("is not connected, and never was")

// Link returns the address to send to a person who has to connect a company, or to install the app there.
func (o *Operator) Link() string { return o.PublicURL + "/" }

// AWS returns the configuration of the clients with which the operator asks AWS.
func (o *Operator) AWS() aws.Config { return o.sdk }

// Clock returns the operator's clock.
func (o *Operator) Clock() procore.Clock { return o.clock }
