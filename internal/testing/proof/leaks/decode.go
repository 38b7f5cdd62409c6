package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"iter"
	"regexp"
	"strconv"
)

// maxDepth is how many times a text is decoded: an address in a base64 body takes two.
const maxDepth = 3

// leak is a secret that was found.
type leak struct {
	kind   string
	coded  string // how it is encoded; "": not at all
	before string // the text in front of it, which shows the place
}

// find searches a line for a secret, in plain text or in an encoding that Go or the web uses for bytes.
func find(line []byte) (leak, bool) { return search(line, "", maxDepth) }

func search(text []byte, coded string, depth int) (leak, bool) {
	if kind, at := leaked(text); kind != "" {
		before := text[max(0, at-60):at]
		if _, another := find(before); another {
			before = nil
		}
		return leak{kind, coded, string(before)}, true
	}
	if depth == 0 {
		return leak{}, false
	}
	for _, d := range decoders {
		for decoded := range d.decode(text) {
			if l, ok := search(decoded, d.name, depth-1); ok {
				return l, true
			}
		}
	}
	return leak{}, false
}

// decoders return the texts that a text may encode.
var decoders = []struct {
	name   string
	decode func(text []byte) iter.Seq[[]byte]
}{
	{"percent-encoded", escapes("%", regexp.MustCompile(`%[0-9A-Fa-f]{2}`))},
	{"escaped", escapes(`\`, regexp.MustCompile(`\\(u00|x)[0-9A-Fa-f]{2}`))},
	{"as numbers", runs(regexp.MustCompile(`(?:(?:0x)?[0-9a-f]{2,3}[ ,]+){8,}(?:0x)?[0-9a-f]{2,3}`), numbers)},
	{"in hexadecimal", runs(regexp.MustCompile(`[0-9A-Fa-f]{16,}`), hexadecimal)},
	{"in base64", base64Runs},
}

// escapes replaces escapes that end in two hexadecimal digits by the byte they stand for.
func escapes(sign string, escape *regexp.Regexp) func([]byte) iter.Seq[[]byte] {
	return func(text []byte) iter.Seq[[]byte] {
		return func(yield func([]byte) bool) {
			if !bytes.Contains(text, []byte(sign)) || !escape.Match(text) {
				return
			}
			yield(escape.ReplaceAllFunc(text, func(m []byte) []byte { return hexadecimal(m[len(m)-2:]) }))
		}
	}
}

// runs decodes each match of a pattern.
func runs(re *regexp.Regexp, decode func([]byte) []byte) func([]byte) iter.Seq[[]byte] {
	return func(text []byte) iter.Seq[[]byte] {
		return func(yield func([]byte) bool) {
			for _, m := range re.FindAll(text, -1) {
				if !yield(decode(m)) {
					return
				}
			}
		}
	}
}

// numbers decodes the %v and %#v of a []byte.
func numbers(text []byte) (out []byte) {
	for _, n := range bytes.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' }) {
		if b, err := strconv.ParseUint(string(n), 0, 8); err == nil {
			out = append(out, byte(b))
		}
	}
	return out
}

func hexadecimal(text []byte) []byte {
	out := make([]byte, len(text)/2)
	_, _ = hex.Decode(out, text[:2*len(out)])
	return out
}

// base64Runs decodes every run of base64 characters from each of the four places where a group may begin, because the
// text in front of it may use the same alphabet.
func base64Runs(text []byte) iter.Seq[[]byte] {
	const least = 16 // characters
	return func(yield func([]byte) bool) {
		for start := 0; start < len(text); {
			end := start
			for end < len(text) && isBase64(text[end]) {
				end++
			}
			for off := 0; off < 4 && end-start-off >= least; off++ {
				if !yield(fromBase64(text[start+off : end])) {
					return
				}
			}
			start = end + 1
		}
	}
}

func isBase64(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '+' || c == '/' || c == '-' || c == '_'
}

func fromBase64(run []byte) []byte {
	run = bytes.ReplaceAll(bytes.ReplaceAll(run, []byte("-"), []byte("+")), []byte("_"), []byte("/"))
	if len(run)%4 == 1 {
		run = run[:len(run)-1]
	}
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(run)))
	n, _ := base64.RawStdEncoding.Decode(out, run)
	return out[:n]
}
