package main

import (
	"context"
	"fmt"
	"maps"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"procore-connect/internal/operator"
	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/stack"
	"procore-connect/pkg/procoretest"
)

// What cannot be opened is answered by what is missing, and what to do about it.
func TestNotOpened(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*world, map[string]string)
		want   string
	}{
		"no such stack": {func(w *world, _ map[string]string) { w.aws.Stacks = awstest.NewStacks() }, "does not exist; see --stack, --region and --profile"},
		"another stack": {func(w *world, _ map[string]string) {
			w.aws.Stacks.Put(stack.StackName, map[string]string{"Bucket": "b"})
		}, "has no output ReconcilerFunctionName"},
		"no function": {func(w *world, _ map[string]string) { w.aws.Functions = awstest.NewFunctions() }, "the configuration of function reconciler cannot be read"},
		"no variables": {func(w *world, env map[string]string) {
			clear(env)
		}, "environment variable GRANTS_TABLE: is missing"},
		"a variable of another version": {func(_ *world, env map[string]string) { env["PROCORE_ENVIRONMENT"] = "staging" }, "environment variable PROCORE_ENVIRONMENT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			env := w.environment("http://" + w.addr)
			tt.change(w, env)
			w.lambda.Put("refresher", env)
			w.lambda.Put("reconciler", maps.Clone(env))
			out, aside, code := w.run("list")
			if code != exitFailed || out != "" || !strings.Contains(aside, tt.want) {
				t.Errorf("got exit code %d, %q, %q, want %d and an error with %q", code, out, aside, exitFailed, tt.want)
			}
		})
	}
}

// Without make run, --local names it.
func TestNothingAnswers(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	_, err = operator.Open(t.Context(), operator.Target{Local: l.Addr().String()})
	if err == nil || !strings.Contains(err.Error(), "start make run") {
		t.Errorf("got error %v, want one that names make run", err)
	}
}

// The command finds everything by two calls about the stack, and asks as one caller.
func TestAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run("breaker")
	want := []awstest.Call{
		{Caller: "operator", Action: "cloudformation:DescribeStacks", Resource: "local"},
		{Caller: "operator", Action: "lambda:GetFunctionConfiguration", Resource: "reconciler"},
		{Caller: "operator", Action: "lambda:GetFunctionConfiguration", Resource: "refresher"},
		{Caller: "operator", Action: "dynamodb:GetItem", Resource: w.Tables.Grants, Key: "custom#breaker"},
	}
	if d := cmp.Diff(w.asked, want); d != "" {
		t.Errorf("calls (-got +want):\n%s", d)
	}
}

// Each verb has a description and examples, and the examples are what the verb understands.
func TestHelp(t *testing.T) {
	t.Parallel()
	s := &session{}
	examples := 0
	for _, c := range verbs(s.root(nil)) {
		if c.Short == "" || c.Example == "" {
			t.Errorf("%s has no description or no example", c.Name())
		}
		for line := range strings.Lines(c.Example) {
			examples++
			typed, _, _ := strings.Cut(strings.TrimSpace(line), " | ")
			words := strings.Fields(typed)
			if err := understood(s.root(nil), words[1:]); words[0] != "procore-connect" || err != nil {
				t.Errorf("%s: the example %q is not understood: %v", c.Name(), line, err)
			}
		}
	}
	if examples < 10 {
		t.Errorf("%d examples", examples)
	}
}

// verbs returns a command and all below it.
func verbs(c *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{c}
	for _, below := range c.Commands() {
		all = append(all, verbs(below)...)
	}
	return all
}

// understood returns what is wrong with a command line.
func understood(root *cobra.Command, words []string) error {
	c, rest, err := root.Find(words)
	if err != nil {
		return err
	}
	if err := c.ParseFlags(rest); err != nil {
		return err
	}
	return c.ValidateArgs(c.Flags().Args())
}

// Completion exists for four shells, and knows the states.
func TestCompletion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if out, aside, code := w.run("completion", shell); code != exitOK || !strings.Contains(out, "procore-connect") {
			t.Errorf("completion %s: exit code %d, %s", shell, code, aside)
		}
	}
	if out, _, _ := w.run("__complete", "list", "--state", ""); !strings.Contains(out, "reauthorize\n") {
		t.Errorf("the states are not completed: %s", out)
	}
}

// An interrupted command fails.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if code := run(ctx, []string{"--local", "list"}, func(string) string { return w.addr }, streams{out: &w.shown, err: &w.shown}, w.Clock.Seam()); code != exitFailed {
		t.Errorf("got exit code %d, want %d", code, exitFailed)
	}
}

// A row that cannot be read does not hide the others, and fails the command.
func TestUnreadRow(t *testing.T) {
	t.Parallel()
	w := morning(t)
	w.put(w.Tables.Connections, dynamo.Item{"company": dynamo.Text("custom#1"), "principal": dynamo.Text("user#1"), "rev": dynamo.Text("one")})
	out, aside, code := w.run("list")
	if code != exitFailed || !strings.Contains(out, "My Construction Co.") || !strings.Contains(aside, "company 1, user#1") {
		t.Errorf("got exit code %d, %q, %q, want %d, the list and an error that names the row", code, out, aside, exitFailed)
	}
}

// A connection whose grant cannot be read is not taken for one whose grant is gone.
func TestUnreadGrant(t *testing.T) {
	t.Parallel()
	w := morning(t)
	w.put(w.Tables.Grants, dynamo.Item{"grant": dynamo.Text(fmt.Sprintf("custom#user#%d", procoretest.Ann)), "rev": dynamo.Text("one")})
	for _, args := range [][]string{{"list"}, {"list", "--needs-person"}} {
		out, aside, code := w.run(args...)
		if code != exitFailed || strings.Contains(out, "Ann Admin") || !strings.Contains(out, "Joe Builder") || !strings.Contains(aside, "2 connections") {
			t.Errorf("%v: got exit code %d, %q, %q, want %d, a list without Ann's, and an error that says so", args, code, out, aside, exitFailed)
		}
	}
}
