package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"procore-connect/internal/operator"
)

func (s *session) keys() *cobra.Command {
	c := &cobra.Command{
		Use:   "keys",
		Short: "Show, rotate and retire the generated keys, and retire one company's webhook credential",
		Long: `Show, rotate and retire the generated keys, and retire one company's webhook credential.

There are three rings. The ring seal seals the pairs of tokens, and names spent refresh tokens in the ledger. The ring webhook
makes the credentials by which deliveries are known to be Procore's. The ring link signs the links of a host application, in
a stack with ReturnUrls. No key is ever shown.`,
		Example: `  procore-connect keys status`,
		Args:    usage(cobra.NoArgs),
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(s.keysStatus(), s.keysRotate(), s.keysRetire(), s.keysRaiseEpoch())
	return c
}

func (s *session) keysStatus() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show the keys, what still needs the old ones, and when they may be retired",
		Example: `  procore-connect keys status
  procore-connect keys status --json`,
		Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			o, err := operator.Open(c.Context(), s.target)
			if err != nil {
				return err
			}
			all, err := o.Keys(c.Context())
			if err != nil {
				return err
			}
			return s.write(all, func(w io.Writer) error { return keyTable(w, all) })
		},
	}
}

func keyTable(w io.Writer, all []operator.RingKey) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RING\tKEY\tSTATE\tADDED\tMAY BE RETIRED")
	for _, k := range all {
		state, retire := "old", "not yet"
		switch {
		case k.Current:
			state, retire = "current", "–"
		case k.Retire:
			retire = "now"
		case !k.From.IsZero():
			retire = "from " + toMinute(k.From)
		}
		if k.New {
			state, retire = "new", "–"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", k.Ring, k.ID, state, date(k.Added), retire)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, k := range all {
		switch {
		case k.New:
			fmt.Fprintf(w, "\n%s\n", wrap(fmt.Sprintf("%s %s is not used yet: procore-connect keys rotate %s goes on.", k.Ring, k.ID, k.Ring), 100))
		case k.Retire:
			fmt.Fprintf(w, "\n%s\n", wrap(fmt.Sprintf("Nothing needs %s %s any longer: procore-connect keys retire %s %s.", k.Ring, k.ID, k.Ring, k.ID), 100))
		case !k.Current:
			fmt.Fprintf(w, "\n%s\n", wrap(fmt.Sprintf("%s %s is still needed: %s.", k.Ring, k.ID, k.Why()), 100))
		}
	}
	return nil
}

// ringName reads the argument that names a ring.
func ringName(arg string) (operator.RingName, error) {
	if !slices.Contains(operator.Rings(), operator.RingName(arg)) {
		return "", usageError{fmt.Errorf("%.30q is not a ring; they are seal, webhook and link", arg)}
	}
	return operator.RingName(arg), nil
}

func rings(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []string{"seal", "webhook", "link"}, cobra.ShellCompDirectiveNoFileComp
}

func (s *session) keysRotate() *cobra.Command {
	c := &cobra.Command{
		Use:   "rotate seal|webhook|link",
		Short: "Make a new generated key the current one of a ring",
		Long: `Make a new generated key the current one of a ring.

It adds a key that nothing uses, waits six minutes until every function has read it, and makes it the current one. It may be
interrupted at any time: the same command goes on. The old key remains, for what it made: see procore-connect keys status
and keys retire.`,
		Example: `  procore-connect keys rotate webhook
  procore-connect keys rotate seal --yes`,
		Args:              usage(cobra.ExactArgs(1)),
		ValidArgsFunction: rings,
		RunE: func(cmd *cobra.Command, args []string) error {
			ring, err := ringName(args[0])
			if err != nil {
				return err
			}
			o, err := operator.Open(cmd.Context(), s.target)
			if err != nil {
				return err
			}
			return s.rotate(cmd.Context(), o, ring)
		},
	}
	return s.changes(c)
}

func (s *session) rotate(ctx context.Context, o *operator.Operator, ring operator.RingName) error {
	r, err := o.NextRotation(ctx, ring)
	if err != nil {
		return err
	}
	plan := fmt.Sprintf("Adds a generated key %s to the ring %s, waits six minutes until every function has read it, and makes it the current key in place of %s, which remains.",
		r.To, ring, r.From)
	if r.Exists {
		plan = fmt.Sprintf("The key %s was added to the ring %s before. Waits until every function has read it, and makes it the current key in place of %s, which remains.", r.To, ring, r.From)
	}
	return s.change(ctx, o, operator.Action{Verb: "keys rotate " + string(ring)}, plan, func(ctx context.Context, _ string) error {
		err := o.Rotate(ctx, r, s.say)
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted, and everything works as it is; procore-connect keys rotate %s goes on", ring)
		}
		if err != nil {
			return err
		}
		return s.write(r, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "%s is the current key of the ring %s.\n%s\n", r.To, ring, wrap(after(ring, r.From), 100))
			return err
		})
	})
}

