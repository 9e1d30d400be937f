// Open files: a node, an offset, and how it was opened.

package vfs

import (
	"io"
	"io/fs"
	"os"
)

// File is an open file. It sees what others write to the same file meanwhile,
// and stays readable when the file is removed.
type File struct {
	fs     *FS
	node   *node
	name   string
	off    int64
	read   bool
	write  bool
	append bool
	closed bool
	fn     []byte // content of a synthetic file, made when it was opened
}

// Open opens a file with the flags of package os (O_RDONLY, O_WRONLY, O_RDWR,
// O_APPEND, O_CREATE, O_EXCL, O_TRUNC). The error is a *fs.PathError. A
// directory can be opened for reading; its Read fails with EISDIR.
func (f *FS) Open(p string, flag int, perm fs.FileMode) (*File, error) {
	h, err := f.open(p, flag, perm)
	if err != nil {
		return nil, pathError("open", p, err)
	}
	h.name = p
	return h, nil
}

func (f *FS) open(p string, flag int, perm fs.FileMode) (*File, error) {
	access := flag & (os.O_RDONLY | os.O_WRONLY | os.O_RDWR)
	h := &File{read: access != os.O_WRONLY, write: access != os.O_RDONLY, append: flag&os.O_APPEND != 0}
	l, err := f.resolve(p, flag&os.O_EXCL == 0)
	if err != nil {
		return nil, err
	}
	if l.ent == nil {
		if flag&os.O_CREATE == 0 {
			return nil, ENOENT
		}
		if l.ro {
			return nil, EROFS
		}
		h.fs, h.node = l.fs, l.fs.newNode(perm.Perm())
		l.put(h.node)
		return h, nil
	}
	n := l.ent.node()
	switch {
	case flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0:
		return nil, EEXIST
	case n.mode.IsDir() && (h.write || flag&os.O_CREATE != 0):
		return nil, EISDIR
	case h.write && n.dev == nil && l.ro:
		return nil, EROFS
	case h.write && n.fn != nil:
		return nil, EACCES
	}
	h.fs, h.node = l.fs, n
	if n.fn != nil {
		h.fn = n.fn()
		if h.fn == nil {
			h.fn = []byte{}
		}
		return h, nil
	}
	if h.write && n.dev == nil {
		if h.node, err = l.upperNode(); err != nil {
			return nil, err
		}
		if flag&os.O_TRUNC != 0 && h.node.data.size > 0 {
			_ = h.fs.grow(-h.node.data.size)
			h.fs.stored -= h.node.data.held
			h.node.data.truncate(0)
			h.node.mtime = h.fs.now()
		}
		h.fs.gen++
	}
	return h, nil
}

// Name is the path that the file was opened with.
func (h *File) Name() string { return h.name }

// Device is the device behind the file, nil when it is none.
func (h *File) Device() Device { return h.node.dev }

// Read reads from the offset on; io.EOF at the end.
func (h *File) Read(b []byte) (int, error) {
	switch {
	case h.closed || !h.read:
		return 0, h.fail("read", EBADF)
	case h.node.mode.IsDir():
		return 0, h.fail("read", EISDIR)
	case h.node.dev != nil:
		return h.node.dev.Read(b)
	case len(b) == 0:
		return 0, nil
	}
	n := 0
	if h.fn != nil {
		if h.off < int64(len(h.fn)) {
			n = copy(b, h.fn[h.off:])
		}
	} else {
		n = h.node.data.readAt(b, h.off)
	}
	h.off += int64(n)
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Write writes at the offset, or at the end when opened with O_APPEND. When
// the tree may not grow nothing is written.
func (h *File) Write(b []byte) (int, error) {
	switch {
	case h.closed || !h.write:
		return 0, h.fail("write", EBADF)
	case h.node.dev != nil:
		return h.node.dev.Write(b)
	}
	if h.append {
		h.off = h.node.data.size
	}
	end := h.off + int64(len(b))
	if end > maxFileSize {
		return 0, h.fail("write", EFBIG)
	}
	if h.fs.stored > maxStored && !isZero(b) {
		return 0, h.fail("write", ENOSPC)
	}
	if delta := end - h.node.data.size; delta > 0 && h.node.links > 0 {
		if err := h.fs.grow(delta); err != nil {
			return 0, h.fail("write", err)
		}
	}
	held := h.node.data.held
	h.node.data.writeAt(b, h.off)
	h.fs.stored += h.node.data.held - held
	h.off = end
	h.node.mtime = h.fs.now()
	h.fs.gen++
	return len(b), nil
}

// Seek moves the offset, as io.Seeker says.
func (h *File) Seek(offset int64, whence int) (int64, error) {
	base := int64(0)
	switch whence {
	case io.SeekCurrent:
		base = h.off
	case io.SeekEnd:
		if h.fn != nil {
			base = int64(len(h.fn))
		} else if h.node.data != nil {
			base = h.node.data.size
		}
	}
	if base+offset < 0 {
		return 0, h.fail("seek", EINVAL)
	}
	h.off = base + offset
	return h.off, nil
}

// Truncate sets the size; new bytes are zero.
func (h *File) Truncate(size int64) error {
	if h.closed || !h.write || h.node.data == nil || size < 0 {
		return h.fail("truncate", EINVAL)
	}
	if size > maxFileSize {
		return h.fail("truncate", EFBIG)
	}
	if h.node.links > 0 {
		if err := h.fs.grow(size - h.node.data.size); err != nil {
			return h.fail("truncate", err)
		}
	}
	held := h.node.data.held
	h.node.data.truncate(size)
	h.fs.stored += h.node.data.held - held
	h.node.mtime = h.fs.now()
	h.fs.gen++
	return nil
}

// Stat describes the file.
func (h *File) Stat() (fs.FileInfo, error) {
	base := h.name
	for i := len(base) - 1; i >= 0; i-- {
		if base[i] == '/' {
			base = base[i+1:]
			break
		}
	}
	return h.node.info(base), nil
}

// Close ends the use of the file; closing twice is an error.
func (h *File) Close() error {
	if h.closed {
		return h.fail("close", EBADF)
	}
	h.closed = true
	return nil
}

func (h *File) fail(op string, err error) error { return pathError(op, h.name, err) }
