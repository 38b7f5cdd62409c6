package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// env returns an Env that reads from a map.
func env(values map[string]string) *Env {
	return New(func(name string) string { return values[name] })
}

// named returns the variables that the error names, in order.
func named(err error) []string {
	var names []string
	if err == nil {
		return nil
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		rest, _ := strings.CutPrefix(line, "environment variable ")
		name, _, _ := strings.Cut(rest, ":")
		names = append(names, name)
	}
	return names
}

func TestRequireAndOptional(t *testing.T) {
	t.Parallel()
	e := env(map[string]string{"A": " a value\n", "BLANK": " \t"})
	for _, tt := range []struct{ got, want string }{
		{e.Require("A"), "a value"}, {e.Optional("A"), "a value"}, {e.Optional("B"), ""}, {e.Optional("BLANK"), ""},
	} {
		if tt.got != tt.want {
			t.Errorf("value = %q, want %q", tt.got, tt.want)
		}
	}
	if err := e.Err(); err != nil {
		t.Errorf("Err = %v, want none", err)
	}
	e.Require("B")
	e.Require("BLANK")
	if diff := cmp.Diff([]string{"B", "BLANK"}, named(e.Err())); diff != "" {
		t.Errorf("named (-want +got):\n%s", diff)
	}
}

func TestPublicURL(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{ // "": an error
		"https://connect.example.com":       "https://connect.example.com",
		"https://connect.example.com/":      "https://connect.example.com",
		"https://connect.example.com//":     "https://connect.example.com",
		" https://connect.example.com\n":    "https://connect.example.com",
		"https://connect.example.com:8443":  "https://connect.example.com:8443",
		"https://Connect.Example.COM":       "https://connect.example.com",
		"https://connect.example.com:443":   "https://connect.example.com",
		"https://connect.example.com:0443":  "https://connect.example.com",
		"https://connect.example.com:":      "https://connect.example.com",
		"https://connect.example.com.":      "https://connect.example.com",
		"https://CONNECT.example.com.:443/": "https://connect.example.com",
		"https://connect.example.com:80":    "https://connect.example.com:80",
		"https://xn--caf-dma.example.com":   "https://xn--caf-dma.example.com",
		"https://[2001:DB8::1]:443":         "https://[2001:db8::1]",
		"http://LOCALHOST:3000":             "http://localhost:3000",
		"http://localhost:80":               "http://localhost",
		"http://127.0.0.1:443":              "http://127.0.0.1:443",
		"https://connect.example.com#":      "https://connect.example.com",
		"HTTPS://connect.example.com":       "https://connect.example.com",
		"http://127.0.0.1:3000":             "http://127.0.0.1:3000",
		"http://localhost:3000/":            "http://localhost:3000",
		"http://[::1]:3000":                 "http://[::1]:3000",

		"":                                                          "",
		"http://connect.example.com":                                "",
		"http://host.docker.internal":                               "", // without sam
		"http://localhost.example.com":                              "",
		"http://127.0.0.1.example.com":                              "",
		"connect.example.com":                                       "",
		"//connect.example.com":                                     "",
		"https:connect.example.com":                                 "",
		"https://":                                                  "",
		"https://:443":                                              "",
		"https://.":                                                 "",
		"https://connect.example.com..":                             "",
		"https://connect.example.com:0":                             "",
		"https://connect.example.com:65536":                         "",
		"https://connect.example.com:https":                         "",
		"https://connect%2eexample.com":                             "",
		"https://café.example.com":                                  "",
		"https://connect.example.com/prod/":                         "",
		"https://connect.example.com/./":                            "",
		"https:///oauth":                                            "",
		"ftp://connect.example.com":                                 "",
		"javascript:alert(1)":                                       "",
		"https://connect.example.com?":                              "",
		"https://connect.example.com?a=b":                           "",
		"https://connect.example.com#a":                             "",
		"https://fake-user@connect.example.com":                     "",
		"https://fake-user:fake-password@connect.example.com":       "",
		"https://fake-user:fake-password@connect.example.com:x\x7f": "",
	} {
		e := env(map[string]string{"PUBLIC_URL": value})
		got := e.PublicURL()
		if got.String() != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
		if names := named(e.Err()); want == "" && !cmp.Equal(names, []string{"PUBLIC_URL"}) || want != "" && names != nil {
			t.Errorf("%q: error %v", value, e.Err())
		}
		if err := e.Err(); err != nil && strings.Contains(err.Error(), "fake-") {
			t.Errorf("%q shows: %v", value, err)
		}
	}
	e := env(map[string]string{"PUBLIC_URL": "http://host.docker.internal:3000", "AWS_SAM_LOCAL": "true"})
	if got := e.PublicURL().String(); got != "http://host.docker.internal:3000" || e.Err() != nil {
		t.Errorf("under sam: %q, %v", got, e.Err())
	}
}

