package pages

import "strings"

// Every sentence that a visitor reads is in words.go, in the *_text.go beside its page and in problem_*.go, so that a fork
// can edit or translate them. {app} stands for Brand.Name, {support} for support or, without a support contact, for the
// team that runs the application. The reader is a site manager: no protocol words, one sentence for what happened, one for
// what to do and who can do it.

// fill replaces {app} and {support}.
func (p *Pages) fill(s string) string {
	who := "support"
	if p.support.Text == "" {
		who = "the team that runs {app}"
	}
	return strings.NewReplacer("{app}", p.brand.Name, "{support}", strings.ReplaceAll(who, "{app}", p.brand.Name)).Replace(s)
}

// The labels of links and buttons that lead on from a problem. connectLabel is also the landing page's.
const (
	connectLabel = "Connect to Procore"
	retryLabel   = "Try again"
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
