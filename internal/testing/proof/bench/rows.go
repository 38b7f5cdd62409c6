package main

import "fmt"

// quantity names what is measured.
type quantity string

const (
	initTime    quantity = "init"
	initCPU     quantity = "init, CPU"
	firstAnswer quantity = "init + first webhook"
	firstCPU    quantity = "first webhook, CPU"
	perCore     quantity = "warm webhooks per core"
	peakBytes   quantity = "peak memory"
	zipBytes    quantity = "zip"
	listTime    quantity = "company list"
	listCalls   quantity = "calls for the list" // one after another
	choiceTime  quantity = "company choice"
	choiceCalls quantity = "calls for the choice"
	refreshRate quantity = "grants refreshed"
	refreshCPU  quantity = "CPU of a refresh"
)

const (
	bare          = "bare"
	naive         = "naive"
	receiver      = "webhook-receiver"
	oauthCallback = "oauth-callback"
	companySelect = "company-select"
	refresher     = "refresher"

	wholeRefresher = "refresher, 1769 MB"
	fourRefreshers = "four, 1769 MB"
)

// mostGrants is the goal of 60 grants a second, as a part of the most that ten calls at a time allow.
const mostGrants = 60 / (atOnce / (float64(call) / 1e9))

// row compares two subjects in a quantity.
type row struct {
	quantity      quantity
	name, against string
	goal          float64 // of the ratio; 0: none
	atLeast       bool    // the goal is a lower bound
}

// rows returns those of the first table in docs/PERFORMANCE.md. A report lacks those of what was not measured.
func rows() []row {
	var all []row
	for _, f := range functions {
		all = append(all, row{quantity: initTime, name: f, against: bare, goal: 1.6})
	}
	for _, f := range functions {
		all = append(all, row{quantity: initCPU, name: f, against: bare})
	}
	all = append(all,
		row{quantity: firstAnswer, name: receiver, against: naive, goal: 0.15},
		row{quantity: firstCPU, name: receiver, against: naive, goal: 0.15},
		row{quantity: perCore, name: receiver, against: bare, goal: 0.40, atLeast: true},
		row{quantity: peakBytes, name: receiver, against: bare, goal: 1.7},
	)
	for _, f := range functions {
		r := row{quantity: zipBytes, name: f, against: bare}
		if f == receiver {
			r.goal = 1.3
		}
		all = append(all, r)
	}
	all = append(all,
		row{quantity: listTime, name: companySelect, against: aCall, goal: 3 + 0.3/call.Seconds()},
		row{quantity: listCalls, name: companySelect, against: aCall},
		row{quantity: choiceTime, name: companySelect, against: aCall, goal: 3},
		row{quantity: choiceCalls, name: companySelect, against: aCall},
		row{quantity: refreshRate, name: refresher, against: tenCalls},
		row{quantity: refreshRate, name: wholeRefresher, against: tenCalls, goal: mostGrants, atLeast: true},
		row{quantity: refreshRate, name: fourRefreshers, against: wholeRefresher},
		row{quantity: refreshCPU, name: fourRefreshers, against: refresher},
	)
	return append(all, peerRows()...)
}

func peerRows() (all []row) {
	for _, q := range []quantity{initTime, firstAnswer, firstCPU, perCore, peakBytes, zipBytes} {
		for _, peer := range peerNames {
			r := row{quantity: q, name: receiver, against: peer}
			if q == perCore && peer == nodePowertools {
				r.goal, r.atLeast = 6, true
			}
			all = append(all, r)
		}
	}
	return all
}

// judge describes whether the ratio reaches the goal.
func (r row) judge(ratio float64) string {
	switch {
	case r.goal == 0:
		return ""
	case r.atLeast && ratio >= r.goal:
		return fmt.Sprintf(">= %.3g met", r.goal)
	case r.atLeast:
		return fmt.Sprintf(">= %.3g MISSED", r.goal)
	case ratio <= r.goal:
		return fmt.Sprintf("<= %.3g met", r.goal)
	}
	return fmt.Sprintf("<= %.3g MISSED", r.goal)
}

func (q quantity) format(v float64) string {
	switch q {
	case perCore, refreshRate:
		return fmt.Sprintf("%.0f/s", v)
	case peakBytes, zipBytes:
		if v < 1e5 {
			return fmt.Sprintf("%.2f KB", v/1e3)
		}
		return fmt.Sprintf("%.2f MB", v/1e6)
	case listCalls, choiceCalls:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.1f ms", v*1000)
}
