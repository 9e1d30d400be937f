// sed: a compiled script of commands over a pattern and a hold space.

package tool

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/kubonsai/kubonsai/sim/vfs"
)

func init() {
	reg("sed [OPTION]... {script-only-if-no-other-script} [input-file]...", sed, "sed")
}

type sedAddr struct {
	line int
	step int // first~step
	last bool
	re   *regexp.Regexp
	zero bool // 0,/re/
	plus int  // addr,+N
	use  bool // // means the last regexp
}

type sedCmd struct {
	a1, a2  *sedAddr
	neg     bool
	name    byte
	text    string // a i c, labels, file names
	re      *regexp.Regexp
	empty   bool // s//…/
	repl    []sedPart
	global  bool
	nth     int
	print   bool
	eval    bool
	file    string
	from    map[rune]rune
	target  int // b t T: index; }: none
	code    int
	active  bool
	endLine int
}

// sedPart is a piece of a replacement: text, a group (0 is &), or a change of
// case.
type sedPart struct {
	text  string
	group int
	mode  byte // L U E l u
}

type sedParser struct {
	src      string
	pos      int
	extended bool
	cmds     []*sedCmd
	blocks   []int
	labels   map[string]int
	expr     int
}

func (p *sedParser) fail(format string, args ...any) error {
	return fmt.Errorf("-e expression #%d, char %d: %s", p.expr, p.pos, fmt.Sprintf(format, args...))
}

func sed(t *T) int {
	var scripts []string
	var files []string
	quiet, inPlace, suffix, extended, separate, null := false, false, "", false, false, false
	onlyFiles := false
	for i := 0; i < len(t.args); i++ {
		a := t.args[i]
		switch {
		case onlyFiles || a == "-" || !strings.HasPrefix(a, "-"):
			files = append(files, a)
		case a == "--":
			onlyFiles = true
		case strings.HasPrefix(a, "--"):
			name, val, has := strings.Cut(a[2:], "=")
			next := func() string {
				if !has && i+1 < len(t.args) {
					i++
					return t.args[i]
				}
				return val
			}
			switch name {
			case "quiet", "silent":
				quiet = true
			case "in-place":
				inPlace, suffix = true, val
			case "regexp-extended":
				extended = true
			case "separate":
				separate = true
			case "expression":
				scripts = append(scripts, next())
			case "null-data":
				null = true
			case "file":
				b, err := t.readAll(next())
				if err != nil {
					t.errorf("couldn't open file: %s", vfs.Reason(err))
					return 1
				}
				scripts = append(scripts, strings.TrimSuffix(string(b), "\n"))
			case "posix", "sandbox", "unbuffered", "debug":
			default:
				t.errorf("unrecognized option '%s'", a)
				return 1
			}
		default:
		letters:
			for j := 1; j < len(a); j++ {
				arg := func() (string, bool) {
					if j+1 < len(a) {
						return a[j+1:], true
					}
					if i+1 < len(t.args) {
						i++
						return t.args[i], true
					}
					return "", false
				}
				switch a[j] {
				case 'n':
					quiet = true
				case 'E', 'r':
					extended = true
				case 's':
					separate = true
				case 'u':
				case 'z':
					null = true
				case 'i':
					inPlace, suffix = true, a[j+1:]
					break letters
				case 'e':
					v, ok := arg()
					if !ok {
						t.errorf("option requires an argument -- 'e'")
						return 1
					}
					scripts = append(scripts, v)
					break letters
				case 'f':
					v, _ := arg()
					b, err := t.readAll(v)
					if err != nil {
						t.errorf("couldn't open file %s: %s", v, vfs.Reason(err))
						return 1
					}
					scripts = append(scripts, strings.TrimSuffix(string(b), "\n"))
					break letters
				default:
					t.errorf("invalid option -- '%c'", a[j])
					t.eprint("Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]...\n")
					return 1
				}
			}
		}
	}
	if len(scripts) == 0 {
		if len(files) == 0 {
			t.eprint("Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]...\n")
			return 1
		}
		scripts, files = files[:1], files[1:]
	}
	p := &sedParser{extended: extended, labels: map[string]int{}}
	if b := scripts[0]; strings.HasPrefix(b, "#n\n") || b == "#n" {
		quiet = true
	}
	p.src = strings.Join(scripts, "\n")
	p.expr = 1
	if err := p.parse(); err != nil {
		t.errorf("%s", err)
		return 1
	}
	if len(files) == 0 {
		files = []string{"-"}
	}
	delim := byte('\n')
	if null {
		delim = 0
	}
	m := &sedMachine{t: t, cmds: p.cmds, quiet: quiet, files: map[string]io.Writer{}, delim: delim}
	if inPlace {
		for _, f := range files {
			info, err := t.FS.Stat(t.Path(f))
			if err != nil {
				t.errorf("can't read %s: %s", f, vfs.Reason(err))
				t.bad = 2
				continue
			}
			if !info.Mode().IsRegular() {
				t.errorf("couldn't edit %s: not a regular file", f)
				t.bad = 4
				continue
			}
			if err := t.mayChange(t.Path(f)); err != nil {
				t.errorf("couldn't open temporary file ./sedXXXXXX: %s", vfs.Reason(err))
				return 4
			}
			b, _ := t.readAll(f)
			var out bytes.Buffer
			m.out = &out
			m.line = 0
			code, quit := m.run([]string{f})
			if suffix != "" {
				back := f + suffix
				if strings.Contains(suffix, "*") {
					back = strings.ReplaceAll(suffix, "*", f)
				}
				_ = t.FS.WriteFile(t.Path(back), b, info.Mode().Perm())
			}
			if err := t.FS.WriteFile(t.Path(f), out.Bytes(), info.Mode().Perm()); err != nil {
				t.errorf("couldn't write to %s: %s", f, vfs.Reason(err))
				return 4
			}
			if quit {
				return code
			}
		}
		return t.bad
	}
	if separate {
		for _, f := range files {
			m.line = 0
			if code, quit := m.run([]string{f}); quit {
				return code
			}
		}
		return t.bad
	}
	code, quit := m.run(files)
	if quit {
		return code
	}
	return t.bad
}

