package pages

import "strings"

// Every sentence that a visitor reads is in words.go, in the *_text.go beside its page and in problem_*.go, so that a fork
// can edit or translate them. {app} stands for Brand.Name, {support} for support or, without a support contact, for the
// team that runs the application. The reader is a site manager: no protocol words, one sentence for what happened, one for
// what to do and who can do it.

// fill replaces {app} and {support}.
func (p *Pages) fill(s string) string {
	var b strings.Builder
	for _, part := range p.parts(s) {
		b.WriteString(part.Text)
	}
	return b.String()
}

// part is a piece of a sentence, which is a link if it has a URL.
type part struct {
	Text, URL string
}

// parts fills a sentence, with the support contact as a link.
func (p *Pages) parts(s string) []part {
	var all []part
	for i, piece := range strings.Split(s, "{support}") {
		if i > 0 {
			all = append(all, p.helpers()...)
		}
		if piece != "" {
			all = append(all, part{Text: strings.ReplaceAll(piece, "{app}", p.brand.Name)})
		}
	}
	return all
}

// helpers are who helps, in the middle of a sentence: the support contact itself.
func (p *Pages) helpers() []part {
	contact := part(p.support)
	switch {
	case contact.Text == "":
		return []part{{Text: "the team that runs " + p.brand.Name}}
	case strings.HasPrefix(contact.URL, "https:"):
		return []part{{Text: "support at "}, contact}
	}
	return []part{contact}
}

// The labels of links and buttons that lead on from a problem. connectLabel is also the landing page's.
const (
	connectLabel = "Connect to Procore"
	againLabel   = "Connect again"
	retryLabel   = "Try again"
	homeNext     = "Go to the home page and start from there."
)

// words are the short texts that the templates use by name.
type words struct {
	Help, RequestIDHint, CompanyIDLabel, ProcoreMessage string
}

func english() words {
	return words{
		Help:           "Need help?",
		RequestIDHint:  "When you ask for help, include this request ID:",
		CompanyIDLabel: "Procore company ID",
		ProcoreMessage: "Message from Procore:",
	}
}
