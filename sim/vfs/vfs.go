// Package vfs is an in-memory POSIX-like file tree: the reader's home, the
// layers of container images, volumes. A tree can be an overlay, that is, its
// own changes over a read-only lower tree that many share; other trees can be
// mounted into it. It knows nothing of processes: permissions are checked by
// those who ask (see Access), and memory is charged through OnGrow.
//
// Paths are absolute and cleaned lexically. Like everything in the simulation
// a tree is used by whoever holds the kernel's baton, never concurrently.
package vfs

import (
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"sort"
	"strings"
	"time"
)

// Clean makes a path absolute and cleans it: no "." or "..", no double or
// trailing slashes.
func Clean(p string) string { return path.Clean("/" + p) }

// Join is Clean(name) when name is absolute, else name inside dir.
func Join(dir, name string) string {
	if strings.HasPrefix(name, "/") {
		return Clean(name)
	}
	return Clean(dir + "/" + name)
}

// Device answers the reads and writes of a device file.
type Device interface {
	Read(b []byte) (int, error)
	Write(b []byte) (int, error)
}

// FS is one file tree.
type FS struct {
	now    func() time.Time
	root   *node
	lower  *FS
	mounts map[string]mount
	used   int64
	stored int64 // of used, what takes memory: zeros do not
	limit  int64
	onGrow func(delta int64) error
	gen    uint64
	inode  uint64
	owner  int // of new files
	groups []int

	readOnly bool   // see SetReadOnly
	writable string // a file that can be written all the same
}

// maxStored bounds the memory that one tree takes, whatever size it has: a
// program that writes without end gets ENOSPC.
const maxStored = 64 << 20

type mount struct {
	fs       *FS
	dir      string // of fs
	readOnly bool
}

type node struct {
	mode     fs.FileMode
	mtime    time.Time
	uid, gid int
	ino      uint64
	links    int
	data     *content         // regular files
	target   string           // symlinks
	children map[string]*node // directories
	white    map[string]bool  // names of the lower tree that are deleted
	opaque   bool             // a directory that hides the lower one
	fn       func() []byte
	dev      Device
}

// Stat is what FileInfo.Sys returns.
type Stat struct {
	UID, GID int
	Ino      uint64
	Nlink    int
}

// entry is one name as seen through the layers, the upper one first: a single
// node, or the directories that are merged.
type entry []*node

func (e entry) node() *node { return e[0] }

// New returns an empty tree; now is where modification times come from.
func New(now func() time.Time) *FS {
	f := &FS{now: now, mounts: map[string]mount{}}
	f.root = f.newNode(fs.ModeDir | 0o755)
	return f
}

// Overlay returns a tree that shows lower and keeps every change to itself.
// Mounts of lower are not seen. lower must not change any more.
func Overlay(now func() time.Time, lower *FS) *FS {
	f := New(now)
	f.lower = lower
	r := lower.root
	f.root.mode, f.root.mtime, f.root.uid, f.root.gid = r.mode, r.mtime, r.uid, r.gid
	f.root.opaque = false
	return f
}

func (f *FS) newNode(mode fs.FileMode) *node {
	f.inode++
	n := &node{mode: mode, mtime: f.now(), ino: f.inode, links: 1, uid: f.owner, gid: f.owner}
	switch {
	case mode.IsDir():
		n.children, n.opaque = map[string]*node{}, true
	case mode.IsRegular():
		n.data = &content{}
	}
	return n
}

// SetOwner makes uid (and the group of that number) the owner of what is created from now on.
func (f *FS) SetOwner(uid int) { f.owner = uid }

// SetReadOnly lets nothing of the tree be changed but what is mounted in it, its
// devices, and the file named by except ("" is none).
func (f *FS) SetReadOnly(except string) { f.readOnly, f.writable = true, except }

// SetGroups says which groups the tree's user is in, the primary one first:
// Access and Own go by them. Without any, the user's is the one of the same number.
func (f *FS) SetGroups(gids ...int) { f.groups = gids }

// Groups are those of SetGroups.
func (f *FS) Groups() []int { return f.groups }

// SetLimit bounds what the tree's own layer may hold; 0 is no bound.
func (f *FS) SetLimit(bytes int64) { f.limit = bytes }

// Limit is the bound that SetLimit set.
func (f *FS) Limit() int64 { return f.limit }

// Used is the number of bytes of file content in the tree's own layer.
func (f *FS) Used() int64 { return f.used }

