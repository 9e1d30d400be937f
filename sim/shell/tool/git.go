// git, as far as tutorials use it on manifests: status, diff, add, commit, log,
// restore and branches of a repository on this machine. There is no other
// machine to fetch from.

package tool

import (
	"io/fs"
	"path"
	"sort"
	"strconv"
	"strings"

	"github.com/kubonsai/kubonsai/sim/kubectl/unified"
	"github.com/kubonsai/kubonsai/sim/shell/repo"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

func init() {
	reg("", func(t *T) int { return (&git{T: t}).main() }, "git")
}

// git is one run.
type git struct {
	*T
	repo *repo.Repo
}

const gitVersion = "git version 2.47.3\n"

func (g *git) fatal(format string, args ...any) int {
	g.name = "fatal"
	g.errorf(format, args...)
	return 128
}

func (g *git) main() int {
	for len(g.args) > 0 && strings.HasPrefix(g.args[0], "-") {
		switch o := g.args[0]; {
		case o == "-C" && len(g.args) > 1:
			dir := g.Path(g.args[1])
			if info, err := g.FS.Stat(dir); err != nil || !info.IsDir() {
				return g.fatal("cannot change to '%s': No such file or directory", g.args[1])
			}
			g.Dir = dir
			g.args = g.args[1:]
		case o == "-c" && len(g.args) > 1:
			g.args = g.args[1:]
		case o == "--no-pager", o == "-P":
		case o == "--version", o == "-v":
			g.puts(gitVersion)
			return 0
		default:
			g.eprint("unknown option: " + o + "\n")
			return 129
		}
		g.args = g.args[1:]
	}
	if len(g.args) == 0 {
		g.puts("usage: git [-v | --version] [-C <path>] [-c <name>=<value>] [--no-pager] <command> [<args>]\n")
		return 1
	}
	verb := g.args[0]
	g.args = g.args[1:]
	switch verb {
	case "version":
		g.puts(gitVersion)
		return 0
	case "init":
		return g.init()
	case "clone", "pull", "push", "fetch", "ls-remote":
		return g.far(verb)
	}
	g.repo = repo.Find(g.FS, g.Dir)
	if verb == "diff" && (g.repo == nil || len(g.args) > 0 && g.args[0] == "--no-index") {
		return g.noIndex()
	}
	run := map[string]func() int{
		"status": g.status, "diff": g.diff, "add": g.add, "commit": g.commit, "log": g.log, "checkout": g.checkout,
		"switch": g.checkout, "restore": g.restore, "branch": g.branch, "config": g.config, "rev-parse": g.revParse,
	}[verb]
	switch {
	case run == nil:
		g.eprint("git: '" + verb + "' is not a git command. See 'git --help'.\n")
		return 1
	case g.repo == nil && verb == "config":
		g.repo = repo.New(g.Dir)
		return run()
	case g.repo == nil:
		return g.fatal("not a git repository (or any of the parent directories): .git")
	}
	return run()
}

func (g *git) save() int {
	if err := g.repo.Save(g.FS); err != nil {
		return g.fatal("unable to write new index file: %s", vfs.Reason(err))
	}
	return 0
}

func (g *git) init() int {
	dir, branch, quiet := g.Dir, "main", false
	for i := 0; i < len(g.args); i++ {
		switch a := g.args[i]; {
		case a == "-q" || a == "--quiet":
			quiet = true
		case (a == "-b" || a == "--initial-branch") && i+1 < len(g.args):
			i++
			branch = g.args[i]
		case strings.HasPrefix(a, "--initial-branch="):
			branch = strings.TrimPrefix(a, "--initial-branch=")
		case !strings.HasPrefix(a, "-"):
			dir = g.Path(a)
		}
	}
	word := "Initialized empty"
	if _, err := g.FS.Stat(dir + "/.git/state"); err == nil {
		word = "Reinitialized existing"
	} else {
		if err := g.FS.MkdirAll(dir+"/.git", 0o755); err != nil {
			return g.fatal("cannot mkdir %s: %s", dir, vfs.Reason(err))
		}
		g.repo = repo.New(dir)
		g.repo.Branch = branch
		if s := g.save(); s != 0 {
			return s
		}
	}
	if !quiet {
		g.printf("%s Git repository in %s/.git/\n", word, strings.TrimSuffix(dir, "/"))
	}
	return 0
}

// far is a command that needs another machine.
func (g *git) far(verb string) int {
	for _, a := range g.args {
		_, rest, ok := strings.Cut(a, "://")
		if !ok {
			continue
		}
		host, _, _ := strings.Cut(rest, "/")
		if verb == "clone" {
			g.eprint("Cloning into '" + strings.TrimSuffix(path.Base(rest), ".git") + "'...\n")
		}
		return g.fatal("unable to access '%s/': Could not resolve host: %s", a, host)
	}
	if verb == "clone" {
		return g.fatal("You must specify a repository to clone.")
	}
	return g.fatal("'origin' does not appear to be a git repository")
}

// work is the files below the root, as they are now.
func (g *git) work() repo.Tree {
	t := repo.Tree{}
	g.walk(t, g.repo.Root, "")
	return t
}

func (g *git) walk(t repo.Tree, dir, name string) {
	list, _ := g.FS.ReadDir(dir)
	for _, e := range list {
		n := path.Join(name, e.Name())
		switch {
		case e.Name() == ".git", name == "" && g.repo.Root == repo.Home && strings.HasPrefix(e.Name(), "."):
		case e.IsDir():
			g.walk(t, dir+"/"+e.Name(), n)
		case e.Type()&fs.ModeType == 0:
			if b, err := g.FS.ReadFile(dir + "/" + e.Name()); err == nil {
				t[n] = string(b)
			}
		}
	}
}

// below is a file's name in the repository.
func (g *git) below(name string) string {
	p := g.Path(name)
	if p == g.repo.Root {
		return ""
	}
	return strings.TrimPrefix(p, strings.TrimSuffix(g.repo.Root, "/")+"/")
}

// within reports whether one of the paths names the file; none name all.
func (g *git) within(paths []string, file string) bool {
	for _, p := range paths {
		if b := g.below(p); b == "" || file == b || strings.HasPrefix(file, b+"/") {
			return true
		}
	}
	return len(paths) == 0
}

// changed are the names that differ between two trees, sorted, with the letter
// of what happened.
func changed(a, b repo.Tree) (names []string, how map[string]byte) {
	how = map[string]byte{}
	for n, s := range a {
		if now, ok := b[n]; !ok {
			how[n] = 'D'
		} else if now != s {
			how[n] = 'M'
		}
	}
	for n := range b {
		if _, ok := a[n]; !ok {
			how[n] = 'A'
		}
	}
	for n := range how {
		names = append(names, n)
	}
	sort.Strings(names)
	return names, how
}

// tracked leaves of the working tree what the index knows.
func (g *git) tracked() repo.Tree {
	t := repo.Tree{}
	for n, s := range g.work() {
		if _, ok := g.repo.Index[n]; ok {
			t[n] = s
		}
	}
	return t
}

func (g *git) status() int {
	short := false
	for _, a := range g.args {
		short = short || a == "-s" || a == "--short" || a == "--porcelain"
	}
	head, work := g.repo.Tree("HEAD"), g.work()
	staged, how := changed(head, g.repo.Index)
	unstaged, howNow := changed(g.repo.Index, g.tracked())
	var untracked []string
	for _, n := range work.Names() {
		if _, ok := g.repo.Index[n]; ok {
			continue
		}
		// A folder with nothing known in it is one line.
		for d := range strings.Count(n, "/") {
			dir := strings.Join(strings.SplitAfter(n, "/")[:d+1], "")
			known := false
			for k := range g.repo.Index {
				known = known || strings.HasPrefix(k, dir)
			}
			if !known {
				n = dir
				break
			}
		}
		if len(untracked) == 0 || untracked[len(untracked)-1] != n {
			untracked = append(untracked, n)
		}
	}
	if short {
		all := map[string]string{}
		for _, n := range staged {
			all[n] = string(how[n]) + " "
		}
		for _, n := range unstaged {
			first := " "
			if s, ok := all[n]; ok {
				first = s[:1]
			}
			all[n] = first + string(howNow[n])
		}
		for _, n := range sorted(all) {
			g.puts(all[n] + " " + n + "\n")
		}
		for _, n := range untracked {
			g.puts("?? " + n + "\n")
		}
		return 0
	}
	g.printf("On branch %s\n", g.repo.Branch)
	if g.repo.Resolve("HEAD") == "" {
		g.puts("\nNo commits yet\n")
	}
	words := map[byte]string{'M': "modified:   ", 'D': "deleted:    ", 'A': "new file:   "}
	list := func(title string, hints []string, names []string, how map[byte]string, of map[string]byte) {
		if len(names) == 0 {
			return
		}
		g.puts(title + ":\n")
		for _, h := range hints {
			g.puts("  (" + h + ")\n")
		}
		for _, n := range names {
			g.puts("\t" + how[of[n]] + n + "\n")
		}
		g.puts("\n")
	}
	if g.repo.Resolve("HEAD") == "" && len(staged)+len(unstaged)+len(untracked) > 0 {
		g.puts("\n")
		list("Changes to be committed", []string{`use "git rm --cached <file>..." to unstage`}, staged, words, how)
	} else {
		list("Changes to be committed", []string{`use "git restore --staged <file>..." to unstage`}, staged, words, how)
	}
	add := "git add"
	for _, n := range unstaged {
		if howNow[n] == 'D' {
			add = "git add/rm"
		}
	}
	list("Changes not staged for commit", []string{`use "` + add + ` <file>..." to update what will be committed`, `use "git restore <file>..." to discard changes in working directory`}, unstaged, words, howNow)
	list("Untracked files", []string{`use "git add <file>..." to include in what will be committed`}, untracked, nil, nil)
	switch {
	case len(staged) > 0:
	case len(unstaged) > 0:
		g.puts("no changes added to commit (use \"git add\" and/or \"git commit -a\")\n")
	case len(untracked) > 0:
		g.puts("nothing added to commit but untracked files present (use \"git add\" to track)\n")
	case g.repo.Resolve("HEAD") == "":
		g.puts("\nnothing to commit (create/copy files and use \"git add\" to track)\n")
	default:
		g.puts("nothing to commit, working tree clean\n")
	}
	return 0
}

func sorted(m map[string]string) []string {
	return repo.Tree(m).Names()
}

// diffOptions are diff's.
type diffOptions struct {
	staged, names, status, quiet, exit bool
	context                            int
}

// options takes diff's options off the arguments: what is left of them, and
// what came behind "--".
func (g *git) options() (o diffOptions, rest, paths []string, bad int) {
	o.context = 3
	for i, a := range g.args {
		switch {
		case a == "--":
			return o, rest, g.args[i+1:], 0
		case a == "--cached" || a == "--staged":
			o.staged = true
		case a == "--name-only":
			o.names = true
		case a == "--name-status":
			o.status = true
		case a == "--quiet" || a == "-q":
			o.quiet, o.exit = true, true
		case a == "--exit-code":
			o.exit = true
		case strings.HasPrefix(a, "-U"):
			o.context, _ = strconv.Atoi(a[2:])
		case a == "-p", a == "-u", a == "--patch", a == "--no-index", strings.HasPrefix(a, "--color"), a == "--no-color":
		case strings.HasPrefix(a, "-") && a != "-":
			g.eprint("error: invalid option: " + a + "\n")
			return o, nil, nil, 129
		default:
			rest = append(rest, a)
		}
	}
	return o, rest, nil, 0
}

func (g *git) diff() int {
	o, rest, paths, bad := g.options()
	if bad != 0 {
		return bad
	}
	var trees []repo.Tree
	for i, a := range rest {
		from, to, both := strings.Cut(a, "..")
		switch {
		case both && g.repo.Resolve(from) != "" && g.repo.Resolve(to) != "":
			trees = append(trees, g.repo.Tree(from), g.repo.Tree(to))
			continue
		case len(trees) < 2 && g.repo.Resolve(a) != "":
			trees = append(trees, g.repo.Tree(a))
			continue
		}
		paths = append(rest[i:len(rest):len(rest)], paths...)
		break
	}
	for _, p := range paths[:max(0, len(paths)-len(g.behind()))] {
		if _, err := g.FS.Stat(g.Path(p)); err != nil && g.repo.Index[g.below(p)] == "" {
			return g.fatal("ambiguous argument '%s': unknown revision or path not in the working tree.\nUse '--' to separate paths from revisions, like this:\n'git <command> [<revision>...] -- [<file>...]'", p)
		}
	}
	a, b := g.repo.Index, g.tracked()
	switch {
	case len(trees) == 2:
		a, b = trees[0], trees[1]
	case o.staged:
		a, b = g.repo.Tree("HEAD"), g.repo.Index
		if len(trees) == 1 {
			a = trees[0]
		}
	case len(trees) == 1:
		a = trees[0]
	}
	names, how := changed(a, b)
	status := 0
	for _, n := range names {
		if !g.within(paths, n) {
			continue
		}
		if o.exit {
			status = 1
		}
		switch {
		case o.quiet:
		case o.names:
			g.puts(n + "\n")
		case o.status:
			g.puts(string(how[n]) + "\t" + n + "\n")
		default:
			g.patch("a/"+n, "b/"+n, a[n], b[n], how[n], o.context)
		}
	}
	return status
}

// behind are the arguments after "--".
func (g *git) behind() []string {
	for i, a := range g.args {
		if a == "--" {
			return g.args[i+1:]
		}
	}
	return nil
}

// patch prints one file's difference.
func (g *git) patch(from, to, a, b string, how byte, context int) {
	g.printf("diff --git %s %s\n", from, to)
	old, now := repo.Blob(a)[:7], repo.Blob(b)[:7]
	switch how {
	case 'A':
		g.printf("new file mode 100644\nindex 0000000..%s\n", now)
		from = "/dev/null"
	case 'D':
		g.printf("deleted file mode 100644\nindex %s..0000000\n", old)
		to = "/dev/null"
	default:
		g.printf("index %s..%s 100644\n", old, now)
	}
	body := unified.Hunks(a, b, context)
	if body == "" {
		return
	}
	g.printf("--- %s\n+++ %s\n", from, to)
	lines := strings.SplitAfter(a, "\n")
	for _, l := range strings.SplitAfter(body, "\n") {
		if strings.HasPrefix(l, "@@ -") {
			start, _, _ := strings.Cut(strings.TrimPrefix(l, "@@ -"), " ")
			start, _, _ = strings.Cut(start, ",")
			n, _ := strconv.Atoi(start)
			l = strings.TrimSuffix(l, "\n") + heading(lines[:min(max(n-1, 0), len(lines))]) + "\n"
		}
		g.puts(l)
	}
}

// heading is the last line that begins like a name, which git shows behind a
// hunk's range.
func heading(before []string) string {
	for i := len(before) - 1; i >= 0; i-- {
		l := strings.TrimRight(before[i], " \t\n\r")
		if l != "" && (l[0] == '_' || l[0] == '$' || l[0]|0x20 >= 'a' && l[0]|0x20 <= 'z') {
			return " " + l[:min(len(l), 80)]
		}
	}
	return ""
}

// noIndex compares two files wherever they are.
func (g *git) noIndex() int {
	o, rest, paths, bad := g.options()
	if bad != 0 {
		return bad
	}
	if rest = append(rest, paths...); len(rest) != 2 {
		if g.repo == nil {
			g.eprint("warning: Not a git repository. Use --no-index to compare two paths outside a working tree\n")
		}
		g.eprint("usage: git diff --no-index [<options>] <path> <path>\n")
		return 129
	}
	var text [2]string
	for i, f := range rest {
		b, err := g.FS.ReadFile(g.Path(f))
		if err != nil {
			g.eprint("error: Could not access '" + f + "'\n")
			return 1
		}
		text[i] = string(b)
	}
	if text[0] == text[1] {
		return 0
	}
	if !o.quiet {
		g.patch("a/"+strings.TrimPrefix(rest[0], "/"), "b/"+strings.TrimPrefix(rest[1], "/"), text[0], text[1], 'M', o.context)
	}
	return 1
}

func (g *git) add() int {
	work := g.work()
	var paths []string
	for _, a := range g.args {
		if a == "-A" || a == "--all" || a == "-u" {
			paths = append(paths, g.repo.Root)
		} else if a != "--" && !strings.HasPrefix(a, "-") {
			paths = append(paths, a)
		}
	}
	if len(paths) == 0 {
		g.eprint("Nothing specified, nothing added.\nhint: Maybe you wanted to say 'git add .'?\nhint: Turn this message off by running\nhint: \"git config advice.addEmptyPathspec false\"\n")
		return 0
	}
	for _, p := range paths {
		found := false
		if _, err := g.FS.Stat(g.Path(p)); err == nil {
			found = true
		}
		for n := range g.repo.Index {
			found = found || g.within([]string{p}, n)
		}
		if !found {
			return g.fatal("pathspec '%s' did not match any files", p)
		}
	}
	for n, s := range work {
		if g.within(paths, n) {
			g.repo.Index[n] = s
		}
	}
	for n := range g.repo.Index {
		if _, there := work[n]; !there && g.within(paths, n) {
			delete(g.repo.Index, n)
		}
	}
	return g.save()
}

func (g *git) commit() int {
	message, given, all, quiet := "", false, false, false
	for i := 0; i < len(g.args); i++ {
		a := g.args[i]
		switch {
		case a == "-a" || a == "--all":
			all = true
		case a == "-q" || a == "--quiet":
			quiet = true
		case (a == "--message" || len(a) > 1 && a[0] == '-' && a[1] != '-' && a[len(a)-1] == 'm') && i+1 < len(g.args):
			all = all || a[1] != '-' && strings.Contains(a, "a")
			quiet = quiet || a[1] != '-' && strings.Contains(a, "q")
			i++
			if given {
				message += "\n\n"
			}
			message, given = message+g.args[i], true
		case strings.HasPrefix(a, "--message="):
			message, given = strings.TrimPrefix(a, "--message="), true
		}
	}
	if all {
		g.repo.Index = g.tracked()
	}
	head := g.repo.Tree("HEAD")
	names, how := changed(head, g.repo.Index)
	if len(names) == 0 {
		g.args = nil
		g.status()
		return 1
	}
	if message = strings.TrimSpace(message); message == "" {
		if !given {
			g.eprint("error: there is no editor here: use -m\n")
		}
		g.eprint("Aborting commit due to empty commit message.\n")
		return 1
	}
	first := g.repo.Resolve("HEAD") == ""
	name, mail := g.setting("user.name"), g.setting("user.email")
	if name == "" {
		name = g.User
	}
	if mail == "" {
		mail = g.User + "@" + g.Host
	}
	id := g.repo.Commit(name+" <"+mail+">", message, g.Proc.Now())
	if s := g.save(); s != 0 {
		return s
	}
	if quiet {
		return 0
	}
	root := ""
	if first {
		root = " (root-commit)"
	}
	subject, _, _ := strings.Cut(message, "\n")
	g.printf("[%s%s %s] %s\n", g.repo.Branch, root, id[:7], subject)
	plus, minus := 0, 0
	for _, n := range names {
		for _, l := range strings.Split(unified.Hunks(head[n], g.repo.Index[n], 0), "\n") {
			switch {
			case strings.HasPrefix(l, "+"):
				plus++
			case strings.HasPrefix(l, "-"):
				minus++
			}
		}
	}
	g.printf(" %s changed", counted(len(names), "file"))
	if plus > 0 {
		g.printf(", %s(+)", counted(plus, "insertion"))
	}
	if minus > 0 {
		g.printf(", %s(-)", counted(minus, "deletion"))
	}
	g.puts("\n")
	for _, n := range names {
		switch how[n] {
		case 'A':
			g.printf(" create mode 100644 %s\n", n)
		case 'D':
			g.printf(" delete mode 100644 %s\n", n)
		}
	}
	return 0
}

func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}