// A path is refused, and the error of a page's address explains what it is.
func TestPublicURLIsNotAPage(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/oauth/callback": "the redirect URI", "/oauth/callback/": "the redirect URI", "/OAuth/Callback": "the redirect URI",
		"/prod/oauth/callback": "one page", "/oauth/start": "one page", "/webhooks/procore": "one page", "/connected": "one page",
		"/companies": "one page", "/prod": "without a path", "/oauth": "without a path",
	} {
		e := env(map[string]string{"PUBLIC_URL": "https://connect.example.com" + path})
		e.PublicURL()
		if err := e.Err(); err == nil || !strings.Contains(err.Error(), "PUBLIC_URL") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", path, err, want)
		}
	}
}

func TestProductURL(t *testing.T) {
	t.Parallel()
	long := "https://app.example.com/" + strings.Repeat("a", 1_976)
	for value, want := range map[string]string{ // "": an error, except for the empty value
		"": "",
		" https://app.example.com/start?from=procore#top ": "https://app.example.com/start?from=procore#top",
		"http://localhost:8080/start":                      "http://localhost:8080/start",
		long:                                               long,

		long + "a":                             "",
		"www.example.com":                      "",
		"/start":                               "",
		"//app.example.com":                    "",
		"http://app.example.com":               "",
		"ftp://app.example.com":                "",
		"javascript:alert(1)":                  "",
		"https://fake-user@app.example.com":    "",
		"https://fake-user:x@app.example.com/": "",
		"https://app.example.com/\x7f":         "",
	} {
		e := env(map[string]string{"PRODUCT_URL": value})
		if got := e.ProductURL(); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
		names, wrong := named(e.Err()), want == "" && value != ""
		if wrong && !cmp.Equal(names, []string{"PRODUCT_URL"}) || !wrong && names != nil {
			t.Errorf("%q: errors of %v: %v", value, names, e.Err())
		}
	}
}

