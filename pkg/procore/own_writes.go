package procore

import (
	"sync"
	"time"
)

// OwnWrites remembers the updated_at with which Procore answered an app's latest 1,000
// writes. An app that writes in response to events must recognise its own changes, or it
// loops. The events of payload v4.0 do not name the app that made a change; this is
// another sign of it:
//
//	var own procore.OwnWrites // one for the process
//	client := store.Client(key, procore.WithOwnWrites(&own))
//	...
//	if own.Knows(event.CompanyID, event.ResourceID) {
//		resource, err := client.Read(ctx, event)
//		if err == nil && own.Made(event.CompanyID, resource) {
//			return nil // it is as we left it
//		}
//	}
//
// It knows the writes of its process alone, and Procore's times may be whole seconds: a
// change that another user makes in the same second is taken for one's own. So it is a
// second sign, where [Event.SelfOriginated] is not known. The zero OwnWrites is ready to
// use. Goroutines may share it; do not copy it.
type OwnWrites struct {
	mu     sync.Mutex
	known  map[ownWrite]bool
	latest [maxOwnWrites]ownWrite
	next   int
}

const maxOwnWrites = 1000

// An ownWrite is the state in which a write left a resource.
type ownWrite struct {
	companyID int64
	id        ID
	updatedAt time.Time
}

// WithOwnWrites makes the client remember its writes: what Procore answered to POST, PATCH
// and PUT, if that has an id and an updated_at.
func WithOwnWrites(o *OwnWrites) Option { return func(a *api) { a.own = o } }

// Made reports whether a resource of the company, as [CompanyClient.Read] or a list
// returned it, is in the state in which a remembered write left it.
func (o *OwnWrites) Made(companyID int64, resource []byte) bool {
	w, ok := ownWriteOf(companyID, resource)
	o.mu.Lock()
	defer o.mu.Unlock()
	return ok && o.known[w]
}

// Knows reports whether a write of a resource with this id is remembered. If not, the
// resource need not be read for [OwnWrites.Made].
func (o *OwnWrites) Knows(companyID int64, id ID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for w := range o.known {
		if w.companyID == companyID && w.id == id {
			return true
		}
	}
	return false
}

// remember adds a write by its answer.
func (o *OwnWrites) remember(companyID int64, answer []byte) {
	w, ok := ownWriteOf(companyID, answer)
	if !ok {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.known == nil {
		o.known = make(map[ownWrite]bool)
	}
	if o.known[w] {
		return
	}
	delete(o.known, o.latest[o.next])
	o.known[w], o.latest[o.next] = true, w
	o.next = (o.next + 1) % maxOwnWrites
}

// ownWriteOf reads the answer of REST v1, or of v2, which has it under data.
func ownWriteOf(companyID int64, resource []byte) (ownWrite, bool) {
	type item struct {
		ID        ID        `json:"id"`
		UpdatedAt time.Time `json:"updated_at"`
	}
	var v struct {
		item
		Data item `json:"data"`
	}
	if _, err := Unmarshal(resource, &v); err != nil {
		return ownWrite{}, false
	}
	if v.ID == "" {
		v.item = v.Data
	}
	return ownWrite{companyID, v.ID, v.UpdatedAt.UTC()}, v.ID != "" && !v.UpdatedAt.IsZero()
}
