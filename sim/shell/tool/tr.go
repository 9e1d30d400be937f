// tr, with its ranges and classes.

package tool

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kubonsai/kubonsai/sim/shell/pattern"
)

func trSet(spec string) ([]rune, int, error) {
	var out []rune
	fill := -1
	rs := []rune(spec)
	one := func(i int) (rune, int) {
		if rs[i] == '\\' && i+1 < len(rs) {
			switch c := rs[i+1]; c {
			case 'n':
				return '\n', 2
			case 't':
				return '\t', 2
			case 'r':
				return '\r', 2
			case 'a':
				return 7, 2
			case 'b':
				return 8, 2
			case 'f':
				return 12, 2
			case 'v':
				return 11, 2
			case '0', '1', '2', '3', '4', '5', '6', '7':
				n, j := rune(0), 1
				for j < 4 && i+j < len(rs) && rs[i+j] >= '0' && rs[i+j] <= '7' {
					n = n*8 + rs[i+j] - '0'
					j++
				}
				return n, j
			default:
				return c, 2
			}
		}
		return rs[i], 1
	}
	for i := 0; i < len(rs); {
		rest := string(rs[i:])
		if strings.HasPrefix(rest, "[:") {
			if end := strings.Index(rest, ":]"); end > 1 {
				name := rest[2:end]
				if !strings.Contains("alpha digit alnum upper lower space blank punct print graph cntrl xdigit", name) {
					return nil, 0, fmt.Errorf("invalid character class ‘%s’", name)
				}
				for c := rune(0); c < 128; c++ {
					if pattern.Class(name, c) {
						out = append(out, c)
					}
				}
				i += end + 2
				continue
			}
		}
		if rs[i] == '[' && i+2 < len(rs) && rs[i+2] == '*' {
			end := 0
			for k := i + 3; k < len(rs) && end == 0; k++ {
				if rs[k] == ']' {
					end = k - i - 2
				}
			}
			if end > 0 {
				n, _ := strconv.Atoi(string(rs[i+3 : i+2+end]))
				if n == 0 {
					fill = len(out)
					out = append(out, rs[i+1])
				}
				for range min(n, 1<<16) {
					out = append(out, rs[i+1])
				}
				i += 3 + end
				continue
			}
		}
		a, n := one(i)
		i += n
		if i+1 < len(rs) && rs[i] == '-' {
			b, m := one(i + 1)
			if b < a {
				return nil, 0, fmt.Errorf("range-endpoints of '%c-%c' are in reverse collating sequence order", a, b)
			}
			for c := a; c <= b; c++ {
				out = append(out, c)
			}
			i += 1 + m
			continue
		}
		out = append(out, a)
	}
	return out, fill, nil
}

func tr(t *T) int {
	if !t.parseOpts("dscCt", true, "delete=d", "squeeze-repeats=s", "complement=c", "truncate-set1=t") {
		return 1
	}
	del, squeeze, comp := t.has("d"), t.has("s"), t.has("c") || t.has("C")
	if len(t.args) == 0 {
		return t.usageError(1, "missing operand")
	}
	if len(t.args) == 1 && !del && !squeeze {
		t.errorf("missing operand after ‘%s’", t.args[0])
		t.eprint("Two strings must be given when translating.\nTry 'tr --help' for more information.\n")
		return 1
	}
	if len(t.args) > 2 || del && !squeeze && len(t.args) > 1 {
		t.errorf("extra operand ‘%s’", t.args[len(t.args)-1])
		if del && len(t.args) == 2 {
			t.eprint("Only one string may be given when deleting without squeezing repeats.\n")
		}
		t.eprint("Try 'tr --help' for more information.\n")
		return 1
	}
	set1, _, err := trSet(t.args[0])
	var set2 []rune
	fill := -1
	if err == nil && len(t.args) > 1 {
		set2, fill, err = trSet(t.args[1])
	}
	if err != nil {
		t.errorf("%s", err)
		return 1
	}
	in1 := map[rune]bool{}
	for _, r := range set1 {
		in1[r] = true
	}
	member := func(r rune) bool { return in1[r] != comp }
	m := map[rune]rune{}
	var last rune
	if len(t.args) > 1 && !del {
		if len(set2) == 0 {
			t.errorf("when not truncating set1, string2 must be non-empty")
			return 1
		}
		if fill >= 0 {
			for len(set2) < len(set1) {
				set2 = append(set2[:fill+1], append([]rune{set2[fill]}, set2[fill+1:]...)...)
			}
		}
		last = set2[len(set2)-1]
		for i, r := range set1 {
			if i < len(set2) {
				m[r] = set2[i]
			} else if !t.has("t") {
				m[r] = last
			}
		}
	}
	sq := map[rune]bool{}
	sqComp := false
	if squeeze {
		src := set2
		if len(t.args) == 1 {
			src, sqComp = set1, comp
		}
		for _, r := range src {
			sq[r] = true
		}
	}
	prev := rune(-1)
	in := stdin{t}
	buf := make([]byte, 32<<10)
	var carry []byte
	for {
		n, err := in.Read(buf)
		t.Proc.Tick()
		data := append(carry, buf[:n]...)
		carry = nil
		for len(data) > 0 {
			if err == nil && !utf8.FullRune(data) {
				carry = bytes.Clone(data)
				break
			}
			r, size := utf8.DecodeRune(data)
			raw := data[:size]
			data = data[size:]
			if del && member(r) {
				continue
			}
			if !del && len(t.args) > 1 && member(r) {
				if comp {
					r = last
				} else if to, ok := m[r]; ok {
					r = to
				}
				raw = nil
			}
			if squeeze && r == prev && sq[r] != sqComp {
				continue
			}
			prev = r
			if raw != nil {
				t.write(raw)
			} else {
				t.puts(string(r))
			}
		}
		if err != nil {
			return t.bad
		}
	}
}
