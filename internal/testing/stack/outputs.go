package stack

import (
	"path"
	"strings"

	"procore-connect/internal/testing/fake/awstest"
)

// StackName is the name of the stack that CloudFormation's stand-in describes.
const StackName = "local"

// Outputs returns the outputs of template.yaml for a stack at these addresses. What the template makes and the stack does
// not have, such as alarms, has a name that leads nowhere.
func Outputs(app, aws string) map[string]string {
	return map[string]string{
		"AppUrl":                       app,
		"RedirectUri":                  app + "/oauth/callback",
		"PostInstallationUrl":          app + "/connected",
		"WebhookUrl":                   app + "/webhooks/procore",
		"AppSecretArn":                 appSecret,
		"SetAppSecretCommand":          "aws secretsmanager put-secret-value --secret-id " + appSecret + " --secret-string file://value.json",
		"DashboardName":                "none",
		"AlarmsTopicArn":               awstest.TopicARN("none"),
		"ConnectionsTopicArn":          awstest.TopicARN(connectionsTopic),
		"FunctionNames":                functionNames(path.Base(DefaultConsumer)),
		"RefresherFunctionName":        refresher,
		"ReconcilerFunctionName":       reconciler,
		"EventsQueueArn":               awstest.QueueARN(eventsQueue),
		"EventsQueueUrl":               awstest.QueueURL(aws, eventsQueue),
		"EventsDeadLetterQueueUrl":     awstest.QueueURL(aws, eventsDeadQueue),
		"DispatcherDeadLetterQueueUrl": awstest.QueueURL(aws, dispatchDeadQueue),
		"AnnouncerDeadLetterQueueUrl":  awstest.QueueURL(aws, announceDeadQueue),
		"InboxTableName":               names.Inbox,
		"GrantsTableName":              names.Grants,
		"ConnectionsTableName":         names.Connections,
		"SpendsTableName":              names.Spends,
		"KeysSecretArn":                keysSecret,
		"LinkSecretArn":                LinkSecret,
		"RescueQueueUrl":               awstest.QueueURL(aws, rescueQueue),
		"RescueDeadLetterQueueUrl":     awstest.QueueURL(aws, rescueDeadQueue),
		"LogGroups":                    logGroups(path.Base(DefaultConsumer)),
		"OperatorLogGroup":             LogGroup(operatorLog),
	}
}

// functionNames returns the value of the output of this name.
func functionNames(consumer string) string {
	return strings.Join([]string{oauthCallback, companySelect, webhookReceiver, dispatcher, announcer, refresher, reconciler, accessToken, consumer}, ",")
}
