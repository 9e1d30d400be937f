// test and [, and what the shell's [[ ]] shares with them.

package tool

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

func init() {
	reg("test EXPRESSION", func(t *T) int {
		args := t.args
		if t.name == "[" {
			if len(args) == 0 || args[len(args)-1] != "]" {
				t.errorf("missing ']'")
				return 2
			}
			args = args[:len(args)-1]
		}
		ok, err := Test(args, func(op, x string) (bool, error) { return TestUnary(t.Context, op, x) },
			func(l, op, r string) (bool, error) { return TestBinary(t.Context, l, op, r) })
		if err != nil {
			t.errorf("%s", err)
			return 2
		}
		if ok {
			return 0
		}
		return 1
	}, "test", "[")
}

// CompareInts applies -eq, -ne, -lt, -le, -gt or -ge.
func CompareInts(op string, a, b int64) bool {
	switch op {
	case "-eq":
		return a == b
	case "-ne":
		return a != b
	case "-lt":
		return a < b
	case "-le":
		return a <= b
	case "-gt":
		return a > b
	}
	return a >= b
}

const unaryOps = "-a-b-c-d-e-f-g-h-k-p-r-s-t-u-w-x-z-n-L-N-O-G-S-o-v-R"

func isUnary(op string) bool {
	return len(op) == 2 && op[0] == '-' && strings.Contains(unaryOps, op)
}

func isBinary(op string) bool {
	switch op {
	case "=", "==", "!=", "<", ">", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot", "-ef":
		return true
	}
	return false
}

// TestUnary evaluates a unary operator on a file or string.
func TestUnary(c *program.Context, op, x string) (bool, error) {
	switch op {
	case "-n":
		return x != "", nil
	case "-z":
		return x == "", nil
	case "-t":
		return c.TTY != nil, nil
	case "-o", "-v", "-R":
		return false, nil
	}
	if x == "" {
		return false, nil
	}
	p := c.Path(x)
	if strings.HasSuffix(x, "/") && p != "/" {
		p += "/"
	}
	if op == "-h" || op == "-L" {
		info, err := c.FS.Lstat(p)
		return err == nil && info.Mode()&fs.ModeSymlink != 0, nil
	}
	info, err := c.FS.Stat(p)
	if err != nil {
		return false, nil
	}
	switch op {
	case "-f":
		return info.Mode().IsRegular(), nil
	case "-d":
		return info.IsDir(), nil
	case "-s":
		return info.Size() > 0, nil
	case "-r":
		return c.FS.Access(p, c.UID, 4) == nil, nil
	case "-w":
		return c.FS.Access(p, c.UID, 2) == nil, nil
	case "-x":
		return c.FS.Access(p, c.UID, 1) == nil, nil
	case "-c":
		return info.Mode()&fs.ModeCharDevice != 0, nil
	case "-b", "-p", "-S":
		return false, nil
	case "-u":
		return info.Mode()&fs.ModeSetuid != 0, nil
	case "-g":
		return info.Mode()&fs.ModeSetgid != 0, nil
	case "-k":
		return info.Mode()&fs.ModeSticky != 0, nil
	case "-O", "-G":
		st, ok := info.Sys().(*vfs.Stat)
		return ok && st.UID == c.UID, nil
	}
	return true, nil
}

// TestBinary evaluates a binary operator.
func TestBinary(c *program.Context, l, op, r string) (bool, error) {
	switch op {
	case "=", "==":
		return l == r, nil
	case "!=":
		return l != r, nil
	case "<":
		return l < r, nil
	case ">":
		return l > r, nil
	case "-nt", "-ot", "-ef":
		a, errA := c.FS.Stat(c.Path(l))
		b, errB := c.FS.Stat(c.Path(r))
		switch op {
		case "-ef":
			if errA != nil || errB != nil {
				return false, nil
			}
			pa, _ := c.FS.Realpath(c.Path(l))
			pb, _ := c.FS.Realpath(c.Path(r))
			return pa == pb || a.Sys().(*vfs.Stat).Ino == b.Sys().(*vfs.Stat).Ino && a.Mode().IsRegular() && a.Sys().(*vfs.Stat).Nlink > 1, nil
		case "-nt":
			return errA == nil && (errB != nil || a.ModTime().After(b.ModTime())), nil
		}
		return errB == nil && (errA != nil || a.ModTime().Before(b.ModTime())), nil
	}
	var n [2]int64
	for i, t := range []string{l, r} {
		v, err := strconv.ParseInt(strings.TrimSpace(t), 10, 64)
		if err != nil {
			return false, fmt.Errorf("%s: integer expression expected", t)
		}
		n[i] = v
	}
	return CompareInts(op, n[0], n[1]), nil
}