// OnGrow sets what is asked before content grows, and told (its error ignored,
// delta negative) when content shrinks. It may return an error, which fails
// the write, or never return because it ended the calling process.
func (f *FS) OnGrow(fn func(delta int64) error) { f.onGrow = fn }

// Generation increases with every change to the tree's own layer.
func (f *FS) Generation() uint64 { return f.gen }

func (f *FS) grow(delta int64) error {
	if delta > 0 {
		if f.limit > 0 && f.used+delta > f.limit {
			return ENOSPC
		}
		if f.onGrow != nil {
			if err := f.onGrow(delta); err != nil {
				return err
			}
		}
	} else if delta < 0 && f.onGrow != nil {
		_ = f.onGrow(delta)
	}
	f.used += delta
	return nil
}

// Mount shows sub at the path, which is made when it is missing. What was
// there is hidden until Unmount.
func (f *FS) Mount(p string, sub *FS, readOnly bool) { f.MountDir(p, sub, "/", readOnly) }

// MountDir is Mount of a directory of sub. At "/" it is all that is seen.
func (f *FS) MountDir(p string, sub *FS, dir string, readOnly bool) {
	p = Clean(p)
	if p != "/" {
		_ = f.MkdirAll(p, 0o755)
		if l, err := f.resolve(p, true); err == nil && l.fs == f && l.path != "/" {
			p = l.path
		}
	}
	f.mounts[p] = mount{fs: sub, dir: Clean(dir), readOnly: readOnly}
}

// at is the root of what is mounted, as seen at outer.
func (m *mount) at(outer, name string) (loc, error) {
	l, err := m.fs.find(m.dir, true)
	if err == nil {
		l = loc{fs: l.fs, path: l.path, outer: outer, name: name, ent: l.ent, ro: m.readOnly || l.ro}
	}
	return l, err
}

// Unmount takes away what Mount put at the path.
func (f *FS) Unmount(p string) { delete(f.mounts, Clean(p)) }

// Mounts lists the mount points, sorted.
func (f *FS) Mounts() []string {
	out := make([]string, 0, len(f.mounts))
	for p := range f.mounts {
		out = append(out, p)
	}
	sort.Strings(out)
	return out
}

// Mounted is the tree mounted at the path, nil when there is none.
func (f *FS) Mounted(p string) (sub *FS, readOnly bool) {
	m := f.mounts[Clean(p)]
	return m.fs, m.readOnly
}

func (f *FS) rootEntry() entry {
	var e entry
	for g := f; g != nil; g = g.lower {
		e = append(e, g.root)
	}
	return e
}

// child looks a name up through the layers.
func (e entry) child(name string) entry {
	var out entry
	for i, n := range e {
		if c := n.children[name]; c != nil {
			if !c.mode.IsDir() {
				if out == nil {
					return entry{c}
				}
				return out
			}
			if out == nil {
				out = make(entry, 0, len(e)-i)
			}
			out = append(out, c)
			if c.opaque {
				return out
			}
		}
		if n.white[name] {
			return out
		}
	}
	return out
}

// loc is where a path leads. ent is nil when the last name does not exist
// though its directory does.
type loc struct {
	fs     *FS
	path   string // canonical, within fs
	outer  string // canonical, as the caller would write it
	parent entry  // nil for a root
	name   string
	ent    entry
	ro     bool
}

func (f *FS) resolve(p string, follow bool) (loc, error) {
	rest := Clean(p)
	if len(p) > 1<<16 {
		return loc{}, ETOOLONG
	}
	trailing := strings.HasSuffix(p, "/")
	links := 0
restart:
	l := loc{fs: f, path: "/", outer: "/", ent: f.rootEntry(), ro: f.readOnly}
	if m, ok := f.mounts["/"]; ok {
		var err error
		if l, err = m.at("/", ""); err != nil {
			return loc{}, err
		}
	}
	for rest != "" && rest != "/" {
		var name string
		name, rest, _ = strings.Cut(strings.TrimPrefix(rest, "/"), "/")
		if !l.ent.node().mode.IsDir() {
			return loc{}, ENOTDIR
		}
		if len(name) > 255 {
			return loc{}, ETOOLONG
		}
		dir := l.outer
		next := loc{fs: l.fs, path: path.Join(l.path, name), outer: path.Join(l.outer, name), parent: l.ent, name: name, ro: l.ro}
		if l.ro && l.fs.writable == next.path {
			next.ro = false
		}
		if m, ok := l.fs.mounts[next.path]; ok {
			var err error
			if next, err = m.at(next.outer, name); err != nil {
				return loc{}, err
			}
		} else {
			next.ent = l.ent.child(name)
		}
		l = next
		if l.ent == nil {
			if rest != "" {
				return loc{}, ENOENT
			}
			return l, nil
		}
		if n := l.ent.node(); n.mode&fs.ModeSymlink != 0 && (rest != "" || follow || trailing) {
			if links++; links > 40 {
				return loc{}, ELOOP
			}
			rest = Join(dir, n.target) + "/" + rest
			rest = Clean(rest)
			goto restart
		}
	}
	if trailing && !l.ent.node().mode.IsDir() {
		return loc{}, ENOTDIR
	}
	return l, nil
}

