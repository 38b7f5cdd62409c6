package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
)

// A Disk is a [Dir] in memory that can fail at any operation, and then lose what a real one may lose: what was written
// and not synced, from any byte on, and what was created or renamed since the directory was synced.
type Disk struct {
	mu      sync.Mutex
	files   map[string]*node // as the program sees them
	durable map[string]*node // as of the last Sync of the directory
	changes []func(map[string]*node)
	births  int
	locked  bool
	done    int // operations
	limit   int // of them; 0: none
	err     error
}

// A node is a file's content, which only grows.
type node struct {
	birth  int
	data   []byte
	synced int
}

// NewDisk returns an empty disk.
func NewDisk() *Disk { return &Disk{files: map[string]*node{}, durable: map[string]*node{}} }

// Operations returns how many operations that change the disk were begun.
func (d *Disk) Operations() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.done
}

// Break makes the n-th operation from now, and every later one, fail with the error, such as syscall.ENOSPC. Whether the
// n-th takes effect is open until Restart.
func (d *Disk) Break(n int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.limit, d.err = d.done+n, err
}

// Crash is Break for a loss of power.
func (d *Disk) Crash(n int) { d.Break(n, errors.New("the power failed")) }

// Restart returns the disk as the next process finds it: after a loss of power, of which random chooses the damage, or
// with all that was written if random is nil, because only the process was killed. d must not be used any more.
func (d *Disk) Restart(random *rand.Rand) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := &Disk{files: maps.Clone(d.durable), births: d.births}
	changes := len(d.changes)
	if random != nil {
		changes = random.IntN(changes + 1)
	}
	for _, change := range d.changes[:changes] {
		change(next.files)
	}
	for name, n := range next.files {
		next.files[name] = n.after(random)
	}
	next.durable = maps.Clone(next.files)
	return next
}

// after returns what is left of a file: a part of what was not synced, and perhaps zeros in the place of the rest.
func (n *node) after(random *rand.Rand) *node {
	data := slices.Clone(n.data)
	if random != nil {
		kept := n.synced + random.IntN(len(data)-n.synced+1)
		if random.IntN(2) == 0 {
			data = data[:kept]
		}
		clear(data[kept:])
	}
	return &node{birth: n.birth, data: data, synced: len(data)}
}

// Copy returns another disk with the same files, as cp makes them.
func (d *Disk) Copy() *Disk {
	next := d.Restart(nil)
	for name, n := range next.files {
		next.births++
		next.files[name] = &node{birth: -next.births, data: n.data, synced: n.synced}
	}
	next.durable = maps.Clone(next.files)
	return next
}

// step counts an operation and returns why it fails, if it does. done reports whether it takes effect, for now.
func (d *Disk) step() (done bool, err error) {
	d.done++
	if d.limit == 0 || d.done < d.limit {
		return true, nil
	}
	return d.done == d.limit, d.err
}

// Lock implements Dir.
func (d *Disk) Lock() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locked {
		return &LockedError{Dir: "memory"}
	}
	d.locked = true
	return nil
}

// Unlock implements Dir.
func (d *Disk) Unlock() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.locked = false
	return nil
}

// Read implements Dir.
func (d *Disk) Read(name string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, ok := d.files[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return slices.Clone(n.data), nil
}

// Identity implements Dir.
func (d *Disk) Identity(name string) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, ok := d.files[name]
	if !ok {
		return "", fs.ErrNotExist
	}
	return fmt.Sprint("birth ", n.birth), nil
}

// Create implements Dir.
func (d *Disk) Create(name string) (File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.births++
	n := &node{birth: d.births}
	return &diskFile{d, n}, d.change(func(files map[string]*node) { files[name] = n })
}

// Rename implements Dir.
func (d *Disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.change(func(files map[string]*node) {
		files[to] = files[from]
		delete(files, from)
	})
}

func (d *Disk) change(change func(map[string]*node)) error {
	done, err := d.step()
	if done {
		change(d.files)
		d.changes = append(d.changes, change)
	}
	return err
}

// Sync implements Dir.
func (d *Disk) Sync() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, err := d.step()
	if err == nil {
		d.durable, d.changes = maps.Clone(d.files), nil
	}
	return err
}

type diskFile struct {
	disk *Disk
	node *node
}

func (f *diskFile) Write(b []byte) (int, error) {
	runtime.Gosched() // others go on during a write
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	done, err := f.disk.step()
	if done {
		f.node.data = append(f.node.data, b...)
	}
	if err != nil {
		return 0, err
	}
	return len(b), nil
}

func (f *diskFile) Sync() error {
	runtime.Gosched()
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	_, err := f.disk.step()
	if err == nil {
		f.node.synced = len(f.node.data)
	}
	return err
}

func (f *diskFile) Close() error { return nil }
