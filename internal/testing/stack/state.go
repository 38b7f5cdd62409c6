package stack

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/fake/journal"
	"procore-connect/internal/testing/fake/streamtest"
	"procore-connect/internal/testing/stack/rebuild"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
)

// openState makes the AWS services, with the state of the last run if it was kept.
func (s *Stack) openState(ctx context.Context) (err error) {
	dir, err := s.stateDir(ctx)
	if err != nil {
		return err
	}
	if dir == nil {
		s.Secrets, s.Queues, s.Dynamo = awstest.NewSecrets(nil), awstest.NewQueues(), dynamotest.New()
		return nil
	}
	open := journal.Open
	if s.options.Fresh {
		open = journal.Fresh
	}
	if s.journal, err = open(dir); err != nil {
		return err
	}
	if s.Secrets, err = awstest.OpenSecrets(s.journal.Part("secrets")); err != nil {
		return err
	}
	if err := s.checkOrigin(); err != nil {
		return err
	}
	if s.Queues, err = awstest.OpenQueues(s.journal.Part("queues")); err != nil {
		return err
	}
	if s.Dynamo, err = dynamotest.Open(s.journal.Part("dynamo")); err != nil || s.options.Disk != nil {
		return err
	}
	path, err := s.statePath(ctx)
	if err != nil {
		return err
	}
	if s.logs, err = openLogs(path, s.options.Fresh, s.Logs.Put); err != nil {
		return err
	}
	s.Logs.Keep = s.logs.add
	return nil
}

// stateDir returns nil if the state is not kept.
func (s *Stack) stateDir(ctx context.Context) (journal.Dir, error) {
	if s.options.Disk != nil || s.options.StateDir == "" {
		return s.options.Disk, nil
	}
	path, err := s.statePath(ctx)
	if err != nil {
		return nil, err
	}
	return journal.Directory(path), nil
}

func (s *Stack) statePath(ctx context.Context) (string, error) {
	if filepath.IsAbs(s.options.StateDir) {
		return s.options.StateDir, nil
	}
	root, err := rebuild.Root(ctx)
	return filepath.Join(root, s.options.StateDir), err
}

// procoreStorage returns nil, not a nil part, if the state is not kept.
func (s *Stack) procoreStorage() procoretest.Storage {
	if s.journal == nil {
		return nil
	}
	return s.journal.Part("procore")
}

func (s *Stack) streamStorage(table string) streamtest.Storage {
	if s.journal == nil {
		return nil
	}
	return s.journal.Part("stream-" + table)
}

// secret stores a secret as it was made, unless the last run has left it: an operator may have rotated its key.
func (s *Stack) secret(name string, made map[string]string) {
	if _, ok := s.Secrets.Value(name); !ok {
		s.put(name, made)
	}
}

// resume prepares what the last run left for this one, before a function uses it.
func (s *Stack) resume(ctx context.Context) error {
	if s.journal == nil {
		return nil
	}
	if s.journal.Copied() {
		if err := s.end(ctx); err != nil {
			return fmt.Errorf("the copied state: %w", err)
		}
	}
	return s.recheck(ctx)
}

// end makes a copied state one that shares nothing with the original: users have to authorize again, and no pair waits
// outside of their grants.
func (s *Stack) end(ctx context.Context) error {
	rescue, err := s.Queues.Queue(rescueQueue)
	if err != nil {
		return err
	}
	rescue.Purge()
	sessions, err := s.db.Scan(ctx, &dynamodb.ScanInput{TableName: &names.Sessions})
	for err == nil && len(sessions.Items) > 0 {
		for _, item := range sessions.Items {
			key := dynamo.Item{"session": item["session"]}
			if _, err := s.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &names.Sessions, Key: key}); err != nil {
				return err
			}
		}
		sessions, err = s.db.Scan(ctx, &dynamodb.ScanInput{TableName: &names.Sessions})
	}
	if err != nil {
		return err
	}
	ended, err := s.connections().Tokens.Upkeep().Restored(ctx, "")
	if err != nil {
		return err
	}
	s.out.report(fmt.Sprintf("the state was copied or restored: its refresh tokens are not used; users who have to connect again: %d", ended))
	return s.journal.Settle()
}

// recheck makes housekeeping check all hooks at once, because the app's address and the wanted triggers may have changed.
func (s *Stack) recheck(ctx context.Context) error {
	store, now := s.connections(), time.Now()
	for key, err := range store.Due(ctx, connections.Routine, now.AddDate(1, 0, 0)) {
		var c connections.Connection
		if err == nil {
			c, err = store.Connection(ctx, key)
		}
		if err == nil {
			_, _, err = store.SetWebhooks(ctx, c, c.Webhooks, now)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Failed is closed when the state cannot be saved. Nothing is answered from then on; the caller closes the stack, whose
// error says why. It is nil if the state is not kept.
func (s *Stack) Failed() <-chan struct{} {
	if s.journal == nil {
		return nil
	}
	return s.journal.Failed()
}

// drainFor is how long Close waits for invocations that run.
const drainFor = 5 * time.Second

// drain lets them end if what they did outlasts this run: a refresh that is killed may cost a connection, and a pass over
// a hook leaves a lease.
func (s *Stack) drain() {
	if s.journal == nil || s.journal.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), drainFor)
	defer cancel()
	var ending sync.WaitGroup
	for _, f := range s.functions {
		ending.Go(func() { f.Drain(ctx) })
	}
	ending.Wait()
}

// closeState saves the state for the next run.
func (s *Stack) closeState() error {
	s.logs.close()
	if s.journal == nil {
		return nil
	}
	if err := s.journal.Close(); err != nil {
		return fmt.Errorf("%w. What was answered until then is saved: look for free space on the disk, and start again", err)
	}
	return nil
}
