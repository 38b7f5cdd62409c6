package procore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// CreateTriggers adds triggers to the hook in one call. If Procore refuses the call, each
// trigger has its own, so that a wrong one does not cost the others. Those that Procore
// accepted are returned, if need be beside a [*TriggersError] that names the others. A
// trigger that Procore has retired is a [*RetiredError], and none is added.
func (c *CompanyClient) CreateTriggers(ctx context.Context, hookID ID, all []Trigger) ([]Trigger, error) {
	if len(all) == 0 {
		return nil, nil
	}
	body := make([]triggerWire, len(all))
	for i, t := range all {
		if err := retired(t); err != nil {
			return nil, err
		}
		body[i] = t.wire()
	}
	var answer bulkAnswer
	if err := c.bulk(ctx, http.MethodPost, hookID, body, &answer); errors.Is(err, ErrInvalid) {
		return c.createEach(ctx, hookID, all)
	} else if err != nil {
		return nil, err
	}
	failed := slices.DeleteFunc(slices.Clone(all), func(t Trigger) bool {
		return slices.ContainsFunc(answer.made, func(m Trigger) bool { return m.Key() == t.Key() })
	})
	if len(failed) > 0 && answer.status == http.StatusMultiStatus {
		return answer.made, &TriggersError{failed, answer.message}
	}
	return answer.made, nil
}

func (c *CompanyClient) createEach(ctx context.Context, hookID ID, all []Trigger) (made []Trigger, _ error) {
	var refused TriggersError
	for _, t := range all {
		switch one, err := c.CreateTrigger(ctx, hookID, t); {
		case err == nil:
			made = append(made, one)
		case errors.Is(err, ErrInvalid):
			refused.Failed, refused.Message = append(refused.Failed, t), oneLine(err.Error(), 500)
		default:
			return made, err
		}
	}
	if len(refused.Failed) > 0 {
		return made, &refused
	}
	return made, nil
}

// DeleteTriggers removes triggers from the hook in one call. If Procore removed some of
// them only, the error is a [*TriggersError] without names: list what is left.
func (c *CompanyClient) DeleteTriggers(ctx context.Context, hookID ID, ids []ID) error {
	if len(ids) == 0 {
		return nil
	}
	var answer bulkAnswer
	err := c.bulk(ctx, http.MethodDelete, hookID, ids, &answer)
	if err == nil && answer.status == http.StatusMultiStatus {
		err = &TriggersError{Message: answer.message}
	}
	return err
}

func (c *CompanyClient) bulk(ctx context.Context, method string, hookID ID, body any, to *bulkAnswer) error {
	_, err := c.api.do(ctx, call{method: method, path: c.triggersPath(hookID) + "/bulk", body: body}, to)
	return err
}

// A TriggersError reports that Procore refused some triggers of a call and accepted the
// others (207). It is an [ErrInvalid].
type TriggersError struct {
	Failed  []Trigger // as far as Procore named them
	Message string    // Procore's explanations
}

// Error names the triggers.
func (e *TriggersError) Error() string {
	names := make([]string, len(e.Failed))
	for i, t := range e.Failed {
		names[i] = clip(t.String(), 100)
	}
	return strings.TrimRight(fmt.Sprintf("procore: some triggers were refused: %s: %s", strings.Join(names, ", "), e.Message), ": ")
}

// Is reports whether target is [ErrInvalid].
func (e *TriggersError) Is(target error) bool { return target == ErrInvalid }

// bulkAnswer is the answer to a bulk call. Procore documents the form of a complete
// success (a list of triggers under data), but not that of 207. So it is searched for
// triggers: one with an id, and without an error beside it or around it, was made.
type bulkAnswer struct {
	status  int
	made    []Trigger
	message string
}

func (a *bulkAnswer) readAnswer(status int, body []byte) {
	a.status = status
	a.search(body, 0)
	a.message = oneLine(strings.TrimPrefix(a.message, "; "), 500)
}

func (a *bulkAnswer) search(b []byte, depth int) {
	var list []json.RawMessage
	var members map[string]json.RawMessage
	switch _, err := Unmarshal(b, &list); {
	case depth > 5:
	case err == nil:
		for _, item := range list {
			a.search(item, depth+1)
		}
	default:
		if _, err := Unmarshal(b, &members); err != nil {
			return
		}
		var t Trigger
		_, _ = Unmarshal(b, &t)
		if failed := a.failure(members); t.ID != "" && t.Resource != "" && !failed {
			a.made = append(a.made, t)
		}
		for name, member := range members {
			if !strings.HasPrefix(name, "err") && !strings.HasPrefix(name, "fail") {
				a.search(member, depth+1)
			}
		}
	}
}

// failure collects what an object says about errors, and reports whether it does.
func (a *bulkAnswer) failure(members map[string]json.RawMessage) bool {
	failed := false
	for _, name := range []string{"error", "errors", "message", "failed", "failures"} {
		if m := members[name]; !null(m) && string(m) != "[]" && string(m) != "{}" && string(m) != `""` {
			failed, a.message = true, a.message+"; "+string(m)
		}
	}
	return failed
}
