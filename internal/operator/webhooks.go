package operator

import (
	"context"
	"fmt"
	"strings"
	"time"

	"procore-connect/internal/webhook/provision"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
)

// Webhook is a company's hook: as it should be, as it is stored, and as Procore shows it.
type Webhook struct {
	CompanyID int64  `json:"company_id"`
	Company   string `json:"company"`
	Status    string `json:"status"` // active, pending, needs_admin or off, by the best of the connections
	Off       bool   `json:"off"`    // no triggers are configured: there should be no hook

	Wanted     HookFields  `json:"wanted"`
	Procore    *ShownHook  `json:"procore"` // null: Procore was not asked, or did not answer
	NotShown   string      `json:"not_shown,omitempty"`
	Stored     StoredHook  `json:"stored"`
	Repairs    []HookFault `json:"repairs,omitempty"` // attempts of passes whose effect did not show
	LastPass   time.Time   `json:"last_pass,omitzero"`
	LastError  string      `json:"last_error,omitempty"` // of the last pass
	NextPass   time.Time   `json:"next_pass,omitzero"`   // zero: never
	PassRuns   bool        `json:"pass_runs"`
	NeedsAdmin bool        `json:"needs_admin"` // no connection may manage webhooks
}

// HookFields are what a hook is made of.
type HookFields struct {
	URL       string   `json:"url"`
	Namespace string   `json:"namespace"`
	Version   string   `json:"payload_version"`
	Triggers  []string `json:"triggers"`
}

// ShownHook is what Procore shows of a company's hooks.
type ShownHook struct {
	By     string `json:"by"` // whose connection asked
	ID     string `json:"hook_id"`
	Status string `json:"status"`
	HookFields
	Missing     []string    `json:"missing_triggers,omitempty"`
	Surplus     []string    `json:"surplus_triggers,omitempty"`
	Differences []HookFault `json:"differences,omitempty"`
	Wrong       string      `json:"wrong_triggers,omitempty"` // configured, and unknown to Procore
	Twins       []string    `json:"twins,omitempty"`
	Foreign     []string    `json:"foreign,omitempty"`
}

// StoredHook is what passes remember of the hook.
type StoredHook struct {
	ID        string    `json:"hook_id"`
	Creator   string    `json:"creator"`
	Version   string    `json:"payload_version"`
	Since     time.Time `json:"since,omitzero"`
	Recovered int64     `json:"recovered"` // events that Procore discarded, ever
	// Credential names the credential that Procore last accepted: its key and epoch. Current is the one to have.
	Credential string `json:"credential"`
	Current    string `json:"current_credential"`
}

// HookFault is a difference of a hook.
type HookFault struct {
	Field string    `json:"field"`
	Want  string    `json:"want"`
	Have  string    `json:"have"`
	Tries int       `json:"tries,omitempty"`
	At    time.Time `json:"at,omitzero"` // of the last attempt
}

// Webhook reads a company's hook, and asks Procore for it if a connection has a valid access token. It changes nothing.
func (o *Operator) Webhook(ctx context.Context, companyID int64) (*Webhook, error) {
	rows, err := all(ctx, o.Connections.Company(ctx, companyID))
	if len(rows) == 0 && err == nil {
		err = ErrNotConnected
	}
	if err != nil {
		return nil, fmt.Errorf("company %d: %w", companyID, err)
	}
	i, err := o.Hooks.Inspect(ctx, companyID, rows)
	if err != nil {
		return nil, fmt.Errorf("company %d: %w", companyID, err)
	}
	w := &Webhook{
		CompanyID: companyID, Company: rows[0].CompanyName, Off: i.Off, Repairs: faults(i.Row.Repairs), PassRuns: i.Busy,
		Wanted: HookFields{i.Spec.DestinationURL, i.Spec.Namespace, i.Spec.PayloadVersion, names(i.Triggers)},
		Stored: StoredHook{
			ID: string(i.Row.HookID), Creator: string(i.Row.Creator), Version: i.Row.Version, Since: i.Row.Since, Recovered: i.Row.Recovered,
			Credential: i.Row.Credential, Current: i.Credential,
		},
		LastPass: i.Row.Passed, LastError: i.Row.Problem,
	}
	w.state(rows)
	if i.Unshown != nil {
		w.NotShown = i.Unshown.Error()
	}
	if s := i.Shown; s != nil {
		w.Procore = &ShownHook{
			By: string(s.By), ID: string(s.Hook.ID), Status: strings.ToLower(string(s.Hook.Status)),
			HookFields: HookFields{s.Hook.DestinationURL, s.Hook.Namespace, s.Hook.PayloadVersion, names(s.Triggers)},
			Missing:    names(s.Missing), Surplus: names(s.Surplus), Differences: faults(s.Differences), Twins: ids(s.Twins), Foreign: ids(s.Foreign),
		}
		if s.Wrong != nil {
			w.Procore.Wrong = s.Wrong.Error()
		}
	}
	return w, nil
}

// state is what the company's connections have.
func (w *Webhook) state(rows []connections.Connection) {
	best := map[connections.Webhooks]int{connections.WebhooksActive: 4, connections.WebhooksNeedsAdmin: 3, connections.WebhooksPending: 2, connections.WebhooksOff: 1}
	for _, c := range rows {
		if c.State != connections.Connected {
			continue
		}
		if best[c.Webhooks] > best[connections.Webhooks(w.Status)] {
			w.Status = string(c.Webhooks)
		}
		if !c.CheckAt.IsZero() && (w.NextPass.IsZero() || c.CheckAt.Before(w.NextPass)) {
			w.NextPass = c.CheckAt
		}
	}
	w.NeedsAdmin = w.Status == string(connections.WebhooksNeedsAdmin)
}

// Faults is what is wrong with the hook, a sentence each; none: it is as it should be, as far as that is known.
func (w *Webhook) Faults() (faults []string) {
	add := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	if p := w.Procore; p != nil {
		add(!w.Off && p.ID == "", "Procore shows no hook of this deployment")
		add(w.Off && p.ID != "", "no triggers are configured, and hook %s is still there", p.ID)
		for _, d := range p.Differences {
			add(d.Field != "credential", "its %s is %s, and should be %s", d.Field, d.Have, d.Want)
		}
		add(p.ID != "" && len(p.Missing) > 0, "missing triggers: %d", len(p.Missing))
		add(len(p.Surplus) > 0, "triggers that are not wanted: %d", len(p.Surplus))
		add(p.Wrong != "", "%s", p.Wrong)
		add(len(p.Twins) > 0, "there are other hooks with its URL: %s", strings.Join(p.Twins, ", "))
	}
	add(!w.Off && w.Stored.ID != "" && w.Stored.Credential != w.Stored.Current, "its credential is %s, and should be %s",
		orUnknown(w.Stored.Credential), w.Stored.Current)
	add(w.LastError != "", "the last pass failed: %s", w.LastError)
	add(w.NeedsAdmin, "no connection of the company may manage webhooks")
	return faults
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

func names(all []procore.Trigger) []string {
	list := make([]string, 0, len(all))
	for _, t := range all {
		list = append(list, t.String())
	}
	return list
}

func ids(all []procore.ID) (list []string) {
	for _, id := range all {
		list = append(list, string(id))
	}
	return list
}

func faults(all []provision.Repair) (list []HookFault) {
	for _, r := range all {
		list = append(list, HookFault{r.Field, r.Want, r.Have, r.Tries, r.At})
	}
	return list
}
