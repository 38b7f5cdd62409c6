package doctor

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/invariants"
	"procore-connect/internal/platform/dynamo"
)

const (
	progressEvery = 1_000 // rows
	maxExamined   = 1_000 // rows that are read again, because something may be wrong with them
	maxProblems   = 20    // that are reported
	ledgerSample  = 1_000 // entries of the ledger, which has millions in a large stack
)

// survey is what a pass over all rows collects.
type survey struct {
	*Doctor
	holders  invariants.Holders
	suspects map[string][]string // the companies that a grant may have, by the grant's key

	connections, grants int
	seals               []string       // the keys of the ring; nil: not known
	unsealed            map[string]int // grants by the key that the ring lacks
}

// rows checks every grant and every connection by the judge of the tests, and a part of the ledger. Functions write while
// it reads, so what looks wrong is read again alone, and only what remains is reported.
func (d *Doctor) rows(ctx context.Context) []Finding {
	s := &survey{Doctor: d, holders: invariants.Holders{}, suspects: map[string][]string{}, unsealed: map[string]int{}}
	if ring, err := d.Connections.Tokens.Keys.Get(ctx); err == nil {
		s.seals = ring.IDs()
	}
	problems, err := s.pass(ctx)
	if err != nil {
		return []Finding{d.cannot("the rows", err)}
	}
	suspects := slices.Sorted(maps.Keys(s.suspects))
	for _, grant := range suspects[:min(len(suspects), maxExamined)] {
		wrong, err := s.examine(ctx, grant, s.suspects[grant])
		if err != nil {
			return []Finding{d.cannot("the rows", err)}
		}
		problems = append(problems, wrong...)
	}
	sample, wrong, err := d.ledger(ctx)
	if err != nil {
		return []Finding{d.cannot("the ledger", err)}
	}
	found := violations(append(problems, wrong...))
	for _, key := range slices.Sorted(maps.Keys(s.unsealed)) {
		found = append(found, Finding{Verdict: Failed, Finding: fmt.Sprintf("%d grants are sealed by key %s, which the secret lacks", s.unsealed[key], key),
			Next: "put the key " + key + " back into " + d.Outputs["KeysSecretArn"] + ": without it, these users have to authorize again"})
	}
	if n := len(suspects) - maxExamined; n > 0 {
		found = append(found, Finding{Verdict: Unknown, Finding: fmt.Sprintf("%d more rows may be wrong, and were not read again", n), Next: "repair the others first"})
	}
	return orOK(found, "%d connections, %d grants and %d entries of the ledger keep every invariant", s.connections, s.grants, sample)
}

// pass reads both tables from beginning to end.
func (s *survey) pass(ctx context.Context) (problems []string, err error) {
	for item, err := range s.scan(ctx, "connections", s.Connections.Table, "company") {
		if err != nil {
			return nil, err
		}
		if p := item["principal"].S; p != nil && (strings.HasPrefix(*p, "user#") || *p == "app") {
			s.connections++
		}
		problems = append(problems, s.holders.Add(item)...)
	}
	for item, err := range s.scan(ctx, "grants", s.Connections.Tokens.Grants, "grant") {
		if err != nil {
			return nil, err
		}
		if !invariants.IsGrant(item) {
			continue
		}
		s.grants++
		row, err := invariants.RowOf(item)
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		companies := slices.Concat(s.holders[row.Grant], row.Holders)
		if row.SealKey != "" && s.seals != nil && !slices.Contains(s.seals, row.SealKey) {
			s.unsealed[row.SealKey]++
		}
		if wrong := append(invariants.CheckRow(row, s.Clock().Now()), s.holders.Check(row)...); wrong != nil || row.Sent() {
			s.suspects[row.Grant] = companies
		}
	}
	maps.Copy(s.suspects, s.holders) // those of a grant that was read are no longer there
	return problems, nil
}