// after is what follows a rotation.
func after(ring operator.RingName, old string) string {
	s := fmt.Sprintf("%s is still needed by what it made; procore-connect keys status says for how long.", old)
	if ring == operator.WebhookRing {
		s += " Housekeeping gives each hook its new credential within a day, or a week where the app is not used; procore-connect webhooks sync --all does it now."
	}
	if ring == operator.LinkRing {
		s += " A host application that has a copy of the secret needs the new one until then."
	}
	return s
}

// say writes how a change goes on.
func (s *session) say(text string) { fmt.Fprintln(s.err, text) }

func (s *session) keysRetire() *cobra.Command {
	c := &cobra.Command{
		Use:   "retire seal|webhook|link KEY",
		Short: "Remove an old key from its ring, if nothing needs it any longer",
		Long: `Remove an old key from its ring, if nothing needs it any longer.

It is refused while a grant or a hook has the key, while Procore may repeat a delivery that has its credential, while a pair
that it sealed may wait in the rescue queue, and while the ledger may know a spent refresh token by it alone: 400 days. A
key of links is needed for an hour after the next one became current. A webhook receiver that was idle may
accept deliveries with the removed key for up to an hour.`,
		Example:           `  procore-connect keys retire webhook k1`,
		Args:              usage(cobra.ExactArgs(2)),
		ValidArgsFunction: rings,
		RunE: func(cmd *cobra.Command, args []string) error {
			ring, err := ringName(args[0])
			if err != nil {
				return err
			}
			o, err := operator.Open(cmd.Context(), s.target)
			if err != nil {
				return err
			}
			plan := fmt.Sprintf("Removes the key %.20q from the ring %s, if nothing needs it. It cannot be made again.", args[1], ring)
			return s.change(cmd.Context(), o, operator.Action{Verb: "keys retire " + string(ring)}, plan, func(ctx context.Context, _ string) error {
				if err := o.Retire(ctx, ring, args[1]); err != nil {
					return err
				}
				return s.write(map[string]string{"ring": string(ring), "retired": args[1]}, func(w io.Writer) error {
					_, err := fmt.Fprintf(w, "The ring %s no longer has the key %s.\n", ring, args[1])
					return err
				})
			})
		},
	}
	return s.changes(c)
}

func (s *session) keysRaiseEpoch() *cobra.Command {
	c := &cobra.Command{
		Use:   "raise-epoch COMPANY",
		Short: "Retire one company's webhook credential, because someone may have copied it",
		Long: `Retire one company's webhook credential, because someone may have copied it, and give its hook the next one.

The receiver refuses the old credential once it has read the secret again: after five minutes, or if it was idle, beside
its next delivery, and an hour after its last read at the latest. For five minutes another function may give the hook the
old one again, so the command makes a pass at once, waits six minutes, and makes another one.`,
		Example: `  procore-connect keys raise-epoch 5678`,
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, id, err := s.about(cmd.Context(), args)
			if err != nil {
				return err
			}
			plan := fmt.Sprintf("Raises the epoch of company %d in the webhook secret, so that its present credential is refused, and gives its hook the next one. It takes six minutes.", id)
			return s.change(cmd.Context(), o, operator.Action{Verb: "keys raise-epoch", CompanyID: id}, plan, func(ctx context.Context, _ string) error {
				return s.raiseEpoch(ctx, o, id)
			})
		},
	}
	return s.changes(c)
}

func (s *session) raiseEpoch(ctx context.Context, o *operator.Operator, id int64) error {
	epoch, settled, err := o.RaiseEpoch(ctx, id)
	if err != nil {
		return err
	}
	s.say(fmt.Sprintf("The epoch of company %d is %d.", id, epoch))
	first := o.Sync(ctx, id)
	s.say(oneLine(first.String()))
	if err := o.Settle(ctx, settled, s.say); err != nil {
		return fmt.Errorf("interrupted: the receiver will refuse the old credential; type procore-connect webhooks sync %d after %s, because until then a function may give the hook the old one again",
			id, settled.UTC().Format("15:04 UTC"))
	}
	p := o.Sync(ctx, id)
	err = s.write(p, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, wrap(oneLine(p.String()), 100))
		return err
	})
	return errors.Join(err, trouble(err == nil && !p.Right()))
}
