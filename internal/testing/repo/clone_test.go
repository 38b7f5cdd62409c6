package repo

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// forkURL is where the documents clone a fork from.
const forkURL = "https://github.com/you/procore-connect"

// published commits a copy of the repository with this tag, and returns the environment in which git finds the copy at
// the address of the documents.
func published(t *testing.T, dir, tag string) []string {
	t.Helper()
	run(t, dir, "git", "add", "-A")
	run(t, dir, "git", "-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false", "commit", "-qm", "all")
	run(t, dir, "git", "tag", tag)
	return append(os.Environ(), "MAKEFLAGS=", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=url.file://"+dir+".insteadOf", "GIT_CONFIG_VALUE_0="+forkURL)
}

// sectionOf returns the text below a heading of the second level.
func sectionOf(t *testing.T, doc, heading string) string {
	t.Helper()
	_, text, ok := strings.Cut(read(t, doc), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("%s has no section %q", doc, heading)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	return text
}

// blocks returns the code blocks of a language in a section.
func blocks(t *testing.T, doc, heading, language string) (all []string) {
	t.Helper()
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```").FindAllStringSubmatch(sectionOf(t, doc, heading), -1) {
		all = append(all, m[1])
	}
	if all == nil {
		t.Fatalf("%s has no %s block below %q", doc, language, heading)
	}
	return all
}