func (g *git) log() int {
	oneline, most := false, -1
	for i, a := range g.args {
		switch {
		case a == "--oneline":
			oneline = true
		case a == "-n" && i+1 < len(g.args):
			most, _ = strconv.Atoi(g.args[i+1])
		case len(a) > 1 && a[0] == '-' && a[1] >= '0' && a[1] <= '9':
			most, _ = strconv.Atoi(a[1:])
		}
	}
	id := g.repo.Resolve("HEAD")
	if id == "" {
		return g.fatal("your current branch '%s' does not have any commits yet", g.repo.Branch)
	}
	for n := 0; id != "" && n != most; n++ {
		c := g.repo.Commits[id]
		if oneline {
			subject, _, _ := strings.Cut(c.Message, "\n")
			g.printf("%s %s\n", id[:7], subject)
		} else {
			if n > 0 {
				g.puts("\n")
			}
			g.printf("commit %s\nAuthor: %s\nDate:   %s\n\n    %s\n", id, c.Author, c.Date.UTC().Format("Mon Jan 2 15:04:05 2006 -0700"), strings.ReplaceAll(c.Message, "\n", "\n    "))
		}
		id = c.Parent
	}
	return 0
}

// put makes files what a tree says of them.
func (g *git) put(from repo.Tree, paths []string) int {
	for _, p := range paths {
		found := false
		for n := range from {
			found = found || g.within([]string{p}, n)
		}
		if !found {
			g.eprint("error: pathspec '" + p + "' did not match any file(s) known to git\n")
			return 1
		}
	}
	for _, n := range from.Names() {
		if !g.within(paths, n) {
			continue
		}
		file := path.Join(g.repo.Root, n)
		if b, err := g.FS.ReadFile(file); err == nil && string(b) == from[n] {
			continue
		}
		err := g.FS.MkdirAll(path.Dir(file), 0o755)
		if err == nil {
			err = g.FS.WriteFile(file, []byte(from[n]), 0o644)
		}
		if err != nil {
			g.eprint("error: unable to create file " + n + ": " + vfs.Reason(err) + "\n")
			return 1
		}
	}
	return 0
}

