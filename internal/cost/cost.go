// Package cost estimates what a stack costs, by AWS's list prices and what docs/DEPLOY.md assumes of a refresh, a company and
// an event. A test compares both with that document, which has their sources.
package cost

import "time"

// Month is a month of AWS's bill.
const Month = 30 * 24 * time.Hour

// RefreshesAMonth is how often a grant is refreshed in a month in which its company is always in use.
const RefreshesAMonth = 540

// Item is an item of the bill.
type Item struct {
	Group, Name string
	Price       float64 // in $
	Per         float64 // for so many

	Grant, Company float64 // what one adds in a month
	Event          float64 // what one adds
	Besides        float64 // what a month has whatever it does
}

// Items are those of docs/DEPLOY.md.
func Items() []Item {
	const (
		dynamo  = "DynamoDB"
		lambda  = "Lambda"
		calls   = "API, queue, schedule"
		watch   = "CloudWatch"
		secrets = "Secrets Manager"
		million = 1_000_000
	)
	return []Item{
		{dynamo, "write units", 0.625, million, 7020, 960, 4, 67_280},
		{dynamo, "read units", 0.125, million, 1080, 480, 3, 1_480_000},
		{lambda, "GB-seconds", 13.3334, million, 6.75, 30, 0.105, 4200},
		{lambda, "requests", 0.20, million, 0, 0, 3, 51_840},
		{calls, "HTTP API requests", 1, million, 0, 0, 1, 10_000},
		{calls, "SQS FIFO requests", 0.50, million, 0, 0, 3, 650_000},
		{calls, "schedule invocations", 1, million, 0, 0, 0, 25_920},
		{watch, "log KB", 0.50, million, 351, 96, 3.5, 35_000},
		{watch, "metrics", 0.30, 1, 0, 0, 0, 15},
		{watch, "alarms, by metric", 0.10, 1, 0, 0, 0, 45},
		{watch, "dashboards", 3, 1, 0, 0, 0, 1},
		{"X-Ray", "traces", 5, million, 0, 0, 0.6, 25_920},
		{secrets, "secrets", 0.40, 1, 0, 0, 0, 3},
		{secrets, "requests", 0.05, 10_000, 0, 0, 0, 200_000},
	}
}

// Usage is what a stack did in a time.
type Usage struct {
	Refreshes float64
	Events    float64
	Companies float64       // that were connected
	Ran       time.Duration // how long the stack was there
}

// Line is an item with its amount.
type Line struct {
	Item
	Amount  float64
	Dollars float64
}

// Estimate returns what each item comes to.
func Estimate(u Usage) (lines []Line, dollars float64) {
	months := float64(u.Ran) / float64(Month)
	for _, i := range Items() {
		l := Line{Item: i, Amount: i.Grant*u.Refreshes/RefreshesAMonth + i.Company*u.Companies*months + i.Event*u.Events + i.Besides*months}
		l.Dollars = l.Amount / i.Per * i.Price
		lines, dollars = append(lines, l), dollars+l.Dollars
	}
	return lines, dollars
}
