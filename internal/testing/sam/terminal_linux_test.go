package sam_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openTerminal returns both ends of a pseudo terminal: what a person has, and what a program has.
//
// https://man7.org/linux/man-pages/man4/ptmx.4.html
func openTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	person = os.NewFile(uintptr(fd), "/dev/ptmx")
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	// Wider than any line, so that none is wrapped.
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 100, Col: 1000}); err != nil {
		t.Fatal(err)
	}
	if program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	return person, program
}

var (
	escapes  = regexp.MustCompile(`\x1b\[[0-9;?]*[a-zA-Z]`)
	question = regexp.MustCompile(`(?:^|[\r\n])[\t ]*([^\r\n]+ \[[^\r\n]*\]: )$`)
)

// pressEnter runs a command in a terminal and answers each of its questions with Enter alone. It returns the questions with
// their defaults, all that was shown, and the command's error.
func pressEnter(t *testing.T, command func(context.Context) *exec.Cmd) (questions []string, shown string, err error) {
	t.Helper()
	// A question without a default waits for more than Enter, until then.
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	person, program := openTerminal(t)
	cmd := command(ctx)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	err = cmd.Start()
	program.Close()
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	unanswered, chunk := "", make([]byte, 4096)
	for {
		n, readErr := person.Read(chunk)
		all.Write(chunk[:n])
		unanswered += string(chunk[:n])
		if m := question.FindStringSubmatch(escapes.ReplaceAllString(unanswered, "")); m != nil {
			questions, unanswered = append(questions, strings.TrimSuffix(m[1], ": ")), ""
			if _, err := io.WriteString(person, "\r"); err != nil {
				t.Fatal(err)
			}
		}
		if readErr != nil { // EIO: the program has ended
			break
		}
	}
	err = cmd.Wait()
	shown = escapes.ReplaceAllString(all.String(), "")
	if ctx.Err() != nil {
		t.Fatalf("%s waits for more than Enter:\n%s", cmd, shown)
	}
	return questions, shown, err
}
