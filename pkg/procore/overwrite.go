package procore

import "time"

// overwrittenUntil is the day of the month by which the monthly sandbox has been
// overwritten. Procore's newer text names the first working day, the older text
// about the second.
const overwrittenUntil = 5

// Overwritten reports whether the environment may have been overwritten from
// production between since and now, which ends the connections that existed at
// since. Only the monthly sandbox is overwritten, in the first days of each month.
// It is not a failure.
//
// https://procore.github.io/documentation/development-environments
func (e Environment) Overwritten(since, now time.Time) bool {
	year, month, _ := now.UTC().Date()
	return e.Name == Monthly().Name && since.Before(time.Date(year, month, overwrittenUntil, 0, 0, 0, 0, time.UTC))
}
