// ls, stat, du, df, mount, tree: what shows the file tree.

package tool

import (
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/shell/pattern"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

func init() {
	reg("ls [OPTION]... [FILE]...", ls, "ls", "dir")
	reg("stat [OPTION]... FILE...", stat, "stat")
	reg("du [OPTION]... [FILE]...", du, "du")
	reg("df [OPTION]... [FILE]...", df, "df")
	reg("mount [-l]", mount, "mount")
	reg("tree [-adfi] [-L level] [-P pattern] [-I pattern] [directory ...]", tree, "tree")
	reg("find [path...] [expression]", find, "find")
}

// ModeString is a file's mode as ls -l shows it.
func ModeString(m fs.FileMode) string {
	b := []byte("-rwxrwxrwx")
	switch {
	case m.IsDir():
		b[0] = 'd'
	case m&fs.ModeSymlink != 0:
		b[0] = 'l'
	case m&fs.ModeCharDevice != 0:
		b[0] = 'c'
	case m&fs.ModeNamedPipe != 0:
		b[0] = 'p'
	}
	for i := range 9 {
		if m&(1<<(8-i)) == 0 {
			b[i+1] = '-'
		}
	}
	special := func(on bool, at int, x, no byte) {
		if on {
			if b[at] == 'x' {
				b[at] = x
			} else {
				b[at] = no
			}
		}
	}
	special(m&fs.ModeSetuid != 0, 3, 's', 'S')
	special(m&fs.ModeSetgid != 0, 6, 's', 'S')
	special(m&fs.ModeSticky != 0, 9, 't', 'T')
	return string(b)
}

// human is a size as -h prints it.
func human(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(n, 10)
	}
	f := float64(n)
	u := -1
	for f >= 1024 && u < 5 {
		f /= 1024
		u++
	}
	if f < 10 {
		r := float64(int64(f*10+0.999999)) / 10
		if r < 10 {
			return fmt.Sprintf("%.1f%c", r, "KMGTPE"[u])
		}
	}
	return fmt.Sprintf("%d%c", int64(f+0.999999), "KMGTPE"[u])
}

func (t *T) owner(info fs.FileInfo) (user, group string) {
	st, ok := info.Sys().(*vfs.Stat)
	if !ok {
		return "root", "root"
	}
	return t.userName(st.UID), t.groupName(st.GID)
}

func (t *T) userName(id int) string {
	if id == t.UID && t.User != "" {
		return t.User
	}
	return t.named("/etc/passwd", id)
}

func (t *T) groupName(id int) string {
	if id == t.UID && t.User != "" && len(t.FS.Groups()) == 0 {
		return t.User
	}
	return t.named("/etc/group", id)
}

// named is what passwd or group call a number; the number itself when they do not.
func (t *T) named(file string, id int) string {
	if id == 0 {
		return "root"
	}
	if b, err := t.FS.ReadFile(file); err == nil {
		for _, l := range strings.Split(string(b), "\n") {
			if f := strings.Split(l, ":"); len(f) > 2 && f[2] == strconv.Itoa(id) {
				return f[0]
			}
		}
	}
	return strconv.Itoa(id)
}

func lsTime(at, now time.Time, full string) string {
	at = at.UTC()
	switch full {
	case "full-iso":
		return at.Format("2006-01-02 15:04:05.000000000 +0000")
	case "long-iso":
		return at.Format("2006-01-02 15:04")
	}
	if at.After(now) || now.Sub(at) > 182*24*time.Hour {
		return at.Format("Jan _2  2006")
	}
	return at.Format("Jan _2 15:04")
}

type lsItem struct {
	name string
	path string
	info fs.FileInfo
}

