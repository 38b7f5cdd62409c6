package main

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const runbook = "../../docs/RUNBOOK.md"

// page is a page of the runbook: what an alarm or a state means, what to type, and when it is over.
type page struct {
	name  string
	typed []string // lines: commands, and what others do first, after a #
	over  string   // a command that shows whether it is over
	shows string   // what it shows then
	lacks string   // what it does not show then; may be empty
}

var (
	heading  = regexp.MustCompile(`(?m)^### (.+)\n`)
	pageForm = regexp.MustCompile("(?s)^\\n\\*It means\\* .+\\n\\n\\*Type\\*(?:[^\\n]+\\n)+\\n```sh\\n(.+?)```\\n\\n" +
		"\\*It is over when\\* `([^`]+)`\\s+shows\\s+`([^`]+)`(?:\\s+and\\s+no\\s+`([^`]+)`)?\\.\\n$")
)

// pages reads the pages below the headings *States* and *Alarms*. Each has three parts and nothing else.
func pages(text string) (all []page, errs []error) {
	for _, chapter := range []string{"States", "Alarms"} {
		_, rest, ok := strings.Cut(text, "\n## "+chapter+"\n")
		if !ok {
			errs = append(errs, fmt.Errorf("there is no chapter %s", chapter))
			continue
		}
		rest, _, _ = strings.Cut(rest, "\n## ")
		rest = strings.TrimRight(rest, "\n") + "\n"
		at := heading.FindAllStringSubmatchIndex(rest, -1)
		for i, m := range at {
			end := len(rest)
			if i+1 < len(at) {
				end = at[i+1][0] - 1
			}
			p := page{name: rest[m[2]:m[3]]}
			parts := pageForm.FindStringSubmatch(rest[m[1]:end])
			if parts == nil {
				errs = append(errs, fmt.Errorf("the page %q is not: *It means* …, *Type* with a block of commands, *It is over when* `a command` shows `a text`", p.name))
				continue
			}
			p.typed = strings.Split(strings.TrimRight(parts[1], "\n"), "\n")
			p.over, p.shows, p.lacks = onOneLine(parts[2]), onOneLine(parts[3]), onOneLine(parts[4])
			all = append(all, p)
		}
	}
	return all, errs
}

// onOneLine removes the line breaks.
func onOneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// unmatched returns what is wrong if each page is to have a drill, each drill a page, and all commands are to be understood.
func unmatched(all []page, drills []string) (errs []error) {
	var named []string
	for _, p := range all {
		named = append(named, p.name)
		if !slices.Contains(drills, p.name) {
			errs = append(errs, fmt.Errorf("the page %q has no drill", p.name))
		}
		for _, line := range append(slices.Clone(p.typed), p.over) {
			if err := typable(line); err != nil {
				errs = append(errs, fmt.Errorf("the page %q: %q: %w", p.name, line, err))
			}
		}
	}
	for _, name := range drills {
		if !slices.Contains(named, name) {
			errs = append(errs, fmt.Errorf("the drill %q has no page", name))
		}
	}
	return errs
}

// placeholders are the words of a command that the reader replaces, with an example of each.
var placeholders = map[string]string{
	"COMPANY": "5678", "USER": "1234567", "EVENT": "01JA8Z7Q4M6X2V9T3C5B1N0KDE", "REQUEST": "d14ae17b-6fc1-4167-b845-fa002177c651",
	"PATH": "/rest/v1.0/me", "FROM": "2026-03-02T08:00", "TIME": "2026-03-02T08:00:00Z", "TO": "2026-03-02T09:00", "KEY": "k1", "ID": "0123456789abcdef",
}

// shouted is a word that is no literal part of a command.
var shouted = regexp.MustCompile(`^[A-Z][A-Z-]*$`)

// typable returns why a line of a page cannot be typed.
func typable(line string) error {
	if strings.HasPrefix(line, "# ") {
		return nil
	}
	words := strings.Fields(command(line))
	if len(words) < 2 || words[0] != "procore-connect" {
		return fmt.Errorf("is no command")
	}
	for i, word := range words {
		example, known := placeholders[word]
		switch {
		case known:
			words[i] = example
		case shouted.MatchString(word) && word != http.MethodGet:
			return fmt.Errorf("the placeholder %s is not known", word)
		}
	}
	return understood((&session{}).root(nil), words[1:])
}

// command is a line without the remark behind it.
func command(line string) string {
	typed, _, _ := strings.Cut(line, " #")
	return typed
}

func readRunbook(t *testing.T) []page {
	t.Helper()
	text, err := os.ReadFile(runbook)
	if err != nil {
		t.Fatal(err)
	}
	all, errs := pages(string(text))
	for _, err := range errs {
		t.Error(err)
	}
	return all
}

// Each page of the runbook has a drill, and each drill a page.
func TestRunbookHasDrills(t *testing.T) {
	t.Parallel()
	for _, err := range unmatched(readRunbook(t), slices.Sorted(maps.Keys(drills()))) {
		t.Error(err)
	}
}

// A page that lacks a part, a drill, a known verb or a known placeholder is an error, and so is a drill without a page.
func TestRunbookIsRead(t *testing.T) {
	t.Parallel()
	const good = "\n## States\n\n### late\n\n*It means* that it is late.\n\n*Type*:\n\n```sh\nprocore-connect why COMPANY  # who has to act\n```\n\n" +
		"*It is over when* `procore-connect breaker`\nshows `closed`.\n\n## Alarms\n"
	for name, tt := range map[string]struct {
		old, new, want string
		drills         []string
	}{
		"good":              {"", "", "", []string{"late"}},
		"no drill":          {"", "", `the page "late" has no drill`, nil},
		"no page":           {"", "", `the drill "early" has no page`, []string{"late", "early"}},
		"no end":            {"*It is over when*", "It is over when", `the page "late" is not`, nil},
		"more":              {"shows `closed`.", "shows `closed`.\n\nWait.", `the page "late" is not`, nil},
		"other placeholder": {"COMPANY", "FIRM", "the placeholder FIRM is not known", []string{"late"}},
		"other verb":        {"why COMPANY", "wherefore COMPANY", "wherefore", []string{"late"}},
		"other flag":        {"why COMPANY", "why COMPANY --loud", "--loud", []string{"late"}},
		"other command":     {"procore-connect why COMPANY", "aws why", "is no command", []string{"late"}},
		"no chapter":        {"## States", "## Stages", "there is no chapter States", nil},
	} {
		all, errs := pages(strings.Replace(good, tt.old, tt.new, 1))
		errs = append(errs, unmatched(all, tt.drills)...)
		got := fmt.Sprint(errs)
		if (tt.want == "") != (len(errs) == 0) || !strings.Contains(got, tt.want) {
			t.Errorf("%s: got errors %s, want %q", name, got, tt.want)
		}
	}
}
