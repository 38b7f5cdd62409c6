package awstest

import (
	"time"

	"procore-connect/internal/testing/fake/journal"
)

const secretPrefix = "secret/" // of the storage's keys

// storedSecret is a secret with its versions, oldest first.
type storedSecret struct {
	Created  time.Time
	Versions []storedVersion
}

type storedVersion struct {
	ID      string
	Value   []byte // any bytes
	Binary  bool   `json:",omitempty"`
	Stages  []string
	Created time.Time
}

// saveSecret saves a secret. The caller has the lock.
func (s *Secrets) saveSecret(sec *secret) {
	stored := storedSecret{Created: sec.created}
	for _, v := range sec.versions {
		stored.Versions = append(stored.Versions, storedVersion{v.id, []byte(v.value), v.binary, v.stages, v.created})
	}
	s.save(secretPrefix+sec.name, stored)
}

// OpenSecrets returns a Secrets Manager with the secrets that the storage has, and keeps the changes there. No answer
// leaves before everything that it may rest on is durable; without that it is an error.
func OpenSecrets(storage journal.Storage) (*Secrets, error) {
	s := NewSecrets(nil)
	err := each(storage.Load(), secretPrefix, func(name string, stored storedSecret) error {
		sec := newSecret(name)
		sec.created = stored.Created
		for _, v := range stored.Versions {
			sec.versions = append(sec.versions, &version{id: v.ID, value: string(v.Value), binary: v.Binary, stages: v.Stages, created: v.Created})
		}
		s.secrets[name] = sec
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.storage = storage
	return s, nil
}
