package repo

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What invokes a function invokes the alias live. SAM lets the functions' events do so; the template's own resources have
// to. An integration names the alias, and so has to wait for it, and for the permission to invoke it.
func TestNothingInvokesAnUnpublishedVersion(t *testing.T) {
	t.Parallel()
	n := template(t)
	if got := text(get(n, "Globals", "Function", "AutoPublishAlias")); got != "live" {
		t.Errorf("the functions publish the alias %q, want live", got)
	}
	invoked := 0
	for _, name := range ofType(t, n, "AWS::ApiGatewayV2::Integration") {
		invoked++
		r := get(n, "Resources", name)
		uri, _ := get(r, "Properties", "IntegrationUri").(tagged)
		function := strings.TrimSuffix(strings.TrimPrefix(text(uri.value), "${"), alias)
		permission, _ := get(n, "Resources", text(get(r, "DependsOn")), "Properties", "FunctionName").(tagged)
		if uri != (tagged{"Sub", "${" + function + alias}) || permission != (tagged{"Ref", function + ".Alias"}) {
			t.Errorf("%s invokes %v after a permission of %v, want an alias that it may invoke", name, uri, permission)
		}
	}
	for _, name := range ofType(t, n, "AWS::Lambda::Permission") {
		invoked++
		if of, _ := get(n, "Resources", name, "Properties", "FunctionName").(tagged); of.tag != "Ref" || !strings.HasSuffix(text(of.value), "Function.Alias") {
			t.Errorf("%s is for %v, want an alias", name, of)
		}
	}
	for _, s := range items(get(items(get(n, "Resources", "ScheduleRole", "Properties", "Policies"))[0], "PolicyDocument", "Statement")) {
		for _, r := range texts(get(s, "Resource")) {
			if invoked++; !strings.HasSuffix(r, "Function.Alias") {
				t.Errorf("the schedules may invoke %s, want an alias", r)
			}
		}
	}
	if invoked != 8 {
		t.Errorf("%d resources invoke functions, want 3 integrations, 3 permissions and 2 functions of schedules", invoked)
	}
	for _, kind := range []string{"AWS::Lambda::EventSourceMapping", "AWS::Scheduler::Schedule", "AWS::Lambda::Version", "AWS::Lambda::Alias"} {
		if names := ofTypeOrNone(n, kind); names != nil {
			t.Errorf("%v: SAM makes each %s, from the functions' events and from Globals", names, kind)
		}
	}
	// No other resource has a function's ARN, besides the role that changes the aliases.
	lines := strings.Split(read(t, "template.yaml"), "\n")
	role := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "  RolloutRole:") })
	for i, line := range lines {
		if role <= i && i <= role+slices.Index(lines[role:], "") {
			continue
		}
		if regexp.MustCompile(`\w+Function\.Arn`).MatchString(line) && !strings.Contains(line, alias) {
			t.Errorf("template.yaml:%d has the ARN of a function, which is its unpublished version: %s", i+1, strings.TrimSpace(line))
		}
	}
}

// A parameter that changes publishes new versions, for the number of Configuration changes with each value that reaches a
// function, and is a variable of every function and in the description of its version.
func TestConfigurationHasWhatReachesFunctions(t *testing.T) {
	t.Parallel()
	n := template(t)
	content, _ := get(n, "Resources", "Configuration", "Properties", "Content").(tagged)
	if content.tag != "Sub" {
		t.Fatalf("the content is %v", content)
	}
	var got []string
	for _, match := range regexp.MustCompile(`\$\{([\w:.]+)\}`).FindAllStringSubmatch(text(content.value), -1) {
		got = append(got, match[1])
	}
	slices.Sort(got)
	global := get(n, "Globals", "Function")
	reaching := make(map[string]bool)
	for _, key := range []string{"Architectures", "MemorySize", "Tracing", "LoggingConfig", "Environment", "Timeout"} {
		dependsOn(t, n, get(global, key), reaching)
	}
	if get(global, "Environment", "Variables", publishing) != node(tagged{"Ref", "Configuration"}) {
		t.Errorf("the functions lack the variable %s", publishing)
	}
	for _, name := range functions {
		p := get(n, "Resources", name, "Properties")
		for _, key := range keysOf(p) {
			// No part of a version: who may do what, what invokes the function, and how many at once.
			if !slices.Contains([]string{"Role", "Events", "VersionDescription", "AutoPublishAliasAllProperties", "ReservedConcurrentExecutions", "EventInvokeConfig"}, key) {
				dependsOn(t, n, get(p, key), reaching)
			}
		}
		if text(get(p, "AutoPublishAliasAllProperties")) != "true" {
			t.Errorf("%s publishes a version only when its code or variables change", name)
		}
		if get(p, "VersionDescription") != node(tagged{"Sub", "Configuration ${Configuration}"}) {
			t.Errorf("%s: the description of its version is %v", name, get(p, "VersionDescription"))
		}
	}
	delete(reaching, "Configuration")
	delete(reaching, "LinkSecret")     // !Sub cannot name what has a condition; this one is there while ReturnUrls is not empty
	delete(reaching, "AWS::StackName") // of another stack
	if d := cmp.Diff(got, slices.Sorted(maps.Keys(reaching))); d != "" {
		t.Errorf("Configuration has - reaches a function +:\n%s", d)
	}
}