// find is resolve for something that must exist.
func (f *FS) find(p string, follow bool) (loc, error) {
	l, err := f.resolve(p, follow)
	if err == nil && l.ent == nil {
		err = ENOENT
	}
	return l, err
}

// upperDir is the directory in the tree's own layer, copied up when only the
// lower one has it. p is canonical.
func (f *FS) upperDir(p string) *node {
	n, e := f.root, f.rootEntry()
	for _, name := range strings.Split(strings.Trim(p, "/"), "/") {
		if name == "" {
			continue
		}
		e = e.child(name)
		c := n.children[name]
		if c == nil || !c.mode.IsDir() {
			low := e.node()
			c = f.newNode(low.mode)
			c.mtime, c.uid, c.gid, c.opaque = low.mtime, low.uid, low.gid, false
			n.children[name] = c
		}
		n = c
	}
	return n
}

// upperNode is the node itself in the tree's own layer, copied up when needed.
func (l *loc) upperNode() (*node, error) {
	if l.path == "/" {
		return l.fs.root, nil
	}
	n := l.ent.node()
	if n.mode.IsDir() {
		return l.fs.upperDir(l.path), nil
	}
	dir := l.fs.upperDir(path.Dir(l.path))
	if up := dir.children[l.name]; up != nil {
		return up, nil
	}
	if n.data != nil {
		if err := l.fs.grow(n.data.size); err != nil {
			return nil, err
		}
	}
	c := l.fs.newNode(n.mode)
	c.mtime, c.uid, c.gid, c.target, c.fn, c.dev = n.mtime, n.uid, n.gid, n.target, n.fn, n.dev
	if n.data != nil {
		c.data = n.data.clone()
	}
	dir.children[l.name] = c
	l.ent = entry{c}
	return c, nil
}

// put places a node under its name, in place of nothing.
func (l *loc) put(n *node) {
	dir := l.fs.upperDir(path.Dir(l.path))
	if dir.mode&fs.ModeSetgid != 0 {
		if n.gid = dir.gid; n.mode.IsDir() {
			n.mode |= fs.ModeSetgid
		}
	}
	dir.children[l.name] = n
	dir.mtime = l.fs.now()
	l.fs.gen++
}

// drop takes the name out of its directory and gives its bytes back.
func (l *loc) drop() {
	dir := l.fs.upperDir(path.Dir(l.path))
	if up := dir.children[l.name]; up != nil {
		l.fs.release(up)
		delete(dir.children, l.name)
	}
	l.hideLower(dir)
	dir.mtime = l.fs.now()
	l.fs.gen++
}

// hideLower leaves a whiteout when a lower layer still has the name.
func (l *loc) hideLower(dir *node) {
	if dir.white[l.name] || dir.opaque {
		return
	}
	e := l.fs.rootEntry()
	for _, name := range strings.Split(strings.Trim(path.Dir(l.path), "/"), "/") {
		if name != "" {
			e = e.child(name)
		}
	}
	if len(e) > 1 && e[1:].child(l.name) != nil {
		if dir.white == nil {
			dir.white = map[string]bool{}
		}
		dir.white[l.name] = true
	}
}

func (f *FS) release(n *node) {
	if n.mode.IsDir() {
		for _, c := range n.children {
			f.release(c)
		}
		return
	}
	if n.links--; n.links == 0 && n.data != nil {
		_ = f.grow(-n.data.size)
		f.stored -= n.data.held
	}
}

// Mkdir makes a directory; its parent must exist.
func (f *FS) Mkdir(p string, perm fs.FileMode) error {
	l, err := f.resolve(strings.TrimRight(p, "/")+"/.", false)
	switch {
	case err != nil:
	case l.ent != nil:
		err = EEXIST
	case l.ro:
		err = EROFS
	default:
		l.put(l.fs.newNode(fs.ModeDir | perm.Perm()))
	}
	return pathError("mkdir", p, err)
}

