package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"procore-connect/internal/operator"
	"procore-connect/internal/operator/console"
)

func (s *session) console() *cobra.Command {
	var port uint16
	var closed bool
	c := &cobra.Command{
		Use:   "console",
		Short: "Serve a page on this machine that shows the stack, and makes the changes that the command makes",
		Long: `Serve a page on this machine that shows the stack, and makes the changes that the command makes.

It is reached at 127.0.0.1 alone, by the address that it writes, with your credentials of AWS. Each change shows the command
that does the same, what it will do, and asks. ^C ends it; a change that is under way then is interrupted as by ^C.`,
		Example: `  procore-connect console
  procore-connect console --no-open --port 8700`,
		Args: usage(cobra.NoArgs),
	}
	c.Flags().Uint16Var(&port, "port", 0, "the port (default: a free one)")
	c.Flags().BoolVar(&closed, "no-open", false, "do not open the page in this machine's browser")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		o, err := operator.Open(cmd.Context(), s.target)
		if err != nil {
			return err
		}
		l, err := new(net.ListenConfig).Listen(cmd.Context(), "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
		if err != nil {
			return fmt.Errorf("the page cannot be served: %w", err)
		}
		page, err := console.New(cmd.Context(), l.Addr(), s.consoleOf(cmd, o))
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%s\n", page.Address())
		s.say("Open this address. It admits whoever knows it until ^C ends the console.")
		if !closed {
			go func() {
				if err := s.opened(cmd.Context(), page.LaunchAddress()); err != nil {
					s.say(fmt.Sprintf("No browser could be opened: %v", err))
				}
			}()
		}
		return page.Serve(cmd.Context(), l)
	}
	return s.searches(c)
}

// consoleOf is what the console is made of: the same command, on the same stack.
func (s *session) consoleOf(cmd *cobra.Command, o *operator.Operator) console.Config {
	var global []string
	for _, name := range []string{"stack", "region", "profile", "local"} {
		switch f := cmd.Flag(name); {
		case f.Changed && f.Value.Type() == "bool":
			global = append(global, "--"+name)
		case f.Changed:
			global = append(global, "--"+name+"="+f.Value.String())
		}
	}
	verb := func(name string) *cobra.Command {
		c, _, err := cmd.Root().Find(strings.Fields(name))
		if err != nil {
			return &cobra.Command{}
		}
		return c
	}
	return console.Config{
		Operator: o, Stack: stackName(s), LogGroups: s.target.LogGroups, Log: s.say,
		Run: func(ctx context.Context, args []string, to console.Streams) int {
			return run(ctx, append(slices.Clip(global), args...), s.getenv, streams{in: strings.NewReader(""), out: to.Out, err: to.Err, ask: to.Ask}, s.target.Clock)
		},
		Line: func(args []string) string {
			words := append([]string{cmd.Root().Name()}, append(slices.Clip(global), args...)...)
			for i, w := range words {
				words[i] = shellWord(w)
			}
			return strings.Join(words, " ")
		},
		Help: func(name string) (short, long string) { c := verb(name); return c.Short, c.Long },
	}
}

// stackName names the stack for the console's pages.
func stackName(s *session) string {
	if s.local {
		return "make run"
	}
	return strings.TrimSpace(s.target.Stack + " " + s.target.Region)
}
