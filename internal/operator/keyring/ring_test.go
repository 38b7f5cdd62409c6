package keyring_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/operator/keyring"
	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/webhook/credential"
	"procore-connect/pkg/procore"
)

const value = `{"current":"k1","k1":"fake-webhook-key-0123456789-0123456789-01234","minimum_epochs":{"5678":2},"of a later version":[1]}`

var now = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// newSecret returns a secret in a Secrets Manager.
func newSecret(t *testing.T) (*keyring.Secret, *awstest.Secrets) {
	t.Helper()
	secrets := awstest.NewSecrets(map[string]string{"webhook": value})
	server := httptest.NewServer(&awstest.Services{Secrets: secrets})
	t.Cleanup(server.Close)
	return &keyring.Secret{
		ID:    "webhook",
		Parse: func(text string) error { _, err := credential.Parse(text); return err },
		Client: secretsmanager.New(secretsmanager.Options{
			BaseEndpoint: &server.URL, Region: "us-east-1",
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "operator", SecretAccessKey: "operator"}, nil
			}),
		}),
	}, secrets
}

func read(t *testing.T, s *keyring.Secret) *keyring.Ring {
	t.Helper()
	r, err := s.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A rotation keeps what it does not change, and the functions read each of its versions.
func TestRotation(t *testing.T) {
	t.Parallel()
	s, secrets := newSecret(t)
	r := read(t, s)
	if id, added := r.Target(); id != "k2" || added {
		t.Errorf("a rotation is to %s, added %t; want k2, which is not", id, added)
	}
	steps := []func(*keyring.Ring) error{
		func(r *keyring.Ring) error { return r.Add("k2", procore.Random{}, now) },
		func(r *keyring.Ring) error { return r.Promote("k2", now.Add(keyring.Settled)) },
		func(r *keyring.Ring) error { _, err := r.RaiseEpoch(5678); return err },
		func(r *keyring.Ring) error { _, err := r.RaiseEpoch(5679); return err },
		func(r *keyring.Ring) error { return r.Remove("k1") },
	}
	for i, step := range steps {
		r := read(t, s)
		if err := errors.Join(step(r), s.Write(t.Context(), r)); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	got := read(t, s).Keys()
	if d := cmp.Diff(got, []keyring.Key{{ID: "k2", Current: true, Added: now.Local(), CurrentSince: now.Add(keyring.Settled).Local()}}); d != "" {
		t.Errorf("keys (-got +want):\n%s", d)
	}
	text, _ := secrets.Value("webhook")
	ring, err := credential.Parse(text)
	if err != nil || ring.Current(5678) != "k2.3" || ring.Current(5679) != "k2.1" || !strings.Contains(text, `"of a later version":[1]`) {
		t.Errorf("the secret is %v, %v", ring, err)
	}
}

// What a function could not work with is refused.
func TestRefused(t *testing.T) {
	t.Parallel()
	s, _ := newSecret(t)
	for name, step := range map[string]func(*keyring.Ring) error{
		"promoted before every function knows it": func(r *keyring.Ring) error {
			return errors.Join(r.Add("k2", procore.Random{}, now), r.Promote("k2", now.Add(keyring.Settled-time.Second)))
		},
		"promoted without being there": func(r *keyring.Ring) error { return r.Promote("k2", now) },
		"the current key removed":      func(r *keyring.Ring) error { return r.Remove("k1") },
		"another field removed":        func(r *keyring.Ring) error { return r.Remove("minimum_epochs") },
		"too many": func(r *keyring.Ring) (err error) {
			for id := range strings.FieldsSeq("k2 k3 k4 k5 k6 k7 k8 k9") {
				err = r.Add(id, procore.Random{}, now)
			}
			return err
		},
	} {
		if err := step(read(t, s)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Of many operators who change what they read, one does, and the others learn it.
func TestOneWrites(t *testing.T) {
	t.Parallel()
	s, _ := newSecret(t)
	var written, refused atomic.Int32
	var all sync.WaitGroup
	var rings []*keyring.Ring
	for company := range int64(8) {
		r := read(t, s)
		if _, err := r.RaiseEpoch(company + 1); err != nil {
			t.Fatal(err)
		}
		rings = append(rings, r)
	}
	for _, r := range rings {
		all.Go(func() {
			switch err := s.Write(t.Context(), r); {
			case err == nil:
				written.Add(1)
			case errors.Is(err, keyring.ErrChanged):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if written.Load() != 1 || refused.Load() != 7 {
		t.Errorf("%d wrote, and %d were refused; want 1 and 7", written.Load(), refused.Load())
	}
}

// What was read before another operator's change does not overwrite it.
func TestStale(t *testing.T) {
	t.Parallel()
	s, secrets := newSecret(t)
	stale, r := read(t, s), read(t, s)
	if err := errors.Join(r.Add("k2", procore.Random{}, now), s.Write(t.Context(), r)); err != nil {
		t.Fatal(err)
	}
	written, _ := secrets.Value("webhook")
	if err := errors.Join(stale.Add("k2", procore.Random{}, now), s.Write(t.Context(), stale)); !errors.Is(err, keyring.ErrChanged) {
		t.Errorf("got error %v, want ErrChanged", err)
	}
	if got, _ := secrets.Value("webhook"); got != written {
		t.Error("another operator's change is overwritten")
	}
}
