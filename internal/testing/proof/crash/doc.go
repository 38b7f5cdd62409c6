// Package crash turns the power off, again and again, and judges what is left.
//
// A machine has all that make run has: the fake Procore, DynamoDB, Secrets Manager, SQS and the mappings between them,
// with one journal on a simulated disk, and above them the code that is deployed, below its handlers. People connect
// companies and change things there, and tokens expire within a minute. At a random operation of the disk everything
// stops. What was not synced is lost, the last write may be torn, a rename too; and the next machine starts with what is
// left. What is outside of the machine survives: a [recorder] of what Procore was sent and what was answered. It is
// compared with the state after each start:
//
//   - It starts.
//   - No refresh token was sent to the token endpoint twice, in all lives together.
//   - Each event that was answered 2xx is in the inbox, and reaches the consumer in the end.
//   - What Procore, DynamoDB and SQS answered is so. A company that was connected is connected.
//   - No grant is active for ever with a token that is spent.
//
// All of it runs in a bubble of testing/synctest. TestKilled does the same to the real processes, which it kills.
package crash
