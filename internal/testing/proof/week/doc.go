// Package week simulates a time of many companies in one process, in virtual time: people
// change things at the fake Procore, which loses deliveries without a trace, the receiver
// is down for a while, and the process of the reconciler is killed again and again. Then a
// judge checks that each change has an event that was stored after it and in time, at no
// more events and calls than promised.
//
// The code under test is that of the functions below their handlers. It runs in a bubble
// of testing/synctest, whose time passes when all wait, and reaches Procore and DynamoDB
// in memory. A seed determines the changes, the losses and the kills; what happens within
// one moment is in no fixed order.
//
// make simulate WEEK=1 runs TestWeek in its large form. Its small form is an ordinary test.
package week
