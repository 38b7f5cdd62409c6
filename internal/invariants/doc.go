// Package invariants checks whether the refresh protocol kept its promises (docs/DESIGN.md, docs/REFRESH.md). It is the
// one judge of tests, of the operator's command and, by spec/transitions.txt, of the protocol's model. It knows only the
// tables' attributes and shares no code with pkg/tokens, so that both cannot be wrong in the same way.
//
// It needs no key and changes nothing. It reads two kinds of evidence:
//
//   - rows, at rest or in use: [CheckRow] checks a grant, [CheckTables] every row of Grants and Spends, and
//     [Holders] Connections with Grants.
//   - writes of a grant: [CheckChange] compares the row before and after one write, and names the transition in the
//     words of spec/transitions.txt. [CheckSpan] compares two reads that may have several writes between them.
//
// A check returns problems in words, for a person. None of them contains a token or a sealed pair. No problem means that
// nothing was found, not that all is well.
package invariants
