// Package keyring changes a ring of generated keys in Secrets Manager, so that two operators, who may change it at the
// same time, never lose each other's change, and functions that read it at any time find a whole one.
package keyring

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"procore-connect/internal/platform/secrets"
	"procore-connect/pkg/procore"
)

// Settled is how long after a change every function knows it: they read a secret again after five minutes, and clocks and
// calls in flight have a minute. The webhook receiver alone may use an older ring. It makes nothing with it, and reads it
// before it refuses an unknown key.
const Settled = secrets.MaxAge + time.Minute

// ErrChanged means that another operator changed the secret in between. Read it again, and decide again.
var ErrChanged = errors.New("another operator changed the secret at the same time, and this change was not made; repeat the command")

// next is the staging label of a version on its way to be the current one.
const next = "procore-connect-next"

// Secret is a secret that has a ring. All fields but Clock and Random must be set.
type Secret struct {
	Client *secretsmanager.Client
	ID     string             // name or ARN
	Parse  func(string) error // reads the text as the functions do
	Clock  procore.Clock
	Random procore.Random
}

// Read returns the current ring.
func (s *Secret) Read(ctx context.Context) (*Ring, error) {
	out, err := s.Client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &s.ID})
	if err != nil {
		return nil, fmt.Errorf("secret %s cannot be read: %w", s.ID, err)
	}
	text := secrets.Text(out)
	if err := s.Parse(text); err != nil {
		return nil, fmt.Errorf("secret %s: %w", s.ID, err)
	}
	r := &Ring{version: aws.ToString(out.VersionId), changed: aws.ToTime(out.CreatedDate)}
	if err := json.Unmarshal([]byte(text), &r.fields); err != nil {
		return nil, fmt.Errorf("secret %s is not a JSON object", s.ID)
	}
	return r, r.readTimes()
}

// Write makes the ring the current one if the secret is still as it was read, and else returns ErrChanged.
//
// PutSecretValue has no condition. So the new version is stored beside the current one first, and then the label
// AWSCURRENT moves to it, from the version that was read and from no other.
//
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html
func (s *Secret) Write(ctx context.Context, r *Ring) error {
	text, err := r.text()
	if err != nil {
		return err
	}
	if err := s.Parse(text); err != nil {
		return fmt.Errorf("secret %s was not changed, because the functions could not read it: %w", s.ID, err)
	}
	id := s.version()
	_, err = s.Client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: &s.ID, SecretString: &text, ClientRequestToken: &id, VersionStages: []string{next},
	})
	if err != nil {
		return fmt.Errorf("secret %s was not changed: %w", s.ID, err)
	}
	_, err = s.Client.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: &s.ID, VersionStage: aws.String("AWSCURRENT"), RemoveFromVersionId: &r.version, MoveToVersionId: &id,
	})
	if err == nil {
		r.version = id
		return nil
	}
	return s.confirm(ctx, r, id, err)
}

// confirm finds out what came of a move of the label whose answer was an error: it may have been made all the same.
func (s *Secret) confirm(ctx context.Context, r *Ring, id string, cause error) error {
	now, err := s.Read(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("whether secret %s was changed is not known; repeat the command: %w", s.ID, errors.Join(cause, err))
	case now.version == id:
		r.version = id
		return nil
	case now.version != r.version:
		return ErrChanged
	}
	return fmt.Errorf("secret %s was not changed: %w", s.ID, cause)
}

// version returns the id of a new version, a UUID.
func (s *Secret) version() string {
	b := sha256.Sum256([]byte(s.Random.Text()))
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
