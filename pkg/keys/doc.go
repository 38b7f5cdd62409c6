// Package keys is the ring of generated keys that a deployment shares: [Ring] seals
// pairs of tokens for the one row they belong to, names refresh tokens in the ledger,
// and derives the keys of other purposes. A [Source] supplies the ring, or another secret
// that may change while a process runs.
package keys
