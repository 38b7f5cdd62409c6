package main

import (
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/browsertest"
	"procore-connect/pkg/procoretest"
)

// must ends the drill if there is an error.
func (n *night) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

// hire adds the drill's user to Procore, and one company for each number, with a project.
func (n *night) hire(companies int) {
	n.t.Helper()
	n.must(n.Procore.AddUser(procoretest.User{ID: n.user, Login: fmt.Sprintf("user%d@example.com", n.user), Name: n.userName()}))
	for i := range int64(companies) {
		c := procoretest.NewCompany(n.company+i, n.companyName(i), n.user)
		c.Projects = []procoretest.Project{{ID: n.company + i, Name: "Tower"}}
		n.must(n.Procore.AddCompany(c))
	}
}

func (n *night) userName() string           { return fmt.Sprintf("User %d", n.user) }
func (n *night) companyName(i int64) string { return fmt.Sprintf("Company of drill %d", n.company+i) }

// connect is what the user does in a browser.
func (n *night) connect() {
	n.t.Helper()
	n.connectOne(0)
}

func (n *night) connectOne(i int64) {
	n.t.Helper()
	b, ctx := browsertest.New(), n.t.Context()
	b.Open(ctx, n.AppURL+"/")
	b.Click(ctx, "Connect to Procore")
	b.Choose(n.userName())
	b.Click(ctx, "Authorize")
	b.Choose(n.companyName(i))
	b.Click(ctx, "Connect this company")
	if err := b.Err(); err != nil || b.Status != http.StatusOK || b.URL.Path != "/connected" {
		n.t.Fatalf("the user cannot connect: %v, %d:\n%s", err, b.Status, b.Text())
	}
}

// connected hires a user who connects the company, whose hook housekeeping makes.
func (n *night) connected() {
	n.t.Helper()
	n.hire(1)
	n.connect()
	n.task("housekeeping")
}

// task runs a task of the refresher, as its schedule does. Its errors are lines.
func (n *night) task(name string) {
	n.t.Helper()
	n.tasks.Lock()
	defer n.tasks.Unlock()
	_, _ = n.Invoke(n.t.Context(), "refresher", fmt.Appendf(nil, `{"task":%q}`, name))
}

// refuse lets AWS not answer the calls of which refused reports true; nil: it answers all again.
func (n *night) refuse(refused func(awstest.Call) bool) {
	if refused == nil {
		refused = func(awstest.Call) bool { return false }
	}
	n.refuses.Store(refused)
}

// peace ends what a drill did to all.
func (n *night) peace() {
	n.refuse(nil)
	n.Procore.ClearFaults()
	n.Procore.ClearAnswers()
}

// emit lets a user change an RFI at Procore, and fills in the event's id.
func (n *night) emit() {
	n.t.Helper()
	made, err := n.Procore.Emit(procoretest.Event{CompanyID: n.company, ProjectID: n.company, ResourceName: "RFIs", EventType: "create"})
	n.must(err)
	if len(made.EventIDs) != 1 {
		n.t.Fatalf("%d events were reported, want 1", len(made.EventIDs))
	}
	n.fills["EVENT"] = made.EventIDs[0]
}

// patch changes the company at Procore.
func (n *night) patch(p procoretest.CompanyPatch) {
	n.t.Helper()
	n.must(n.Procore.UpdateCompany(n.company, p))
}

// briefly connects the company with a pair that is valid for a minute, which the schedule is to refresh.
func (n *night) briefly() {
	n.t.Helper()
	n.hire(1)
	n.must(n.Procore.UpdateOptions(procoretest.OptionsPatch{ExpiresInSeconds: new(int64(60))}))
	n.connect()
	n.must(n.Procore.UpdateOptions(procoretest.OptionsPatch{ExpiresInSeconds: new(int64(5400))}))
	n.task("housekeeping")
}

// refresh lets the schedule refresh the grant of a company. Procore's token endpoint answers the probe before as always, and
// then so.
func (n *night) refresh(f procoretest.Fault) {
	n.t.Helper()
	n.briefly()
	for _, f := range []procoretest.Fault{refused, f} {
		f.Endpoint = "token"
		n.must(n.Procore.Fault(f))
	}
	n.task("refresh")
}

// due lets the schedule refresh the user's grant, unless its access token is still valid.
func (n *night) due() {
	n.t.Helper()
	n.set("grants", n.grant(), map[string]string{"due_at": fmt.Sprint(time.Now().Unix())})
	n.task("refresh")
}

// passing lets housekeeping check the company.
func (n *night) passing() {
	n.t.Helper()
	n.set("connections", n.connection(0), map[string]string{"check_at": fmt.Sprint(time.Now().Unix() - 1)})
	n.task("housekeeping")
}

// leave removes the user from as many companies, a day after Procore last showed them to the user, and lets the schedule
// notice it.
func (n *night) leave(companies int64) {
	n.t.Helper()
	for i := range companies {
		n.must(n.Procore.UpdateCompany(n.company+i, procoretest.CompanyPatch{Members: new([]int64{})}))
		n.set("connections", n.connection(i), map[string]string{"seen_at": fmt.Sprint(time.Now().Add(-25 * time.Hour).Unix())})
	}
	n.due()
}

func (n *night) connection(i int64) map[string]string {
	return map[string]string{"company": fmt.Sprintf("custom#%d", n.company+i), "principal": n.principal()}
}

func (n *night) principal() string { return fmt.Sprintf("user#%d", n.user) }
func (n *night) grant() map[string]string {
	return map[string]string{"grant": "custom#" + n.principal()}
}

// set lets time pass for a row.
func (n *night) set(table string, key, numbers map[string]string) {
	n.t.Helper()
	in := &dynamodb.UpdateItemInput{
		TableName: aws.String(table), Key: map[string]types.AttributeValue{}, UpdateExpression: aws.String("SET"),
		ExpressionAttributeNames: map[string]string{}, ExpressionAttributeValues: map[string]types.AttributeValue{},
	}
	for name, value := range key {
		in.Key[name] = &types.AttributeValueMemberS{Value: value}
	}
	for name, value := range numbers {
		i, comma := len(in.ExpressionAttributeNames), ","
		if i == 0 {
			comma = ""
		}
		*in.UpdateExpression += fmt.Sprintf("%s #n%d = :v%d", comma, i, i)
		in.ExpressionAttributeNames[fmt.Sprintf("#n%d", i)] = name
		in.ExpressionAttributeValues[fmt.Sprintf(":v%d", i)] = &types.AttributeValueMemberN{Value: value}
	}
	_, err := dynamotest.Client(n.AWSURL).UpdateItem(n.t.Context(), in)
	n.must(err)
}
