package sam

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"strconv"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/pkg/procore"
)

// fill inserts the values into a sample event.
func (v *values) fill(name string, text []byte) ([]byte, error) {
	function, _, _ := strings.Cut(name, "/")
	switch function {
	case "dispatcher", "announcer", "refresher", "reconciler", "access-token":
		return text, nil
	case "event-consumer":
		return v.message(text)
	}
	var e events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(text, &e); err != nil {
		return nil, err
	}
	v.address(&e)
	switch name {
	case "oauth-callback/callback.json":
		v.callback.fill(&e)
	case "oauth-callback/callback-denied.json":
		v.denied.fill(&e)
	case "company-select/companies.json", "company-select/connected.json":
		v.choice.fill(&e)
	case "company-select/return.json":
		v.back.fill(&e)
	case "company-select/redeem.json":
		e.Headers["authorization"] = v.bearer
		post(&e, v.redemption)
	case "company-select/choice.json":
		e.Cookies = v.choice.cookies
		post(&e, v.form)
	case "company-select/disconnect.json": // its form has the same flow and token
		e.Cookies = v.choice.cookies
		form := maps.Clone(v.form)
		form.Del("company_id")
		post(&e, form)
	case "webhook-receiver/bad-credential.json": // stays bad
	default:
		if e.Headers["authorization"] != "" {
			e.Headers["authorization"] = v.credential
		}
	}
	return encode(e)
}

// address directs the request to the stack's app.
func (v *values) address(e *events.APIGatewayV2HTTPRequest) {
	e.Headers["host"] = v.public.Host
	e.Headers["x-forwarded-proto"], e.Headers["x-forwarded-port"] = v.public.Scheme, v.public.Port()
	if e.Headers["origin"] != "" {
		e.Headers["origin"] = v.public.String()
	}
	e.RequestContext.DomainName, e.RequestContext.DomainPrefix = v.public.Hostname(), ""
}

func (v visit) fill(e *events.APIGatewayV2HTTPRequest) {
	e.Cookies, e.RawQueryString = v.cookies, v.query.Encode()
	e.QueryStringParameters = make(map[string]string)
	for name := range v.query {
		e.QueryStringParameters[name] = v.query.Get(name)
	}
}

// post makes the form the request's body.
func post(e *events.APIGatewayV2HTTPRequest, form url.Values) {
	body := form.Encode()
	e.Headers["content-length"] = strconv.Itoa(len(body))
	e.Body = base64.StdEncoding.EncodeToString([]byte(body))
}

// message makes the consumer's event about a resource that exists.
func (v *values) message(text []byte) ([]byte, error) {
	var e events.SQSEvent
	if err := json.Unmarshal(text, &e); err != nil {
		return nil, err
	}
	m := &e.Records[0]
	event, err := procore.ParseEvent([]byte(m.Body))
	if err != nil {
		return nil, err
	}
	event.ProjectID, event.ResourceID = v.rfi.ProjectID, v.rfi.ID
	body, err := procore.EncodeEvent(event)
	if err != nil {
		return nil, err
	}
	m.Body, m.Md5OfBody = string(body), awstest.MD5(string(body))
	m.Attributes["MessageGroupId"] = strings.Join([]string{
		strconv.FormatInt(event.CompanyID, 10), event.Resource, string(event.ResourceID)}, "%23")
	return encode(e)
}
