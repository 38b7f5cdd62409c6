package procoretest

import (
	"net/http"
	"strconv"
	"testing"
	"time"
)

// limited makes calls until one is refused, and returns how many succeeded and when the
// limit resets. Before that, the headers report the 10-second window.
func limited(t *testing.T, p *Server, token string, company int64) (n int, reset time.Duration) {
	t.Helper()
	for range 20 {
		got := api(t, p, token, company, "GET", "/rest/v1.0/nothing", "")
		at, _ := strconv.ParseInt(got.header.Get("X-Rate-Limit-Reset"), 10, 64)
		reset = time.Unix(at, 0).Sub(day0)
		if got.status == http.StatusTooManyRequests {
			return n, reset
		}
		n++
		if got.wants(t, 404, ""); reset != 10*time.Second {
			t.Errorf("call %d reports a window of %v, want the one of 10 seconds", n, reset)
		}
	}
	t.Fatal("no call is refused")
	return 0, 0
}

// The limits of the app, of a token and of a company count calls that fail, and those of
// an hour are not reported until they are used up.
func TestFurtherLimits(t *testing.T) {
	t.Parallel()
	clock := func() time.Time { return day0 }
	limit := Limit{Hourly: 3}
	for _, tt := range []struct {
		name                                string
		o                                   Options
		otherUser, otherToken, otherCompany int // calls that another may still make
	}{
		{"app", Options{AppLimit: limit}, 0, 0, 0},
		{"token", Options{TokenLimit: limit}, 3, 3, 0},
		{"company", Options{CompanyLimit: limit}, 3, 0, 3},
		{"user", Options{HourlyLimit: 3, HideHourlyLimit: true}, 3, 0, 0},
	} {
		tt.o.Now = clock
		p := Start(t, tt.o)
		token := p.Token(t, Joe, redirect).AccessToken
		if n, reset := limited(t, p, token, MyConstruction); n != 3 || reset != time.Hour {
			t.Errorf("%s: %d calls, reset after %v, want 3 and an hour", tt.name, n, reset)
		}
		for who, want := range map[string]int{"user": tt.otherUser, "token": tt.otherToken, "company": tt.otherCompany} {
			by, company := token, MyConstruction
			switch who {
			case "user":
				by, company = p.Token(t, Ann, redirect).AccessToken, NorthernPlanner
			case "token":
				by = p.Token(t, Joe, redirect).AccessToken
			case "company":
				company = HarborHill
			}
			if n, _ := limited(t, p, by, company); n != want {
				t.Errorf("%s: another %s makes %d calls, want %d", tt.name, who, n, want)
			}
		}
		p.Advance(time.Hour)
		if got := api(t, p, token, MyConstruction, "GET", "/rest/v1.0/me", ""); got.status != 200 {
			t.Errorf("%s: %d after an hour", tt.name, got.status)
		}
	}
}

func TestFurtherSpikeLimit(t *testing.T) {
	t.Parallel()
	p := Start(t, Options{Now: func() time.Time { return day0 }})
	steer(t, p, "PATCH", "options", `{"app_limit":{"spike":2}}`).wants(t, 200, "ok")
	if n, reset := limited(t, p, p.Token(t, Joe, redirect).AccessToken, MyConstruction); n != 2 || reset != 10*time.Second {
		t.Errorf("%d calls, reset after %v, want 2 and 10 seconds", n, reset)
	}
}
