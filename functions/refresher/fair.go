package main

import (
	"iter"

	"procore-connect/pkg/tokens"
)

const (
	// share is how many connections of one company come before other companies'
	// connections: two seconds of a run.
	share = 100
	// mostWaiting is how many connections wait until all companies had their share.
	// More of them wait for the next run.
	mostWaiting = 20_000
)

// fair yields each company's share first, in the list's order, and then the rest. So
// a company with many users does not let other companies' tokens expire.
func fair(list iter.Seq2[tokens.Key, error], share int) iter.Seq2[tokens.Key, error] {
	return func(yield func(tokens.Key, error) bool) {
		had := map[int64]int{}
		var rest []tokens.Key
		for key, err := range list {
			if err == nil {
				if had[key.CompanyID]++; had[key.CompanyID] > share {
					if len(rest) < mostWaiting {
						rest = append(rest, key)
					}
					continue
				}
			}
			if !yield(key, err) {
				return
			}
		}
		for _, key := range rest {
			if !yield(key, nil) {
				return
			}
		}
	}
}
