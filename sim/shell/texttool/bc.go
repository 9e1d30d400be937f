// bc: numbers of any length and scale, by the rules of POSIX and the words of
// GNU bc 1.07. There are variables, comparisons and the functions of -l; there
// are no loops and no functions of one's own.

package texttool

import (
	"io"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// decimal is n / 10^scale.
type decimal struct {
	n     *big.Int
	scale int
}

// bc is one run.
type bc struct {
	run
	s     string // what remains of the line
	vars  map[string]decimal
	depth int
}

// bcError ends a line.
type bcError string

// bcMaxDigits bounds a number, bcMaxScale its digits behind the point.
const (
	bcMaxDigits = 100_000
	bcMaxScale  = 2_000
)

func (b *bc) main(args []string) int {
	b.vars = map[string]decimal{"ibase": {big.NewInt(10), 0}, "obase": {big.NewInt(10), 0}}
	var files []string
	for _, a := range args {
		switch a {
		case "-l", "--mathlib", "-lq", "-ql":
			b.vars["scale"] = decimal{big.NewInt(20), 0}
		case "-q", "--quiet", "-s", "-w":
		case "-v", "--version":
			_, _ = b.Write([]byte("bc 1.07.1\n"))
			b.flush()
			return 0
		default:
			if strings.HasPrefix(a, "-") {
				b.fail("bc: unrecognized option '" + a + "'\n")
				return 1
			}
			files = append(files, a)
		}
	}
	for _, name := range files {
		data, err := b.readAll(name)
		if err != nil {
			b.fail("File " + name + " is unavailable.\n")
			return 1
		}
		for _, line := range strings.Split(string(data), "\n") {
			b.line(line)
		}
	}
	in, buf, rest := source{&b.run, stdin}, make([]byte, 4096), ""
	for {
		n, err := in.Read(buf)
		rest += string(buf[:n])
		for {
			line, more, ok := strings.Cut(rest, "\n")
			if !ok {
				break
			}
			rest = more
			b.line(line)
		}
		if err == io.EOF || err != nil {
			b.line(rest)
			b.flush()
			return 0
		}
	}
}

// line works out one line.
func (b *bc) line(text string) {
	b.Tick()
	if i := strings.IndexByte(text, '#'); i >= 0 {
		text = text[:i]
	}
	defer func() {
		switch e := recover().(type) {
		case nil:
		case bcError:
			b.fail(string(e) + "\n")
		default:
			panic(e)
		}
	}()
	b.s = text
	for {
		for b.take(";") {
		}
		if b.s == "" {
			return
		}
		if rest, ok := strings.CutPrefix(b.s, `"`); ok {
			var out string
			out, b.s, _ = strings.Cut(rest, `"`)
			_, _ = b.Write([]byte(out))
			continue
		}
		before := b.s
		switch name := b.name(); {
		case name == "quit" || name == "halt":
			b.flush()
			b.Exit(0)
		case name == "print":
			for {
				b.space()
				if rest, ok := strings.CutPrefix(b.s, `"`); ok {
					var out string
					out, b.s, _ = strings.Cut(rest, `"`)
					_, _ = b.Write([]byte(strings.NewReplacer(`\n`, "\n", `\t`, "\t").Replace(out)))
				} else {
					_, _ = b.Write([]byte(b.text(b.expr(0))))
				}
				if !b.take(",") {
					break
				}
			}
			continue
		case name == "if" || name == "while" || name == "for" || name == "define":
			panic(bcError("bc: this bc is simulated and has no " + name))
		case name != "" && b.assigns():
			b.s = before
			b.expr(0)
		default:
			b.s = before
			v := b.expr(0)
			b.ends()
			b.vars["last"] = v
			_, _ = b.Write([]byte(b.text(v) + "\n"))
		}
		b.ends()
	}
}

// ends refuses what follows a statement.
func (b *bc) ends() {
	b.space()
	switch {
	case b.s == "" || b.s[0] == ';':
	case strings.IndexByte("$@?\\'`_~:", b.s[0]) >= 0:
		panic(bcError("(standard_in) 1: illegal character: " + b.s[:1]))
	default:
		panic(bcError("(standard_in) 1: syntax error"))
	}
}

// assigns reports whether an assignment follows a name.
func (b *bc) assigns() bool {
	b.space()
	s := b.s
	if len(s) > 1 && strings.IndexByte("+-*/%^", s[0]) >= 0 && s[1] == '=' {
		return true
	}
	return strings.HasPrefix(s, "=") && !strings.HasPrefix(s, "==")
}

func (b *bc) space() { b.s = strings.TrimLeft(b.s, " \t\r") }

func (b *bc) take(op string) bool {
	b.space()
	rest, ok := strings.CutPrefix(b.s, op)
	if ok {
		b.s = rest
	}
	return ok
}

func (b *bc) name() string {
	b.space()
	n := 0
	for n < len(b.s) && (b.s[n] >= 'a' && b.s[n] <= 'z' || n > 0 && (b.s[n] >= '0' && b.s[n] <= '9' || b.s[n] == '_')) {
		n++
	}
	name := b.s[:n]
	b.s = b.s[n:]
	return name
}

func (b *bc) scale() int { return min(b.int(b.vars["scale"]), bcMaxScale) }

// int is a number without its fraction.
func (b *bc) int(d decimal) int {
	if d.n == nil {
		return 0
	}
	n := rescale(d, 0).n
	if !n.IsInt64() || n.Int64() > math.MaxInt32 || n.Int64() < -math.MaxInt32 {
		return math.MaxInt32
	}
	return int(n.Int64())
}

func pow10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// rescale cuts a number's digits, or adds zeros.
func rescale(d decimal, scale int) decimal {
	if scale >= d.scale {
		return decimal{new(big.Int).Mul(d.n, pow10(scale-d.scale)), scale}
	}
	return decimal{new(big.Int).Quo(d.n, pow10(d.scale-scale)), scale}
}

// bcLevels are the binary operators by how tightly they bind.
var bcLevels = [][]string{{"||"}, {"&&"}, {"<=", ">=", "==", "!=", "<", ">"}, {"+", "-"}, {"*", "/", "%"}}

func (b *bc) expr(level int) decimal {
	if b.depth++; b.depth > 1000 {
		panic(bcError("bc: expression too deep"))
	}
	defer func() { b.depth-- }()
	if level == 0 {
		before := b.s
		if name := b.name(); name != "" && b.assigns() {
			return b.assign(name)
		}
		b.s = before
	}
	if level == len(bcLevels) {
		return b.power()
	}
	left := b.expr(level + 1)
next:
	for {
		b.space()
		for _, op := range bcLevels[level] {
			if strings.HasPrefix(b.s, op) {
				b.s = b.s[len(op):]
				left = b.apply(op, left, b.expr(level+1))
				continue next
			}
		}
		return left
	}
}

func (b *bc) assign(name string) decimal {
	b.space()
	op := ""
	if b.s[0] != '=' {
		op, b.s = b.s[:1], b.s[1:]
	}
	b.s = b.s[1:]
	v := b.expr(0)
	if op != "" {
		v = b.apply(op, b.get(name), v)
	}
	if n := b.int(v); (name == "ibase" || name == "obase") && (n < 2 || n > 16) {
		panic(bcError("Runtime error (func=(main), adr=3): " + name + " out of range"))
	}
	b.vars[name] = v
	return v
}

func (b *bc) get(name string) decimal {
	if v, ok := b.vars[name]; ok {
		return v
	}
	return decimal{new(big.Int), 0}
}

func truth(yes bool) decimal {
	if yes {
		return decimal{big.NewInt(1), 0}
	}
	return decimal{new(big.Int), 0}
}

func (b *bc) apply(op string, x, y decimal) decimal {
	top := max(x.scale, y.scale)
	c := rescale(x, top).n.Cmp(rescale(y, top).n)
	zero := y.n.Sign() == 0
	switch op {
	case "||":
		return truth(x.n.Sign() != 0 || !zero)
	case "&&":
		return truth(x.n.Sign() != 0 && !zero)
	case "<":
		return truth(c < 0)
	case ">":
		return truth(c > 0)
	case "<=":
		return truth(c <= 0)
	case ">=":
		return truth(c >= 0)
	case "==":
		return truth(c == 0)
	case "!=":
		return truth(c != 0)
	case "+":
		return decimal{new(big.Int).Add(rescale(x, top).n, rescale(y, top).n), top}
	case "-":
		return decimal{new(big.Int).Sub(rescale(x, top).n, rescale(y, top).n), top}
	case "*":
		if x.n.BitLen()+y.n.BitLen() > bcMaxDigits*4 {
			panic(bcError("Out of memory for malloc."))
		}
		return rescale(decimal{new(big.Int).Mul(x.n, y.n), x.scale + y.scale}, min(x.scale+y.scale, max(b.scale(), top)))
	case "^":
		n := b.int(y)
		if n < 0 {
			return b.apply("/", truth(true), b.apply("^", x, decimal{big.NewInt(int64(-n)), 0}))
		}
		if x.n.BitLen()*n > bcMaxDigits*4 {
			panic(bcError("Out of memory for malloc."))
		}
		out := decimal{new(big.Int).Exp(x.n, big.NewInt(int64(n)), nil), x.scale * n}
		return rescale(out, min(out.scale, max(b.scale(), x.scale)))
	}
	if zero {
		panic(bcError("Runtime error (func=(main), adr=3): Divide by zero"))
	}
	scale := b.scale()
	quotient := decimal{new(big.Int).Quo(rescale(x, scale+y.scale).n, y.n), scale}
	if d := x.scale - scale - y.scale; d > 0 {
		quotient = decimal{new(big.Int).Quo(x.n, new(big.Int).Mul(y.n, pow10(d))), scale}
	}
	if op == "/" {
		return quotient
	}
	top = max(scale+y.scale, x.scale) // %
	product := decimal{new(big.Int).Mul(quotient.n, y.n), scale + y.scale}
	return decimal{new(big.Int).Sub(rescale(x, top).n, rescale(product, top).n), top}
}

func (b *bc) power() decimal {
	if b.take("-") {
		v := b.power()
		return decimal{new(big.Int).Neg(v.n), v.scale}
	}
	if b.take("!") {
		return truth(b.power().n.Sign() == 0)
	}
	x := b.primary()
	if b.space(); strings.HasPrefix(b.s, "^") && !strings.HasPrefix(b.s, "^=") {
		b.s = b.s[1:]
		return b.apply("^", x, b.power())
	}
	return x
}

func (b *bc) primary() decimal {
	if b.take("(") {
		v := b.expr(0)
		if !b.take(")") {
			panic(bcError("(standard_in) 1: syntax error"))
		}
		return v
	}
	n := 0
	for n < len(b.s) && (b.s[n] >= '0' && b.s[n] <= '9' || b.s[n] >= 'A' && b.s[n] <= 'F' || b.s[n] == '.') {
		n++
	}
	if n > 0 {
		digits := b.s[:n]
		b.s = b.s[n:]
		whole, fraction, _ := strings.Cut(digits, ".")
		base := b.int(b.vars["ibase"])
		if base == 10 && len(digits) < bcMaxDigits {
			if v, ok := new(big.Int).SetString("0"+whole+fraction, 10); ok {
				return decimal{v, len(fraction)}
			}
		}
		if v, ok := new(big.Int).SetString("0"+strings.ToLower(whole), base); ok && fraction == "" {
			return decimal{v, 0}
		}
		panic(bcError("(standard_in) 1: illegal character: " + digits[:1]))
	}
	name := b.name()
	if name == "" {
		if b.s == "" {
			panic(bcError("(standard_in) 1: syntax error"))
		}
		if strings.IndexByte("+-*/%^()=<>!&|,;\"", b.s[0]) < 0 {
			panic(bcError("(standard_in) 1: illegal character: " + b.s[:1]))
		}
		panic(bcError("(standard_in) 1: syntax error"))
	}
	if !b.take("(") {
		return b.get(name)
	}
	v := b.expr(0)
	if !b.take(")") {
		panic(bcError("(standard_in) 1: syntax error"))
	}
	switch name {
	case "sqrt":
		if v.n.Sign() < 0 {
			panic(bcError("Runtime error (func=(main), adr=4): Square root of a negative number"))
		}
		scale := max(b.scale(), v.scale)
		return decimal{new(big.Int).Sqrt(rescale(v, 2*scale).n), scale}
	case "length":
		return decimal{big.NewInt(int64(len(strings.Trim(v.n.String(), "-")))), 0}
	case "scale":
		return decimal{big.NewInt(int64(v.scale)), 0}
	case "s", "c", "a", "l", "e":
		return b.library(name, v)
	}
	panic(bcError("Runtime error (func=(main), adr=5): Function " + name + " not defined."))
}

// library are the functions of -l, by their series, with some digits to spare.
func (b *bc) library(name string, v decimal) decimal {
	scale := b.scale()
	w := scale + 20
	one := pow10(w)
	x := rescale(v, w).n
	if abs := new(big.Int).Abs(x); abs.Cmp(new(big.Int).Mul(one, big.NewInt(1000))) > 0 && name != "l" {
		panic(bcError("bc: the argument of " + name + "() is too large for this simulated bc"))
	}
	mul := func(p, q *big.Int) *big.Int { p = new(big.Int).Mul(p, q); return p.Quo(p, one) }
	div := func(p, q *big.Int) *big.Int { p = new(big.Int).Mul(p, one); return p.Quo(p, q) }
	// sum adds terms: each is the one before times by, over the next divisor.
	sum := func(term, by *big.Int, divisor func(i int64) int64) *big.Int {
		total := new(big.Int).Set(term)
		for i := int64(1); term.Sign() != 0; i++ {
			b.Tick()
			term = mul(term, by)
			term.Quo(term, big.NewInt(divisor(i)))
			total.Add(total, term)
		}
		return total
	}
	exp := func(x *big.Int) *big.Int {
		k := uint(max(0, x.BitLen()-one.BitLen()+8))
		y := sum(one, new(big.Int).Quo(x, new(big.Int).Lsh(big.NewInt(1), k)), func(i int64) int64 { return i })
		for range k {
			y = mul(y, y)
		}
		return y
	}
	square := new(big.Int).Neg(mul(x, x))
	var out *big.Int
	switch name {
	case "e":
		if x.Sign() < 0 {
			out = div(one, exp(new(big.Int).Neg(x)))
		} else {
			out = exp(x)
		}
	case "s":
		out = sum(x, square, func(i int64) int64 { return 2 * i * (2*i + 1) })
	case "c":
		out = sum(one, square, func(i int64) int64 { return 2 * i * (2*i - 1) })
	case "a":
		const halvings = 3 // arctan(x) = 2 arctan(x / (1 + sqrt(1+x²)))
		for range halvings {
			root := new(big.Int).Sqrt(new(big.Int).Mul(new(big.Int).Add(one, mul(x, x)), one))
			x = div(x, root.Add(root, one))
		}
		square = mul(x, x)
		out = new(big.Int)
		for i, power := int64(1), x; power.Sign() != 0; i, power = i+2, new(big.Int).Neg(mul(power, square)) {
			b.Tick()
			out.Add(out, new(big.Int).Quo(power, big.NewInt(i)))
		}
		out.Lsh(out, halvings)
	case "l":
		if x.Sign() <= 0 {
			return decimal{new(big.Int).Neg(new(big.Int).Sub(pow10(scale), big.NewInt(1))), 0} // as bc has it
		}
		f, _ := new(big.Float).Quo(new(big.Float).SetInt(x), new(big.Float).SetInt(one)).Float64()
		if math.IsInf(f, 0) || f == 0 {
			panic(bcError("bc: the argument of l() is too large for this simulated bc"))
		}
		out, _ = new(big.Float).Mul(big.NewFloat(math.Log(f)), new(big.Float).SetInt(one)).Int(nil)
		for range 12 { // Halley's method, which trebles the digits
			e := exp(new(big.Int).Abs(out))
			if out.Sign() < 0 {
				e = div(one, e)
			}
			step := div(new(big.Int).Lsh(new(big.Int).Sub(x, e), 1), new(big.Int).Add(x, e))
			if out = new(big.Int).Add(out, step); step.BitLen() < 8 {
				break
			}
		}
	}
	return rescale(decimal{out, w}, scale)
}

// text is a number as bc prints it: no zero before the point, long ones folded.
func (b *bc) text(d decimal) string {
	if base := b.int(b.vars["obase"]); base != 10 && d.n != nil {
		return strings.ToUpper(rescale(d, 0).n.Text(base))
	}
	digits := new(big.Int).Abs(d.n).String()
	if d.scale > 0 {
		if len(digits) <= d.scale {
			digits = strings.Repeat("0", d.scale-len(digits)) + digits
		}
		digits = digits[:len(digits)-d.scale] + "." + digits[len(digits)-d.scale:]
	}
	switch {
	case d.n.Sign() == 0:
		return "0"
	case d.n.Sign() < 0:
		digits = "-" + digits
	}
	width := 69
	for _, e := range b.Env {
		if v, ok := strings.CutPrefix(e, "BC_LINE_LENGTH="); ok {
			if n, err := strconv.Atoi(v); err == nil && n != 1 {
				width = n - 1
			}
		}
	}
	var out strings.Builder
	for width > 1 && len(digits) > width {
		out.WriteString(digits[:width-1] + "\\\n")
		digits = digits[width-1:]
	}
	return out.String() + digits
}
