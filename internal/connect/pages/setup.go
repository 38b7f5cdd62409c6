package pages

import (
	"log/slog"
	"net/http"
	"strings"

	"procore-connect/internal/platform/gateway"
)

// setupView is the data of templates/setup.html.
type setupView struct {
	setupWords
	Steps []setupStep
}

// setupStep explains how to fill in one secret.
type setupStep struct {
	Name    string // the environment variable that holds the secret's name
	How     string
	Example string // the form of the value, with no value in it
}

// SetupUnfinished shows, with 503, which secrets are still empty and how to fill them in. It takes the names of the
// environment variables (APP_SECRET_ID, KEYS_SECRET_ID, WEBHOOK_SECRET_ID), never a value.
func (p *Pages) SetupUnfinished(w http.ResponseWriter, r *http.Request, missing []string) {
	v := setupView{setupWords: p.words.setup(p.brand.Name)}
	for _, name := range missing[:min(len(missing), 10)] {
		v.Steps = append(v.Steps, p.words.setupStep(clean(name, maxText)))
	}
	gateway.Note(r.Context(), slog.String("problem", "setup"), slog.String("missing", strings.Join(missing, " ")))
	w.Header().Set("Retry-After", "60")
	p.show(w, r, http.StatusServiceUnavailable, "setup", v.Title, v)
}
