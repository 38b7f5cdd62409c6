package main

import (
	"bytes"
	"regexp"
)

// form describes how a kind of secret is written in this project's tests.
type form struct {
	kind string
	has  []byte // is part of every secret of the kind, so that few lines need the pattern; empty: no such part
	re   *regexp.Regexp
}

// forms lists the secrets of the fakes (pkg/procoretest, internal/testing/kit/functiontest), which begin with a fixed
// word, and those that the code itself creates.
var forms = []form{
	{"access token", []byte("fake-access-"), regexp.MustCompile(`fake-access-[A-Za-z0-9]`)},
	{"refresh token", []byte("fake-refresh-"), regexp.MustCompile(`fake-refresh-[A-Za-z0-9]`)},
	{"authorization code", []byte("fake-code-"), regexp.MustCompile(`fake-code-[A-Za-z0-9]`)},
	{"client secret", []byte("fake-client-secret"), regexp.MustCompile(`fake-client-secret`)},
	{"sealing key", []byte("fake-seal-key"), regexp.MustCompile(`fake-seal-key`)},
	{"webhook key", []byte("fake-webhook-key"), regexp.MustCompile(`fake-webhook-key`)},
	{"key of links", []byte("fake-link-key"), regexp.MustCompile(`fake-link-key`)},
	{"signed link", []byte("eyJ"), regexp.MustCompile(`eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10}`)},
	// internal/webhook/credential: key id, company, epoch, mac.
	{"webhook credential", nil, regexp.MustCompile(`[A-Za-z0-9]\.[0-9]+\.[0-9]+\.[A-Za-z0-9_-]{43}`)},
	{"bearer credential", []byte("earer "), regexp.MustCompile(`[Bb]earer [A-Za-z0-9._~+/-]{20}`)},
}

const random = "state, PKCE verifier, cookie, form token or key"

// minRandom is how many of the 52 base32 characters of a secret of internal/connect/session count as a leak.
const minRandom = 40

// leaked returns the kind of secret in text and where it begins, or "".
func leaked(text []byte) (kind string, at int) {
	if at = base32Run(text); at >= 0 {
		return random, at
	}
	for _, f := range forms {
		if f.has == nil && longestWord(text) < 43 || f.has != nil && !bytes.Contains(text, f.has) {
			continue
		}
		if m := f.re.FindIndex(text); m != nil {
			return f.kind, m[0]
		}
	}
	return "", 0
}

// base32Run returns where a run of minRandom random base32 characters begins, or -1. A repeated character is not random.
func base32Run(text []byte) int {
	start := 0
	for i := 0; i <= len(text); i++ {
		if i < len(text) && isBase32(text[i]) {
			continue
		}
		if i-start >= minRandom && distinct(text[start:i]) >= 10 {
			return start
		}
		start = i + 1
	}
	return -1
}

func isBase32(c byte) bool { return 'A' <= c && c <= 'Z' || '2' <= c && c <= '7' }

func distinct(text []byte) (n int) {
	var seen [256]bool
	for _, c := range text {
		if !seen[c] {
			seen[c] = true
			n++
		}
	}
	return n
}

// longestWord returns the length of the longest run of base64url characters.
func longestWord(text []byte) (longest int) {
	n := 0
	for _, c := range text {
		n++
		if !isBase64(c) || c == '+' || c == '/' {
			n = 0
		}
		longest = max(longest, n)
	}
	return longest
}