func (g *git) restore() int {
	staged, source := false, ""
	var paths []string
	for i := 0; i < len(g.args); i++ {
		switch a := g.args[i]; {
		case a == "--staged" || a == "-S":
			staged = true
		case (a == "-s" || a == "--source") && i+1 < len(g.args):
			i++
			source = g.args[i]
		case strings.HasPrefix(a, "--source="):
			source = strings.TrimPrefix(a, "--source=")
		case a != "--":
			paths = append(paths, a)
		}
	}
	if len(paths) == 0 {
		return g.fatal("you must specify path(s) to restore")
	}
	if source != "" && g.repo.Resolve(source) == "" {
		return g.fatal("could not resolve %s", source)
	}
	if !staged {
		from := g.repo.Index
		if source != "" {
			from = g.repo.Tree(source)
		}
		return g.put(from, paths)
	}
	if source == "" {
		source = "HEAD"
	}
	head := g.repo.Tree(source)
	for n := range g.repo.Index {
		if g.within(paths, n) {
			delete(g.repo.Index, n)
		}
	}
	for n, s := range head {
		if g.within(paths, n) {
			g.repo.Index[n] = s
		}
	}
	return g.save()
}

func (g *git) checkout() int {
	create := len(g.args) > 0 && (g.args[0] == "-b" || g.args[0] == "-c")
	if create {
		g.args = g.args[1:]
	}
	if len(g.args) == 0 {
		return g.fatal("missing branch name")
	}
	name := g.args[0]
	id, isBranch := g.repo.Branches[name]
	switch {
	case create && isBranch:
		return g.fatal("a branch named '%s' already exists", name)
	case create:
		g.repo.Branches[name] = g.repo.Resolve("HEAD")
		g.repo.Branch = name
		g.eprint("Switched to a new branch '" + name + "'\n")
		return g.save()
	case isBranch && len(g.args) == 1 && name == g.repo.Branch:
		g.eprint("Already on '" + name + "'\n")
		return 0
	case isBranch && len(g.args) == 1:
		tree := g.repo.Commits[id].Tree
		if names, _ := changed(g.repo.Index, g.tracked()); len(names) > 0 {
			g.eprint("error: Your local changes to the following files would be overwritten by checkout:\n\t" + strings.Join(names, "\n\t") + "\nPlease commit your changes or stash them before you switch branches.\nAborting\n")
			return 1
		}
		for n := range g.repo.Index {
			if _, ok := tree[n]; !ok {
				_ = g.FS.Remove(path.Join(g.repo.Root, n))
			}
		}
		if s := g.put(tree, nil); s != 0 {
			return s
		}
		g.repo.Index = repo.Tree{}
		for n, s := range tree {
			g.repo.Index[n] = s
		}
		g.repo.Branch = name
		g.eprint("Switched to branch '" + name + "'\n")
		return g.save()
	}
	from, paths := g.repo.Index, g.args
	if g.repo.Resolve(name) != "" && len(paths) > 1 {
		from, paths = g.repo.Tree(name), paths[1:]
	}
	if len(paths) > 0 && paths[0] == "--" {
		paths = paths[1:]
	}
	return g.put(from, paths)
}