// dependsOn adds what a value depends on: parameters, resources and their attributes.
func dependsOn(t *testing.T, n, of node, to map[string]bool) {
	t.Helper()
	switch of := of.(type) {
	case *mapping:
		for _, v := range of.values {
			dependsOn(t, n, v, to)
		}
	case list:
		for _, v := range of {
			dependsOn(t, n, v, to)
		}
	case tagged:
		switch of.tag {
		case "Ref", "GetAtt":
			if name := text(of.value); name != "AWS::NoValue" {
				to[name] = true
			}
		case "If":
			dependsOn(t, n, get(n, "Conditions", text(items(of.value)[0])), to)
			dependsOn(t, n, items(of.value)[1:], to)
		case "FindInMap", "Not", "Equals":
			dependsOn(t, n, of.value, to)
		default:
			t.Errorf("!%s reaches a function, and this test cannot follow it", of.tag)
		}
	}
}

// Each way of Rollout is one that CodeDeploy has itself, and takes at least as long as FunctionErrorsAlarm needs to ring.
// Its alarms exist, and there are no more than a deployment group may have.
//
// https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-configurations.html
func TestRollouts(t *testing.T) {
	t.Parallel()
	n := template(t)
	allowed := texts(get(n, "Parameters", "Rollout", "AllowedValues"))
	if d := cmp.Diff(keysOf(get(n, "Mappings", "Rollouts")), allowed); d != "" {
		t.Errorf("mapping - allowed values +:\n%s", d)
	}
	var crash watched
	for _, w := range alarms(t) {
		if w.name == "FunctionErrorsAlarm" {
			crash = w
		}
	}
	day := with(quiet(), map[string]series{"Errors WebhookReceiverFunction": during(start, start+60, every(1, 1))})
	rings := crash.rings(t, day, start+60) - start + 2 // CloudWatch has a metric of Lambda a minute or two later
	if rings < 2 {
		t.Fatalf("the alarm rings after %d minutes", rings)
	}
	for _, name := range allowed {
		enabled, kind := text(get(n, "Mappings", "Rollouts", name, "Enabled")), text(get(n, "Mappings", "Rollouts", name, "Type"))
		if name == "off" {
			if enabled != "false" {
				t.Errorf("off is enabled: %s", enabled)
			}
			continue
		}
		minutes := 0
		if _, err := fmt.Sscanf(kind, "Canary10Percent%dMinutes", &minutes); err != nil {
			if _, err := fmt.Sscanf(kind, "Linear10PercentEvery%dMinutes", &minutes); err != nil {
				t.Errorf("%s: %s is no way of CodeDeploy that this test knows", name, kind)
			}
			minutes *= 9 // steps before the last one
		}
		if enabled != "true" || kind != name || minutes < rings {
			t.Errorf("%s: enabled %s, %s, %d minutes; the alarm rings after %d", name, enabled, kind, minutes, rings)
		}
	}
	preference := get(n, "Globals", "Function", "DeploymentPreference")
	of := texts(get(preference, "Alarms"))
	for _, name := range of {
		if !slices.Contains(ofType(t, n, "AWS::CloudWatch::Alarm"), name) {
			t.Errorf("a deployment watches %s, which is no alarm", name)
		}
	}
	if len(of) == 0 || len(of) > 10 {
		t.Errorf("a deployment watches %d alarms", len(of))
	}
	if got := text(get(preference, "PassthroughCondition")); got != "true" {
		t.Error("without the consumer, its deployment group would be left")
	}
}
