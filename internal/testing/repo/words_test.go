package repo

import (
	"regexp"
	"strings"
)

// A word is one that is always wrong here, and what to write instead.
type word struct {
	bad     string // an expression, without regard to case
	instead string
}

// words are few on purpose: what is wrong only now and then is left to the reader.
var words = compiled([]word{
	{`somebody`, "who it is: a user, the administrator, another process"},
	{`nobody`, "no one, or who it is not"},
	{`whoever`, "a user who, a process that"},
	{`meanwhile`, "in the meantime, or nothing"},
	{`anew`, "again"},
	{`(?:kept|keeps?|keeping|goes|go|went|put|puts|lies|lay|stays?|moved?|set) aside`, "quarantined"},
	{`comes? home|came home|(?:brings?|brought|bringing) home`, "arrives late, is recovered"},
	{`comes? again|came again`, "is redelivered, arrives again"},
	{`looks? at|looked at|looking at|a look`, "checks, reads; a pass"},
	{`looks? after|looked after|looking after`, "maintains, reconciles"},
	{`(?:is|are) kept up`, "is maintained"},
	{`of ours`, "our"},
	{`of (?:its|their) own(?: (?:that|which|for|in|on|at|to|by|with|from|and|or|so|as|until|when|is|are|was|has)|\s*[.,;:)|]|$)`, "its own, before the noun"},
	{`(?:is|are|was|were) none`, "is not a"},
	{`no more(?:$|\s*[.,;:)|])`, "no longer"},
	{`but for`, "except for"},
	{`not any more`, "no longer"},
	{`strangers?`, "unknown senders, other people"},
	{`leavers?`, "departed users"},
	{`by itself`, "automatically, alone"},
	{`doubled`, "duplicated"},
	{`(?:has|have|had) it not|(?:has|have) them not`, "lacks it"},
	{`tokens? (?:lives?|lived|ends?|ended)`, "is valid, expires"},
	{`(?:gives?|says?|tells?) whether`, "reports whether"},
	{`has a go|have a go`, "tries"},
})

// fine are phrases in which a word of the list is right.
var fine = regexp.MustCompile(`(?i)\bthere\s+(?:is|are|was|were)\s+none\b`)

type compiledWord struct {
	bad     *regexp.Regexp
	instead string
}

func compiled(words []word) (all []compiledWord) {
	for _, w := range words {
		expression := `(?i)\b(?:` + strings.ReplaceAll(w.bad, " ", `\s+`) + `)(?:\b|$|\W)`
		all = append(all, compiledWord{regexp.MustCompile(expression), w.instead})
	}
	return all
}

// oldNames are identifiers that were replaced.
var oldNames = map[string]string{
	"keeper": "reconciler", "rehearse": "warm", "patience": "maxWait", "letgo": "releaseClaim",
	"giveback": "a verb for what it does", "giveup": "a verb for what it does",
}
