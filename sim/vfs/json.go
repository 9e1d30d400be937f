// Saving and restoring a tree's own layer. Mounts, devices and synthetic files
// are not saved: who made them makes them again.

package vfs

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"time"
	"unicode/utf8"
)

type savedFS struct {
	Inode uint64      `json:"inode"`
	Gen   uint64      `json:"generation"`
	Nodes []savedNode `json:"nodes"`
}

type savedNode struct {
	Path   string           `json:"path"`
	Mode   fs.FileMode      `json:"mode"`
	MTime  time.Time        `json:"mtime"`
	UID    int              `json:"uid,omitempty"`
	GID    int              `json:"gid,omitempty"`
	Ino    uint64           `json:"ino"`
	Target string           `json:"target,omitempty"`
	Link   string           `json:"link,omitempty"` // another name of the file at that path
	Text   string           `json:"text,omitempty"`
	Size   int64            `json:"size,omitempty"`
	Pages  map[int64][]byte `json:"pages,omitempty"`
	White  []string         `json:"white,omitempty"`
	Opaque bool             `json:"opaque,omitempty"`
}

// MarshalJSON saves the tree's own layer.
func (f *FS) MarshalJSON() ([]byte, error) {
	out := savedFS{Inode: f.inode, Gen: f.gen}
	first := map[*node]string{}
	f.save(&out, first, "/", f.root)
	return json.Marshal(out)
}

func (f *FS) save(out *savedFS, first map[*node]string, p string, n *node) {
	if n.fn != nil || n.dev != nil {
		return
	}
	if at, ok := first[n]; ok {
		out.Nodes = append(out.Nodes, savedNode{Path: p, Link: at})
		return
	}
	first[n] = p
	s := savedNode{Path: p, Mode: n.mode, MTime: n.mtime, UID: n.uid, GID: n.gid, Ino: n.ino, Target: n.target, Opaque: n.opaque}
	for w := range n.white {
		s.White = append(s.White, w)
	}
	sort.Strings(s.White)
	if n.data != nil && n.data.size > 0 {
		s.Size = n.data.size
		if b := []byte(nil); s.Size <= PageSize {
			if b = n.data.bytes(); utf8.Valid(b) && len(n.data.pages) > 0 {
				s.Text = string(b)
			}
		}
		if s.Text == "" && len(n.data.pages) > 0 {
			s.Pages = map[int64][]byte{}
			for i, pg := range n.data.pages {
				s.Pages[i] = pg.data
			}
		}
	}
	out.Nodes = append(out.Nodes, s)
	names := make([]string, 0, len(n.children))
	for name := range n.children {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		f.save(out, first, path.Join(p, name), n.children[name])
	}
}

// UnmarshalJSON replaces the tree's own layer by a saved one. Devices and
// synthetic files that the tree has stay. The error names the first entry that
// makes no sense; the tree is then unchanged.
func (f *FS) UnmarshalJSON(data []byte) error {
	var in savedFS
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("file tree: %w", err)
	}
	nodes := map[string]*node{}
	var used, stored int64
	for _, s := range in.Nodes {
		if s.Path != Clean(s.Path) {
			return fmt.Errorf("file tree: path %q is not clean", s.Path)
		}
		if nodes[s.Path] != nil {
			return fmt.Errorf("file tree: path %q comes twice", s.Path)
		}
		if s.Link != "" {
			n := nodes[s.Link]
			if n == nil || n.mode.IsDir() {
				return fmt.Errorf("file tree: %q links to %q, which is no file", s.Path, s.Link)
			}
			n.links++
			nodes[s.Path] = n
		} else {
			n := &node{mode: s.Mode, mtime: s.MTime.UTC(), uid: s.UID, gid: s.GID, ino: s.Ino, links: 1, target: s.Target, opaque: s.Opaque}
			switch {
			case s.Mode.IsDir():
				n.children = map[string]*node{}
				for _, w := range s.White {
					if n.white == nil {
						n.white = map[string]bool{}
					}
					n.white[w] = true
				}
			case s.Mode.IsRegular():
				if s.Size < 0 || s.Size > maxFileSize {
					return fmt.Errorf("file tree: %q has size %d", s.Path, s.Size)
				}
				n.data = &content{}
				n.data.writeAt([]byte(s.Text), 0)
				for i, b := range s.Pages {
					if i < 0 || len(b) > PageSize || i*PageSize+int64(len(b)) > s.Size {
						return fmt.Errorf("file tree: %q has a page %d outside of its size", s.Path, i)
					}
					n.data.writeAt(b, i*PageSize)
				}
				n.data.size = s.Size
				used += s.Size
				stored += n.data.held
			case s.Mode&fs.ModeSymlink == 0:
				return fmt.Errorf("file tree: %q has mode %v", s.Path, s.Mode)
			}
			nodes[s.Path] = n
		}
		if s.Path == "/" {
			continue
		}
		dir := nodes[path.Dir(s.Path)]
		if dir == nil || !dir.mode.IsDir() {
			return fmt.Errorf("file tree: %q has no directory", s.Path)
		}
		dir.children[path.Base(s.Path)] = nodes[s.Path]
	}
	root := nodes["/"]
	if root == nil || !root.mode.IsDir() {
		return fmt.Errorf("file tree: no root")
	}
	keepSpecial(f.root, root)
	f.root, f.used, f.stored, f.inode, f.gen = root, used, stored, max(in.Inode, f.inode), max(in.Gen, f.gen)+1
	return nil
}

// keepSpecial carries devices and synthetic files over.
func keepSpecial(from, to *node) {
	for name, n := range from.children {
		switch c := to.children[name]; {
		case n.fn != nil || n.dev != nil:
			if c == nil {
				to.children[name] = n
			}
		case n.mode.IsDir() && c != nil && c.mode.IsDir():
			keepSpecial(n, c)
		}
	}
}