func (g *git) branch() int {
	for i, a := range g.args {
		switch {
		case a == "--show-current":
			g.puts(g.repo.Branch + "\n")
			return 0
		case (a == "-d" || a == "-D") && i+1 < len(g.args):
			name := g.args[i+1]
			id, ok := g.repo.Branches[name]
			if !ok {
				g.eprint("error: branch '" + name + "' not found.\n")
				return 1
			}
			if name == g.repo.Branch {
				g.eprint("error: cannot delete branch '" + name + "' used by worktree at '" + g.repo.Root + "'\n")
				return 1
			}
			delete(g.repo.Branches, name)
			g.printf("Deleted branch %s (was %s).\n", name, id[:min(7, len(id))])
			return g.save()
		case (a == "-m" || a == "-M") && i+1 < len(g.args):
			name := g.args[len(g.args)-1]
			if id, ok := g.repo.Branches[g.repo.Branch]; ok {
				delete(g.repo.Branches, g.repo.Branch)
				g.repo.Branches[name] = id
			}
			g.repo.Branch = name
			return g.save()
		case !strings.HasPrefix(a, "-"):
			if _, ok := g.repo.Branches[a]; ok {
				return g.fatal("a branch named '%s' already exists", a)
			}
			id := g.repo.Resolve("HEAD")
			if id == "" {
				return g.fatal("not a valid object name: '%s'", g.repo.Branch)
			}
			g.repo.Branches[a] = id
			return g.save()
		}
	}
	for _, b := range sorted(g.repo.Branches) {
		mark := "  "
		if b == g.repo.Branch {
			mark = "* "
		}
		g.puts(mark + b + "\n")
	}
	return 0
}

