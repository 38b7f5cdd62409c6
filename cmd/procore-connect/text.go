package main

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// maxName is the longest name in a table, in characters.
const maxName = 40

// oneLine replaces what a terminal would obey or not show, in a text that came from outside.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || unicode.IsGraphic(r) && !unicode.IsSpace(r) {
			return r
		}
		return ' '
	}, text)
}

// short makes a name from outside fit a table.
func short(name string) string {
	runes := []rune(oneLine(name))
	if len(runes) > maxName {
		runes = append(runes[:maxName-1], '…')
	}
	return string(runes)
}

// wrap breaks a paragraph into lines of at most this many bytes, where there are blanks.
func wrap(paragraph string, width int) string {
	var b strings.Builder
	column := 0
	for word := range strings.FieldsSeq(paragraph) {
		switch {
		case column == 0:
		case column+1+len(word) > width:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}

// plural returns a number with what it counts.
func plural(n int, one string) string {
	switch stem, y := strings.CutSuffix(one, "y"); {
	case n == 1:
		return "1 " + one
	case y:
		return fmt.Sprintf("%d %sies", n, stem)
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// toMinute is a time to the minute, as a person compares it with a log.
func toMinute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
