package awstest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	current  = "AWSCURRENT"
	previous = "AWSPREVIOUS"

	maxSecret   = 65536 // bytes; https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
	maxSecrets  = 1000
	maxVersions = 100
)

// Secrets is a Secrets Manager with the operations CreateSecret,
// DescribeSecret, GetSecretValue, PutSecretValue and UpdateSecretVersionStage. Make it with [NewSecrets] or [OpenSecrets].
//
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/
type Secrets struct {
	kept
	secrets map[string]*secret
}

type secret struct {
	name, arn string
	created   time.Time
	versions  []*version // oldest first
	reads     int
}

type version struct {
	id      string
	value   string
	binary  bool // a SecretBinary
	stages  []string
	created time.Time
}

// NewSecrets returns a Secrets Manager with the values, by secret name.
func NewSecrets(values map[string]string) *Secrets {
	s := &Secrets{secrets: make(map[string]*secret)}
	for name, value := range values {
		s.Put(name, value)
	}
	return s
}

// Put makes value the current version of the named secret. It creates the secret if
// there is none. The first answer after it waits until it is durable.
func (s *Secrets) Put(name, value string) { s.put(name, value, false) }

// PutBinary is Put for a value of bytes, as from a file.
func (s *Secrets) PutBinary(name string, value []byte) { s.put(name, string(value), true) }

func (s *Secrets) put(name, value string, binary bool) {
	defer s.lock()()
	sec, ok := s.secrets[name]
	if !ok {
		sec = newSecret(name)
		s.secrets[name] = sec
	}
	sec.add(newID(), value, binary, []string{current})
	s.saveSecret(sec)
}

// Value returns the current version of the named secret, if there is one.
func (s *Secrets) Value(name string) (value string, ok bool) {
	defer s.lock()()
	if sec := s.secrets[name]; sec != nil {
		if v := sec.find("", current); v != nil {
			return v.value, true
		}
	}
	return "", false
}

// Reads returns how often GetSecretValue was answered for the named secret.
func (s *Secrets) Reads(name string) int {
	defer s.lock()()
	if sec, ok := s.secrets[name]; ok {
		return sec.reads
	}
	return 0
}

// ServeHTTP speaks AWS JSON 1.1.
func (s *Secrets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	serve(w, r, "application/x-amz-json-1.1", s.sync, map[string]operation{
		"CreateSecret":   input(s.createSecret),
		"DescribeSecret": input(s.describeSecret),
		"GetSecretValue": input(s.getSecretValue),
		"PutSecretValue": input(s.putSecretValue),

		"UpdateSecretVersionStage": input(s.updateSecretVersionStage),
	})
}

func newSecret(name string) *secret {
	// AWS appends six random characters to the ARN.
	suffix := fmt.Sprintf("%x", sha256.Sum256([]byte(name)))[:6]
	return &secret{name: name, arn: "arn:aws:secretsmanager:us-east-1:000000000000:secret:" + name + "-" + suffix, created: time.Now()}
}

