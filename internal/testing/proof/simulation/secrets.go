package simulation

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// The stages of a secret's versions that AWS moves itself.
const (
	currentStage  = "AWSCURRENT"
	previousStage = "AWSPREVIOUS"
)

// SecretsManager has the secrets of a world.
//
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/
type SecretsManager struct {
	world *World
	away  atomic.Bool

	mu      sync.Mutex // guards all below: a warm-up, which passes no gate, reads secrets at once
	secrets map[string]*secret
	ids     int
}

type secret struct {
	name     string
	versions []*secretVersion // oldest first
	reads    int
}

type secretVersion struct {
	id      string
	text    string
	stages  []string
	created time.Time
}

const secretPrefix = "arn:aws:secretsmanager:us-east-1:000000000000:secret:"

func newSecretsManager(w *World) *SecretsManager {
	return &SecretsManager{world: w, secrets: map[string]*secret{}}
}

// ARN returns that of a secret.
func (*SecretsManager) ARN(name string) string { return secretPrefix + name + "-a1b2c3" }

// Outage makes Secrets Manager refuse everything, or ends that.
func (m *SecretsManager) Outage(begins bool) { m.away.Store(begins) }

// Put makes a text the current version of a secret, as a person does in the console. It
// creates the secret if there is none.
func (m *SecretsManager) Put(name, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.secrets[name]
	if s == nil {
		s = &secret{name: name}
		m.secrets[name], m.secrets[m.ARN(name)] = s, s
	}
	s.move(currentStage, m.add(s, "", text))
}

// Value returns the current text of a secret, empty if there is no such secret.
func (m *SecretsManager) Value(name string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.secrets[name]; s != nil {
		return s.find("", currentStage).text
	}
	return ""
}

// Reads returns how often a secret was read.
func (m *SecretsManager) Reads(name string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.secrets[name]; s != nil {
		return s.reads
	}
	return 0
}

// add stores a version that has no stage yet.
func (m *SecretsManager) add(s *secret, id, text string) *secretVersion {
	m.ids++
	id = cmp.Or(id, fmt.Sprintf("00000000-0000-4000-9000-%012x", m.ids))
	v := &secretVersion{id: id, text: text, created: m.world.Now()}
	s.versions = slices.DeleteFunc(s.versions, func(v *secretVersion) bool { return len(v.stages) == 0 })
	s.versions = append(s.versions, v)
	return v
}

// find returns the version with the id and the stage, of which one may be empty.
func (s *secret) find(id, stage string) *secretVersion {
	for _, v := range s.versions {
		if (id == "" || v.id == id) && (stage == "" || slices.Contains(v.stages, stage)) {
			return v
		}
	}
	return nil
}

// move moves a stage to a version, nil: to none. The version that was current becomes the
// previous one.
func (s *secret) move(stage string, to *secretVersion) {
	from := s.find("", stage)
	if from == to {
		return
	}
	if from != nil {
		from.stages = slices.DeleteFunc(from.stages, func(name string) bool { return name == stage })
		if stage == currentStage {
			s.move(previousStage, from)
		}
	}
	if to != nil {
		to.stages = append(to.stages, stage)
	}
}

// prepare describes a call of Secrets Manager.
func (m *SecretsManager) prepare(c *remote, in any) {
	var id string
	var do func(s *secret) (any, error)
	switch in := in.(type) {
	case *secretsmanager.GetSecretValueInput:
		id, c.faults = *in.SecretId, readFaults
		do = func(s *secret) (any, error) { return m.get(s, in) }
	case *secretsmanager.PutSecretValueInput:
		id, c.faults = *in.SecretId, writeFaults
		do = func(s *secret) (any, error) { return m.put(s, in) }
	case *secretsmanager.UpdateSecretVersionStageInput:
		id, c.faults = *in.SecretId, writeFaults
		do = func(s *secret) (any, error) { return m.update(s, in) }
	default:
		panic("the world does not know Secrets Manager " + c.operation)
	}
	c.about, c.away = id, &m.away
	c.do = func(Fault) (any, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		s := m.secrets[id]
		if s == nil {
			return nil, missing("secret")
		}
		return do(s)
	}
}

func (m *SecretsManager) get(s *secret, in *secretsmanager.GetSecretValueInput) (any, error) {
	id, stage := aws.ToString(in.VersionId), aws.ToString(in.VersionStage)
	if id == "" {
		stage = cmp.Or(stage, currentStage)
	}
	v := s.find(id, stage)
	if v == nil {
		return nil, missing("secret value for staging label: " + stage)
	}
	s.reads++
	return &secretsmanager.GetSecretValueOutput{
		ARN: aws.String(m.ARN(s.name)), Name: &s.name, VersionId: &v.id, VersionStages: slices.Clone(v.stages),
		SecretString: aws.String(v.text), CreatedDate: aws.Time(v.created),
	}, nil
}

// put stores a version. The same one again changes nothing.
//
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
func (m *SecretsManager) put(s *secret, in *secretsmanager.PutSecretValueInput) (any, error) {
	if in.SecretString == nil {
		panic("the world does not know a SecretBinary")
	}
	v := s.find(*in.ClientRequestToken, "") // the SDK makes one if there is none
	switch {
	case v == nil:
		v = m.add(s, *in.ClientRequestToken, *in.SecretString)
		stages := in.VersionStages
		if len(stages) == 0 {
			stages = []string{currentStage}
		}
		for _, stage := range stages {
			s.move(stage, v)
		}
	case v.text != *in.SecretString:
		message := "A version with this ClientRequestToken and another value exists."
		return nil, &types.ResourceExistsException{Message: &message}
	}
	return &secretsmanager.PutSecretValueOutput{
		ARN: aws.String(m.ARN(s.name)), Name: &s.name, VersionId: &v.id, VersionStages: slices.Clone(v.stages),
	}, nil
}

// update moves a stage, or removes it. A stage that another version has moves only if
// RemoveFromVersionId names that version: so it is a compare-and-swap.
//
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html
func (m *SecretsManager) update(s *secret, in *secretsmanager.UpdateSecretVersionStageInput) (any, error) {
	stage, remove, id := *in.VersionStage, aws.ToString(in.RemoveFromVersionId), aws.ToString(in.MoveToVersionId)
	from, to := s.find("", stage), (*secretVersion)(nil)
	if id != "" {
		to = s.find(id, "")
	}
	switch {
	case id != "" && to == nil:
		return nil, missing("secret version")
	case from != nil && remove == "":
		return nil, invalid("RemoveFromVersionId can't be empty. %s is attached to version %s.", stage, from.id)
	case remove != "" && (from == nil || from.id != remove):
		return nil, invalid("The staging label %s isn't attached to version %s.", stage, remove)
	case stage == currentStage && to == nil:
		return nil, invalid("You can only move staging label AWSCURRENT to a different secret version.")
	}
	s.move(stage, to)
	return &secretsmanager.UpdateSecretVersionStageOutput{ARN: aws.String(m.ARN(s.name)), Name: aws.String(s.name)}, nil
}

func missing(what string) error {
	return &types.ResourceNotFoundException{Message: aws.String("Secrets Manager can't find the specified " + what + ".")}
}

func invalid(format string, args ...any) error {
	return errorOf("InvalidParameterException", format, args...)
}
