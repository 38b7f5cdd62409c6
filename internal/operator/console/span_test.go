package console

import (
	"net/url"
	"testing"
	"time"
)

var monday = time.Date(2026, 3, 9, 10, 20, 0, 0, time.UTC)

// What is typed as a time is cut to what can be shown, and begins and ends with a column.
func TestSpan(t *testing.T) {
	t.Parallel()
	for asked, want := range map[string]string{
		"":                                 "Tue 3 Mar 2026 00:00 to Tue 10 Mar 2026 00:00 UTC",
		"from=24h":                         "Sun 8 Mar 2026 11:00 to Mon 9 Mar 2026 11:00 UTC",
		"from=1h":                          "Mon 9 Mar 2026 09:20 to 10:20 UTC",
		"from=5m":                          "Mon 9 Mar 2026 10:15 to 10:20 UTC",
		"from=1m":                          "Mon 9 Mar 2026 10:15 to 10:20 UTC",
		"from=9999d":                       "Tue 24 Feb 2026 00:00 to Tue 10 Mar 2026 00:00 UTC",
		"from=99999d&to=99998d":            "Sun 2 Feb 2025 10:00 to Mon 3 Feb 2025 11:00 UTC",
		"from=x&to=<script>":               "Tue 3 Mar 2026 00:00 to Tue 10 Mar 2026 00:00 UTC",
		"from=2030-01-01":                  "Mon 9 Mar 2026 10:15 to 10:20 UTC",
		"from=2026-03-03&to=2026-03-02":    "Sun 1 Mar 2026 23:55 to Mon 2 Mar 2026 00:00 UTC",
		"from=0001-01-02&to=0001-01-03":    "Sun 2 Feb 2025 10:00 to Mon 3 Feb 2025 11:00 UTC",
		"from=2026-03-08T10:00Z&to=x":      "Sun 8 Mar 2026 10:00 to Mon 9 Mar 2026 11:00 UTC",
		"from=2026-03-02&to=2026-03-03":    "Mon 2 Mar 2026, in UTC",
		"from=2026-03-02T08:00:00%2B02:00": "Mon 2 Mar 2026 00:00 to Tue 10 Mar 2026 00:00 UTC",
	} {
		q, err := url.ParseQuery(asked)
		if err != nil {
			t.Fatal(err)
		}
		s := spanOf(q, monday)
		if got := s.text(); got != want {
			t.Errorf("%s: got %s, want %s", asked, got, want)
		}
		columns := s.To.Sub(s.From) / s.Column
		if columns < 5 || columns > maxColumns+2 || s.bars() > 80 || s.Column%s.Bar != 0 || s.Label%s.Column != 0 {
			t.Errorf("%s: %d columns and %d bars", asked, columns, s.bars())
		}
	}
}

// Earlier spans end where the oldest one begins, and later ones at the present.
func TestSpanEnds(t *testing.T) {
	t.Parallel()
	for _, from := range zooms() {
		q, turned := url.Values{"from": {from}}, 0
		for s := spanOf(q, monday); turned < 20_000; turned++ {
			var v timelineView
			v.links(s, q, "/companies/5678", monday)
			if (v.Later == "") != (turned == 0) {
				t.Fatalf("%s: turned back %d times, later is %q", from, turned, v.Later)
			}
			if v.Earlier == "" {
				break
			}
			u, err := url.Parse(v.Earlier)
			if err != nil {
				t.Fatal(err)
			}
			q = u.Query()
			next := spanOf(q, monday)
			if !next.To.Equal(s.From) || next.To.Sub(next.From) != s.To.Sub(s.From) {
				t.Fatalf("%s: %s is followed by %s", from, s.text(), next.text())
			}
			s = next
		}
		if length := momentOf(from, monday); turned < int(380*day/monday.Sub(length)) || turned > int(oldestSpan/monday.Sub(length)) {
			t.Errorf("%s: turned back %d times", from, turned)
		}
	}
}
