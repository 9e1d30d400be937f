// Package journal keeps a cluster's records in a directory of the native host.
// It is a store.Backend for kubonsai serve --data.
//
// The directory holds one file, state-N.log, of frames: a length, a CRC-32C and
// a batch of records. A batch is appended as one frame, so a process that is
// killed in the middle of a write leaves a torn last frame, which was never
// acknowledged and is cut off by the next Open. When the log has grown to
// several times what it holds, it is written anew as state-N+1.log under a
// temporary name, made durable, and renamed: there is a whole state at every
// moment. What is damaged in the middle is copied to state-N.damaged and named.
package journal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/kubonsai/kubonsai/sim/store"
)

// magic starts every log; the digit is the version of the format.
const magic = "kubonsai journal 1\n"

// headSize is the size of a frame's head in bytes.
const headSize = 12

// compactAt is the size in bytes below which a log is never written anew.
const compactAt = 8 << 20

var table = crc32.MakeTable(crc32.Castagnoli)

// ErrInUse says that another process has the directory open.
var ErrInUse = errors.New("the directory is in use by another kubonsai")

// ErrFuture says that the log was written by a later version.
var ErrFuture = errors.New("the directory was written by a newer version of kubonsai: update kubonsai, or choose another directory")

// place is where a record's value lies in the log.
type place struct {
	offset int64
	length int
}

// Dir is an open directory. Append, Load, Clear and Close are called by one
// goroutine at a time; Sync may be called beside them.
type Dir struct {
	path   string
	lock   *os.File
	number int
	file   *os.File
	size   int64
	live   int64 // bytes of the values and keys that count
	index  map[string]place
	notice error

	mu     sync.Mutex // guards synced, and file against Sync
	synced int64
}

// Open opens the directory, making it if need be, and takes it for this
// process. ErrInUse and ErrFuture as they say.
func Open(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	d := &Dir{path: path, lock: lock, index: map[string]place{}}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("%s: %w", path, ErrInUse)
	}
	if err := d.open(); err != nil {
		lock.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}

func (d *Dir) name(n int, ext string) string {
	return filepath.Join(d.path, fmt.Sprintf("state-%d.%s", n, ext))
}

// logs are the numbers of the logs in the directory, in order.
func (d *Dir) logs() ([]int, error) {
	files, err := os.ReadDir(d.path)
	if err != nil {
		return nil, err
	}
	var out []int
	for _, f := range files {
		text, ok := strings.CutPrefix(f.Name(), "state-")
		text, isLog := strings.CutSuffix(text, ".log")
		if n, err := strconv.Atoi(text); ok && isLog && err == nil {
			out = append(out, n)
		}
	}
	sort.Ints(out)
	return out, nil
}

func (d *Dir) open() error {
	logs, err := d.logs()
	if err != nil {
		return err
	}
	if len(logs) == 0 {
		return d.rewrite(1, nil)
	}
	d.number = logs[len(logs)-1]
	if d.file, err = os.OpenFile(d.name(d.number, "log"), os.O_RDWR, 0o600); err != nil {
		return err
	}
	if err := d.scan(); err != nil {
		d.file.Close()
		return err
	}
	for _, old := range logs[:len(logs)-1] { // a rewrite was cut short after its rename
		os.Remove(d.name(old, "log"))
	}
	return nil
}

// scan reads the log, fills the index and cuts off a torn end.
func (d *Dir) scan() error {
	info, err := d.file.Stat()
	if err != nil {
		return err
	}
	r := bufio.NewReaderSize(d.file, 1<<20)
	head := make([]byte, len(magic))
	if _, err := io.ReadFull(r, head); err != nil || string(head) != magic {
		if strings.HasPrefix(string(head), magic[:len(magic)-2]) {
			return ErrFuture
		}
		return fmt.Errorf("%s is not a journal of kubonsai", filepath.Base(d.file.Name()))
	}
	d.size = int64(len(magic))
	for {
		body, err := readFrame(r, info.Size()-d.size)
		if err == io.EOF {
			break
		}
		if err == nil {
			err = d.note(body, d.size+headSize)
		}
		if err != nil {
			// A frame cut short at the end is a write that nobody was told of;
			// anything else is damage.
			if err != io.ErrUnexpectedEOF {
				if err := d.setAside(); err != nil {
					return err
				}
			}
			if err := d.file.Truncate(d.size); err != nil {
				return err
			}
			break
		}
		d.size += headSize + int64(len(body))
	}
	_, err = d.file.Seek(d.size, io.SeekStart)
	return err
}

// setAside keeps a copy of a damaged log and remembers to say so.
func (d *Dir) setAside() error {
	in, err := os.Open(d.file.Name())
	if err != nil {
		return err
	}
	defer in.Close()
	name := d.name(d.number, "damaged")
	out, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	d.notice = fmt.Errorf("%s is damaged after %d bytes: the state before that is used, and the file is kept as %s",
		filepath.Base(d.file.Name()), d.size, filepath.Base(name))
	return out.Close()
}

var errChecksum = errors.New("wrong checksum")

