package reconcile

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/platform/config"
	"procore-connect/pkg/procore"
)

func TestReadConfig(t *testing.T) {
	t.Parallel()
	triggers := []procore.Trigger{{Resource: "RFIs", EventType: "update"}}
	for _, tt := range []struct {
		period, owner, app, triggers string
		want                         Config
		wrong                        string // the variable
	}{
		{"", "", "", "RFIs:update", Config{triggers, 6 * time.Hour, 60, 600}, ""},
		{"0", "5", "50", "", Config{nil, 0, 5, 50}, ""},
		{" 90m ", "1", "1", "RFIs:update", Config{triggers, 90 * time.Minute, 1, 1}, ""},
		{"30s", "", "", "", Config{}, "RECONCILE_PERIOD"},
		{"-6h", "", "", "", Config{}, "RECONCILE_PERIOD"},
		{"169h", "", "", "", Config{}, "RECONCILE_PERIOD"},
		{"6", "", "", "", Config{}, "RECONCILE_PERIOD"},
		{"", "0", "", "", Config{}, "RECONCILE_CALLS_PER_OWNER"},
		{"", "", "many", "", Config{}, "RECONCILE_CALLS_PER_APP"},
		{"", "", "1000001", "", Config{}, "RECONCILE_CALLS_PER_APP"},
		{"", "", "", "RFIs", Config{}, "WEBHOOK_TRIGGERS"},
	} {
		values := map[string]string{"RECONCILE_PERIOD": tt.period, "RECONCILE_CALLS_PER_OWNER": tt.owner, "RECONCILE_CALLS_PER_APP": tt.app, "WEBHOOK_TRIGGERS": tt.triggers}
		env := config.New(func(name string) string { return values[name] })
		got := ReadConfig(env)
		switch err := env.Err(); {
		case tt.wrong == "":
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Errorf("%v: %v (-want +got):\n%s", values, err, diff)
			}
		case err == nil || !strings.Contains(err.Error(), tt.wrong):
			t.Errorf("%v: got error %v, want one of %s", values, err, tt.wrong)
		}
	}
}