func (p *sedParser) peek() byte {
	if p.pos < len(p.src) {
		return p.src[p.pos]
	}
	return 0
}

func (p *sedParser) blanks(more string) {
	for p.pos < len(p.src) && strings.IndexByte(" \t"+more, p.src[p.pos]) >= 0 {
		p.pos++
	}
}

func (p *sedParser) number() int {
	n := 0
	for p.pos < len(p.src) && isDigit(p.src[p.pos]) {
		n = min(n*10+int(p.src[p.pos]-'0'), 1<<40)
		p.pos++
	}
	return n
}

// until reads to the delimiter; an escaped delimiter loses its backslash.
func (p *sedParser) until(delim byte, regex bool) (string, bool) {
	var b strings.Builder
	inClass := false
	for p.pos < len(p.src) {
		c := p.src[p.pos]
		if c == '\\' && p.pos+1 < len(p.src) {
			d := p.src[p.pos+1]
			p.pos += 2
			if d == delim {
				if regex && strings.IndexByte(`.*[]^$+?(){}|`, d) >= 0 {
					b.WriteByte('\\')
				}
				b.WriteByte(d)
			} else if d == 'n' && regex {
				b.WriteByte('\n')
			} else {
				b.WriteByte('\\')
				b.WriteByte(d)
			}
			continue
		}
		if regex {
			if c == '[' && !inClass {
				inClass = true
				b.WriteByte(c)
				p.pos++
				if p.peek() == '^' {
					b.WriteByte('^')
					p.pos++
				}
				if p.peek() == ']' {
					b.WriteByte(']')
					p.pos++
				}
				continue
			}
			if c == '[' && inClass && p.pos+1 < len(p.src) && p.src[p.pos+1] == ':' {
				if end := strings.Index(p.src[p.pos:], ":]"); end > 0 {
					b.WriteString(p.src[p.pos : p.pos+end+2])
					p.pos += end + 2
					continue
				}
			}
			if c == ']' {
				inClass = false
			}
		}
		if c == delim && !inClass {
			p.pos++
			return b.String(), true
		}
		if c == '\n' && regex && delim != '\n' && !inClass {
			return "", false
		}
		b.WriteByte(c)
		p.pos++
	}
	return "", false
}

func (p *sedParser) compile(expr string, nocase, multi bool) (*regexp.Regexp, error) {
	e, err := translate(expr, p.extended)
	if err != nil {
		return nil, p.fail("%s", err)
	}
	flags := "s"
	if nocase {
		flags += "i"
	}
	if multi {
		flags += "m"
	}
	re, err := regexp.Compile("(?" + flags + ")" + e)
	if err != nil {
		return nil, p.fail("Invalid preceding regular expression")
	}
	re.Longest()
	return re, nil
}

