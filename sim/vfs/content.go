// The bytes of one file, in pages: a page of zeros is not stored, and a copy of
// a file shares its pages until one of the two is written to.

package vfs

import (
	"bytes"
)

// PageSize is the unit in which content is stored.
const PageSize = 64 << 10

// maxFileSize bounds what one file can claim to hold (16 TiB, as ext4).
const maxFileSize = 16 << 40

var zeroPage [PageSize]byte

type page struct {
	data  []byte // at most PageSize; what is beyond reads as zeros
	owner *content
}

type content struct {
	size  int64
	held  int64 // bytes of the pages that are its own
	pages map[int64]*page
}

func isZero(b []byte) bool {
	for len(b) > PageSize {
		if !bytes.Equal(b[:PageSize], zeroPage[:]) {
			return false
		}
		b = b[PageSize:]
	}
	return bytes.Equal(b, zeroPage[:len(b)])
}

// clone shares every page; the clone copies one before it writes to it. The
// original must not be written to any more (it lies in a lower tree).
func (c *content) clone() *content {
	d := &content{size: c.size}
	if len(c.pages) > 0 {
		d.pages = make(map[int64]*page, len(c.pages))
		for i, p := range c.pages {
			d.pages[i] = p
		}
	}
	return d
}

func (c *content) readAt(b []byte, off int64) int {
	if off >= c.size {
		return 0
	}
	b = b[:min(int64(len(b)), c.size-off)]
	n := 0
	for n < len(b) {
		at := off + int64(n)
		i, in := at/PageSize, int(at%PageSize)
		chunk := b[n:min(len(b), n+PageSize-in)]
		got := 0
		if p := c.pages[i]; p != nil && in < len(p.data) {
			got = copy(chunk, p.data[in:])
		}
		clear(chunk[got:])
		n += len(chunk)
	}
	return n
}

func (c *content) writeAt(b []byte, off int64) {
	for len(b) > 0 {
		i, in := off/PageSize, int(off%PageSize)
		chunk := b[:min(len(b), PageSize-in)]
		p := c.pages[i]
		switch {
		case p == nil && isZero(chunk):
		case in == 0 && len(chunk) == PageSize && isZero(chunk):
			c.drop(i)
		default:
			if p == nil || p.owner != c {
				c.held += int64(len(c.own(i).data))
			}
			p = c.pages[i]
			before := len(p.data)
			if need := in + len(chunk); len(p.data) < need {
				if cap(p.data) < need {
					grown := make([]byte, len(p.data), min(PageSize, max(need, 2*cap(p.data))))
					copy(grown, p.data)
					p.data = grown
				}
				old := len(p.data)
				p.data = p.data[:need]
				clear(p.data[old:])
			}
			copy(p.data[in:], chunk)
			c.held += int64(len(p.data) - before)
		}
		b = b[len(chunk):]
		off += int64(len(chunk))
		c.size = max(c.size, off)
	}
}

// own is the page for writing.
func (c *content) own(i int64) *page {
	p := c.pages[i]
	switch {
	case p == nil:
		p = &page{owner: c}
	case p.owner != c:
		p = &page{owner: c, data: bytes.Clone(p.data)}
	default:
		return p
	}
	if c.pages == nil {
		c.pages = map[int64]*page{}
	}
	c.pages[i] = p
	return p
}

func (c *content) drop(i int64) {
	if p := c.pages[i]; p != nil && p.owner == c {
		c.held -= int64(len(p.data))
	}
	delete(c.pages, i)
}

func (c *content) truncate(size int64) {
	if size < c.size {
		for i := range c.pages {
			start := i * PageSize
			if start >= size {
				c.drop(i)
			} else if p := c.pages[i]; start+int64(len(p.data)) > size {
				if p.owner == c {
					c.held -= int64(len(p.data))
				}
				p = c.own(i)
				p.data = p.data[:size-start]
				c.held += size - start
			}
		}
	}
	c.size = size
}

func (c *content) bytes() []byte {
	b := make([]byte, c.size)
	c.readAt(b, 0)
	return b
}
