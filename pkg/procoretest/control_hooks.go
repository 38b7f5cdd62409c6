package procoretest

import (
	"fmt"
	"slices"
)

// HookPatch changes a hook. It is the body of PATCH /_fake/hooks/{id}.
type HookPatch struct {
	// Disabled disables the hook, as Procore does after repeated failures, and discards
	// what waits; false makes it active again. Nil changes nothing.
	Disabled *bool `json:"disabled"`
}

// UpdateHook applies the patch to the hook with this id.
func (s *Server) UpdateHook(id int64, p HookPatch) (err error) {
	defer s.mu.synced(&err)
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.hooks, func(h *hook) bool { return h.id == id })
	if i < 0 {
		return fmt.Errorf("hook %d does not exist", id)
	}
	h := s.hooks[i]
	switch {
	case p.Disabled == nil:
		return nil
	case *p.Disabled:
		s.flush(h)
	}
	h.disabled, h.failures = *p.Disabled, 0
	s.keepHook(h)
	return nil
}

// DeleteHook deletes a hook, as an administrator of its company does.
func (s *Server) DeleteHook(id int64) (err error) {
	defer s.mu.synced(&err)
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.hooks, func(h *hook) bool { return h.id == id })
	if i < 0 {
		return fmt.Errorf("there is no hook %d", id)
	}
	s.deleteHook(s.hooks[i])
	return nil
}

// Redeliver delivers the event of a [Delivery] once more, with the same payload and id, as
// Procore may at any time.
func (s *Server) Redeliver(delivery int64) (err error) {
	defer s.mu.synced(&err)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.hooks {
		i := slices.IndexFunc(h.deliveries, func(d *Delivery) bool { return d.ID == delivery })
		switch {
		case i < 0:
			continue
		case h.disabled:
			return fmt.Errorf("hook %d is disabled", h.id)
		case len(h.queue) >= maxQueue:
			return fmt.Errorf("hook %d already has %d events waiting", h.id, len(h.queue))
		}
		next := *h.deliveries[i].event
		next.id, next.last = s.newID(), nil
		s.insert(h, s.place(h), &next)
		s.wakeWorker(h)
		return nil
	}
	return fmt.Errorf("delivery %d does not exist, or is forgotten", delivery)
}
