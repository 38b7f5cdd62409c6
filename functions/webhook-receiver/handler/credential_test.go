package handler

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/platform/gateway"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/internal/webhook/inbox"
)

// A rejected delivery is answered 401 without a body, and costs no operation of storage.
func TestRefused(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	body := sample(t, "webhook-v2")
	good := header(t, functiontest.WebhookValue, company)
	forged := header(t, `{"current":"k1","k1":"`+strings.Repeat("another key ", 4)+`"}`, company)
	tests := []struct {
		name          string
		authorization []string
		reason        string // in the log
	}{
		{"missing", nil, "malformed"},
		{"empty", []string{""}, "malformed"},
		{"another scheme", []string{strings.Replace(good, "Bearer ", "Basic ", 1)}, "malformed"},
		{"scheme alone", []string{"Bearer "}, "malformed"},
		{"of another key", []string{forged}, "forged or retired"},
		{"cut short", []string{good[:len(good)-1]}, "forged or retired"},
		{"longer", []string{good + "A"}, "forged or retired"},
		{"changed", []string{good[:len(good)-2] + "!!"}, "forged or retired"},
		{"another company's number", []string{strings.Replace(good, ".5678.", ".91011.", 1)}, "forged or retired"},
		{"another epoch", []string{strings.Replace(good, ".5678.0.", ".5678.1.", 1)}, "forged or retired"},
		{"no mac", []string{good[:strings.LastIndex(good, ".")+1]}, "forged or retired"},
		{"no company", []string{strings.Replace(good, ".5678.", "..", 1)}, "malformed"},
		{"duplicated", []string{good, good}, "malformed"},
		{"good and forged", []string{good, forged}, "malformed"},
		{"forged and good", []string{forged, good}, "malformed"},
		{"long", []string{"Bearer " + strings.Repeat("k1.", 2000)}, "malformed"},
		{"unknown key", []string{strings.Replace(good, "Bearer k1.", "Bearer k7.", 1)}, "unknown key"},
	}
	ours := 0 // of our form
	for _, tt := range tests {
		if tt.reason != "malformed" {
			ours++
		}
		got := r.deliver(body, tt.authorization...)
		if got.Status != http.StatusUnauthorized || got.Body != "" {
			t.Errorf("%s: got %d %q, want 401 and an empty body", tt.name, got.Status, got.Body)
		}
		if len(got.Header.Values("WWW-Authenticate")) > 0 || len(got.Header.Values("Content-Type")) > 0 {
			t.Errorf("%s: got headers %v", tt.name, got.Header)
		}
		line := r.Log.Last(t)
		if line["outcome"] != "rejected" || line["reason"] != tt.reason || line["company_id"] != nil {
			t.Errorf("%s: logged %v, want reason %q", tt.name, line, tt.reason)
		}
		if _, ok := line["claimed_company_id"]; ok != (tt.reason != "malformed") {
			t.Errorf("%s: logged %v", tt.name, line)
		}
	}
	if ops := r.Storage(); len(ops) > 0 {
		t.Errorf("got operations %v, want none", ops)
	}
	if _, got := r.Log.Metric(t, "EventsRejected"); got != ours {
		t.Errorf("%d lines count as refused, want the %d that had our form", got, ours)
	}
	r.deliver(body, good).Wants(http.StatusOK)
}

// The body of a rejected delivery is not read, so it may be unreadable.
func TestRefusedBeforeTheBody(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.deliver(strings.Repeat("x", 300<<10), "Bearer wrong").Wants(http.StatusUnauthorized)
	if ops := r.Storage(); len(ops) > 0 {
		t.Errorf("got operations %v, want none", ops)
	}
}

// R6: a company's credential never writes another company's event.
func TestCredentialOfAnotherCompany(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.deliver(sample(t, "webhook-v2"), header(t, functiontest.WebhookValue, 91011)).Wants(http.StatusOK)
	row := r.row()
	if text(row, "resource") != "91011#quarantine" || text(row, "company_id") != "91011" || row["envelope"] != nil {
		t.Errorf("got row %q of company %q, envelope %v; want it quarantined, for the credential's company",
			text(row, "resource"), text(row, "company_id"), row["envelope"] != nil)
	}
}

