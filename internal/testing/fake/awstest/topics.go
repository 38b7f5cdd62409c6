package awstest

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

const (
	topicPrefix  = "arn:aws:sns:us-east-1:" + account + ":"
	maxPublished = 256 << 10
	maxSubject   = 100
)

// Topics is an SNS with the operations Publish and ListSubscriptionsByTopic. Nothing is delivered to subscribers.
//
// https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
type Topics struct {
	mu          sync.Mutex
	topics      map[string][]Published
	subscribers map[string][]subscription
	failed      *Error
}

// NewTopics returns an SNS with these topics.
func NewTopics(names ...string) *Topics {
	t := &Topics{topics: map[string][]Published{}, subscribers: map[string][]subscription{}}
	for _, name := range names {
		t.topics[TopicARN(name)] = nil
	}
	return t
}

// TopicARN returns the ARN of a topic.
func TopicARN(name string) string { return topicPrefix + name }

// Published is one message with its attributes, which are all texts.
type Published struct {
	Subject, Message string
	Attributes       map[string]string
}

// Published returns what was published to a topic.
func (t *Topics) Published(name string) []Published {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.topics[TopicARN(name)])
}

// Messages returns the texts of what was published to a topic.
func (t *Topics) Messages(name string) (all []string) {
	for _, p := range t.Published(name) {
		all = append(all, p.Message)
	}
	return all
}

// Fail makes each call fail with the error until it is called with nil.
func (t *Topics) Fail(e *Error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed = e
}

type publication struct {
	XMLName xml.Name                   `xml:"http://sns.amazonaws.com/doc/2010-03-31/ PublishResponse"`
	Result  struct{ MessageId string } `xml:"PublishResult"`
}

type refused struct {
	XMLName xml.Name `xml:"http://sns.amazonaws.com/doc/2010-03-31/ ErrorResponse"`
	Error   struct{ Type, Code, Message string }
}

// ServeHTTP answers one request of the AWS query protocol.
//
// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
func (t *Topics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
	var out any
	var e *Error
	err := r.ParseForm()
	switch action := r.PostForm.Get("Action"); {
	case err != nil:
		e = errorf("InvalidParameter", "%v", err)
	case action == "Publish":
		out, e = t.publish(r.PostForm.Get("TopicArn"), r.PostForm)
	case action == "ListSubscriptionsByTopic":
		out, e = t.list(r.PostForm.Get("TopicArn"), r.PostForm.Get("NextToken"))
	default:
		e = unknownOperation(action, "ListSubscriptionsByTopic", "Publish")
	}
	if e == nil {
		w.Header().Set("Content-Type", "text/xml")
		_ = xml.NewEncoder(w).Encode(out) // the caller may have left
		return
	}
	writeFormError(w, e)
}

// writeFormError writes an error of the query protocol.
func writeFormError(w http.ResponseWriter, e *Error) {
	w.Header().Set("Content-Type", "text/xml")
	no := refused{}
	no.Error.Type, no.Error.Code, no.Error.Message = "Sender", e.Code, e.Message
	w.WriteHeader(max(e.status, http.StatusBadRequest))
	_ = xml.NewEncoder(w).Encode(no) // the caller may have left
}

// attributes reads the attributes of a message: texts, up to ten.
//
// https://docs.aws.amazon.com/sns/latest/api/API_MessageAttributeValue.html
func attributes(form url.Values) (map[string]string, bool) {
	const most = 10
	var all map[string]string
	for i := 1; ; i++ {
		entry := fmt.Sprintf("MessageAttributes.entry.%d.", i)
		name, value := form.Get(entry+"Name"), form.Get(entry+"Value.StringValue")
		switch {
		case !form.Has(entry + "Name"):
			return all, true
		case i > most, name == "", value == "", form.Get(entry+"Value.DataType") != "String":
			return nil, false
		case all == nil:
			all = make(map[string]string)
		}
		all[name] = value
	}
}

func (t *Topics) publish(arn string, form url.Values) (any, *Error) {
	subject, message := form.Get("Subject"), form.Get("Message")
	with, understood := attributes(form)
	t.mu.Lock()
	defer t.mu.Unlock()
	all, ok := t.topics[arn]
	switch {
	case t.failed != nil:
		return nil, t.failed
	case !ok:
		return nil, errorf("NotFound", "Topic does not exist")
	case message == "" || len(message) > maxPublished:
		return nil, errorf("InvalidParameter", "Invalid parameter: Message")
	case len(subject) > maxSubject || strings.ContainsFunc(subject, func(r rune) bool { return r < ' ' || r > '~' }):
		return nil, errorf("InvalidParameter", "Invalid parameter: Subject")
	case !understood:
		return nil, errorf("ParameterValueInvalid", "The message contains an attribute that is invalid or unknown here")
	}
	t.topics[arn] = append(all, Published{subject, message, with})
	out := publication{}
	out.Result.MessageId = newID()
	return out, nil
}