type tester struct {
	args   []string
	unary  func(op, x string) (bool, error)
	binary func(l, op, r string) (bool, error)
	depth  int
}

// Test evaluates the arguments of test by the rules of POSIX for up to four,
// else with -a, -o and parentheses. Errors are in bash's words.
func Test(args []string, unary func(op, x string) (bool, error), binary func(l, op, r string) (bool, error)) (bool, error) {
	t := &tester{unary: unary, binary: binary}
	return t.eval(args)
}

func (t *tester) eval(a []string) (bool, error) {
	switch len(a) {
	case 0:
		return false, nil
	case 1:
		return a[0] != "", nil
	case 2:
		if a[0] == "!" {
			return a[1] == "", nil
		}
		if isUnary(a[0]) {
			return t.unary(a[0], a[1])
		}
		return false, fmt.Errorf("%s: unary operator expected", a[0])
	case 3:
		switch {
		case isBinary(a[1]):
			return t.binary(a[0], a[1], a[2])
		case a[1] == "-a":
			return a[0] != "" && a[2] != "", nil
		case a[1] == "-o":
			return a[0] != "" || a[2] != "", nil
		case a[0] == "!":
			ok, err := t.eval(a[1:])
			return !ok, err
		case a[0] == "(" && a[2] == ")":
			return a[1] != "", nil
		}
		return false, fmt.Errorf("%s: binary operator expected", a[1])
	case 4:
		if a[0] == "!" {
			ok, err := t.eval(a[1:])
			return !ok, err
		}
		if a[0] == "(" && a[3] == ")" {
			return t.eval(a[1:3])
		}
	}
	t.args = a
	ok, err := t.or()
	if err == nil && len(t.args) > 0 {
		return false, fmt.Errorf("too many arguments")
	}
	return ok, err
}

func (t *tester) or() (bool, error) {
	ok, err := t.and()
	for err == nil && len(t.args) > 0 && t.args[0] == "-o" {
		t.args = t.args[1:]
		var r bool
		r, err = t.and()
		ok = ok || r
	}
	return ok, err
}

func (t *tester) and() (bool, error) {
	ok, err := t.term()
	for err == nil && len(t.args) > 0 && t.args[0] == "-a" {
		t.args = t.args[1:]
		var r bool
		r, err = t.term()
		ok = ok && r
	}
	return ok, err
}

func (t *tester) term() (bool, error) {
	if t.depth++; t.depth > 200 {
		return false, fmt.Errorf("too many arguments")
	}
	defer func() { t.depth-- }()
	a := t.args
	if len(a) == 0 {
		return false, fmt.Errorf("argument expected")
	}
	switch {
	case a[0] == "!":
		t.args = a[1:]
		ok, err := t.term()
		return !ok, err
	case len(a) >= 3 && isBinary(a[1]):
		t.args = a[3:]
		return t.binary(a[0], a[1], a[2])
	case a[0] == "(":
		t.args = a[1:]
		ok, err := t.or()
		if err == nil {
			if len(t.args) == 0 || t.args[0] != ")" {
				return false, fmt.Errorf("`)' expected")
			}
			t.args = t.args[1:]
		}
		return ok, err
	case isUnary(a[0]) && len(a) >= 2:
		t.args = a[2:]
		return t.unary(a[0], a[1])
	}
	t.args = a[1:]
	return a[0] != "", nil
}
