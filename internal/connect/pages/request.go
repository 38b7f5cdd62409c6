package pages

import (
	"net/url"
	"strings"
	"unicode"
)

// maxQuoted bounds a company's name in a text that the visitor forwards, in characters.
const maxQuoted = 60

// ask is what a visitor asks an administrator of their company for.
type ask int

// The requests.
const (
	askNothing    ask = iota
	askInstall        // install the app
	askReconnect      // connect the app again
	askPermission     // give the visitor's account the permissions
	askActivate       // have the company activated
	askAdd            // add the visitor to the company
	askUpdates        // let Procore report changes to the connection of the visitor
	askAppUpdates     // let it report them to the app itself
)

// request is a text that the visitor forwards to an administrator, on paper or by email.
type request struct {
	requestWords
	Subject, Text string
	Rows          int    // of the box that shows it
	Mail          string // a mailto: address, without a recipient
}

// request returns the text for what is asked, or nil. The company's name comes from outside, and the reader trusts the
// sender: so the name is a short quotation, in which no mail program finds a link.
func (p *Pages) request(a ask, name string, id int64) *request {
	if a == askNothing {
		return nil
	}
	t := p.words.request(a, p.brand, p.words.ourCompany(quotable(name), id), p.link(PathHome), p.principals.Users)
	r := &request{requestWords: t, Subject: t.Subject, Text: strings.Join(t.Lines, "\n"), Mail: mailto("", t.Subject, strings.Join(t.Lines, "\r\n"))}
	for _, line := range t.Lines {
		r.Rows += 1 + len([]rune(line))/wide
	}
	return r
}

// wide is how many characters fit into a line of the box on a wide screen.
const wide = 72

// mailto returns the address that opens a message in the visitor's mail program (RFC 6068). Everything but letters, digits
// and -_.~ is percent-encoded, so that no text adds a header.
func mailto(to, subject, body string) string {
	encode := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
	return "mailto:" + to + "?subject=" + encode(subject) + "&body=" + encode(body)
}

// quotable returns an outside name for a quotation in a text that is sent on: without quotation marks, which would end it,
// and with a blank after every character that joins the parts of a link.
func quotable(name string) string {
	var b strings.Builder
	joined := false
	for _, r := range clean(name, maxQuoted) {
		if unicode.In(r, unicode.Pi, unicode.Pf, unicode.Cf) || r == '"' || r == '„' || r == '‚' || r == '＂' {
			continue
		}
		if joined && r != ' ' {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
		joined = strings.ContainsRune(".․。．｡:：/／\\@＠", r)
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
