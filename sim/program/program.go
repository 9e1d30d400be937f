// Package program says what a user program is: a function that runs as a
// process of the kernel, with the surroundings a Unix program has. The shell,
// its tools, kubectl and the programs in container images all have this form,
// so that a shell can start any of them without knowing it.
package program

import (
	"io"
	"sort"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/network"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

// Program runs with the given arguments (args[0] is its name) and returns its
// exit status. It may block, on the process that its context names, only
// through that process, its streams and its network.
type Program func(c *Context, args []string) int

// Context is what one running program has: its process, files, environment,
// streams, network and terminal. A copy is made for each program started, so a
// program may change its own.
type Context struct {
	Proc   *kernel.Proc
	FS     *vfs.FS
	Dir    string            // working directory, absolute
	Env    map[string]string // exported variables; owned by this context
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Net    *network.Namespace        // nil where there is no network
	TTY    Terminal                  // nil when not attached to a terminal
	Lookup func(name string) Program // what programs can be started by name; never nil
	User   string                    // "root" in most containers, "reader" at home
	UID    int
	Host   string // what hostname prints
	System System // nil outside containers
}

// Terminal is the terminal a program is attached to.
type Terminal interface {
	// Size is the terminal's size in characters.
	Size() (columns, rows int)
	// Edit opens the host's editor on the file's text and blocks p until the
	// user has saved or given up; ok is false when they gave up. Hosts without
	// an editor return an error.
	Edit(p *kernel.Proc, name, text string) (edited string, ok bool, err error)
	// Clear empties the screen.
	Clear()
}

// System is what programs see of the machine they are on: the process table
// and signals of their container, or of the reader's home.
type System interface {
	// Processes lists the running processes, by pid.
	Processes() []ProcessInfo
	// Kill sends a signal to a pid; it returns an error whose text is that of
	// kill(2): "No such process", "Operation not permitted".
	Kill(pid int, sig kernel.Signal) error
	// PID is the pid of the given process in this system; 0 when unknown.
	PID(p *kernel.Proc) int
	// Register adds a process that runs args, and returns its pid; it is
	// removed when the process ends.
	Register(p *kernel.Proc, args []string) int
	// Charge asks for n more bytes of memory for the process (negative gives
	// back); when the limit is exceeded the process does not come back: the
	// out-of-memory killer ends it.
	Charge(p *kernel.Proc, n int64)
}

// ProcessInfo is one row of the process table.
type ProcessInfo struct {
	PID, PPID int
	User      string
	Args      []string
	Started   time.Time
	State     string // "S", "R", "Z"
	RSS       int64  // bytes
}

// Clone returns a context for another program: the same surroundings, its own
// environment map.
func (c *Context) Clone() *Context {
	d := *c
	d.Env = make(map[string]string, len(c.Env))
	for k, v := range c.Env {
		d.Env[k] = v
	}
	return &d
}

// Getenv is the value of an exported variable, "" when it is not set.
func (c *Context) Getenv(name string) string { return c.Env[name] }

// Environ is the environment as sorted NAME=value pairs.
func (c *Context) Environ() []string {
	out := make([]string, 0, len(c.Env))
	for k, v := range c.Env {
		out = append(out, k+"="+v)
	}
	sort.Strings(out)
	return out
}

// Path resolves a file name against the working directory.
func (c *Context) Path(name string) string {
	if !strings.HasPrefix(name, "/") {
		name = c.Dir + "/" + name
	}
	return vfs.Clean(name)
}

// LibcLookup ends the file /bin/busybox where nslookup asks the C library, as it
// did before busybox 1.29.
const LibcLookup = "libc lookup"
