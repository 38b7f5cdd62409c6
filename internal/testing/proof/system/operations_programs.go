package system

import (
	"context"
	"encoding/json"
	"fmt"

	"procore-connect/internal/testing/proof/simulation"
)

// programs are the owner's other programs, which ask access-token for a company's token. At times Procore has just refused
// the one that they have. Several may ask at once.
func (s *system) programs(ctx context.Context) {
	c := s.customers[s.Next("company", "programs")%uint64(len(s.customers))]
	n := 1 + int(s.Next("how many", "programs")%3)
	rejected := s.Next("rejected", "programs")%3 > 0
	if rejected {
		must(s.procore.EndAccess(c.user))
	}
	done := make(chan struct{}, n)
	for i := range n {
		s.judge.costs.asked++
		s.Go(fmt.Sprintf("program %d", i), func(ctx context.Context) {
			defer func() { done <- struct{}{} }()
			c.asks(ctx, rejected)
		})
	}
	for range n {
		select {
		case <-done:
		case <-s.Root().Done():
		}
	}
	simulation.Gate(ctx, "goes on after an answer")
}

// asks asks for the company's token once.
func (c *customer) asks(ctx context.Context, rejected bool) {
	in := fmt.Sprintf(`{"company_id":%d,"rejected":%t}`, c.id, rejected)
	out, err := c.access.Call(ctx, json.RawMessage(in))
	if err != nil {
		return
	}
	text, err := json.Marshal(out)
	must(err)
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	must(json.Unmarshal(text, &answer))
	if answer.AccessToken != "" {
		c.Happened("access token served")
		c.judge.holdings.served(c.id, c.user, c.procore.ByToken(answer.AccessToken))
	}
}
