package operator

import (
	"regexp"
	"strings"
	"sync"

	"procore-connect/docs"
)

// RunbookPage is a page of docs/RUNBOOK.md, which an alarm or a state has.
type RunbookPage struct {
	Name  string
	Means string     // in plain text
	Typed [][]string // the words of each command after the program's name
}

// markdown is what a plain text lacks: emphasis, quotes of code, and the targets of links.
var markdown = regexp.MustCompile("\\*|`|\\[([^\\]]*)\\]\\([^)]*\\)")

var runbook = sync.OnceValue(func() map[string]RunbookPage {
	all := map[string]RunbookPage{}
	for _, text := range strings.Split(docs.Runbook, "\n### ")[1:] {
		text, _, _ = strings.Cut(text, "\n## ")
		name, rest, _ := strings.Cut(text, "\n")
		means, rest, ok := strings.Cut(strings.TrimSpace(rest), "\n\n*Type*")
		if !ok || !strings.HasPrefix(means, "*It means*") {
			continue
		}
		p := RunbookPage{Name: name, Means: markdown.ReplaceAllString(strings.Join(strings.Fields(means), " "), "$1")}
		_, block, _ := strings.Cut(rest, "```sh\n")
		block, _, _ = strings.Cut(block, "```")
		for line := range strings.Lines(block) {
			if words := strings.Fields(line); len(words) > 1 && words[0] == "procore-connect" {
				p.Typed = append(p.Typed, words[1:])
			}
		}
		all[name] = p
	}
	return all
})

// Runbook returns a page by its name.
func Runbook(name string) (RunbookPage, bool) {
	p, ok := runbook()[name]
	return p, ok
}