// setting is a value of the repository's or the reader's configuration.
func (g *git) setting(key string) string {
	if v, ok := g.repo.Config[key]; ok {
		return v
	}
	return g.global()[key]
}

// global is what ~/.gitconfig says.
func (g *git) global() map[string]string {
	m := map[string]string{}
	b, _ := g.FS.ReadFile(g.Getenv("HOME") + "/.gitconfig")
	section := ""
	for _, l := range strings.Split(string(b), "\n") {
		l = strings.TrimSpace(l)
		if strings.HasPrefix(l, "[") {
			section = strings.Trim(l, "[]")
		} else if k, v, ok := strings.Cut(l, "="); ok {
			m[section+"."+strings.TrimSpace(k)] = strings.TrimSpace(v)
		}
	}
	return m
}

func (g *git) config() int {
	global, list := false, false
	var rest []string
	for _, a := range g.args {
		switch {
		case a == "--global":
			global = true
		case a == "--list" || a == "-l":
			list = true
		case !strings.HasPrefix(a, "--"):
			rest = append(rest, a)
		}
	}
	values := g.global()
	if list {
		for _, m := range []map[string]string{values, g.repo.Config} {
			for _, k := range sorted(m) {
				g.puts(k + "=" + m[k] + "\n")
			}
		}
		return 0
	}
	switch len(rest) {
	case 1:
		v := g.setting(rest[0])
		if v == "" {
			return 1
		}
		g.puts(v + "\n")
		return 0
	case 2:
		if !strings.Contains(rest[0], ".") {
			g.eprint("error: key does not contain a section: " + rest[0] + "\n")
			return 2
		}
		if !global {
			g.repo.Config[rest[0]] = rest[1]
			return g.save()
		}
		values[rest[0]] = rest[1]
		var out strings.Builder
		section := ""
		for _, k := range sorted(values) {
			s, name := k[:strings.LastIndex(k, ".")], k[strings.LastIndex(k, ".")+1:]
			if s != section {
				out.WriteString("[" + s + "]\n")
				section = s
			}
			out.WriteString("\t" + name + " = " + values[k] + "\n")
		}
		if err := g.FS.WriteFile(g.Getenv("HOME")+"/.gitconfig", []byte(out.String()), 0o644); err != nil {
			return g.fatal("could not lock config file: %s", vfs.Reason(err))
		}
		return 0
	}
	g.eprint("error: wrong number of arguments, should be from 1 to 2\n")
	return 129
}

func (g *git) revParse() int {
	short, abbrev := false, false
	for _, a := range g.args {
		switch {
		case a == "--short":
			short = true
		case a == "--abbrev-ref":
			abbrev = true
		case a == "--show-toplevel":
			g.puts(g.repo.Root + "\n")
		case abbrev:
			g.puts(g.repo.Branch + "\n")
		default:
			id := g.repo.Resolve(a)
			if id == "" {
				return g.fatal("ambiguous argument '%s': unknown revision or path not in the working tree.\nUse '--' to separate paths from revisions, like this:\n'git <command> [<revision>...] -- [<file>...]'", a)
			}
			if short {
				id = id[:7]
			}
			g.puts(id + "\n")
		}
	}
	return 0
}
