package procore

import "time"

// overwrittenUntil is the day of the month by which the monthly sandbox is
// overwritten: on its first working day by newer text, about the second by older.
const overwrittenUntil = 5

// Overwritten says that the environment may have been overwritten from production
// between the times, which ends what was connected at the first of them. That
// happens to the monthly sandbox alone, in the first days of each month, and is
// no failure of anybody.
//
// https://procore.github.io/documentation/development-environments
func (e Environment) Overwritten(since, now time.Time) bool {
	year, month, _ := now.UTC().Date()
	return e.Name == Monthly().Name && since.Before(time.Date(year, month, overwrittenUntil, 0, 0, 0, 0, time.UTC))
}
