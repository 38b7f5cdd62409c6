package main

import (
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

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

// connected hires a user who connects the company, and waits for its hook.
func (n *night) connected() {
	n.t.Helper()
	n.hire(1)
	n.connect()
	n.said(`"hook reconciled"`, fmt.Sprintf(`"company_id":%d,"status":"active"`, n.company))
	n.said(`"companies checked"`) // then the next pass is not due for hours, unless a drill makes it due
}

// patch changes the company at Procore.
func (n *night) patch(p procoretest.CompanyPatch) {
	n.t.Helper()
	n.must(n.Procore.UpdateCompany(n.company, p))
}

// refresh makes a pass over the company's hook find its access token expired at Procore, whose token endpoint then answers so.
func (n *night) refresh(f procoretest.Fault) {
	n.t.Helper()
	n.Procore.Advance(2 * time.Hour)
	n.set("grants", n.grant(), map[string]string{"refreshed_at": fmt.Sprint(time.Now().Add(-2 * time.Hour).Unix())})
	f.Endpoint = "token"
	n.must(n.Procore.Fault(f))
	n.passing()
}

// due makes the schedule refresh the user's grant, unless its access token is still valid.
func (n *night) due() {
	n.t.Helper()
	n.set("grants", n.grant(), map[string]string{"due_at": fmt.Sprint(time.Now().Unix())})
}

// passing makes the company's check due.
func (n *night) passing() {
	n.t.Helper()
	n.set("connections", n.connection(0), map[string]string{"check_at": fmt.Sprint(time.Now().Unix())})
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
