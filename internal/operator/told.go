package operator

import (
	"slices"
	"strings"
)

// Lane is what an entry of a timeline is about.
type Lane int

// The lanes of a timeline.
const (
	LaneAuthorizations Lane = iota // and refreshes
	LaneWebhook                    // and housekeeping
	LaneEvents                     // that arrived
	LaneReconciled                 // changes that no webhook reported
	LaneFailures                   // and pauses
	Lanes              = iota
)

// String names the lane.
func (l Lane) String() string {
	return [Lanes]string{"Authorizations and refreshes", "Webhook", "Events", "Reconciled", "Failures and pauses"}[l]
}

// Kinds of entries. An entry without one is neither good nor bad.
const (
	Good = "good"
	Warn = "warn"
	Bad  = "bad"
)

// told is what a line means in a timeline.
type told struct {
	lane    Lane
	kind    string
	title   string // {name} stands for an attribute
	page    string // of docs/RUNBOOK.md
	routine bool   // it is joined with others of its kind
}

const requestLine = "request"

// apart are the attributes by whose value lines of one message differ.
var apart = map[string]string{
	"grant changed": "to", "connection changed": "to", "hook step": "step", "hook reconciled": "status", requestLine: "outcome", handledLine: "outcome",
}

// tells are the lines of a timeline by their message, and by the value that is apart. Lines about single events are not here:
// see [Happened].
var tells = map[string]told{
	"grant changed/active":                                     {LaneAuthorizations, Good, "The authorization of {principal} works", "", false},
	"grant changed/uncertain":                                  {LaneAuthorizations, Warn, "A refresh of {principal} had no answer", "uncertain", false},
	"grant changed/reauthorize":                                {LaneAuthorizations, Bad, "The authorization of {principal} ended", "reauthorize", false},
	"grant changed/revoked":                                    {LaneAuthorizations, Warn, "The authorization of {principal} was revoked", "ended", false},
	"grant overwritten":                                        {LaneAuthorizations, Warn, "The sandbox was overwritten, and {principal} has to authorize again", "reauthorize", false},
	"grant not refreshed":                                      {LaneAuthorizations, Warn, "A refresh of {principal} failed", "RefreshOverdueAlarm", false},
	"token refreshed":                                          {LaneAuthorizations, "", "Token of {principal} refreshed", "", true},
	"refresh superseded":                                       {LaneAuthorizations, "", "A refresh of {principal} came too late to be stored", "", false},
	"new pair queued for rescue":                               {LaneAuthorizations, Warn, "A new pair of {principal} waits to be rescued", "RescueQueueAlarm", false},
	"new pair lost":                                            {LaneAuthorizations, Bad, "A new pair of {principal} was lost", "PairsLostAlarm", false},
	"grant ended, its pair cannot be revoked":                  {LaneAuthorizations, Warn, "The pair of {principal} could not be revoked at Procore", "", false},
	"connection changed/connected":                             {LaneAuthorizations, Good, "Connected by {principal}", "", false},
	"connection changed/disconnected":                          {LaneAuthorizations, Bad, "Disconnected in App Management", "disconnected", false},
	"connection changed/ended":                                 {LaneAuthorizations, Warn, "The connection of {principal} ended", "ended", false},
	"reference changed":                                        {LaneAuthorizations, "", "The reference of {principal} changed", "", false},
	"departure withheld":                                       {LaneAuthorizations, Warn, "{principal} seems to have left, and the brake is engaged", "DeparturesStoppedAlarm", false},
	"company connected by its installation":                    {LaneAuthorizations, Good, "Connected by its installation", "", false},
	"operator action":                                          {LaneAuthorizations, "", "An operator: {verb}", "", false},
	"breaker opened":                                           {LaneAuthorizations, Bad, "All refreshes were stopped", "BreakerOpenAlarm", false},
	"breaker closed":                                           {LaneAuthorizations, Good, "Refreshes run again", "", false},
	"hook step/create":                                         {LaneWebhook, Good, "Webhook made", "", false},
	"hook step/patch":                                          {LaneWebhook, "", "Webhook changed", "", false},
	"hook step/add":                                            {LaneWebhook, "", "Triggers added to the webhook", "", false},
	"hook step/remove":                                         {LaneWebhook, "", "Triggers removed from the webhook", "", false},
	"hook step/delete":                                         {LaneWebhook, "", "A webhook was deleted", "", false},
	"hook reactivated":                                         {LaneWebhook, Warn, "Webhook was disabled, and made active again", "HooksReactivatedAlarm", false},
	"hook reconciled/active":                                   {LaneWebhook, "", "Webhook checked", "", true},
	"hook reconciled/pending":                                  {LaneWebhook, "", "Webhook checked, and not set up yet", "", true},
	"hook reconciled/off":                                      {LaneWebhook, "", "Webhooks are off", "", true},
	"hook reconciled/needs_admin":                              {LaneWebhook, Warn, "No connection may manage the webhook", "needs_admin", true},
	"hook reconciled":                                          {LaneWebhook, Warn, "A check of the webhook was not finished", "", true},
	"hook has an old key":                                      {LaneWebhook, Warn, "The webhook has an old key", "key rotation", true},
	"hook in our namespace has another URL":                    {LaneWebhook, Warn, "Another webhook is in our namespace", "", true},
	"hook not replaced yet, deliveries pending":                {LaneWebhook, "", "The webhook is replaced when no delivery waits", "", true},
	"hook not deleted":                                         {LaneWebhook, Warn, "A webhook could not be deleted", "", false},
	"hook cleanup for ended connection failed":                 {LaneWebhook, Warn, "A webhook could not be put in order for a connection that ended", "", false},
	"connection cannot manage the hook":                        {LaneWebhook, Warn, "{principal} may not manage the webhook", "needs_admin", true},
	"discarded deliveries recovered":                           {LaneWebhook, Warn, "Events that Procore had discarded were recovered: {stored}", "HooksReactivatedAlarm", false},
	"request/quarantined":                                      {LaneEvents, Bad, "A delivery was quarantined", "EventsQuarantinedAlarm", false},
	"request/over quota":                                       {LaneEvents, Bad, "A delivery was dropped: the quota of quarantine was used up", "EventsQuarantinedAlarm", false},
	"changes reconciled":                                       {LaneReconciled, Warn, "Changes that no webhook had reported: {found}", "NeverDeliveredAlarm", false},
	"project not reconciled":                                   {LaneReconciled, "", "{resource} of a project could not be read", "", true},
	"resource mostly changes without a user":                   {LaneReconciled, "", "{resource} mostly change without a user", "", false},
	"recovered before reconciliation":                          {LaneReconciled, "", "Recovered before reconciling: {stored}", "", true},
	"recovery before reconciliation failed":                    {LaneReconciled, Warn, "Recovery before reconciling failed", "", true},
	"deliveries in trouble for a day, reconciled all the same": {LaneReconciled, Warn, "Deliveries were in trouble for a day", "ReconcileOverdueAlarm", false},
	"request/rejected":                                         {LaneFailures, Warn, "A delivery's credential was refused", "EventsRejectedAlarm", true},
	"request/failed":                                           {LaneFailures, Bad, "A request failed", "ServerErrorsAlarm", true},
	"connection paused":                                        {LaneFailures, Warn, "Calls pause, because Procore answered 401", "paused", false},
	"access token not served":                                  {LaneFailures, Warn, "No access token was served", "", true},
	"undeliverable event skipped":                              {LaneFailures, Bad, "An event is undeliverable", "EventsUndeliverableAlarm", false},
	"event not sent, will be repeated":                         {LaneFailures, Warn, "An event was not sent yet", "DispatchStoppedAlarm", true},
	"handled/forbidden":                                        {LaneFailures, Warn, "{resource} {resource_id} was not read: the user may not", "event not handled", false},
	"handled/not_connected":                                    {LaneFailures, Warn, "{resource} {resource_id} was not read: no connection is left", "event not handled", false},
	"handled/unknown_resource":                                 {LaneFailures, Warn, "{resource} {resource_id} was not read: it has no path", "event not handled", false},
}

// breakerLines are about all companies.
func breakerLines() []string { return []string{"breaker opened", "breaker closed"} }

// toldLines are the messages that are searched for whatever else the line has.
func toldLines() []string {
	all := []string{failedLine}
	for name := range tells {
		msg, _, _ := strings.Cut(name, "/")
		if msg != requestLine && msg != handledLine && !slices.Contains(all, msg) {
			all = append(all, msg)
		}
	}
	slices.Sort(all)
	return all
}
