package procoretest

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

var shell = regexp.MustCompile("(?ms)^```sh\n(.*?)^```")

// Each command of docs/FAKE.md and docs/LOCAL.md works as it is there.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	var docs []byte
	for _, name := range []string{"../../docs/FAKE.md", "../../docs/LOCAL.md"} {
		doc, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, doc...)
	}
	p := Start(t)
	count := 0
	for _, block := range shell.FindAllSubmatch(docs, -1) {
		for command := range strings.Lines(string(block[1])) {
			count++
			out := paste(t, strings.NewReplacer("curl ", "curl -s --fail-with-body ", "http://127.0.0.1:4000", p.URL).Replace(command))
			if out == "" || strings.Contains(out, `"error"`) {
				t.Errorf("%s answers %q", command, out)
			}
		}
	}
	if count < 12 {
		t.Errorf("the documents have %d commands", count)
	}
}

// The commands of docs/PROCORE-SETUP.md exchange a code that Procore shows, and make calls with the token. Only Procore's
// addresses are the fake's.
func TestSetupCommands(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("needs bash, for read -s: ", err)
	}
	doc, err := os.ReadFile("../../docs/PROCORE-SETUP.md")
	if err != nil {
		t.Fatal(err)
	}
	p := Start(t)
	form := strings.TrimPrefix(authorizeURL(p, "redirect_uri", OutOfBand), p.URL+"/oauth/authorize?") + "&user=1234567&decision=authorize"
	code := regexp.MustCompile(`fake-code-[A-Za-z0-9_-]+`).FindString(paste(t, "curl -sL '"+p.URL+"/oauth/authorize' -d '"+form+"'"))
	fake := strings.NewReplacer("https://login-sandbox.procore.com", p.URL, "https://sandbox.procore.com", p.URL, "curl ", "curl --fail-with-body ")
	var commands []string
	for _, block := range shell.FindAllSubmatch(doc, -1) {
		if text := string(block[1]); strings.Contains(text, "curl ") {
			commands = append(commands, fake.Replace(text))
		}
	}
	if len(commands) != 2 {
		t.Fatalf("docs/PROCORE-SETUP.md has %d blocks with curl, want one for a token and one with calls", len(commands))
	}
	token := ""
	typed := func(commands string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), bash, "-ec", commands)
		cmd.Stdin = strings.NewReader("fake-client-secret\n")
		cmd.Env = append(os.Environ(), "CLIENT_ID=fake-client-id", "CODE="+code, "COMPANY=5678", "TOKEN="+token)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %s\n%s", err, out, commands)
		}
		return string(out)
	}
	m := regexp.MustCompile(`"access_token": ?"([^"]+)"`).FindStringSubmatch(typed(commands[0]))
	if m == nil {
		t.Fatal("the answer has no access token")
	}
	token = m[1]
	got := typed(commands[1])
	for _, want := range []string{"My Construction Company", "Riverside School"} {
		if !strings.Contains(got, want) {
			t.Errorf("the calls answer %s, want %s", got, want)
		}
	}
}
