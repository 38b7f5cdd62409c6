package main

import (
	"context"
	"time"

	"procore-connect/pkg/connections"
)

// maxNamed bounds the companies that an answer names.
const maxNamed = 100

// hookKeys is the answer to {"task": "webhook-keys"}: which credentials the hooks have, as
// Procore last accepted them. An old key may be retired when every hook has the new one.
type hookKeys struct {
	Hooks int `json:"hooks"`
	// Old counts hooks with another credential than the current one, by key and epoch.
	Old map[string]int `json:"old,omitempty"`
	// Companies are some of theirs, at most 100.
	Companies []int64 `json:"companies,omitempty"`
	// Retire reports whether the old keys may be removed from the webhook secret.
	Retire bool `json:"retire"`
}

// webhookKeys reads the items of the hooks of all companies that are checked.
func (h *handler) webhookKeys(ctx context.Context) (hookKeys, error) {
	answer, seen := hookKeys{Old: map[string]int{}}, map[int64]bool{}
	ring, err := h.hooks.Ring.Get(ctx)
	if err != nil {
		return answer, err
	}
	ever := h.now().Add(10 * 365 * 24 * time.Hour)
	for key, err := range h.turns(ctx, whole, ever, connections.First, connections.Routine, connections.First) { // one may change its turn in between
		if err != nil {
			return answer, err
		}
		if seen[key.CompanyID] {
			continue
		}
		seen[key.CompanyID] = true
		row, err := h.hooks.Row(ctx, key.CompanyID)
		if err != nil {
			return answer, err
		}
		if row.HookID == "" {
			continue
		}
		answer.Hooks++
		if row.Credential == ring.Current(key.CompanyID) {
			continue
		}
		answer.Old[row.Credential]++
		if len(answer.Companies) < maxNamed {
			answer.Companies = append(answer.Companies, key.CompanyID)
		}
	}
	answer.Retire = len(answer.Old) == 0
	return answer, nil
}