// MkdirAll makes a directory and its parents; it is no error when it exists.
func (f *FS) MkdirAll(p string, perm fs.FileMode) error {
	c := Clean(p)
	if l, err := f.find(c, true); err == nil {
		if l.ent.node().mode.IsDir() {
			return nil
		}
		return pathError("mkdir", p, ENOTDIR)
	}
	if c != "/" {
		if err := f.MkdirAll(path.Dir(c), perm); err != nil {
			return err
		}
	}
	return f.Mkdir(c, perm)
}

// Remove deletes a file or an empty directory.
func (f *FS) Remove(p string) error {
	l, err := f.find(p, false)
	switch {
	case err != nil:
	case l.path == "/":
		err = EBUSY
	case l.ro:
		err = EROFS
	case l.ent.node().mode.IsDir() && len(l.ent.names()) > 0:
		err = ENOTEMPTY
	default:
		l.drop()
	}
	return pathError("remove", p, err)
}

// RemoveAll deletes a path and what is below it; it is no error when it does
// not exist.
func (f *FS) RemoveAll(p string) error {
	l, err := f.resolve(p, false)
	switch {
	case err == ENOENT || err == nil && l.ent == nil:
		return nil
	case err != nil:
	case l.path == "/":
		err = EBUSY
	case l.ro:
		err = EROFS
	case f.mountBelow(l):
		err = EBUSY
	default:
		l.drop()
	}
	return pathError("remove", p, err)
}

func (f *FS) mountBelow(l loc) bool {
	for m := range l.fs.mounts {
		if strings.HasPrefix(m, l.path+"/") {
			return true
		}
	}
	return false
}

// Rename moves a file or directory, over an existing file or empty directory.
// Between mounts it fails with EXDEV.
func (f *FS) Rename(from, to string) error {
	a, err := f.find(from, false)
	if err != nil {
		return pathError("rename", from, err)
	}
	b, err := f.resolve(strings.TrimRight(to, "/"), false)
	if err != nil {
		return pathError("rename", to, err)
	}
	n := a.ent.node()
	switch {
	case a.path == "/" || b.path == "/" || f.mountBelow(a):
		err = EBUSY
	case a.fs != b.fs:
		err = EXDEV
	case a.ro || b.ro:
		err = EROFS
	case a.path == b.path:
		return nil
	case n.mode.IsDir() && strings.HasPrefix(b.path+"/", a.path+"/"):
		err = EINVAL
	case b.ent != nil && b.ent.node() == n:
		return nil
	case b.ent != nil && b.ent.node().mode.IsDir() && !n.mode.IsDir():
		err = EISDIR
	case b.ent != nil && !b.ent.node().mode.IsDir() && n.mode.IsDir():
		err = ENOTDIR
	case b.ent != nil && b.ent.node().mode.IsDir() && len(b.ent.names()) > 0:
		err = ENOTEMPTY
	}
	if err != nil {
		return pathError("rename", from, err)
	}
	up, err := a.copyTree()
	if err != nil {
		return pathError("rename", from, err)
	}
	if b.ent != nil {
		b.drop()
	}
	dir := a.fs.upperDir(path.Dir(a.path))
	delete(dir.children, a.name)
	a.hideLower(dir)
	dir.mtime = a.fs.now()
	b.put(up)
	return nil
}

// copyTree brings a whole tree into the upper layer, where it stands alone.
func (l *loc) copyTree() (*node, error) {
	up, err := l.upperNode()
	if err != nil || !up.mode.IsDir() {
		return up, err
	}
	for _, name := range l.ent.names() {
		sub := loc{fs: l.fs, path: path.Join(l.path, name), parent: l.ent, name: name, ent: l.ent.child(name)}
		if _, err := sub.copyTree(); err != nil {
			return nil, err
		}
	}
	up.opaque, up.white = true, nil
	return up, nil
}

// Link makes newname another name of the file oldname.
func (f *FS) Link(oldname, newname string) error {
	a, err := f.find(oldname, true)
	if err != nil {
		return pathError("link", oldname, err)
	}
	b, err := f.resolve(newname, false)
	switch {
	case err != nil:
	case b.ent != nil:
		err = EEXIST
	case a.ent.node().mode.IsDir():
		err = EPERM
	case a.fs != b.fs:
		err = EXDEV
	case a.ro || b.ro:
		err = EROFS
	default:
		var n *node
		if n, err = a.upperNode(); err == nil {
			n.links++
			b.put(n)
		}
	}
	return pathError("link", newname, err)
}

