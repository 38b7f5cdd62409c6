package awstest

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
)

const services = "DynamoDB, DynamoDB Streams, Secrets Manager, SQS, SNS, CloudWatch, CloudWatch Logs, CloudFormation, Lambda and STS"

// about answers a person's GET.
func (s *Services) about(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if r.URL.Path != "/" {
		w.WriteHeader(http.StatusNotFound)
	}
	fmt.Fprintf(w, `This address stands in for AWS: %s.
An SDK or the AWS CLI reaches it with any key and any region:

  export AWS_ENDPOINT_URL=http://%s AWS_REGION=us-east-1
  export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local
  aws dynamodb list-tables
  aws dynamodb scan --table-name connections

Only the operations that the project uses exist. Another one is an error that names those.
`, services, r.Host)
}

// signed reports whether a request has a signature, which is not checked.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
func signed(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=") || r.URL.Query().Has("X-Amz-Signature")
}

// scope returns the service for which a request is signed, such as sns, or "".
func scope(r *http.Request) string {
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	credential, _, _ = strings.Cut(credential, ",")
	if parts := strings.Split(credential, "/"); len(parts) == 5 {
		return parts[3]
	}
	return ""
}

// form reports whether a request is one of the query protocol.
func form(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
}

// what names the service that a request is for.
func what(r *http.Request) string {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		return fmt.Sprintf("service for the target %.100q", target)
	}
	if scope(r) == "sqs" {
		return "SQS without X-Amz-Target, its older protocol,"
	}
	if scope(r) != "" {
		return fmt.Sprintf("service %.100q", scope(r))
	}
	return fmt.Sprintf("service for %s without X-Amz-Target", r.Method)
}

// restError is an error of the services whose protocol is REST with XML.
//
// https://smithy.io/2.0/aws/protocols/aws-restxml-protocol.html
type restError struct {
	XMLName       xml.Name `xml:"Error"`
	Code, Message string
}

// refuse writes an error in the form of the protocol that the request has.
func refuse(w http.ResponseWriter, r *http.Request, e *Error) {
	switch {
	case r.Header.Get("X-Amz-Target") != "":
		writeError(w, cmp.Or(r.Header.Get("Content-Type"), "application/x-amz-json-1.0"), e)
	case form(r):
		writeFormError(w, e)
	case scope(r) == "s3":
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusBadRequest)
		_ = xml.NewEncoder(w).Encode(restError{Code: e.Code, Message: e.Message}) // the caller may have left
	default:
		w.Header().Set("X-Amzn-Errortype", e.Code)
		writeError(w, "application/json", e)
	}
}
