package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"procore-connect/internal/testing/stack"
)

// taken describes addresses on which the stack cannot listen: who holds each, and the command with addresses that are
// free now.
func taken(ctx context.Context, errs stack.AddrErrors, args []string) error {
	var text strings.Builder
	text.WriteString("these addresses cannot be used:\n")
	another := false
	for _, e := range errs {
		holder := e.Err.Error()
		if errors.Is(e, syscall.EADDRINUSE) {
			holder = "another program holds it"
			if pid := stack.Holder(ctx, e.Addr); pid != 0 {
				holder, another = fmt.Sprintf("another make run holds it, process %d", pid), true
			}
		}
		fmt.Fprintf(&text, "\n  -%-8s %-21s %s", e.Part, e.Addr, holder)
		args = slices.Concat(without(args, e.Part), []string{"-" + e.Part, free(e.Addr)})
	}
	sandbox := slices.ContainsFunc(args, func(a string) bool { return strings.HasSuffix(a, "sandbox") }) // whose state is elsewhere
	if another && !sandbox && !slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(strings.TrimLeft(a, "-"), "state") }) {
		args = append(args, "-state", ".state-2") // it holds .state too
	}
	fmt.Fprintf(&text, "\n\nThese are free now:\n\n  make run ARGS=%q\n", strings.Join(args, " "))
	return errors.New(text.String())
}

// without removes a flag and its value.
func without(args []string, flag string) []string {
	var rest []string
	for i := 0; i < len(args); i++ {
		switch name := strings.TrimLeft(args[i], "-"); {
		case name == flag:
			i++
		case strings.HasPrefix(name, flag+"="):
		default:
			rest = append(rest, args[i])
		}
	}
	return rest
}

// free returns an address with a higher port on which it could listen, or with port 0 if it found none.
func free(addr string) string {
	host, text, _ := net.SplitHostPort(addr)
	port, _ := strconv.Atoi(text)
	for _, host := range []string{host, "127.0.0.1"} {
		for next := port + 1; next <= port+100; next++ {
			other := net.JoinHostPort(host, strconv.Itoa(next))
			if l, err := net.Listen("tcp", other); err == nil {
				l.Close()
				return other
			}
		}
	}
	return "127.0.0.1:0"
}