const rotated = `{"current":"k2","k1":"fake-webhook-key-0123456789-0123456789-01234","k2":"fake-webhook-key-two-0123456789-0123456789"}`

// A warm function learns of a new key by the first delivery that names it. In the
// meantime it accepts the older key.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	older, newer := header(t, functiontest.WebhookValue, company), header(t, rotated, company)
	r.deliver(sample(t, "webhook-v2"), older).Wants(http.StatusOK)
	r.Secrets.Put(functiontest.WebhookSecret, rotated)
	r.Clock.Advance(61 * time.Second)
	r.deliver(sample(t, "webhook-v3"), newer).Wants(http.StatusOK)
	if line := r.Log.Last(t); line["current_key"] != true {
		t.Errorf("logged %v, want the current key", line)
	}
	r.deliver(sample(t, "webhook-v4"), older).Wants(http.StatusOK)
	if line := r.Log.Last(t); line["current_key"] != false {
		t.Errorf("logged %v, want that the key is an older one", line)
	}
	if _, got := r.Log.Metric(t, "EventsWithOldKey"); got != 1 {
		t.Errorf("%d lines count the older key, want 1", got)
	}
	if got := r.Secrets.Reads(functiontest.WebhookSecret); got != 2 {
		t.Errorf("got %d reads of the secret, want 2", got)
	}
	r.Secrets.Put(functiontest.WebhookSecret, `{"current":"k2","k2":"fake-webhook-key-two-0123456789-0123456789"}`)
	r.Clock.Advance(maxRingAge)
	r.deliver(sample(t, "webhook-v4"), older).Wants(http.StatusUnauthorized)
}

// Unknown senders who name unknown keys do not make the function read the secret each time.
func TestUnknownKeysDoNotFloodSecrets(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.good(sample(t, "webhook-v2")).Wants(http.StatusOK)
	r.Clock.Advance(2 * time.Minute)
	for range 20 {
		r.deliver("{}", "Bearer k9.5678.0.abc").Wants(http.StatusUnauthorized)
	}
	if got := r.Secrets.Reads(functiontest.WebhookSecret); got != 2 {
		t.Errorf("got %d reads of the secret, want 2", got)
	}
}

// One company's credential can be retired without the others.
func TestEpoch(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	retired := strings.TrimSuffix(functiontest.WebhookValue, "}") + `,"minimum_epochs":{"5678":1}}`
	r.Secrets.Put(functiontest.WebhookSecret, retired)
	r.deliver(sample(t, "webhook-v2"), header(t, functiontest.WebhookValue, company)).Wants(http.StatusUnauthorized)
	r.deliver(sample(t, "webhook-v2"), header(t, retired, company)).Wants(http.StatusOK)
	r.deliver(`{}`, header(t, functiontest.WebhookValue, 91011)).Wants(http.StatusOK)
}

// Without its secret the function cannot authenticate any sender. It answers 503, and
// Procore retries.
func TestSecretNotReadable(t *testing.T) {
	t.Parallel()
	w := functiontest.New(t)
	secret := w.Ring()
	secret.ID = "test/other"
	h := receive(secret, &inbox.Store{DB: w.DB, Table: w.Tables.Inbox})
	r := &receiver{World: w, t: t}
	r.base = w.Front(func(string) map[string]gateway.Func {
		return map[string]gateway.Func{"POST " + path: w.Function(h, "")}
	})
	w.Storage()
	r.good(sample(t, "webhook-v2")).Wants(http.StatusServiceUnavailable)
	w.Secrets.Put("test/other", "nonsense")
	r.good(sample(t, "webhook-v2")).Wants(http.StatusServiceUnavailable)
	if ops := w.Storage(); len(ops) > 0 {
		t.Errorf("got operations %v, want none", ops)
	}
	w.Secrets.Put("test/other", functiontest.WebhookValue)
	r.good(sample(t, "webhook-v2")).Wants(http.StatusOK)
}
