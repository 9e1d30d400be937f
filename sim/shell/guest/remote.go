// The messages between a program in a module of its own and the process that it
// runs as. The program asks, and stands still until it is answered: a Request
// is one call, a Reply its result. The first Reply has no Request; it brings the
// program's Start. Both ends are built together; version keeps older files that
// a cache has kept from talking to newer ones.

package guest

import (
	"encoding/binary"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
)

const version = "1"

// Op is what a request asks for.
type Op byte

// The calls. End is the program's last word, Crash that of one that has a bug.
const (
	OpRead  Op = iota // of X, up to Y bytes
	OpWrite           // Data to X
	OpOpen            // Data with the flag X
	OpClose           // X
	OpSpawn           // Data with X's ends
	OpJoin            // X
	OpTick
	OpEnd   // with the status X
	OpCrash // for the reason Data
)

// Request is a call. Ticks is how many steps the program has made since the
// last one.
type Request struct {
	Op    Op
	Ticks int
	X, Y  int
	Data  []byte
}

// Reply is a call's result. Left is how many steps the program may make until
// it must ask with OpTick, Now the virtual time meanwhile.
type Reply struct {
	Left   int
	Now    time.Time
	X, Y   int
	Failed bool // Data is the error, "" is the end of what is read
	Data   []byte
}

var order = binary.LittleEndian

// Encode makes a message of a request.
func (r *Request) Encode() []byte {
	b := make([]byte, 13, 13+len(r.Data))
	b[0] = byte(r.Op)
	order.PutUint32(b[1:], uint32(r.Ticks))
	order.PutUint32(b[5:], uint32(r.X))
	order.PutUint32(b[9:], uint32(r.Y))
	return append(b, r.Data...)
}

// DecodeRequest reads such a message.
func DecodeRequest(b []byte) (r Request, err error) {
	if len(b) < 13 || Op(b[0]) > OpCrash {
		return r, errors.New("not a request")
	}
	at := func(n int) int { return int(int32(order.Uint32(b[n:]))) }
	return Request{Op: Op(b[0]), Ticks: at(1), X: at(5), Y: at(9), Data: b[13:]}, nil
}

// Encode makes a message of a reply.
func (r *Reply) Encode() []byte {
	b := make([]byte, 21, 21+len(r.Data))
	order.PutUint32(b, uint32(r.Left))
	order.PutUint64(b[4:], uint64(r.Now.UnixNano()))
	order.PutUint32(b[12:], uint32(r.X))
	order.PutUint32(b[16:], uint32(r.Y))
	if r.Failed {
		b[20] = 1
	}
	return append(b, r.Data...)
}

func decodeReply(b []byte) (r Reply, err error) {
	if len(b) < 21 {
		return r, errors.New("not a reply")
	}
	at := func(n int) int { return int(int32(order.Uint32(b[n:]))) }
	return Reply{Left: at(0), Now: time.Unix(0, int64(order.Uint64(b[4:]))).UTC(), X: at(12), Y: at(16), Failed: b[20] == 1, Data: b[21:]}, nil
}

// Encode makes the data of a program's first reply.
func (s *Start) Encode() []byte {
	parts := append([]string{version, strconv.FormatBool(s.Pipe), strconv.Itoa(len(s.Args))}, s.Args...)
	return []byte(strings.Join(append(parts, s.Env...), "\x00"))
}

func decodeStart(b []byte) (s Start, err error) {
	parts := strings.Split(string(b), "\x00")
	if len(parts) > 3 && parts[0] == version {
		if n, err := strconv.Atoi(parts[2]); err == nil && n > 0 && n <= len(parts)-3 {
			return Start{Pipe: parts[1] == "true", Args: parts[3 : 3+n], Env: parts[3+n:]}, nil
		}
	}
	return s, errors.New("this file is of another version: reload the page")
}

// Remote is the System of a program in a module of its own.
type Remote struct {
	call  func(request []byte) (reply []byte)
	ticks int
	reply Reply
}

// exited unwinds a program that has called Exit.
type exited int

// Serve runs one program, whose Start is the first message, with call as its
// way to the process. It returns the last request.
func Serve(first []byte, call func(request []byte) (reply []byte), run func(System, Start) int) (last []byte) {
	r := &Remote{call: call}
	end := Request{Op: OpEnd}
	defer func() {
		switch e := recover().(type) {
		case nil:
		case exited:
			end.X = int(e)
		case error:
			end = Request{Op: OpCrash, Data: []byte(e.Error())}
		default:
			end = Request{Op: OpCrash, Data: []byte("it has a bug")}
		}
		end.Ticks = r.ticks
		last = end.Encode()
	}()
	var err error
	if r.reply, err = decodeReply(first); err != nil {
		panic(err)
	}
	start, err := decodeStart(r.reply.Data)
	if err != nil {
		panic(err)
	}
	end.X = run(r, start)
	return nil
}

func (r *Remote) ask(q Request) {
	q.Ticks, r.ticks = r.ticks, 0
	var err error
	if r.reply, err = decodeReply(r.call(q.Encode())); err != nil {
		panic(err)
	}
}

func (r *Remote) failure() error {
	switch {
	case !r.reply.Failed:
		return nil
	case len(r.reply.Data) == 0:
		return io.EOF
	}
	return Error(r.reply.Data)
}

// Read is the System's.
func (r *Remote) Read(fd int, b []byte) (int, error) {
	r.ask(Request{Op: OpRead, X: fd, Y: len(b)})
	if err := r.failure(); err != nil {
		return 0, err
	}
	return copy(b, r.reply.Data), nil
}

// Write is the System's.
func (r *Remote) Write(fd int, b []byte) error {
	r.ask(Request{Op: OpWrite, X: fd, Data: b})
	return r.failure()
}

// Open is the System's.
func (r *Remote) Open(name string, flag int) (int, error) {
	r.ask(Request{Op: OpOpen, X: flag, Data: []byte(name)})
	return r.reply.X, r.failure()
}

// Close is the System's.
func (r *Remote) Close(fd int) { r.ask(Request{Op: OpClose, X: fd}) }

// Spawn is the System's.
func (r *Remote) Spawn(command string, ends Ends) (pid, fd int) {
	r.ask(Request{Op: OpSpawn, X: int(ends), Data: []byte(command)})
	return r.reply.X, r.reply.Y
}

// Join is the System's.
func (r *Remote) Join(pid int) int {
	r.ask(Request{Op: OpJoin, X: pid})
	return r.reply.X
}

// Now is the System's.
func (r *Remote) Now() time.Time { return r.reply.Now }

// Tick is the System's.
func (r *Remote) Tick() {
	if r.ticks++; r.ticks >= r.reply.Left {
		r.ask(Request{Op: OpTick})
	}
}

// Exit is the System's.
func (r *Remote) Exit(code int) { panic(exited(code)) }
