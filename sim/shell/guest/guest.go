// Package guest is how a program takes part that is not linked with the
// simulation: a second WebAssembly module, loaded when it is first used. Such a
// program sees a System; where it runs beside the simulation that is the process
// itself (package host), in a module of its own it is a Remote, which carries
// each call over as a message. Either way the process of the kernel blocks, so
// the program is accounted for like any other.
package guest

import "time"

// System is what a program can ask of the process that it runs as. Every call
// may let others run first; a call does not come back when the process has been
// killed meanwhile.
type System interface {
	// Read and Write are those of an io.Reader and io.Writer on an open
	// stream: 0, 1 and 2, or what Open and Spawn return. Write takes all or
	// fails; writing where nobody reads any more ends the process.
	Read(fd int, b []byte) (int, error)
	Write(fd int, b []byte) error
	// Open opens a file; flag is os.O_RDONLY, or O_WRONLY with O_TRUNC or
	// O_APPEND, which make it if it is missing.
	Open(name string, flag int) (fd int, err error)
	// Close ends what Open or Spawn returned.
	Close(fd int)
	// Spawn runs a command in a shell. With In its standard input is what is
	// written to fd, with Out its standard output is what is read from fd; the
	// rest is the program's own.
	Spawn(command string, ends Ends) (pid, fd int)
	// Join waits for a command that Spawn started and returns its status.
	Join(pid int) int
	// Now is the virtual time.
	Now() time.Time
	// Tick says that the program has made a small step; see kernel.Proc.Tick.
	Tick()
	// Exit ends the process. It does not return.
	Exit(code int)
}

// Ends are the standard streams of a spawned command that its parent holds.
type Ends int

// What of a command its parent holds.
const (
	None Ends = iota
	In
	Out
)

// Start is what a program begins with.
type Start struct {
	Args []string // Args[0] is its name
	Env  []string // NAME=value, sorted
	Pipe bool     // standard output is a pipe, so that nobody waits for single lines
}

// Error is an error of a System by its text, that of errno: "Permission denied".
type Error string

func (e Error) Error() string { return string(e) }
