package lambdatest

import (
	"context"
	"os"
)

// Replace lets another binary take the place of the function's. It starts a process of it and waits until that asks for
// work. Then the file moves to Options.Binary, idle processes end, and busy ones end after their invocation: no
// invocation is cut. Every invocation that begins after Replace has returned meets the new binary.
//
// If the new process does not ask for work, the error is a [*FunctionError] with its last log lines, and the function
// remains as it was.
func (f *Function) Replace(ctx context.Context, binary string) error {
	p, err := f.candidate(binary)
	if err != nil {
		return err
	}
	ended := context.AfterFunc(ctx, p.kill)
	err = p.ready(f.o.InitTimeout)
	if !ended() {
		err = context.Cause(ctx)
	}
	if err == nil {
		err = f.adopt(p, binary)
	}
	if err != nil {
		p.kill()
		<-p.exited
	}
	return err
}

// candidate starts a process that takes no invocation yet. Its output is the function's.
func (f *Function) candidate(binary string) (*process, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, errClosed
	}
	o := f.o
	o.Binary = binary
	return f.start(o, f.version)
}

// adopt makes p the only idle process.
func (f *Function) adopt(p *process, binary string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return errClosed
	}
	if err := os.Rename(binary, f.o.Binary); err != nil {
		return err
	}
	f.version++
	p.version = f.version
	for _, old := range f.idle {
		old.kill()
	}
	f.idle = []*process{p}
	return nil
}
