package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"procore-connect/internal/operator"
	"procore-connect/internal/operator/restore"
)

func (s *session) restore() *cobra.Command {
	var at string
	var except []string
	var dry, keep bool
	c := &cobra.Command{
		Use:   "restore --at TIME",
		Short: "Bring back what is missing in the tables of grants and connections, from their backups",
		Long: `Bring back what is missing in the tables of grants and connections, from their backups.

It makes copies of both tables as they were at a time, to the second: AWS takes 20 minutes or more for that. It compares the
copies with the tables, says what is missing, asks, and puts each missing row back. A row that exists is newer, and remains.
Then it deletes the copies. What was sent to Procore since is known to the ledger, which is never restored, and is not sent
again: such a user has to connect again.

A company that was erased since does not come back: the operator's log has the erasures. Name with --except one whose erasure
was made with --without-audit.

It may be interrupted at any time. The same command goes on with the copies that exist.`,
		Example: `  procore-connect restore --at 2026-01-31T12:00:00Z --dry-run
  procore-connect restore --at 2026-01-31T12:00:00Z
  procore-connect restore --at 2026-01-31T12:00:00Z --except 5678 --yes`,
		Args: usage(cobra.NoArgs),
	}
	c.Flags().StringVar(&at, "at", "", "as the tables were then: 2026-01-31T12:00:00Z")
	c.Flags().StringArrayVar(&except, "except", nil, "the id of a company of which nothing comes back; may be repeated")
	c.Flags().BoolVar(&dry, "dry-run", false, "only say what would come back; without copies, only whether there is a backup")
	c.Flags().BoolVar(&keep, "keep-copies", false, "do not delete the copies in the end")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		moment, err := s.moment(at)
		if err != nil {
			return err
		}
		ids, err := companies(except)
		if err != nil {
			return err
		}
		o, err := operator.Open(cmd.Context(), s.target)
		if err != nil {
			return err
		}
		r := &restoration{session: s, o: o, Restorer: o.Restorer(moment), except: ids, keep: keep}
		r.again = again(cmd, map[string]string{"dry-run": "", "yes": "", "at": moment.UTC().Format(time.RFC3339)})
		if dry {
			return r.preview(cmd.Context())
		}
		return r.run(cmd.Context())
	}
	return s.changes(c)
}

// moment reads the time of a backup. It is one that the same command finds again, and not one before now.
func (s *session) moment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, usageError{errors.New("name the time of the backup with --at, such as 2026-01-31T12:00:00Z")}
	}
	now := s.target.Clock.Now()
	at, err := when(now, "at", text)
	if later, _ := when(now.Add(time.Hour), "at", text); err == nil && !later.Equal(at) {
		err = usageError{fmt.Errorf("--at: %.40q is another time whenever it is typed: write the time itself, such as %s", text, at.UTC().Format(time.RFC3339))}
	}
	return at.Truncate(time.Second), err
}

