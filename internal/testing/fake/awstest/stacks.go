package awstest

import (
	"cmp"
	"encoding/xml"
	"net/http"
	"slices"
	"sync"
)

// Stacks is a CloudFormation with the operation DescribeStacks.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
type Stacks struct {
	mu      sync.Mutex
	outputs map[string]map[string]string
}

// NewStacks returns a CloudFormation without a stack.
func NewStacks() *Stacks { return &Stacks{outputs: map[string]map[string]string{}} }

// Put adds a stack with these outputs.
func (s *Stacks) Put(name string, outputs map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outputs[name] = outputs
}

type stackOutput struct{ OutputKey, OutputValue string }

type described struct {
	XMLName xml.Name `xml:"http://cloudformation.amazonaws.com/doc/2010-05-15/ DescribeStacksResponse"`
	Stack   struct {
		StackName, StackStatus, CreationTime string
		Outputs                              []stackOutput `xml:"Outputs>member"`
	} `xml:"DescribeStacksResult>Stacks>member"`
}

// ServeHTTP answers one request of the AWS query protocol.
//
// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
func (s *Stacks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
	err := r.ParseForm()
	name := r.PostForm.Get("StackName")
	s.mu.Lock()
	outputs, found := s.outputs[name]
	s.mu.Unlock()
	switch {
	case err != nil:
		writeFormError(w, errorf("ValidationError", "%v", err))
	case r.PostForm.Get("Action") != "DescribeStacks":
		writeFormError(w, unknownOperation(r.PostForm.Get("Action"), "DescribeStacks"))
	case !found:
		writeFormError(w, errorf("ValidationError", "Stack with id %.100s does not exist", name))
	default:
		out := described{}
		out.Stack.StackName, out.Stack.StackStatus, out.Stack.CreationTime = name, "CREATE_COMPLETE", "2026-01-01T00:00:00Z"
		for key, value := range outputs {
			out.Stack.Outputs = append(out.Stack.Outputs, stackOutput{key, value})
		}
		slices.SortFunc(out.Stack.Outputs, func(a, b stackOutput) int { return cmp.Compare(a.OutputKey, b.OutputKey) })
		w.Header().Set("Content-Type", "text/xml")
		_ = xml.NewEncoder(w).Encode(out) // the caller may have left
	}
}