func ls(t *T) int {
	if !t.parse("laA1hRdtrFfiSgGonpsXUcuLHqbBCxmkNQT:w:I:v", "all=a", "almost-all=A", "human-readable=h", "recursive=R", "directory=d", "reverse=r", "classify=F?", "inode=i", "color=K?", "full-time=Y?", "time-style=Z", "group-directories-first=D?", "numeric-uid-gid=n", "size=s", "sort=W") {
		return 2
	}
	now := t.Proc.Now()
	style := t.opts["Z"]
	if t.has("Y") {
		style = "full-iso"
		t.opts["l"] = ""
	}
	long := t.has("l") || t.has("g") || t.has("o") || t.has("n")
	if t.has("f") {
		t.opts["a"], t.opts["U"] = "", ""
	}
	color := t.opts["K"] == "always" || t.has("K") && (t.opts["K"] == "auto" || t.opts["K"] == "") && t.TTY != nil
	suffix := func(i lsItem) string {
		if !t.has("F") && !t.has("p") {
			return ""
		}
		m := i.info.Mode()
		switch {
		case m.IsDir():
			return "/"
		case t.has("p"):
		case m&fs.ModeSymlink != 0 && !long:
			return "@"
		case m.IsRegular() && m&0o111 != 0:
			return "*"
		}
		return ""
	}
	show := func(i lsItem) string {
		n := i.name
		if color {
			m := i.info.Mode()
			switch {
			case m.IsDir():
				n = "\x1b[01;34m" + n + "\x1b[0m"
			case m&fs.ModeSymlink != 0:
				n = "\x1b[01;36m" + n + "\x1b[0m"
			case m&0o111 != 0:
				n = "\x1b[01;32m" + n + "\x1b[0m"
			}
		}
		if t.TTY != nil && strings.ContainsAny(i.name, " '\"$*?&;()|<>") {
			n = "'" + strings.ReplaceAll(n, "'", `'\''`) + "'"
		}
		return n + suffix(i)
	}
	order := func(items []lsItem) {
		if t.has("U") {
			return
		}
		sort.SliceStable(items, func(a, b int) bool {
			x, y := items[a], items[b]
			if t.has("D") && x.info.IsDir() != y.info.IsDir() {
				return x.info.IsDir()
			}
			if t.has("r") {
				x, y = y, x
			}
			switch {
			case t.has("t") || t.opts["W"] == "time":
				if !x.info.ModTime().Equal(y.info.ModTime()) {
					return x.info.ModTime().After(y.info.ModTime())
				}
			case t.has("S") || t.opts["W"] == "size":
				if x.info.Size() != y.info.Size() {
					return x.info.Size() > y.info.Size()
				}
			case t.has("X"):
				if ex, ey := path.Ext(x.name), path.Ext(y.name); ex != ey {
					return ex < ey
				}
			case t.has("v"):
				return compareVersions(x.name, y.name) < 0
			}
			return x.name < y.name
		})
	}
	size := func(i lsItem) string {
		if t.has("h") {
			return human(i.info.Size())
		}
		return strconv.FormatInt(i.info.Size(), 10)
	}
	blocks := func(i lsItem) int64 {
		if i.info.Mode()&(fs.ModeSymlink|fs.ModeDevice) != 0 {
			return 0
		}
		return (i.info.Size() + 4095) / 4096 * 4
	}
	print := func(items []lsItem) {
		type row struct {
			i                      lsItem
			links, user, grp, size string
		}
		var w [4]int
		var rows []row
		if !long {
			if t.TTY != nil && !t.has("1") && !t.has("i") && !t.has("s") {
				columns, _ := t.TTY.Size()
				names := make([]string, len(items))
				widths := make([]int, len(items))
				for k, i := range items {
					names[k] = show(i)
					widths[k] = runes([]byte(i.name)) + len(suffix(i))
					if strings.HasPrefix(names[k], "'") {
						widths[k] += 2
					}
				}
				t.puts(inColumns(names, widths, columns))
				return
			}
			for _, i := range items {
				if t.has("i") {
					t.printf("%d ", i.info.Sys().(*vfs.Stat).Ino)
				}
				if t.has("s") {
					t.printf("%d ", blocks(i))
				}
				sep := "\n"
				if t.has("m") {
					sep = ", "
				}
				t.puts(show(i) + sep)
			}
			return
		}
		for _, i := range items {
			u, g := t.owner(i.info)
			if st, ok := i.info.Sys().(*vfs.Stat); ok && t.has("n") {
				u, g = strconv.Itoa(st.UID), strconv.Itoa(st.GID)
			}
			links := 1
			if st, ok := i.info.Sys().(*vfs.Stat); ok {
				links = st.Nlink
			}
			r := row{i, strconv.Itoa(links), u, g, size(i)}
			if i.info.Mode()&fs.ModeCharDevice != 0 {
				r.size = "1, 3"
			}
			rows = append(rows, r)
			w[0], w[1], w[2], w[3] = max(w[0], len(r.links)), max(w[1], len(u)), max(w[2], len(g)), max(w[3], len(r.size))
		}
		if t.busybox() { // its columns are of fixed width
			w[0], w[1], w[2], w[3] = 4, 8, 8, 9
		}
		for _, r := range rows {
			if t.has("i") {
				t.printf("%d ", r.i.info.Sys().(*vfs.Stat).Ino)
			}
			t.printf("%s %*s ", ModeString(r.i.info.Mode()), w[0], r.links)
			if !t.has("g") {
				t.printf("%-*s ", w[1], r.user)
			}
			if !t.has("o") && !t.has("G") {
				t.printf("%-*s ", w[2], r.grp)
			}
			t.printf("%*s %s %s", w[3], r.size, lsTime(r.i.info.ModTime(), now, style), show(r.i))
			if r.i.info.Mode()&fs.ModeSymlink != 0 {
				to, _ := t.FS.Readlink(r.i.path)
				t.puts(" -> " + to)
			}
			t.puts("\n")
		}
	}
	names := t.args
	if len(names) == 0 {
		names = []string{"."}
	}
	var plain, dirs []lsItem
	for _, n := range names {
		p := t.Path(n)
		if strings.HasSuffix(n, "/") && p != "/" {
			p += "/"
		}
		info, err := t.FS.Stat(p)
		if err != nil || t.has("d") || long && !strings.HasSuffix(n, "/") {
			linfo, lerr := t.FS.Lstat(p)
			if lerr != nil {
				t.errorf("cannot access '%s': %s", n, vfs.Reason(lerr))
				t.bad = 2
				continue
			}
			if err != nil || t.has("d") || linfo.Mode()&fs.ModeSymlink != 0 && !t.has("L") {
				info = linfo
			}
		}
		i := lsItem{n, p, info}
		if info.IsDir() && !t.has("d") {
			dirs = append(dirs, i)
		} else {
			plain = append(plain, i)
		}
	}
	order(plain)
	order(dirs)
	print(plain)
	first := len(plain) == 0
	var list func(d lsItem, depth int)
	list = func(d lsItem, depth int) {
		t.Proc.Tick()
		err := error(nil)
		var entries []fs.DirEntry
		if t.UID != 0 {
			err = t.FS.Access(d.path, t.UID, 4)
		}
		if err == nil {
			entries, err = t.FS.ReadDir(d.path)
		}
		if err != nil {
			t.errorf("cannot open directory '%s': %s", d.name, vfs.Reason(err))
			t.bad = 2
			return
		}
		if !first {
			t.puts("\n")
		}
		if len(names) > 1 || t.has("R") {
			t.puts(d.name + ":\n")
		}
		first = false
		var items []lsItem
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), ".") && !t.has("a") && !t.has("A") {
				continue
			}
			if x := t.opts["I"]; x != "" && pattern.Match(x, e.Name(), 0) {
				continue
			}
			p := path.Join(d.path, e.Name())
			info, err := t.FS.Lstat(p)
			if err != nil {
				continue
			}
			if t.has("L") {
				if i, err := t.FS.Stat(p); err == nil {
					info = i
				}
			}
			items = append(items, lsItem{e.Name(), p, info})
		}
		if t.has("a") {
			up, _ := t.FS.Stat(path.Dir(path.Clean(d.path)))
			items = append(items, lsItem{".", d.path, d.info}, lsItem{"..", path.Dir(d.path), up})
		}
		order(items)
		if long || t.has("s") {
			var total int64
			for _, i := range items {
				total += blocks(i)
			}
			if t.has("h") {
				t.printf("total %s\n", human(total*1024))
			} else {
				t.printf("total %d\n", total)
			}
		}
		print(items)
		if t.has("R") && depth < 100 {
			for _, i := range items {
				if i.info.IsDir() && i.name != "." && i.name != ".." {
					list(lsItem{strings.TrimSuffix(d.name, "/") + "/" + i.name, i.path, i.info}, depth+1)
				}
			}
		}
	}
	for _, d := range dirs {
		list(d, 0)
	}
	return t.bad
}

