package reconcile

import (
	"context"
	"slices"
	"time"

	"procore-connect/pkg/procore"
)

// Coverage is what is covered of a company.
type Coverage struct {
	CompanyID int64              `json:"company_id,string"`
	Resources []ResourceCoverage `json:"resources"`
	// NotCovered lists, for people, what reconciliation does not find.
	NotCovered []string `json:"not_covered"`
}

// ResourceCoverage is what is covered of a subscribed resource.
type ResourceCoverage struct {
	Resource string `json:"resource"`
	// Until is the time before which every change of the resource that the connection can
	// see has an event; zero if the resource is not covered.
	Until time.Time `json:"until,omitzero"`
	// Reason is why the resource is not covered; empty if it is.
	Reason string `json:"reason,omitempty"`
	// Refused are projects in which the tool may not be read.
	Refused []procore.ID `json:"refused_projects,omitempty"`
}

// never lists what no reconciliation finds.
var never = []string{
	"deletions, which no list shows",
	"all changes of an item but the last before it is read",
	"projects and items that the connection which reads does not see",
}

// Coverage returns what is covered of a company, and what is not. It calls nothing.
func (r *Reconciler) Coverage(ctx context.Context, companyID int64) (Coverage, error) {
	answer := Coverage{CompanyID: companyID, NotCovered: slices.Clone(never)}
	w, err := r.readRow(ctx, companyID)
	if err != nil {
		return answer, err
	}
	for _, s := range subjects(r.Want.Triggers) {
		one := ResourceCoverage{Resource: s.Name, Reason: s.reason}
		i := slices.IndexFunc(w.cursors, func(c cursor) bool { return c.Resource == s.Name })
		switch {
		case s.reason != "":
		case !r.Want.on():
			one.Reason = "RECONCILE_PERIOD is 0"
		case i < 0:
			one.Reason = "the company's hook has reported nothing yet, or the first run is still to come"
		default:
			one.Until = w.cursors[i].From.UTC()
			f, err := r.readRefusals(ctx, companyID, s.Name)
			if err != nil {
				return answer, err
			}
			if !s.InProject() && len(f.all) > 0 {
				one.Reason = "the connection may not read the tool"
				break
			}
			for _, refused := range f.all {
				one.Refused = append(one.Refused, procore.NewID(refused.project))
			}
		}
		answer.Resources = append(answer.Resources, one)
	}
	return answer, nil
}