// companies reads ids of companies.
func companies(typed []string) (ids []int64, err error) {
	for _, one := range typed {
		id, err := companyID([]string{one})
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// restoration is one run of restore.
type restoration struct {
	*session
	*restore.Restorer
	o      *operator.Operator
	except []int64
	keep   bool
	again  string // what is typed to go on
}

// run makes copies, unless they exist, and restores what is missing.
func (r *restoration) run(ctx context.Context) error {
	copies, err := r.Copies(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(copies, func(c restore.Copy) bool { return c.State == restore.CopyMissing }) {
		r.say("The copies exist, and are used.")
	} else if err := r.change(ctx, r.o, r.action(), copiesPlan(copies, r.At), func(ctx context.Context, _ string) error { return r.Make(ctx, copies) }); err != nil {
		return err
	}
	said := time.Duration(-1)
	err = r.Wait(ctx, func(waited time.Duration) {
		if m := waited.Truncate(5 * time.Minute); m > said {
			said = m
			r.say(fmt.Sprintf("Waiting for the copies, for %d min so far.", m/time.Minute))
		}
	})
	if err != nil {
		return r.onward(err)
	}
	plan, err := r.compare(ctx)
	if err != nil {
		return r.onward(err)
	}
	return r.change(ctx, r.o, r.action(), r.text(plan), r.put)
}

func (r *restoration) action() operator.Action {
	return operator.Action{Verb: "restore", Backup: r.At}
}

// onward adds to an error what goes on.
func (r *restoration) onward(err error) error {
	return fmt.Errorf("%w. The copies remain, and cost what their bytes do; this goes on: %s", err, r.again)
}

// copiesPlan says what is copied.
func copiesPlan(copies []restore.Copy, at time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Makes copies of tables as they were at %s, which takes 20 minutes or more:\n", at.UTC().Format(time.RFC3339))
	for _, c := range copies {
		if c.State == restore.CopyMissing {
			fmt.Fprintf(&b, "  %s\n", c.Name)
		}
	}
	b.WriteString("Then it says what is missing in the tables, and asks again. The copies are deleted in the end.")
	return b.String()
}

// compare returns what is missing, and is to come back.
func (r *restoration) compare(ctx context.Context) (*restore.Plan, error) {
	erased, err := r.o.Erased(ctx, r.At)
	switch {
	case err != nil && !r.unaudited:
		return nil, fmt.Errorf("%w. If it has to be done now, name each company that was erased since with --except, and add --without-audit", err)
	case err != nil:
		r.say(fmt.Sprintf("%v. Companies that were erased since come back, unless --except names them.", err))
	}
	return r.Compare(ctx, append(slices.Clone(r.except), erased...))
}

// text says what comes back.
func (r *restoration) text(p *restore.Plan) string {
	var b strings.Builder
	switch {
	case p.Nothing():
		b.WriteString("Nothing is missing that may come back.")
	default:
		fmt.Fprintf(&b, "What is missing comes back: %s, and %s of connections, webhooks and reconciliation.", plural(p.Grants, "grant"), plural(p.Rows, "row"))
	}
	if len(p.Companies) > 0 {
		fmt.Fprintf(&b, "\nCompanies: %s", someIDs(p.Companies))
	}
	if len(p.Except) > 0 {
		fmt.Fprintf(&b, "\nErased since, or excepted, and not coming back: %s", someIDs(p.Except))
	}
	if p.LedgerEmpty && p.Grants > 0 {
		b.WriteString("\nThe ledger of sent refresh tokens is empty. Unless this stack has refreshed none yet, say no, disable the schedule\n" +
			"RefreshSchedule, and type procore-connect mark-restored after this command: it keeps spent tokens from being sent again.")
	}
	if !r.keep {
		b.WriteString("\nThen the copies are deleted.")
	}
	return b.String()
}

// someIDs writes some of the ids of companies.
func someIDs(ids []int64) string {
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = strconv.FormatInt(id, 10)
	}
	return some(all)
}

// put restores what is missing now: while a person was asked, a company may have been erased.
func (r *restoration) put(ctx context.Context, by string) error {
	plan, err := r.compare(ctx)
	if err != nil {
		return r.onward(err)
	}
	result, err := r.Put(ctx, plan, func(done int) { r.say(fmt.Sprintf("%d of %d rows", done, plan.Grants+plan.Rows)) })
	answer := restored{At: r.At, By: by, Result: result, Companies: plan.Companies, Except: plan.Except, Copies: "deleted"}
	switch {
	case err != nil:
		err, answer.Copies = r.onward(err), "kept"
	case r.keep:
		answer.Copies = "kept"
	default:
		if err = r.Discard(ctx); err != nil {
			err, answer.Copies = r.onward(err), "kept"
		}
	}
	return errors.Join(r.write(answer, answer.text), err)
}

// restored is the receipt.
type restored struct {
	At time.Time `json:"at"` // of the backup
	By string    `json:"by"`
	restore.Result
	Companies []int64 `json:"companies"` // that were missing
	Except    []int64 `json:"except"`
	Copies    string  `json:"copies"` // deleted or kept
}

func (a restored) text(w io.Writer) error {
	fmt.Fprintf(w, "Restored from the backup of %s by %s.\n\n", a.At.UTC().Format("2006-01-02 15:04:05 UTC"), oneLine(a.By))
	fmt.Fprintf(w, "Restored:  %s, and %s of connections, webhooks and reconciliation\n", plural(a.Grants, "grant"), plural(a.Rows, "row"))
	fmt.Fprintf(w, "Newer:     %s, which remain as they are\nFailed:    %s\n", plural(a.Newer, "row"), plural(a.Failed, "row"))
	fmt.Fprintf(w, "Released:  %s of grants, whose connections have ended since or did not come back\n", plural(a.Released, "holder"))
	fmt.Fprintf(w, "Companies: %s\n", orDash(someIDs(a.Companies)))
	fmt.Fprintf(w, "Left out:  %s\nCopies:    %s\n", orDash(someIDs(a.Except)), a.Copies)
	_, err := fmt.Fprintln(w, "\nprocore-connect doctor finds rows that do not agree, and procore-connect list begins with who has to connect again.")
	return err
}

// preview says what would come back, and changes nothing.
func (r *restoration) preview(ctx context.Context) error {
	copies, err := r.Copies(ctx)
	if err != nil {
		return err
	}
	answer := struct {
		Copies []restore.Copy `json:"copies"`
		Plan   *restore.Plan  `json:"plan,omitempty"`
	}{Copies: copies}
	if !slices.ContainsFunc(copies, func(c restore.Copy) bool { return c.State != restore.CopyReady }) {
		if answer.Plan, err = r.compare(ctx); err != nil {
			return err
		}
	}
	return r.write(answer, func(w io.Writer) error {
		if answer.Plan != nil {
			_, err := fmt.Fprintln(w, r.text(answer.Plan))
			return err
		}
		fmt.Fprintf(w, "There are backups of %s. What is missing is known once there are copies:\n", r.At.UTC().Format(time.RFC3339))
		for _, c := range copies {
			fmt.Fprintf(w, "  %s: %s\n", c.Name, c.State)
		}
		_, err := fmt.Fprintf(w, "This makes them, and asks before it restores anything:\n  %s\n", r.again)
		return err
	})
}
