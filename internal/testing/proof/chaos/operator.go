//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/stack"
)

// maxTyped is how long a command may take, with all stops and lost answers.
const maxTyped = 3 * time.Minute

// verb is something that the operator types.
type verb struct {
	args    []string
	does    []action // what it may do, to be recorded before
	endless bool     // it waits for minutes, unless it is interrupted
}

// operate types commands at random, one after another, as an operator does who does not know what is going on. Each is a
// process that meets the same faults as the functions.
func (w *world) operate(ctx context.Context, verbs func() verb) {
	for w.ctx.Err() == nil && !w.calm.Load() {
		if err := w.typed(ctx, w.typedNumber.Add(1), verbs()); err != nil {
			w.violation("the operator's command: %v", err)
			return
		}
		w.wait(w.ctx, w.dice.between(50*time.Millisecond, 500*time.Millisecond))
	}
}

// refreshVerbs returns what may be typed while grants are refreshed.
func (w *world) refreshVerbs() verb {
	p := pick(w.dice, w.people)
	c := pick(w.dice, p.companies)
	id, principal := strconv.FormatInt(c.id, 10), string(p.principal())
	switch n := w.dice.n(300); {
	case n == 0:
		return verb{args: []string{"mark-restored", "--yes"}, does: []action{{what: marked}}}
	case n < 15:
		return verb{args: []string{pick(w.dice, []string{"revoke", "erase"}), id, "--yes"}, does: w.endings(c.id)}
	case n < 40 && p.user != 0:
		return verb{
			args: []string{"revoke", id, "--user", strconv.FormatInt(p.user, 10), "--yes"},
			does: []action{{what: ended, company: c.id, row: p.row()}},
		}
	case n < 50:
		return verb{args: []string{"keys", "rotate", pick(w.dice, []string{"seal", "webhook"}), "--yes"}, endless: true}
	}
	return verb{args: pick(w.dice, [][]string{
		{"list"}, {"list", "--needs-person"}, {"show", id}, {"why", id}, {"doctor"},
		{"breaker"}, {"breaker", "probe", "--yes"}, {"departures"}, {"departures", "acknowledge", "--yes"},
		{"refresh", principal, "--dry-run"}, {"refresh", principal, "--yes"}, {"refresh", principal, "--now", "--yes"},
		{"call", "GET", "/rest/v1.0/me", "--company", id},
		{"webhooks", "show", id}, {"webhooks", "sync", id, "--yes"},
		{"coverage", id}, {"reconcile", id, "--yes"},
		{"rescue", "list"}, {"rescue", "run", "--yes"}, {"rescue", "run", "--dead", "--yes"}, {"keys", "status"},
		{"events", "list", "--company", id}, {"dead", "list"},
	})}
}

// deliveryVerbs returns what may be typed while events are delivered.
func (w *world) deliveryVerbs() verb {
	id := strconv.FormatInt(pick(w.dice, pick(w.dice, w.people).companies).id, 10)
	return verb{args: pick(w.dice, [][]string{
		{"list"}, {"show", id}, {"doctor"},
		{"events", "list", "--company", id}, {"quarantine", "list", "--company", id},
		{"replay", "--company", id, "--from", "1h", "--limit", "20", "--yes"},
		{"replay", "--company", id, "--from", "1h", "--limit", "20", "--not-handled", "--yes"},
		{"quarantine", "replay", "--company", id, "--yes"},
		{"dead", "list"}, {"dead", "redrive", "--yes"}, {"keys", "status"}, {"rescue", "list"},
	})}
}

// endings are the ends of all connections of a company.
func (w *world) endings(id int64) (all []action) {
	for _, p := range w.people {
		if p.has(id) {
			all = append(all, action{what: ended, company: id, row: p.row()})
		}
	}
	return all
}

// newServices returns what only the operator's command needs of AWS. It finds the others' configuration there.
func (w *world) newServices() *awstest.Services {
	return &awstest.Services{
		Stacks: awstest.NewStacks(), Functions: awstest.NewFunctions(), Topics: awstest.NewTopics(), Logs: stack.NewLogs(nil),
	}
}

// typed types one command and waits for its end.
func (w *world) typed(ctx context.Context, n int64, v verb) error {
	p := &process{w: w, name: fmt.Sprintf("operator-%d", n), tls: n%2 == 0, operator: w.newServices()}
	env, err := p.serve()
	if err != nil {
		p.close()
		return err
	}
	aws := env["AWS_ENDPOINT_URL_SQS"]
	outputs := stack.Outputs(env["PUBLIC_URL"], aws)
	p.operator.Stacks.Put(stack.StackName, outputs)
	for name := range strings.SplitSeq(outputs["FunctionNames"], ",") {
		p.operator.Functions.Put(name, env)
	}
	for _, a := range v.does {
		w.record(a)
	}
	ctx, cancel := context.WithTimeout(ctx, maxTyped)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(w.binaries, "procore-connect"), append([]string{"--local"}, v.args...)...)
	cmd.Env = append(os.Environ(), "LOCAL_AWS_ADDR="+strings.TrimPrefix(aws, "http://"), "SSL_CERT_FILE="+w.rootFile, "GOMAXPROCS=1")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		p.close()
		return err
	}
	p.mu.Lock()
	p.pid = cmd.Process.Pid
	p.mu.Unlock()
	w.mu.Lock()
	w.typing = p
	w.mu.Unlock()
	if v.endless || w.dice.oneIn(8) {
		stop := time.AfterFunc(w.dice.between(50*time.Millisecond, 3*time.Second), func() { _ = cmd.Process.Signal(os.Interrupt) })
		defer stop.Stop()
	}
	err = cmd.Wait()
	p.mu.Lock()
	p.pid = 0 // it may be another process's from now on
	p.mu.Unlock()
	w.judgeTyped(ctx, p, v, said.Bytes(), err)
	w.background.Go(func() {
		w.wait(w.ctx, maxClaim) // for requests that are late
		p.close()
	})
	return nil
}

// judgeTyped checks how a command ended. It may fail, because everything may fail.
func (w *world) judgeTyped(ctx context.Context, p *process, v verb, said []byte, err error) {
	w.checkSecrets(p, said)
	code := 0
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		code = e.ExitCode()
	}
	typed := strings.Join(v.args, " ")
	how := map[int]string{0: "done", 1: "failed", 3: "done", -1: "killed"}[code]
	switch {
	case ctx.Err() != nil && w.ctx.Err() == nil:
		w.violation("procore-connect %s did not end within %v: %s", typed, maxTyped, said)
	case how == "" || bytes.Contains(said, []byte("panic:")):
		w.violation("procore-connect %s ended with exit code %d: %s", typed, code, said)
	}
	name, _, _ := strings.Cut(typed, " --")
	w.typedCount.add(strings.TrimRight(name, " 0123456789") + " " + how)
}