// inColumns lays names out as ls does on a terminal.
func inColumns(names []string, widths []int, columns int) string {
	if len(names) == 0 {
		return ""
	}
	rows := 1
	var colW []int
	for ; rows < len(names); rows++ {
		colW = colW[:0]
		total := 0
		for c := 0; c*rows < len(names); c++ {
			w := 0
			for r := c * rows; r < min(len(names), (c+1)*rows); r++ {
				w = max(w, widths[r])
			}
			colW = append(colW, w)
			total += w + 2
		}
		if total-2 <= columns {
			break
		}
	}
	if rows >= len(names) {
		rows = len(names)
		colW = []int{0}
	}
	var b strings.Builder
	for r := range rows {
		for c := 0; c*rows+r < len(names); c++ {
			k := c*rows + r
			b.WriteString(names[k])
			if k+rows < len(names) {
				b.WriteString(strings.Repeat(" ", colW[c]-widths[k]+2))
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func stat(t *T) int {
	if !t.parse("c:Lftx", "format=c", "printf=P", "dereference=L") {
		return 1
	}
	if len(t.args) == 0 {
		return t.usageError(1, "missing operand")
	}
	for _, n := range t.args {
		info, err := t.FS.Lstat(t.Path(n))
		if err == nil && t.has("L") {
			info, err = t.FS.Stat(t.Path(n))
		}
		if err != nil {
			t.errorf("cannot statx '%s': %s", n, vfs.Reason(err))
			continue
		}
		st := info.Sys().(*vfs.Stat)
		u, g := t.owner(info)
		kind := "regular file"
		m := info.Mode()
		switch {
		case m.IsDir():
			kind = "directory"
		case m&fs.ModeSymlink != 0:
			kind = "symbolic link"
		case m&fs.ModeCharDevice != 0:
			kind = "character special file"
		case info.Size() == 0:
			kind = "regular empty file"
		}
		octal := fmt.Sprintf("%o", m.Perm())
		if m&fs.ModeSticky != 0 {
			octal = "1" + octal
		}
		at := info.ModTime().UTC()
		quoted := n
		if m&fs.ModeSymlink != 0 {
			to, _ := t.FS.Readlink(t.Path(n))
			quoted += " -> " + to
		}
		f, ok := t.opts["c"]
		if !ok {
			f, ok = t.opts["P"]
			f, _ = Escapes(f, true)
		} else {
			f += "\n"
		}
		if ok {
			r := strings.NewReplacer("%n", n, "%s", fmt.Sprint(info.Size()), "%a", octal, "%A", ModeString(m), "%U", u, "%G", g, "%u", fmt.Sprint(st.UID), "%g", fmt.Sprint(st.GID),
				"%F", kind, "%i", fmt.Sprint(st.Ino), "%h", fmt.Sprint(st.Nlink), "%Y", fmt.Sprint(at.Unix()), "%y", at.Format("2006-01-02 15:04:05.000000000 +0000"), "%X", fmt.Sprint(at.Unix()), "%Z", fmt.Sprint(at.Unix()), "%N", "'"+n+"'", "%b", fmt.Sprint((info.Size()+4095)/4096*8), "%B", "512", "%%", "%")
			t.puts(r.Replace(f))
			continue
		}
		stamp := at.Format("2006-01-02 15:04:05.000000000 +0000")
		t.printf("  File: %s\n  Size: %-10d\tBlocks: %-10d IO Block: 4096   %s\nDevice: 0,1\tInode: %-11d Links: %d\nAccess: (%04s/%s)  Uid: (%5d/%8s)   Gid: (%5d/%8s)\nAccess: %s\nModify: %s\nChange: %s\n Birth: %s\n",
			quoted, info.Size(), (info.Size()+4095)/4096*8, kind, st.Ino, st.Nlink, octal, ModeString(m), st.UID, u, st.GID, g, stamp, stamp, stamp, stamp)
	}
	return t.bad
}

func du(t *T) int {
	if !t.parse("shacbkmd:x", "summarize=s", "human-readable=h", "all=a", "total=c", "bytes=b", "max-depth=d") {
		return 1
	}
	depthMax, _ := t.number("d", 1<<30)
	if t.has("s") {
		depthMax = 0
	}
	format := func(n int64) string {
		switch {
		case t.has("b"):
			return strconv.FormatInt(n, 10)
		case t.has("h"):
			return human(n)
		case t.has("m"):
			return strconv.FormatInt((n+1<<20-1)>>20, 10)
		}
		return strconv.FormatInt((n+1023)/1024, 10)
	}
	var walk func(name, p string, depth int) int64
	walk = func(name, p string, depth int) int64 {
		t.Proc.Tick()
		info, err := t.FS.Lstat(p)
		if err != nil {
			t.errorf("cannot access '%s': %s", name, vfs.Reason(err))
			return 0
		}
		n := info.Size()
		if !t.has("b") {
			n = (n + 4095) / 4096 * 4096
		}
		if info.IsDir() && depth < 100 {
			entries, _ := t.FS.ReadDir(p)
			for _, e := range entries {
				n += walk(strings.TrimSuffix(name, "/")+"/"+e.Name(), path.Join(p, e.Name()), depth+1)
			}
		}
		if depth <= depthMax && (info.IsDir() || t.has("a") || depth == 0) {
			t.printf("%s\t%s\n", format(n), name)
		}
		return n
	}
	names := t.args
	if len(names) == 0 {
		names = []string{"."}
	}
	var total int64
	for _, n := range names {
		total += walk(n, t.Path(n), 0)
	}
	if t.has("c") {
		t.printf("%s\ttotal\n", format(total))
	}
	return t.bad
}

func df(t *T) int {
	if !t.parse("hkTaPi", "human-readable=h", "print-type=T") {
		return 1
	}
	size := t.FS.Limit()
	if size == 0 {
		size = 100 << 30
	}
	used := t.FS.Used()
	show := func(n int64) string {
		if t.has("h") {
			return human(n)
		}
		return strconv.FormatInt(n/1024, 10)
	}
	head := "1K-blocks"
	if t.has("h") {
		head = "Size"
	}
	pct := (used*100 + size - 1) / size
	w := max(len(head), len(show(size)), 5)
	avail := "Available"
	if t.has("h") {
		avail = "Avail"
	}
	t.printf("Filesystem     %*s %*s %*s Use%% Mounted on\n", w, head, 5, "Used", max(5, len(avail)), avail)
	t.printf("overlay        %*s %*s %*s %3d%% /\n", w, show(size), 5, show(used), max(5, len(avail)), show(size-used), pct)
	for _, m := range t.FS.Mounts() {
		sub, _ := t.FS.Mounted(m)
		if sub == nil {
			continue
		}
		lim := sub.Limit()
		if lim == 0 {
			lim = size
		}
		t.printf("tmpfs          %*s %*s %*s %3d%% %s\n", w, show(lim), 5, show(sub.Used()), max(5, len(avail)), show(lim-sub.Used()), (sub.Used()*100+lim-1)/lim, m)
	}
	return 0
}

// mount lists what is mounted; nothing else can be.
func mount(t *T) int {
	if len(t.args) > 0 && t.args[0] != "-l" {
		if t.busybox() {
			t.errorf("permission denied (are you root?)")
		} else {
			t.errorf("must be superuser to use mount.")
		}
		return 1
	}
	t.puts("overlay on / type overlay (rw,relatime)\nproc on /proc type proc (rw,nosuid,nodev,noexec,relatime)\ntmpfs on /dev type tmpfs (rw,nosuid,size=65536k,mode=755)\n")
	for _, m := range t.FS.Mounts() {
		mode := "rw"
		if _, readOnly := t.FS.Mounted(m); readOnly {
			mode = "ro"
		}
		t.printf("tmpfs on %s type tmpfs (%s,relatime)\n", m, mode)
	}
	return 0
}

// tree draws directories.
func tree(t *T) int {
	if !t.parse("adfiL:I:P:sphCN", "noreport=N") {
		return 1
	}
	depth := 1 << 30
	if v, ok := t.opts["L"]; ok {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			t.eprint("tree: Invalid level, must be greater than 0.\n")
			return 1
		}
		depth = n
	}
	dirs, files := 0, 0
	var walk func(dir, indent string, level int)
	walk = func(dir, indent string, level int) {
		t.Proc.Tick()
		entries, err := t.FS.ReadDir(t.Path(dir))
		if err != nil || level > depth {
			return
		}
		var shown []fs.DirEntry
		for _, e := range entries {
			name := e.Name()
			skip, _ := path.Match(t.opts["I"], name)
			match, _ := path.Match(t.opts["P"], name)
			if t.has("a") || name[0] != '.' {
				if !skip && (!t.has("d") || e.IsDir()) && (!t.has("P") || match || e.IsDir()) {
					shown = append(shown, e)
				}
			}
		}
		for i, e := range shown {
			branch, more := "├── ", "│\u00a0\u00a0 "
			if i == len(shown)-1 {
				branch, more = "└── ", "    "
			}
			name, full := e.Name(), path.Join(dir, e.Name())
			if t.has("f") {
				name = full
			}
			if t.has("i") {
				branch, more = "", ""
			}
			if to, err := t.FS.Readlink(t.Path(full)); err == nil {
				name += " -> " + to
			}
			t.puts(indent + branch + name + "\n")
			if !e.IsDir() {
				files++
				continue
			}
			dirs++
			walk(full, indent+more, level+1)
		}
	}
	if len(t.args) == 0 {
		t.args = []string{"."}
	}
	for _, dir := range t.args {
		if info, err := t.FS.Stat(t.Path(dir)); err != nil || !info.IsDir() {
			t.puts(dir + "  [error opening dir]\n")
			t.bad = 2
			continue
		}
		t.puts(dir + "\n")
		dirs++
		walk(dir, "", 1)
	}
	if !t.has("N") {
		plural := func(n int, one, many string) string {
			if n == 1 {
				return "1 " + one
			}
			return strconv.Itoa(n) + " " + many
		}
		t.puts("\n" + plural(dirs, "directory", "directories"))
		if !t.has("d") {
			t.puts(", " + plural(files, "file", "files"))
		}
		t.puts("\n")
	}
	return t.bad
}
