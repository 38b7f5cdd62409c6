package repo

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The gateway's own log is written by AWS, not by us: it gets nothing of an address but the route.
func TestAccessLogHasNoSecret(t *testing.T) {
	t.Parallel()
	format := text(get(template(t), "Resources", "HttpApiStage", "Properties", "AccessLogSettings", "Format"))
	may := []string{"requestId", "requestTime", "routeKey", "status", "responseLatency", "integrationLatency", "integrationErrorMessage",
		"integration.error", "integration.status", "error.message", "error.responseType", "responseLength", "protocol", "identity.sourceIp"}
	found := regexp.MustCompile(`\$context\.([A-Za-z.]+)`).FindAllStringSubmatch(format, -1)
	if len(found) == 0 || strings.Count(format, "$") != len(found) {
		t.Errorf("the access log's format is %q, want $context variables alone", format)
	}
	for _, m := range found {
		if !slices.Contains(may, m[1]) {
			t.Errorf("$context.%s goes into the access log; is there never a code, a state or a cookie in it?", m[1])
		}
	}
}

// No other site's script may read an answer, and no route takes what the functions do not expect.
func TestNothingIsOpenToOtherSites(t *testing.T) {
	t.Parallel()
	n := template(t)
	for _, name := range ofType(t, n, "AWS::ApiGatewayV2::Api") {
		if get(n, "Resources", name, "Properties", "CorsConfiguration") != nil {
			t.Errorf("%s has CORS", name)
		}
	}
	for key := range routes(t) {
		if method, path, _ := strings.Cut(key, " "); method != "GET" && method != "POST" || strings.ContainsAny(path, "{}+$") {
			t.Errorf("route %q takes any method or path", key)
		}
	}
	for _, name := range keys(get(n, "Resources")) {
		if get(n, "Resources", name, "Properties", "FunctionUrlConfig") != nil || text(get(n, "Resources", name, "Type")) == "AWS::Lambda::Url" {
			t.Errorf("%s has an address besides the API", name)
		}
	}
}