// scan reads the rows of this environment.
func (s *survey) scan(ctx context.Context, what, table, key string) iter.Seq2[invariants.Item, error] {
	read := func(i *invariants.Item, item dynamo.Item) error {
		*i = invariants.ItemOf(item)
		return nil
	}
	return func(yield func(invariants.Item, error) bool) {
		n := 0
		for item, err := range dynamo.Scan(ctx, s.Connections.DB, "the table "+table, table, read) {
			if n++; n%progressEvery == 0 {
				s.progress("checking rows: %d rows of %s read", n, what)
			}
			if name := item[key].S; err == nil && name != nil && !strings.HasPrefix(*name, s.Connections.Tokens.Environment.Name+"#") {
				continue
			}
			if !yield(item, err) || err != nil {
				return
			}
		}
	}
}

// attempts is how often a row is read that changes while it is examined. One that still does is in use.
const attempts = 3

// examine reads a grant, its connections and the ledger until the grant did not change in between, and returns what is
// wrong then.
func (s *survey) examine(ctx context.Context, grant string, companies []string) ([]string, error) {
	key := dynamo.Item{"grant": dynamo.Text(grant)}
	before, err := s.grant(ctx, key)
	for n := 0; err == nil && n < attempts; n++ {
		var problems []string
		if problems, err = s.judge(ctx, grant, before, companies); err != nil {
			break
		}
		var after invariants.Item
		if after, err = s.grant(ctx, key); err == nil && revision(after) == revision(before) {
			return problems, nil
		}
		before = after
	}
	return nil, err
}

func (s *survey) judge(ctx context.Context, grant string, item invariants.Item, companies []string) ([]string, error) {
	row, err := invariants.RowOf(item)
	if err != nil {
		return []string{err.Error()}, nil //nolint:nilerr // it is what is wrong with the row
	}
	environment, principal, _ := strings.Cut(grant, "#")
	holders := invariants.Holders{}
	for _, company := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(companies, row.Holders)))) {
		c, err := dynamo.Get(ctx, s.Connections.DB, s.Connections.Table,
			dynamo.Item{"company": dynamo.Text(environment + "#" + company), "principal": dynamo.Text(principal)})
		if err != nil {
			return nil, err
		}
		holders.Add(invariants.ItemOf(c))
	}
	if item == nil {
		return holders.Ungranted(grant), nil
	}
	problems := append(invariants.CheckRow(row, s.Clock().Now()), holders.Check(row)...)
	if row.Sent() {
		entry, err := dynamo.Get(ctx, s.Connections.DB, s.Connections.Tokens.Spends, dynamo.Item{"fingerprint": dynamo.Text(row.Fingerprint)})
		if err != nil {
			return nil, err
		}
		if entry == nil {
			problems = append(problems, "row "+grant+": its refresh token may have been sent, and the ledger does not know it")
		}
	}
	return problems, nil
}

func (s *survey) grant(ctx context.Context, key dynamo.Item) (invariants.Item, error) {
	item, err := dynamo.Get(ctx, s.Connections.DB, s.Connections.Tokens.Grants, key)
	if err != nil || item == nil {
		return nil, err
	}
	return invariants.ItemOf(item), nil
}

func revision(i invariants.Item) string { return aws.ToString(i["rev"].N) }

// ledger checks the first entries of the ledger.
func (d *Doctor) ledger(ctx context.Context) (n int, problems []string, err error) {
	out, err := d.Connections.DB.Scan(ctx, &dynamodb.ScanInput{TableName: &d.Connections.Tokens.Spends, Limit: aws.Int32(ledgerSample)})
	if err != nil {
		return 0, nil, err
	}
	var entries []invariants.Item
	for _, item := range out.Items {
		entries = append(entries, invariants.ItemOf(item))
	}
	return len(entries), invariants.CheckTables(nil, entries, d.Clock().Now()), nil
}

// violations are the findings about rows.
func violations(problems []string) (found []Finding) {
	for i, problem := range problems {
		if i == maxProblems {
			return append(found, Finding{Verdict: Failed, Finding: strconv.Itoa(len(problems)-i) + " more rows or entries break an invariant", Next: rowsNext})
		}
		found = append(found, Finding{Verdict: Failed, Finding: short(problem), Next: rowsNext})
	}
	return found
}

// rowsNext is what to do about a row that no function wrote so.
const rowsNext = "change no row by hand; docs/RUNBOOK.md, A row that breaks an invariant"