// readFrame reads the body of the next frame, of which rest bytes can be there.
func readFrame(r io.Reader, rest int64) ([]byte, error) {
	var head [headSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	if crc32.Checksum(head[:4], table) != binary.LittleEndian.Uint32(head[4:]) {
		return nil, errChecksum
	}
	n := binary.LittleEndian.Uint32(head[:])
	if headSize+int64(n) > rest {
		return nil, io.ErrUnexpectedEOF
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	if crc32.Checksum(body, table) != binary.LittleEndian.Uint32(head[8:]) {
		return nil, errChecksum
	}
	return body, nil
}

// note enters a batch that lies at the offset into the index.
func (d *Dir) note(body []byte, offset int64) error {
	return eachRecord(body, func(key string, value []byte, at int) {
		d.forget(key)
		if value != nil {
			d.index[key] = place{offset + int64(at), len(value)}
			d.live += int64(len(key) + len(value))
		}
	})
}

func (d *Dir) forget(key string) {
	if old, ok := d.index[key]; ok {
		d.live -= int64(len(key) + old.length)
		delete(d.index, key)
	}
}

// eachRecord decodes a batch: for each record the key's length, the key, and
// the value's length plus one (0 deletes) and the value.
func eachRecord(body []byte, fn func(key string, value []byte, at int)) error {
	pos := 0
	length := func() (int, bool) {
		n, used := binary.Uvarint(body[pos:])
		if used <= 0 || n > uint64(len(body)-pos-used)+1 {
			return 0, false
		}
		pos += used
		return int(n), true
	}
	for pos < len(body) {
		n, ok := length()
		if !ok || n > len(body)-pos {
			return errChecksum
		}
		key := string(body[pos : pos+n])
		pos += n
		if n, ok = length(); !ok || n-1 > len(body)-pos {
			return errChecksum
		}
		if n == 0 {
			fn(key, nil, 0)
			continue
		}
		fn(key, body[pos:pos+n-1:pos+n-1], pos)
		pos += n - 1
	}
	return nil
}

func encode(batch []store.Record) []byte {
	body := make([]byte, headSize, 64)
	for _, r := range batch {
		body = binary.AppendUvarint(body, uint64(len(r.Key)))
		body = append(body, r.Key...)
		if r.Value == nil {
			body = append(body, 0)
			continue
		}
		body = binary.AppendUvarint(body, uint64(len(r.Value))+1)
		body = append(body, r.Value...)
	}
	binary.LittleEndian.PutUint32(body, uint32(len(body)-headSize))
	binary.LittleEndian.PutUint32(body[4:], crc32.Checksum(body[:4], table))
	binary.LittleEndian.PutUint32(body[8:], crc32.Checksum(body[headSize:], table))
	return body
}

// Load implements store.Backend.
func (d *Dir) Load() ([]store.Record, error) {
	out := make([]store.Record, 0, len(d.index))
	keys := make([]string, 0, len(d.index))
	for key := range d.index {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	for _, key := range keys {
		p := d.index[key]
		value := make([]byte, p.length)
		if _, err := d.file.ReadAt(value, p.offset); err != nil {
			return nil, err
		}
		out = append(out, store.Record{Key: key, Value: value})
	}
	return out, d.notice
}

// Append implements store.Backend. The batch survives the death of the process
// when it returns; Sync makes it survive the machine's.
func (d *Dir) Append(batch []store.Record) error {
	frame := encode(batch)
	if _, err := d.file.Write(frame); err != nil {
		// A full disk: take the part that was written back.
		if terr := d.file.Truncate(d.size); terr != nil {
			return errors.Join(err, terr)
		}
		d.file.Seek(d.size, io.SeekStart)
		return err
	}
	if err := d.note(frame[headSize:], d.size+headSize); err != nil {
		return err
	}
	d.size += int64(len(frame))
	if d.size > compactAt && d.size > 4*d.live {
		return d.compact()
	}
	return nil
}

// Sync makes durable what has been appended. Calls that come while one is under
// way share the next.
func (d *Dir) Sync() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	info, err := d.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() == d.synced {
		return nil
	}
	if err := d.file.Sync(); err != nil {
		return err
	}
	d.synced = info.Size()
	return nil
}

func (d *Dir) compact() error {
	records, err := d.Load()
	if records == nil && err != nil {
		return err
	}
	return d.rewrite(d.number+1, records)
}

// rewrite starts log n with the given records and drops the one before.
func (d *Dir) rewrite(n int, records []store.Record) error {
	tmp, err := os.OpenFile(d.name(n, "tmp"), os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	fail := func(err error) error {
		tmp.Close()
		os.Remove(tmp.Name())
		return err
	}
	next := &Dir{index: map[string]place{}, size: int64(len(magic))}
	if _, err := tmp.WriteString(magic); err != nil {
		return fail(err)
	}
	if len(records) > 0 {
		frame := encode(records)
		if _, err := tmp.Write(frame); err != nil {
			return fail(err)
		}
		if err := next.note(frame[headSize:], next.size+headSize); err != nil {
			return fail(err)
		}
		next.size += int64(len(frame))
	}
	if err := tmp.Sync(); err != nil {
		return fail(err)
	}
	if err := os.Rename(tmp.Name(), d.name(n, "log")); err != nil {
		return fail(err)
	}
	if dir, err := os.Open(d.path); err == nil { // makes the rename durable
		dir.Sync()
		dir.Close()
	}
	d.mu.Lock()
	old := d.file
	d.file, d.number, d.size, d.live, d.index, d.synced = tmp, n, next.size, next.live, next.index, next.size
	d.mu.Unlock()
	if old != nil {
		old.Close()
		os.Remove(d.name(n-1, "log"))
	}
	return nil
}

// Clear implements store.Backend.
func (d *Dir) Clear() error { return d.rewrite(d.number+1, nil) }

// Close implements store.Backend.
func (d *Dir) Close() error {
	err := d.Sync()
	return errors.Join(err, d.file.Close(), d.lock.Close())
}
