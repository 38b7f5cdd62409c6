package main

import (
	"fmt"
	"os"
	"strings"

	"procore-connect/internal/testing/stack"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

func ready(s *stack.Stack, o settings, hostURL string) {
	if o.Sandbox != nil {
		readyForSandbox(s, o)
		return
	}
	var ways []string
	p, _ := principals(o.Options) // options has checked them
	if p.Users {
		ways = append(ways, fmt.Sprintf("Open  %s  and click \"Connect to Procore\".", s.AppURL))
	}
	if p.ServiceAccount {
		ways = append(ways, fmt.Sprintf("Open  %s  and click \"Install app\" at a company.", s.ProcoreURL))
	}
	if hostURL != "" {
		ways = append(ways, fmt.Sprintf("Open  %s  and click \"Connect Procore\", as a user of a product that has tenants.", hostURL))
	}
	dynamo := ""
	if o.DynamoDBEndpoint != "" {
		dynamo = "; DynamoDB itself is at " + o.DynamoDBEndpoint
	}
	containers := ""
	if o.ContainersIP != "" {
		containers = "\n  containers     reach Procore and AWS at " + o.ContainersIP + ", the same ports; docs/LOCAL-SAM.md"
	}
	console := ""
	if o.console {
		console = "  console        Console at the fake Procore, as soon as it is compiled  (who is connected, and what happens)\n"
	}
	state := "in memory: all data is lost when this program stops"
	if o.StateDir != "" {
		state = o.StateDir + "  (the next run continues with it; -fresh starts over)"
	}
	quirks, _ := procoretest.Crooked(o.Procore.Crooked) // options has checked it
	var crooked strings.Builder
	for _, q := range quirks {
		fmt.Fprintf(&crooked, "\n  crooked        %s: %s", q.Name, q.Does)
	}
	fmt.Fprintf(os.Stderr, `
Ready. %s

  the app        %s
  fake Procore   %s  (make a change there and watch the event arrive here)
  AWS services   %s  (DynamoDB, Secrets Manager, SQS, SNS%s)
%s  state          %s%s%s

Press Ctrl-C to stop.

`, strings.Join(ways, "\n\nOr: "), s.AppURL, s.ProcoreURL, s.AWSURL, dynamo, console, state, containers, &crooked)
}

func readyForSandbox(s *stack.Stack, o settings) {
	var ways []string
	p, _ := principals(o.Options) // options has checked them
	if p.Users {
		ways = append(ways, fmt.Sprintf("Open  %s  and click \"Connect to Procore\".", s.PublicURL))
	}
	if p.ServiceAccount {
		ways = append(ways, "Install the app in the sandbox, in App Management: it is connected within a minute.")
	}
	webhooks := "none: changes are found by reconciliation, every two minutes (-public ADDRESS of a tunnel for webhooks)"
	if o.Sandbox.PublicURL != "" {
		webhooks = "to " + s.PublicURL + ", whose tunnel has to lead to " + s.AppURL
	}
	fmt.Fprintf(os.Stderr, `
Ready. %s

  Procore        its developer sandbox, %s
  redirect URI   %s/oauth/callback  (exactly this one has to be registered in the Developer Portal)
  webhooks       %s
  the app        %s
  AWS services   %s  (DynamoDB, Secrets Manager, SQS, SNS)
  state          %s  (tokens, their keys and the app's credentials, for you alone; the next run continues with it)

Press Ctrl-C to stop.

`, strings.Join(ways, "\n\nOr: "), procore.Sandbox().APIURL, s.PublicURL, webhooks, s.AppURL, s.AWSURL, o.StateDir)
}
