// Package repo is what git on the reader's machine remembers: commits, branches
// and an index, as one JSON file. The reader's home is a repository from the
// start, whose first commit holds the files that the page brought, as the page
// has them; so git diff shows what the reader has edited.
package repo

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"sort"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/vfs"
)

// Home is the reader's home, and homeState where its history is kept as long as
// the reader has not made a repository there.
const (
	Home      = "/home/reader"
	homeState = "/var/lib/kubonsai/home.git"
)

// Tree is files by slash-separated name below the repository's root.
type Tree map[string]string

// Commit is one commit.
type Commit struct {
	Parent  string    `json:"parent,omitempty"`
	Author  string    `json:"author"`
	Date    time.Time `json:"date"`
	Message string    `json:"message"`
	Tree    Tree      `json:"tree"`
}

// Repo is a repository.
type Repo struct {
	Root     string             `json:"-"`
	Branch   string             `json:"branch"`
	Branches map[string]string  `json:"branches,omitempty"` // the commits that they are at
	Commits  map[string]*Commit `json:"commits,omitempty"`
	Index    Tree               `json:"index,omitempty"`
	Config   map[string]string  `json:"config,omitempty"`

	file string
}

// New is an empty repository with its root at dir.
func New(dir string) *Repo {
	return &Repo{Root: dir, Branch: "main", Branches: map[string]string{}, Commits: map[string]*Commit{}, Index: Tree{}, Config: map[string]string{}, file: dir + "/.git/state"}
}

// Find is the repository that dir is in; nil if there is none.
func Find(fs *vfs.FS, dir string) *Repo {
	for d := dir; ; d = path.Dir(d) {
		r := New(d)
		if d == Home {
			if _, err := fs.Stat(r.file); err != nil {
				r.file = homeState
			}
		}
		if b, err := fs.ReadFile(r.file); err == nil && json.Unmarshal(b, r) == nil {
			return r
		}
		if d == "/" {
			return nil
		}
	}
}

// Save keeps the repository.
func (r *Repo) Save(fs *vfs.FS) error {
	b, err := json.Marshal(r)
	if err == nil {
		err = fs.MkdirAll(path.Dir(r.file), 0o755)
	}
	if err == nil {
		err = fs.WriteFile(r.file, b, 0o644)
	}
	return err
}

// Track puts a file that the page or the author brought into the first commit
// of the reader's home, if it is not known there.
func Track(fs *vfs.FS, file string, data []byte, now time.Time) {
	name, ok := strings.CutPrefix(file, Home+"/")
	if !ok || strings.HasPrefix(name, ".") {
		return
	}
	r := Find(fs, Home)
	if r == nil {
		r = New(Home)
		r.file = homeState
	}
	if r.file != homeState {
		return
	}
	for _, c := range r.Commits {
		if _, known := c.Tree[name]; known {
			return
		}
	}
	r.Index[name] = string(data)
	if len(r.Commits) == 0 {
		r.Commit("kubonsai <page@kubonsai>", "The files of this page", now)
	}
	for _, c := range r.Commits { // it has always been there
		c.Tree[name] = string(data)
	}
	_ = r.Save(fs)
}

func (r *Repo) add(c *Commit) string {
	h := sha1.New()
	fmt.Fprintf(h, "%s %s %d %s\n", c.Parent, c.Author, c.Date.Unix(), c.Message)
	for _, n := range c.Tree.Names() {
		fmt.Fprintf(h, "%s %s\n", Blob(c.Tree[n]), n)
	}
	id := hex.EncodeToString(h.Sum(nil))
	r.Commits[id] = c
	return id
}

// Commit records the index on the branch and returns the commit's id.
func (r *Repo) Commit(author, message string, now time.Time) string {
	tree := Tree{}
	for n, s := range r.Index {
		tree[n] = s
	}
	id := r.add(&Commit{Parent: r.Branches[r.Branch], Author: author, Date: now, Message: message, Tree: tree})
	r.Branches[r.Branch] = id
	return id
}

// Resolve is the id of the commit that a name means; "" if there is none.
func (r *Repo) Resolve(name string) string {
	base, back := name, 0
	if i := strings.IndexAny(name, "~^"); i >= 0 {
		base, back = name[:i], 1
		if n := 0; name[i] == '~' && i+1 < len(name) {
			if _, err := fmt.Sscanf(name[i+1:], "%d", &n); err == nil {
				back = n
			}
		} else {
			back = len(name) - i
		}
	}
	id, ok := r.Branches[strings.TrimPrefix(base, "origin/")]
	switch {
	case base == "HEAD" || base == "@":
		id = r.Branches[r.Branch]
	case base == "origin": // what was there before the reader's own commits
		for id = r.Branches[r.Branch]; id != "" && r.Commits[id].Parent != ""; id = r.Commits[id].Parent {
		}
	case !ok && len(base) >= 4:
		for _, c := range r.ids() {
			if strings.HasPrefix(c, base) {
				id = c
			}
		}
	}
	for ; back > 0 && id != ""; back-- {
		id = r.Commits[id].Parent
	}
	return id
}

func (r *Repo) ids() []string {
	out := make([]string, 0, len(r.Commits))
	for id := range r.Commits {
		out = append(out, id)
	}
	sort.Strings(out)
	return out
}

// Tree is the files of a commit, by any name of it.
func (r *Repo) Tree(name string) Tree {
	if c := r.Commits[r.Resolve(name)]; c != nil {
		return c.Tree
	}
	return nil
}

// Names are the tree's files, sorted.
func (t Tree) Names() []string {
	out := make([]string, 0, len(t))
	for n := range t {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}

// Blob is the id that git gives a content.
func Blob(content string) string {
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00%s", len(content), content)
	return hex.EncodeToString(h.Sum(nil))
}
