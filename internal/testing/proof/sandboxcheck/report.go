package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"procore-connect/pkg/procore"
)

// A finding is what one check found.
type finding struct {
	ID       string // such as "second authorization"
	Question string
	Did      string
	Saw      []string // answers: statuses, codes, names of headers
	// Fact is the answer in a few words, the same whenever Procore does the same.
	Fact       string
	Assumption string // ours
	Where      string // it is
	Verdict    verdict
}

// verdict is what a fact means for an assumption.
type verdict string

const (
	confirms  verdict = "confirms"
	breaks    verdict = "BREAKS"
	undecided verdict = "does not decide"
)

// holds is a verdict of what our code bears or does not.
func holds(ok bool) verdict {
	if ok {
		return confirms
	}
	return breaks
}

// report is for a person who compares it with the code. It has no token, no secret and no name.
type report struct {
	At          time.Time
	Environment procore.Environment
	Findings    []finding
	Leftover    []string
}

// markdown writes the report.
func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# What %s did\n\n%s, %s\n\n| question | answer | our assumption |\n|---|---|---|\n", r.Environment.APIURL, r.At.UTC().Format(time.DateTime), r.Environment.Name)
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", f.Question, f.Fact, f.Verdict)
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n- Done: %s\n", f.ID, f.Question, f.Did)
		for _, s := range f.Saw {
			fmt.Fprintf(&b, "- Seen: %s\n", s)
		}
		fmt.Fprintf(&b, "- Answer: **%s**\n- This **%s**: %s (%s)\n", f.Fact, f.Verdict, f.Assumption, f.Where)
	}
	b.WriteString("\n## Not tried\n\n")
	for _, line := range notTried {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	if r.Leftover == nil {
		b.WriteString("\nEverything that was made at Procore is deleted or revoked.\n")
	} else {
		fmt.Fprintf(&b, "\n**Not removed at Procore:**\n\n- %s\n", strings.Join(r.Leftover, "\n- "))
	}
	return b.String()
}

// notTried is what no client can bring about on purpose.
var notTried = []string{
	"whether a 429 or 5xx of the token endpoint spends the refresh token: we assume that it does",
	"whether two hooks report one event under one id: it needs a change at Procore, and our inbox bears both",
	"what becomes of a hook whose creator lost access: it needs an administrator, and we replace such a hook",
}

// write writes the report into a file, and on the screen.
func (r *report) write(file string, screen io.Writer) error {
	text := r.markdown()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	_, err := fmt.Fprintf(screen, "%s\nThe report is in %s\n", text, file)
	return err
}
