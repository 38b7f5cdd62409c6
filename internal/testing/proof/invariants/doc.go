// Package invariants checks whether the refresh protocol kept its promises
// (docs/DESIGN.md, docs/REFRESH.md). It knows only the tables' attributes and shares
// no code with pkg/tokens, so that both cannot be wrong in the same way.
//
// It reads three kinds of evidence:
//
//   - tables, at rest or in use: [CheckTables] checks every row of Grants and
//     Spends, and [CheckHolders] Connections with Grants. It needs no key and changes nothing, so it may run on a production
//     table.
//   - one write of a grant: [CheckChange] compares the row before and after,
//     and names the transition in the words of spec/transitions.txt.
//   - a trace of writes and of the refresh tokens that were presented:
//     [CheckTrace].
//
// A check returns problems in words, for a person. None of them contains a token or
// a sealed pair. No problem means that nothing was found, not that all is well.
package invariants
