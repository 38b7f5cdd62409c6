package dynamotest

import (
	_ "embed"
	"strings"
)

// A token is a piece of an expression; the end of the text is the empty token.
type token struct {
	kind tokenKind
	text string
	at   int // where it begins
}

type tokenKind int

const (
	endToken    tokenKind = iota
	wordToken             // an attribute's name, a function's name or a keyword
	nameToken             // #name
	valueToken            // :value
	indexToken            // digits
	symbolToken           // everything else
)

func lex(text string) ([]token, error) {
	var tokens []token
	for at := 0; at < len(text); {
		kind, length := next(text[at:])
		if kind == symbolToken && !strings.Contains("=<>()[],.+-", text[at:at+1]) {
			return nil, invalid("Syntax error; token: %q", text[at:at+1])
		}
		if length > 0 {
			tokens = append(tokens, token{kind, text[at : at+length], at})
		}
		at += max(length, 1) // length 0 is a blank
	}
	return append(tokens, token{at: len(text)}), nil
}

// next finds the kind and the length of the token at the beginning of the text.
func next(text string) (tokenKind, int) {
	span := func(in func(byte) bool) int {
		n := 1
		for n < len(text) && in(text[n]) {
			n++
		}
		return n
	}
	switch c := text[0]; {
	case strings.IndexByte(" \t\r\n", c) >= 0:
		return endToken, 0
	case c == '#':
		return nameToken, span(isWord)
	case c == ':':
		return valueToken, span(isWord)
	case isDigit(c):
		return indexToken, span(isDigit)
	case isWord(c):
		return wordToken, span(isWord)
	}
	for _, operator := range []string{"<>", "<=", ">="} {
		if strings.HasPrefix(text, operator) {
			return symbolToken, 2
		}
	}
	return symbolToken, 1
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWord(c byte) bool {
	return c == '_' || isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// The words that an expression cannot use as an attribute's name.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html
//
//go:embed reserved.txt
var reservedWords string

func isReserved(word string) bool {
	for reserved := range strings.FieldsSeq(reservedWords) {
		if strings.EqualFold(reserved, word) {
			return true
		}
	}
	return false
}