func TestReturnURLs(t *testing.T) {
	t.Parallel()
	const one, two = "https://app.example.com/procore", "https://app.example.com/procore?tenant=5&b=c"
	var ten []string
	for i := range 10 {
		ten = append(ten, fmt.Sprintf("%s/%d", one, i))
	}
	long := one + "/" + strings.Repeat("a", 2_000-len(one)-1)
	for value, want := range map[string]struct {
		all []string
		err string // a part of it
	}{
		"":                              {},
		" \n":                           {},
		one:                             {all: []string{one}},
		" " + one + " ,\t" + two:        {all: []string{one, two}},
		"http://127.0.0.1:5000/procore": {all: []string{"http://127.0.0.1:5000/procore"}},
		"http://localhost/, https://[2001:db8::1]:8443": {all: []string{"http://localhost/", "https://[2001:db8::1]:8443"}},
		one + "," + one + "/":                           {all: []string{one, one + "/"}}, // another address, by character
		"https://app.example.com?links=1&codes=2":       {all: []string{"https://app.example.com?links=1&codes=2"}},
		long:                   {all: []string{long}},
		strings.Join(ten, ","): {all: ten},

		strings.Join(append(ten, one), ","):  {err: "more than 10"},
		one + "," + two + ", " + one:         {err: "address 3: has an address twice"},
		long + "a":                           {err: "at most 2000 bytes"},
		one + ",":                            {err: "address 2: is not an address"},
		",":                                  {err: "is not an address"},
		one + " " + two:                      {err: "is not an address"},
		"app.example.com/procore":            {err: "is not an address"},
		"/procore":                           {err: "is not an address"},
		"//app.example.com/procore":          {err: "must begin with https://"},
		"http://app.example.com/procore":     {err: "must begin with https://"},
		"http://localhost.example.com":       {err: "must begin with https://"},
		"javascript:alert(1)":                {err: "is not an address"},
		"javascript://localhost/%0aalert(1)": {err: "must begin with https://"},
		one + "#top":                         {err: "without a user and a fragment"},
		one + "#":                            {err: "without a user and a fragment"},
		"https://fake-user:fake-password@app.example.com/": {err: "without a user and a fragment"},
		"https://@app.example.com/":                        {err: "without a user and a fragment"},
		"https://caf\u00e9.example.com/":                   {err: "in ASCII"},
		one + "/caf\u00e9":                                 {err: "in ASCII"},
		one + "/\x7f":                                      {err: "is not an address"},
		"https://*.example.com/":                           {err: "is not an address"},
		"https://app.example.com;script-src/":              {err: "is not an address"},
		"https://app.example.com:0/":                       {err: "is not an address"},
		one + "?code=1":                                    {err: "link, result or code"},
		one + "?a=b&result":                                {err: "link, result or code"},
		one + "?%6cink=1":                                  {err: "link, result or code"},
		one + "?a;code=1":                                  {err: "is not an address"},
	} {
		e := env(map[string]string{"RETURN_URLS": value})
		if got := e.ReturnURLs(); !slices.Equal(got, want.all) {
			t.Errorf("%.80q: %q, want %q", value, got, want.all)
		}
		switch err := e.Err(); {
		case want.err == "" && err != nil:
			t.Errorf("%.80q: error %v, want none", value, err)
		case want.err != "" && (!cmp.Equal(named(err), []string{"RETURN_URLS"}) || !strings.Contains(err.Error(), want.err)):
			t.Errorf("%.80q: error %v, want one of RETURN_URLS with %q", value, err, want.err)
		case err != nil && (strings.Contains(err.Error(), "fake-") || len(err.Error()) > 300):
			t.Errorf("%.80q shows: %v", value, err)
		}
	}
}

func TestAllowedCompanies(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]Companies{
		"*":                        {All: true},
		" * ":                      {All: true},
		"5678":                     {IDs: []int64{5678}},
		" 5678 , 9007199254740993": {IDs: []int64{5678, 9007199254740993}},
		// An error, and no company may connect:
		"":                    {},
		" ":                   {},
		",":                   {},
		"5678,":               {},
		"5678,*":              {},
		"5678;5679":           {},
		"5678 5679":           {},
		"Acme":                {},
		"0":                   {},
		"-1":                  {},
		"1e3":                 {},
		"9223372036854775808": {},
	} {
		e := env(map[string]string{"ALLOWED_COMPANIES": value})
		got := e.AllowedCompanies()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", value, diff)
		}
		bad := !want.All && want.IDs == nil
		if names := named(e.Err()); bad && !cmp.Equal(names, []string{"ALLOWED_COMPANIES"}) || !bad && names != nil {
			t.Errorf("%q: error %v", value, e.Err())
		}
		for _, id := range []int64{0, 1, 5678, 9007199254740993} {
			if got, want := got.Admits(id), want.All || slices.Contains(want.IDs, id); got != want {
				t.Errorf("%q: Admits(%d) = %v, want %v", value, id, got, want)
			}
		}
	}
	e := env(map[string]string{"ALLOWED_COMPANIES": strings.Repeat("x", 1<<16)})
	e.AllowedCompanies()
	if got := len(e.Err().Error()); got > 300 {
		t.Errorf("the error has %d characters", got)
	}
}
