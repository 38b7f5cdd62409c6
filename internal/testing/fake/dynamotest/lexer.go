package dynamotest

import (
	_ "embed"
	"slices"
	"strings"
)

const (
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
	symbols = "=<>(),+-"
)

// lex cuts a text into tokens: #names, :values, words and symbols, and characters that no rule of the parser accepts.
// The last token is empty.
func lex(text string) (tokens []string) {
	const space = " \t\r\n"
	for text = strings.TrimLeft(text, space); text != ""; text = strings.TrimLeft(text, space) {
		rest := text[1:]
		if strings.IndexByte(symbols, text[0]) < 0 {
			rest = strings.TrimLeft(rest, letters+"0123456789")
		} else if len(text) > 1 && slices.Contains([]string{"<>", "<=", ">="}, text[:2]) {
			rest = text[2:]
		}
		tokens = append(tokens, text[:len(text)-len(rest)])
		text = rest
	}
	return append(tokens, "")
}

// isWord reports whether the token is an attribute, a function or a keyword.
func isWord(token string) bool { return token != "" && strings.IndexByte(letters, token[0]) >= 0 }

//go:embed reserved.txt
var reservedText string

// reservedWords are the words that an expression cannot use as an attribute's name, in capitals and sorted.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html
var reservedWords = strings.Fields(reservedText)

func isReserved(word string) bool {
	_, found := slices.BinarySearch(reservedWords, strings.ToUpper(word))
	return found
}
