package procoretest

import "testing"

// What Procore overwrites is gone, in the storage too, and the world is there as before.
func TestOverwrite(t *testing.T) {
	t.Parallel()
	m := newMemory(nil)
	p := startOn(t, m, Options{})
	pair := p.Token(t, Joe, redirect)
	code := codeFor(t, p, Joe)
	newHook(t, p, pair.AccessToken, "http://127.0.0.1:9/hook", "v3.0")
	before := p.State()
	api(t, p, pair.AccessToken, 0, "POST", "/_fake/overwrite", "{}").wants(t, 200, "true")
	after := p.State()
	if len(before.Hooks) != 1 || len(after.Hooks) != 0 || !before.Company(MyConstruction).Installed || after.Company(MyConstruction).Installed {
		t.Errorf("hooks %+v, companies %+v", after.Hooks, after.Companies)
	}
	if len(after.Users) != len(before.Users) || len(after.Companies) != len(before.Companies) || len(after.Resources) != len(before.Resources) {
		t.Error("the world is another")
	}
	api(t, p, pair.AccessToken, 0, "GET", "/rest/v1.0/me", "").wants(t, 401, "")
	refresh(t, p, pair.RefreshToken).wants(t, 400, "invalid_grant")
	mustSend(t, tokenRequest(t, p, credentials("grant_type", "authorization_code", "code", code, "redirect_uri", redirect))).wants(t, 400, "invalid_grant")
	isKept(t, p, m.synced)
}