func (p *sedParser) addr() (*sedAddr, error) {
	c := p.peek()
	switch {
	case isDigit(c):
		a := &sedAddr{line: p.number()}
		if p.peek() == '~' {
			p.pos++
			a.step = p.number()
			if a.step == 0 {
				a.step = -1
			}
		}
		return a, nil
	case c == '$':
		p.pos++
		return &sedAddr{last: true}, nil
	case c == '/' || c == '\\':
		p.pos++
		d := byte('/')
		if c == '\\' {
			d = p.peek()
			p.pos++
		}
		text, ok := p.until(d, true)
		if !ok {
			return nil, p.fail("unterminated address regex")
		}
		a := &sedAddr{}
		nocase, multi := false, false
		for p.peek() == 'I' || p.peek() == 'M' {
			nocase = nocase || p.peek() == 'I'
			multi = multi || p.peek() == 'M'
			p.pos++
		}
		if text == "" {
			a.use = true
			return a, nil
		}
		var err error
		a.re, err = p.compile(text, nocase, multi)
		return a, err
	}
	return nil, nil
}

func (p *sedParser) parse() error {
	for {
		p.blanks("\n;")
		if p.pos >= len(p.src) {
			break
		}
		c := &sedCmd{}
		var err error
		if c.a1, err = p.addr(); err != nil {
			return err
		}
		p.blanks("")
		if p.peek() == ',' {
			if c.a1 == nil {
				p.pos++
				return p.fail("unexpected `,'")
			}
			p.pos++
			p.blanks("")
			if p.peek() == '+' || p.peek() == '~' {
				p.pos++
				c.a2 = &sedAddr{plus: p.number() + 1}
			} else if c.a2, err = p.addr(); err != nil {
				return err
			}
			if c.a2 == nil {
				p.pos++
				return p.fail("unexpected `,'")
			}
			if c.a1.line == 0 && c.a1.re == nil && !c.a1.last && !c.a1.use && c.a1.step == 0 {
				if c.a2.re == nil {
					return p.fail("invalid usage of line address 0")
				}
				c.a1.zero = true
			}
		} else if c.a1 != nil && c.a1.line == 0 && c.a1.re == nil && !c.a1.last && !c.a1.use && c.a1.step == 0 {
			return p.fail("invalid usage of line address 0")
		}
		p.blanks("")
		for p.peek() == '!' {
			c.neg = true
			p.pos++
			p.blanks("")
		}
		if p.pos >= len(p.src) {
			return p.fail("missing command")
		}
		c.name = p.src[p.pos]
		p.pos++
		switch c.name {
		case '#':
			for p.pos < len(p.src) && p.src[p.pos] != '\n' {
				p.pos++
			}
			continue
		case '{':
			p.blocks = append(p.blocks, len(p.cmds))
			p.cmds = append(p.cmds, c)
			if len(p.blocks) > 1000 {
				return p.fail("unmatched `{'")
			}
			continue
		case '}':
			if c.a1 != nil {
				return p.fail("} doesn't want any addresses")
			}
			if len(p.blocks) == 0 {
				return p.fail("unexpected `}'")
			}
			p.cmds[p.blocks[len(p.blocks)-1]].target = len(p.cmds)
			p.blocks = p.blocks[:len(p.blocks)-1]
		case 's':
			if err := p.substitute(c); err != nil {
				return err
			}
		case 'y':
			d := p.peek()
			p.pos++
			a, ok := p.until(d, false)
			b, ok2 := p.until(d, false)
			if !ok || !ok2 {
				return p.fail("unterminated `y' command")
			}
			un := strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\\`, `\`)
			ra, rb := []rune(un.Replace(a)), []rune(un.Replace(b))
			if len(ra) != len(rb) {
				return p.fail("strings for `y' command are different lengths")
			}
			c.from = map[rune]rune{}
			for i := range ra {
				c.from[ra[i]] = rb[i]
			}
		case 'a', 'i', 'c':
			p.blanks("")
			if p.pos >= len(p.src) {
				return p.fail("expected \\ after `a', `c' or `i'")
			}
			if p.peek() == '\\' {
				p.pos++
				from := p.pos
				p.blanks("")
				if p.peek() == '\n' {
					p.pos++
				} else {
					p.pos = from // GNU: blanks after the backslash are text
				}
			}
			var b strings.Builder
			for p.pos < len(p.src) && p.src[p.pos] != '\n' {
				if p.src[p.pos] == '\\' && p.pos+1 < len(p.src) {
					p.pos++
					if at := strings.IndexByte("tn", p.src[p.pos]); at >= 0 {
						b.WriteByte("\t\n"[at])
						p.pos++
						continue
					}
				}
				b.WriteByte(p.src[p.pos])
				p.pos++
			}
			c.text = b.String() + "\n"
		case ':', 'b', 't', 'T', 'r', 'R', 'w', 'W':
			p.blanks("")
			end := "\n;"
			if strings.IndexByte("rRwW", c.name) >= 0 {
				end = "\n"
			}
			if c.name != ':' && end == "\n;" {
				end = "\n;}"
			}
			start := p.pos
			for p.pos < len(p.src) && strings.IndexByte(end, p.src[p.pos]) < 0 {
				p.pos++
			}
			c.text = strings.TrimSpace(p.src[start:p.pos])
			if c.name == ':' {
				if c.a1 != nil {
					return p.fail(": doesn't want any addresses")
				}
				if c.text == "" {
					return p.fail("\":\" lacks a label")
				}
				p.labels[c.text] = len(p.cmds)
			}
			if strings.IndexByte("rRwW", c.name) >= 0 && c.text == "" {
				return p.fail("missing filename in r/R/w/W commands")
			}
		case 'q', 'Q', 'l', 'L':
			p.blanks("")
			c.code = p.number()
		case 'd', 'D', 'p', 'P', 'n', 'N', 'g', 'G', 'h', 'H', 'x', '=', 'z', 'F':
		default:
			return p.fail("unknown command: `%c'", c.name)
		}
		p.cmds = append(p.cmds, c)
		if strings.IndexByte("aic:rRwW", c.name) < 0 {
			p.blanks("")
			switch p.peek() {
			case 0, '\n', ';', '#', '}':
			default:
				if p.pos < len(p.src) {
					p.pos++
					if c.name == 's' {
						return p.fail("unknown option to `s'")
					}
					return p.fail("extra characters after command")
				}
			}
		}
	}
	if len(p.blocks) > 0 {
		p.pos = 0
		return p.fail("unmatched `{'")
	}
	for _, c := range p.cmds {
		if strings.IndexByte("btT", c.name) >= 0 {
			c.target = len(p.cmds)
			if c.text != "" {
				at, ok := p.labels[c.text]
				if !ok {
					return fmt.Errorf("-e expression #%d, char %d: can't find label for jump to `%s'", p.expr, len(p.src), c.text)
				}
				c.target = at
			}
		}
	}
	return nil
}