// find returns the secret with this name or ARN. The caller holds the lock.
func (s *Secrets) find(id string) (*secret, error) {
	if sec, ok := s.secrets[id]; ok {
		return sec, nil
	}
	for _, sec := range s.secrets {
		if sec.arn == id {
			return sec, nil
		}
	}
	return nil, errorf("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

// add stores a version and moves the stages to it, because only one version has each.
// The version that was current becomes the previous one.
func (s *secret) add(id, value string, binary bool, stages []string) {
	for _, v := range s.versions {
		if slices.Contains(stages, current) && slices.Contains(v.stages, current) {
			s.unstage([]string{previous})
			v.stages = append(v.stages, previous)
		}
	}
	s.unstage(stages)
	s.versions = append(s.versions, &version{id: id, value: value, binary: binary, stages: slices.Clone(stages), created: time.Now()})
	if len(s.versions) > maxVersions {
		s.versions = slices.DeleteFunc(s.versions, func(v *version) bool { return len(v.stages) == 0 })
	}
}

func (s *secret) unstage(stages []string) {
	for _, v := range s.versions {
		v.stages = slices.DeleteFunc(v.stages, func(stage string) bool { return slices.Contains(stages, stage) })
	}
}

func (s *secret) find(id, stage string) *version {
	for _, v := range s.versions {
		if (id == "" || v.id == id) && (stage == "" || slices.Contains(v.stages, stage)) {
			return v
		}
	}
	return nil
}

type getSecretValueInput struct{ SecretId, VersionId, VersionStage string }

// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
func (s *Secrets) getSecretValue(_ context.Context, _ *http.Request, in getSecretValueInput) (any, error) {
	defer s.lock()()
	sec, err := s.find(in.SecretId)
	if err != nil {
		return nil, err
	}
	if in.VersionId == "" {
		in.VersionStage = cmp.Or(in.VersionStage, current)
	}
	v := sec.find(in.VersionId, in.VersionStage)
	if v == nil {
		return nil, errorf("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: %s", in.VersionStage)
	}
	sec.reads++
	out := map[string]any{
		"ARN": sec.arn, "Name": sec.name, "VersionId": v.id, "VersionStages": slices.Clone(v.stages),
		"SecretString": v.value, "CreatedDate": epoch(v.created),
	}
	if v.binary {
		delete(out, "SecretString")
		out["SecretBinary"] = []byte(v.value)
	}
	return out, nil
}

type putSecretValueInput struct {
	SecretId, SecretString, ClientRequestToken string
	SecretBinary                               []byte
	VersionStages                              []string
}

// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
func (s *Secrets) putSecretValue(_ context.Context, _ *http.Request, in putSecretValueInput) (any, error) {
	value, binary := cmp.Or(in.SecretString, string(in.SecretBinary)), len(in.SecretBinary) > 0
	if err := checkSecret(in.SecretId, value); err != nil {
		return nil, err
	}
	if err := checkToken(in.ClientRequestToken); err != nil {
		return nil, err
	}
	defer s.lock()()
	sec, err := s.find(in.SecretId)
	if err != nil {
		return nil, err
	}
	if len(in.VersionStages) == 0 {
		in.VersionStages = []string{current}
	}
	id := cmp.Or(in.ClientRequestToken, newID())
	v := sec.find(id, "")
	switch {
	case v == nil:
		sec.add(id, value, binary, in.VersionStages)
		s.saveSecret(sec)
		v = sec.find(id, "")
	case v.value != value: // the same token and value again is the SDK's retry
		return nil, errorf("ResourceExistsException", "a version with this ClientRequestToken and another value exists")
	}
	return map[string]any{"ARN": sec.arn, "Name": sec.name, "VersionId": v.id, "VersionStages": slices.Clone(v.stages)}, nil
}

type createSecretInput struct{ Name, SecretString, ClientRequestToken, Description, KmsKeyId string }

// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
func (s *Secrets) createSecret(_ context.Context, _ *http.Request, in createSecretInput) (any, error) {
	if err := checkSecret(in.Name, in.SecretString); err != nil {
		return nil, err
	}
	if err := checkToken(in.ClientRequestToken); err != nil {
		return nil, err
	}
	defer s.lock()()
	if _, ok := s.secrets[in.Name]; ok {
		return nil, errorf("ResourceExistsException", "The operation failed because the secret %s already exists.", in.Name)
	}
	if len(s.secrets) >= maxSecrets {
		return nil, errorf("LimitExceededException", "more than %d secrets", maxSecrets)
	}
	sec := newSecret(in.Name)
	s.secrets[in.Name] = sec
	id := cmp.Or(in.ClientRequestToken, newID())
	sec.add(id, in.SecretString, false, []string{current})
	s.saveSecret(sec)
	return map[string]any{"ARN": sec.arn, "Name": sec.name, "VersionId": id}, nil
}

type describeSecretInput struct{ SecretId string }

// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html
func (s *Secrets) describeSecret(_ context.Context, _ *http.Request, in describeSecretInput) (any, error) {
	defer s.lock()()
	sec, err := s.find(in.SecretId)
	if err != nil {
		return nil, err
	}
	stages := make(map[string][]string)
	for _, v := range sec.versions {
		if len(v.stages) > 0 {
			stages[v.id] = slices.Clone(v.stages)
		}
	}
	return map[string]any{
		"ARN": sec.arn, "Name": sec.name, "CreatedDate": epoch(sec.created),
		"LastChangedDate": epoch(sec.versions[len(sec.versions)-1].created), "VersionIdsToStages": stages,
	}, nil
}

func checkSecret(name, value string) error {
	switch {
	case name == "" || len(name) > 2048 || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errorf("InvalidParameterException", "Invalid name.")
	case value == "":
		return errorf("InvalidRequestException", "SecretString or SecretBinary is needed")
	case len(value) > maxSecret:
		return errorf("InvalidParameterException", "the secret is longer than %d bytes", maxSecret)
	}
	return nil
}

// checkToken checks the id of a new version; the SDK makes one if there is none.
func checkToken(token string) error {
	if token != "" && (len(token) < 32 || len(token) > 64) {
		return errorf("InvalidParameterException", "ClientRequestToken must be 32-64 characters long.")
	}
	return nil
}

// epoch returns a time as the protocol writes it, in seconds.
func epoch(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
