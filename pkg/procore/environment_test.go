package procore

import (
	"strings"
	"testing"
)

func TestParseEnvironment(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, env, login, api string
		plain                 []string
		want                  Environment
		wantErr               string
	}{
		{name: "production", env: "production", want: Production()},
		{name: "sandbox", env: "sandbox", want: Sandbox()},
		{name: "monthly", env: "monthly", want: Monthly()},
		{name: "federal", env: "federal", want: Federal()},
		{name: "custom", env: "custom", login: "https://Login.example.com/", api: "https://api.example.com:8443",
			want: Environment{"custom", "https://login.example.com", "https://api.example.com:8443"}},
		{name: "loopback", env: "custom", login: "http://127.0.0.1:4000", api: "http://[::1]:4000",
			want: Environment{"custom", "http://127.0.0.1:4000", "http://[::1]:4000"}},
		{name: "docker", env: "custom", login: "http://host.docker.internal:4000", api: "http://localhost:4000", plain: []string{"host.docker.internal"},
			want: Environment{"custom", "http://host.docker.internal:4000", "http://localhost:4000"}},
		{name: "docker not allowed", env: "custom", login: "http://host.docker.internal:4000", api: "http://localhost:4000", wantErr: "login URL of the custom environment: http is accepted"},
		{name: "plain http", env: "custom", login: "https://a.example", api: "http://a.example", wantErr: "API URL of the custom environment: http is accepted"},
		{name: "looks like loopback", env: "custom", login: "http://127.0.0.1.example.com", api: "https://a.example", wantErr: "http is accepted"},
		{name: "empty name", wantErr: `unknown environment ""`},
		{name: "unknown", env: "Production", wantErr: "unknown environment"},
		{name: "URL beside a name", env: "sandbox", api: "https://a.example", wantErr: "has its own URLs"},
		{name: "custom without login", env: "custom", api: "https://a.example", wantErr: "login URL of the custom environment: missing"},
		{name: "custom without API", env: "custom", login: "https://a.example", wantErr: "API URL of the custom environment: missing"},
		{name: "no host", env: "custom", login: "https://", api: "https://a.example", wantErr: "no host"},
		{name: "no scheme", env: "custom", login: "a.example", api: "https://a.example", wantErr: "no host"},
		{name: "opaque", env: "custom", login: "https:a.example", api: "https://a.example", wantErr: "no host"},
		{name: "ftp", env: "custom", login: "ftp://a.example", api: "https://a.example", wantErr: "scheme"},
		{name: "path", env: "custom", login: "https://a.example/oauth", api: "https://a.example", wantErr: "path"},
		{name: "query", env: "custom", login: "https://a.example?x=1", api: "https://a.example", wantErr: "query"},
		{name: "empty query", env: "custom", login: "https://a.example?", api: "https://a.example", wantErr: "query"},
		{name: "fragment", env: "custom", login: "https://a.example#", api: "https://a.example", wantErr: "fragment"},
		{name: "userinfo", env: "custom", login: "https://joe:hunter2@a.example", api: "https://a.example", wantErr: "user information"},
		{name: "not a URL", env: "custom", login: "https://a:hunter2 b", api: "https://a.example", wantErr: "not a URL"},
		{name: "app.procore.com", env: "custom", login: "https://login.procore.com", api: "https://APP.procore.com", wantErr: "app.procore.com is the web application"},
		{name: "app.procore.com with a dot", env: "custom", login: "https://app.procore.com.", api: "https://a.example", wantErr: "app.procore.com is the web application"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseEnvironment(tt.env, tt.login, tt.api, tt.plain...)
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Fatalf("got error %v, want one with %q", err, tt.wantErr)
				}
				if strings.Contains(err.Error(), "hunter2") {
					t.Errorf("the error shows the password: %v", err)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Errorf("got %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}
