package link

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"procore-connect/pkg/procore"
)

// languages are those of docs/HOST-APPLICATION.md that run here, with what is around the lines of the document. Standard
// input has the values that the lines use, and the argument is the directory of stand-ins for the libraries.
var languages = map[string]struct{ command, before, after string }{
	"python": {"python3", `
import base64, hashlib, json, secrets, sys, time, types, urllib.parse, urllib.request
try:
    import jwt
except ImportError:
    sys.path.append(sys.argv[1])
    import jwt
given = json.loads(sys.stdin.read())
secret, public_url, code = given["secret"], given["url"], "a code & more"
tenant = types.SimpleNamespace(id="tenant-42", name="Acme & S\u00f6hne")
`, `
print(json.dumps({"token": token, "verifier": verifier, "result": result}))
`},
	"js": {"node", `
const crypto = require("node:crypto")
let jwt
try { jwt = require("jsonwebtoken") } catch { jwt = require(process.argv[2] + "/jsonwebtoken.js") }
;(async () => {
const { secret, url: publicURL } = JSON.parse(require("node:fs").readFileSync(0)), code = "a code & more"
const tenant = { id: "tenant-42", name: "Acme & S\u00f6hne" }
`, `
console.log(JSON.stringify({ token, verifier, result }))
})()
`},
}

// The lines of the document sign a link that is accepted, and redeem a code as the deployment expects it.
func TestOtherLanguages(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "HOST-APPLICATION.md"))
	if err != nil {
		t.Fatal(err)
	}
	for language, l := range languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			blocks := regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(text), -1)
			if len(blocks) != 2 {
				t.Fatalf("the document has %d blocks of %s, want a link and a redemption", len(blocks), language)
			}
			if _, err := exec.LookPath(l.command); err != nil {
				t.Skip(err)
			}
			k := ring(t)
			requests := make(chan *http.Request, 2)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = r.ParseForm()
				requests <- r
				_, _ = w.Write([]byte(`{"result":"connected","reference":"tenant-42","company_id":5678}`))
			}))
			t.Cleanup(server.Close)
			given, err := json.Marshal(map[string]string{"secret": `{"current":"k2","k1":"` + oldKey + `","k2":"` + currentKey + `"}`, "url": server.URL})
			if err != nil {
				t.Fatal(err)
			}
			program := filepath.Join(t.TempDir(), "host."+language)
			if err := os.WriteFile(program, []byte(l.before+blocks[0][1]+blocks[1][1]+l.after), 0o600); err != nil {
				t.Fatal(err)
			}
			standIns, err := filepath.Abs("testdata")
			if err != nil {
				t.Fatal(err)
			}
			var problem strings.Builder
			run := exec.CommandContext(t.Context(), l.command, program, standIns)
			run.Stdin, run.Stderr = bytes.NewReader(given), &problem
			out, err := run.Output()
			if err != nil {
				t.Fatalf("%v: %s", err, &problem)
			}
			var got struct {
				Token, Verifier string
				Result          Result
			}
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatalf("%s: %v", out, err)
			}
			signed, err := k.Verify(got.Token, time.Now())
			if err != nil || signed.Reference != "tenant-42" || signed.Tenant != "Acme & S\u00f6hne" || signed.Challenge != Challenge(procore.NewSecret(got.Verifier)) {
				t.Errorf("the link is %+v, %v", signed, err)
			}
			if n := len(got.Verifier); n < 43 || n > 128 {
				t.Errorf("the verifier has %d characters", n)
			}
			sent := <-requests
			if sent.Method != http.MethodPost || sent.URL.Path != PathRedeem || sent.PostForm.Get(FieldCode) != "a code & more" || sent.PostForm.Get(FieldVerifier) != got.Verifier {
				t.Fatalf("sent %+v", sent)
			}
			bearer, _ := strings.CutPrefix(sent.Header.Get("Authorization"), "Bearer ")
			if err := k.VerifyRedemption(bearer, time.Now()); err != nil || got.Result.CompanyID != 5678 {
				t.Errorf("redeemed %+v, %v", got.Result, err)
			}
		})
	}
}
