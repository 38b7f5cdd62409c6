package dynamotest

import (
	_ "embed"
	"regexp"
	"strings"
)

// A token is a piece of an expression, and its first letter says what it is: # a name's placeholder, : a value's, a
// digit an index, a letter or _ an attribute, a function or a keyword; else a symbol. The empty token is the end.
type token string

var tokenPattern = regexp.MustCompile(`^[ \t\r\n]*([#:]?\w+|<>|<=|>=|[=<>()\[\],.+-]|$)`)

func lex(text string) (tokens []token) {
	for {
		match := tokenPattern.FindStringSubmatch(text)
		if match == nil {
			refuse("Syntax error; near: %.16q", text)
		}
		tokens = append(tokens, token(match[1]))
		if match[1] == "" {
			return tokens
		}
		text = text[len(match[0]):]
	}
}

func (t token) isPlaceholder(mark byte) bool { return t != "" && t[0] == mark }

func (t token) isIndex() bool { return t != "" && strings.Trim(string(t), "0123456789") == "" }

func (t token) isWord() bool {
	return t != "" && !strings.ContainsAny(string(t[:1]), "#:0123456789=<>()[],.+-")
}

//go:embed reserved.txt
var reservedText string

// The words that an expression cannot use as an attribute's name, in capitals.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html
var reservedWords = func() map[string]bool {
	words := map[string]bool{}
	for word := range strings.FieldsSeq(reservedText) {
		words[word] = true
	}
	return words
}()

func (t token) isReserved() bool { return reservedWords[strings.ToUpper(string(t))] }
