package repo

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// AWS writes the gateway's own log. Of an address, that log has only the route.
func TestAccessLogHasNoSecret(t *testing.T) {
	t.Parallel()
	format := text(get(template(t), "Resources", "HttpApiStage", "Properties", "AccessLogSettings", "Format"))
	may := []string{"requestId", "requestTime", "routeKey", "status", "responseLatency", "integrationLatency", "integrationErrorMessage",
		"integration.error", "integration.status", "error.message", "error.responseType", "responseLength", "protocol", "identity.sourceIp", "awsEndpointRequestId"}
	found := regexp.MustCompile(`\$context\.([A-Za-z.]+)`).FindAllStringSubmatch(format, -1)
	if len(found) == 0 || strings.Count(format, "$") != len(found) {
		t.Errorf("the access log's format is %q, want only $context variables", format)
	}
	for _, m := range found {
		if !slices.Contains(may, m[1]) {
			t.Errorf("$context.%s is in the access log; can it contain a code, a state or a cookie?", m[1])
		}
	}
}

// No other site's script may read an answer. No route accepts a method or path that the functions do not expect, except
// the default one: it leads to the function that can reach neither grants nor connections.
func TestNothingIsOpenToOtherSites(t *testing.T) {
	t.Parallel()
	n := template(t)
	for _, name := range ofType(t, n, "AWS::ApiGatewayV2::Api") {
		if get(n, "Resources", name, "Properties", "CorsConfiguration") != nil {
			t.Errorf("%s has CORS", name)
		}
	}
	for key, function := range routes(t) {
		if key == "$default" && function == "OAuthCallbackFunction" {
			continue
		}
		key = strings.Replace(key, "/webhooks/{proxy+}", "/webhooks/procore", 1) // of the receiver, which checks the credential
		if method, path, _ := strings.Cut(key, " "); !slices.Contains([]string{"GET", "HEAD", "POST"}, method) || strings.ContainsAny(path, "{}+$") {
			t.Errorf("route %q accepts any method or path", key)
		}
	}
	for _, name := range keysOf(get(n, "Resources")) {
		if get(n, "Resources", name, "Properties", "FunctionUrlConfig") != nil || text(get(n, "Resources", name, "Type")) == "AWS::Lambda::Url" {
			t.Errorf("%s has an address outside the API", name)
		}
	}
}