// Symlink makes newname a symbolic link with the text target.
func (f *FS) Symlink(target, newname string) error {
	l, err := f.resolve(newname, false)
	switch {
	case err != nil:
	case l.ent != nil:
		err = EEXIST
	case l.ro:
		err = EROFS
	default:
		n := l.fs.newNode(fs.ModeSymlink | 0o777)
		n.target = target
		l.put(n)
	}
	return pathError("symlink", newname, err)
}

// Readlink is the text of a symbolic link.
func (f *FS) Readlink(p string) (string, error) {
	l, err := f.find(p, false)
	if err == nil && l.ent.node().mode&fs.ModeSymlink == 0 {
		err = EINVAL
	}
	if err != nil {
		return "", pathError("readlink", p, err)
	}
	return l.ent.node().target, nil
}

// Realpath is the path with every symbolic link followed; it must exist.
func (f *FS) Realpath(p string) (string, error) {
	l, err := f.find(p, true)
	if err != nil {
		return "", pathError("realpath", p, err)
	}
	return l.outer, nil
}

// Stat describes what the path leads to, Lstat the symbolic link itself. The
// Sys method of the result returns a *Stat.
func (f *FS) Stat(p string) (fs.FileInfo, error) {
	l, err := f.find(p, true)
	if err != nil {
		return nil, pathError("stat", p, err)
	}
	return l.ent.node().info(path.Base(Clean(p))), nil
}

// Lstat is Stat that does not follow a symbolic link at the end of the path.
func (f *FS) Lstat(p string) (fs.FileInfo, error) {
	l, err := f.find(p, false)
	if err != nil {
		return nil, pathError("lstat", p, err)
	}
	return l.ent.node().info(path.Base(Clean(p))), nil
}

func (e entry) names() []string {
	var out []string
	seen := map[string]bool{}
	for i, n := range e {
		for name := range n.children {
			if !seen[name] && e.visible(i, name) {
				out = append(out, name)
			}
			seen[name] = true
		}
	}
	sort.Strings(out)
	return out
}

// visible reports that no layer above i has deleted the name.
func (e entry) visible(i int, name string) bool {
	for _, n := range e[:i] {
		if n.white[name] {
			return false
		}
	}
	return true
}

// ReadDir lists a directory by name. Each entry's Info is that of Lstat.
func (f *FS) ReadDir(p string) ([]fs.DirEntry, error) {
	l, err := f.find(p, true)
	if err == nil && !l.ent.node().mode.IsDir() {
		err = ENOTDIR
	}
	if err != nil {
		return nil, pathError("open", p, err)
	}
	names := l.ent.names()
	out := make([]fs.DirEntry, 0, len(names))
	for _, name := range names {
		n := l.ent.child(name).node()
		if m, ok := l.fs.mounts[path.Join(l.path, name)]; ok {
			n = m.fs.root
		}
		out = append(out, fs.FileInfoToDirEntry(n.info(name)))
	}
	return out, nil
}

// change runs fn on the node for writing, after the usual checks.
func (f *FS) change(op, p string, follow bool, fn func(n *node)) error {
	l, err := f.find(p, follow)
	if err == nil && l.ro {
		err = EROFS
	}
	var n *node
	if err == nil {
		n, err = l.upperNode()
	}
	if err != nil {
		return pathError(op, p, err)
	}
	fn(n)
	l.fs.gen++
	return nil
}

// Chmod sets the permission bits (and setuid, setgid, sticky).
func (f *FS) Chmod(p string, mode fs.FileMode) error {
	const bits = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
	return f.change("chmod", p, true, func(n *node) { n.mode = n.mode&^bits | mode&bits })
}

// Chown sets owner and group; -1 leaves one as it is.
func (f *FS) Chown(p string, uid, gid int) error {
	return f.change("chown", p, true, func(n *node) {
		if uid >= 0 {
			n.uid = uid
		}
		if gid >= 0 {
			n.gid = gid
		}
	})
}

// Own gives a file that a user has just made to them and their primary group,
// unless its directory hands down its own group.
func (f *FS) Own(p string, uid int) {
	gid := uid
	if len(f.groups) > 0 {
		gid = f.groups[0]
	}
	if dir, err := f.Stat(path.Dir(Clean(p))); err == nil && dir.Mode()&fs.ModeSetgid != 0 {
		gid = -1
	}
	_ = f.Chown(p, uid, gid)
}