func (p *sedParser) substitute(c *sedCmd) error {
	d := p.peek()
	p.pos++
	if d == 0 || d == '\n' || d == '\\' {
		return p.fail("unterminated `s' command")
	}
	expr, ok := p.until(d, true)
	if !ok {
		p.pos = len(p.src)
		return p.fail("unterminated `s' command")
	}
	repl, ok := p.until(d, false)
	if !ok {
		p.pos = len(p.src)
		return p.fail("unterminated `s' command")
	}
	nocase, multi := false, false
flags:
	for {
		switch f := p.peek(); {
		case f == 'g':
			c.global = true
		case f == 'p':
			c.print = true
		case f == 'i' || f == 'I':
			nocase = true
		case f == 'm' || f == 'M':
			multi = true
		case isDigit(f):
			if c.nth = p.number(); c.nth == 0 {
				return p.fail("number option to `s' command may not be zero")
			}
			continue
		case f == 'w':
			p.pos++
			p.blanks("")
			start := p.pos
			for p.pos < len(p.src) && p.src[p.pos] != '\n' {
				p.pos++
			}
			c.file = p.src[start:p.pos]
			break flags
		default:
			break flags
		}
		p.pos++
	}
	groups := 0
	if expr == "" {
		c.empty = true
		groups = 9
	} else {
		var err error
		if c.re, err = p.compile(expr, nocase, multi); err != nil {
			return err
		}
		groups = c.re.NumSubexp()
	}
	var b strings.Builder
	push := func(part sedPart) {
		if b.Len() > 0 {
			c.repl = append(c.repl, sedPart{text: b.String(), group: -1})
			b.Reset()
		}
		c.repl = append(c.repl, part)
	}
	for i := 0; i < len(repl); i++ {
		switch {
		case repl[i] == '&':
			push(sedPart{group: 0})
		case repl[i] == '\\' && i+1 < len(repl):
			i++
			switch e := repl[i]; {
			case isDigit(e):
				n := int(e - '0')
				if n > groups {
					return p.fail("invalid reference \\%d on `s' command's RHS", n)
				}
				push(sedPart{group: n})
			case e == 'n':
				b.WriteByte('\n')
			case e == 't':
				b.WriteByte('\t')
			case e == 'r':
				b.WriteByte('\r')
			case strings.IndexByte("LUElu", e) >= 0:
				push(sedPart{group: -1, mode: e})
			default:
				b.WriteByte(e)
			}
		default:
			b.WriteByte(repl[i])
		}
	}
	push(sedPart{group: -1})
	return nil
}
