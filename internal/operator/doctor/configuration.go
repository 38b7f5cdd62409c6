package doctor

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"procore-connect/internal/operator"
	"procore-connect/internal/platform/config"
	"procore-connect/internal/webhook/provision"
	"procore-connect/internal/webhook/reconcile"
	"procore-connect/internal/wire"
	"procore-connect/internal/wire/links"
)

// deployAgain repairs what differs from the template.
const deployAgain = "sam deploy, with the parameters of the last time"

// linkOutput is the output that a stack has only with ReturnUrls.
const linkOutput = "LinkSecretArn"

// named returns the outputs that have the value of a variable.
func named() map[string]string {
	return map[string]string{ //nolint:gosec // names, not credentials
		"AppUrl": "PUBLIC_URL", "AppSecretArn": "APP_SECRET_ID", "KeysSecretArn": "KEYS_SECRET_ID", "ConnectionsTopicArn": "CONNECTIONS_TOPIC_ARN",
		"GrantsTableName": "GRANTS_TABLE", "ConnectionsTableName": "CONNECTIONS_TABLE", "SpendsTableName": "SPENDS_TABLE",
		"InboxTableName": "INBOX_TABLE", "EventsQueueUrl": "EVENTS_QUEUE_URL", "RescueQueueUrl": "RESCUE_QUEUE_URL",
		linkOutput: "LINK_SECRET_ID",
	}
}

// configuration checks the variables of all functions: each alone as the functions read it, the functions against each
// other, and against the outputs.
func (d *Doctor) configuration(ctx context.Context) []Finding {
	var found []Finding
	client := lambda.NewFromConfig(d.AWS())
	values := map[string]map[string][]string{} // the functions by variable and value
	functions := strings.Split(d.Outputs["FunctionNames"], ",")
	d.variables = map[string]string{}
	for _, name := range functions {
		c, err := client.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &name, Qualifier: aws.String(operator.Alias)})
		if err == nil && (c.Environment == nil || c.Environment.Error != nil) {
			err = errors.New("it shows none of its variables, which may need kms:Decrypt")
		}
		if err != nil {
			found = append(found, d.cannot("function "+name, err))
			continue
		}
		for variable, value := range c.Environment.Variables {
			if values[variable] == nil {
				values[variable] = map[string][]string{}
			}
			values[variable][value] = append(values[variable][value], name)
		}
		maps.Copy(d.variables, c.Environment.Variables)
	}
	found = append(append(found, differences(values)...), d.parsed()...)
	outputs := named()
	for _, output := range slices.Sorted(maps.Keys(outputs)) {
		if value := d.variables[outputs[output]]; value != "" && value != d.Outputs[output] {
			found = append(found, Finding{Verdict: Failed, Finding: outputs[output] + " is not the output " + output + " of the stack", Next: deployAgain})
		}
	}
	return orOK(found, "%d functions agree with each other and with the stack's outputs", len(functions))
}

// differences are the variables that two functions have with different values.
func differences(values map[string]map[string][]string) (found []Finding) {
	for _, variable := range slices.Sorted(maps.Keys(values)) {
		if len(values[variable]) == 1 {
			continue
		}
		groups := slices.SortedFunc(maps.Values(values[variable]), func(a, b []string) int {
			return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a[0], b[0]))
		})
		var texts []string
		for _, functions := range groups {
			texts = append(texts, strings.Join(functions, " and "))
		}
		if most := groups[len(groups)-1]; len(most) > 2 {
			texts[len(texts)-1] = strconv.Itoa(len(most)) + " others"
		}
		verdict := Failed
		if variable == "LOG_LEVEL" { // as a person may set it for a while
			verdict = Warning
		}
		found = append(found, Finding{Verdict: verdict, Finding: variable + " of " + strings.Join(texts, " differs from that of "), Next: deployAgain})
	}
	return found
}

// parsed reads the variables as the functions do.
func (d *Doctor) parsed() (found []Finding) {
	env := config.New(func(name string) string { return d.variables[name] })
	base := &wire.Base{Env: env}
	base.Environment()
	env.ProductURL()
	env.AllowedCompanies()
	env.Principals()
	provision.ReadConfig(env, env.PublicURL().String())
	reconcile.ReadConfig(env)
	links.Keys(base)
	env.ReturnURLs()
	for output, variable := range named() {
		if output != linkOutput {
			env.Require(variable)
		}
	}
	if err := env.Err(); err != nil {
		lines := slices.Compact(slices.Sorted(strings.SplitSeq(err.Error(), "\n")))
		for _, line := range lines {
			found = append(found, Finding{Verdict: Failed, Finding: line, Next: "correct the parameter of the template, and " + deployAgain})
		}
	}
	return found
}