// Chtimes sets the modification time (access times are not kept).
func (f *FS) Chtimes(p string, atime, mtime time.Time) error {
	return f.change("chtimes", p, true, func(n *node) { n.mtime = mtime })
}

// Access reports, as an error, that the user may not do what the bits of want
// (4 read, 2 write, 1 execute or search) say, directories on the way included.
// uid 0 may do everything but execute a file that nobody may execute.
func (f *FS) Access(p string, uid int, want fs.FileMode) error {
	l, err := f.find(p, true)
	if err != nil {
		return pathError("access", p, err)
	}
	n := l.ent.node()
	if want&2 != 0 && l.ro && n.dev == nil {
		return pathError("access", p, EROFS)
	}
	if uid == 0 {
		if want&1 != 0 && !n.mode.IsDir() && n.mode&0o111 == 0 {
			return pathError("access", p, EACCES)
		}
		return nil
	}
	if l.path != "/" {
		if d := path.Dir(l.outer); d != l.outer {
			if err := f.Access(d, uid, 1); err != nil {
				return pathError("access", p, EACCES)
			}
		}
	}
	perm := n.mode.Perm()
	if n.uid == uid {
		perm >>= 6
	} else if slices.Contains(f.groups, n.gid) {
		perm >>= 3
	}
	if perm&want != want {
		return pathError("access", p, EACCES)
	}
	return nil
}

// SetFunc places a read-only file whose content is made at each open.
// Directories are made as needed; an existing file is replaced.
func (f *FS) SetFunc(p string, read func() []byte) {
	f.special(p, 0o444, func(n *node) { n.fn = read })
}

// SetDevice places a character device; directories are made as needed.
func (f *FS) SetDevice(p string, d Device) {
	f.special(p, fs.ModeDevice|fs.ModeCharDevice|0o666, func(n *node) { n.dev = d })
}

func (f *FS) special(p string, mode fs.FileMode, set func(n *node)) {
	p = Clean(p)
	_ = f.MkdirAll(path.Dir(p), 0o755)
	l, err := f.resolve(p, true)
	if err != nil {
		return
	}
	if l.ent != nil {
		l.drop()
	}
	n := f.newNode(mode)
	set(n)
	l.put(n)
}

// ReadFile is the whole content of a file.
func (f *FS) ReadFile(p string) ([]byte, error) {
	h, err := f.Open(p, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	if h.node.dev == nil && !h.node.mode.IsDir() {
		if h.fn != nil {
			return slices.Clone(h.fn), nil
		}
		return h.node.data.bytes(), nil
	}
	return io.ReadAll(io.LimitReader(h, 1<<20))
}

// WriteFile makes or replaces a file's content.
func (f *FS) WriteFile(p string, data []byte, perm fs.FileMode) error {
	return f.write(p, os.O_TRUNC, data, perm)
}

// AppendFile adds to a file's content, and makes the file when it is missing.
func (f *FS) AppendFile(p string, data []byte, perm fs.FileMode) error {
	return f.write(p, os.O_APPEND, data, perm)
}

func (f *FS) write(p string, flag int, data []byte, perm fs.FileMode) error {
	h, err := f.Open(p, os.O_WRONLY|os.O_CREATE|flag, perm)
	if err != nil {
		return err
	}
	_, err = h.Write(data)
	return err
}

type fileInfo struct {
	name  string
	size  int64
	mode  fs.FileMode
	mtime time.Time
	stat  *Stat
}

func (n *node) info(name string) fs.FileInfo {
	i := fileInfo{name: name, mode: n.mode, mtime: n.mtime, stat: &Stat{UID: n.uid, GID: n.gid, Ino: n.ino, Nlink: n.links}}
	switch {
	case n.mode.IsDir():
		i.size = 4096
		i.stat.Nlink = 2
	case n.data != nil:
		i.size = n.data.size
		if n.fn != nil {
			i.size = 0
		}
	case n.mode&fs.ModeSymlink != 0:
		i.size = int64(len(n.target))
	}
	return i
}

func (i fileInfo) Name() string       { return i.name }
func (i fileInfo) Size() int64        { return i.size }
func (i fileInfo) Mode() fs.FileMode  { return i.mode }
func (i fileInfo) ModTime() time.Time { return i.mtime }
func (i fileInfo) IsDir() bool        { return i.mode.IsDir() }
func (i fileInfo) Sys() any           { return i.stat }
