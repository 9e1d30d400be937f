// echo, printf, true, false, yes, seq: what prints without reading.

package tool

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

func init() {
	reg("echo [SHORT-OPTION]... [STRING]...", func(t *T) int { t.puts(Echo(t.args, false)); return 0 }, "echo")
	reg("", func(t *T) int { return 0 }, "true", ":")
	reg("", func(t *T) int { return 1 }, "false")
	reg("printf FORMAT [ARGUMENT]...", func(t *T) int {
		if len(t.args) == 0 {
			return t.usageError(1, "missing operand")
		}
		text, errs := Printf(t.args[0], t.args[1:], t.Proc.Now(), func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" })
		t.puts(text)
		for _, e := range errs {
			t.errorf("%s", e)
		}
		return t.bad
	}, "printf")
	reg("yes [STRING]...", func(t *T) int {
		line := strings.Join(t.args, " ") + "\n"
		if len(t.args) == 0 {
			line = "y\n"
		}
		block := []byte(strings.Repeat(line, 1+4096/len(line)))
		for {
			t.Proc.Tick()
			t.rawWrite(t.Stdout, block)
		}
	}, "yes")
	reg("seq [OPTION]... LAST\n  or:  seq [OPTION]... FIRST LAST\n  or:  seq [OPTION]... FIRST INCREMENT LAST", seq, "seq")
}

// Echo is what echo prints for the arguments; escapes says that backslashes
// are special without -e.
func Echo(args []string, escapes bool) string {
	newline := true
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' && strings.Trim(args[0][1:], "neE") == "" {
		for _, c := range args[0][1:] {
			switch c {
			case 'n':
				newline = false
			case 'e':
				escapes = true
			case 'E':
				escapes = false
			}
		}
		args = args[1:]
	}
	text := strings.Join(args, " ")
	if escapes {
		var stop bool
		if text, stop = Escapes(text, true); stop {
			return text
		}
	}
	if newline {
		text += "\n"
	}
	return text
}

// Escape is the character that a backslash and this letter stand for, wherever
// backslashes have a meaning.
func Escape(letter byte) (c byte, ok bool) {
	const pairs = "n\nt\tr\ra\ab\be\x1bE\x1bf\fv\v"
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] == letter {
			return pairs[i+1], true
		}
	}
	return 0, false
}

// Digits reads up to limit digits that s begins with.
func Digits(s string, limit, base int) (n, count int) {
	for count < limit && count < len(s) {
		d, err := strconv.ParseUint(s[count:count+1], base, 8)
		if err != nil {
			break
		}
		n = n*base + int(d)
		count++
	}
	return n, count
}

// Escapes interprets backslashes as echo -e and printf %b do. stop reports
// that \c ended the output.
func Escapes(s string, zero bool) (text string, stop bool) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, false
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 >= len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		digits := func(limit, base int) (int, int) {
			n, count := Digits(s[i+1:], limit, base)
			i += count
			return n, count
		}
		if c, ok := Escape(s[i]); ok {
			b.WriteByte(c)
			continue
		}
		switch c := s[i]; c {
		case '\\':
			b.WriteByte('\\')
		case 'c':
			return b.String(), true
		case '0':
			if zero {
				n, _ := digits(3, 8)
				b.WriteByte(byte(n))
			} else {
				i--
				n, _ := digits(3, 8)
				b.WriteByte(byte(n))
			}
		case '1', '2', '3', '4', '5', '6', '7':
			if zero {
				b.WriteByte('\\')
				b.WriteByte(c)
				break
			}
			i--
			n, _ := digits(3, 8)
			b.WriteByte(byte(n))
		case 'x':
			if n, got := digits(2, 16); got > 0 {
				b.WriteByte(byte(n))
			} else {
				b.WriteString(`\x`)
			}
		case 'u', 'U':
			limit := 4
			if c == 'U' {
				limit = 8
			}
			if n, got := digits(limit, 16); got > 0 {
				b.WriteString(string(rune(n)))
			} else {
				b.WriteByte('\\')
				b.WriteByte(c)
			}
		case '"', '\'':
			if zero {
				b.WriteByte('\\')
			}
			b.WriteByte(c)
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String(), false
}

// Printf formats as printf(1) of bash; quote is what %q does. errs are the
// messages for standard error.
func Printf(format string, args []string, now time.Time, quote func(string) string) (text string, errs []string) {
	var b strings.Builder
	for {
		used, stop := printfOnce(&b, format, &args, now, quote, &errs)
		if stop || !used || len(args) == 0 || b.Len() > 16<<20 {
			return b.String(), errs
		}
	}
}

func printfOnce(b *strings.Builder, format string, args *[]string, now time.Time, quote func(string) string, errs *[]string) (used, stop bool) {
	next := func() (string, bool) {
		if len(*args) == 0 {
			return "", false
		}
		a := (*args)[0]
		*args = (*args)[1:]
		used = true
		return a, true
	}
	for i := 0; i < len(format); i++ {
		switch format[i] {
		case '\\':
			end := i + 1
			for end < len(format) && end < i+10 && format[end] != '%' && (end == i+1 || format[end] != '\\') {
				end++
			}
			// interpret one escape: find how much of it is used
			one, n, halt := oneEscape(format[i:])
			_ = end
			b.WriteString(one)
			if halt {
				return used, true
			}
			i += n - 1
			continue
		case '%':
		default:
			b.WriteByte(format[i])
			continue
		}
		i++
		if i >= len(format) {
			*errs = append(*errs, "`%': missing format character")
			return used, true
		}
		if format[i] == '%' {
			b.WriteByte('%')
			continue
		}
		spec := "%"
		for i < len(format) && strings.IndexByte("-+ 0#'", format[i]) >= 0 {
			if format[i] != '\'' {
				spec += format[i : i+1]
			}
			i++
		}
		width, prec := -1, -1
		number := func() int {
			if i < len(format) && format[i] == '*' {
				i++
				a, _ := next()
				n, _ := strconv.Atoi(a)
				return n
			}
			n := 0
			for i < len(format) && format[i] >= '0' && format[i] <= '9' {
				n = min(n*10+int(format[i]-'0'), 1<<16)
				i++
			}
			return n
		}
		if i < len(format) && (format[i] == '*' || format[i] >= '1' && format[i] <= '9') {
			if width = number(); width < 0 {
				spec += "-"
				width = -width
			}
			width = min(width, 1<<16)
		}
		if i < len(format) && format[i] == '.' {
			i++
			prec = min(number(), 1<<16)
		}
		for i < len(format) && strings.IndexByte("hlLjzt", format[i]) >= 0 {
			i++
		}
		if width >= 0 {
			spec += strconv.Itoa(width)
		}
		if prec >= 0 {
			spec += "." + strconv.Itoa(prec)
		}
		if i >= len(format) {
			*errs = append(*errs, "`"+format[strings.LastIndexByte(format, '%'):]+"': missing format character")
			return used, true
		}
		str := func(s string) {
			if prec >= 0 && len(s) > prec {
				s = s[:prec]
			}
			// widths count bytes in bash, runes in Go
			w := width
			if w > 0 {
				w -= len(s) - utf8.RuneCountInString(s)
			}
			f := "%"
			if strings.Contains(spec, "-") {
				f += "-"
			}
			if w > 0 {
				f += strconv.Itoa(w)
			}
			fmt.Fprintf(b, f+"s", s)
		}
		switch c := format[i]; c {
		case 's':
			a, _ := next()
			str(a)
		case 'b':
			a, _ := next()
			t, halt := Escapes(a, true)
			str(t)
			if halt {
				return used, true
			}
		case 'q':
			a, _ := next()
			if a == "" {
				str("''")
			} else {
				str(quotePrintf(a))
			}
		case 'c':
			if a, _ := next(); a != "" {
				str(a[:1])
			} else {
				str("")
			}
		case 'd', 'i', 'u', 'x', 'X', 'o':
			a, ok := next()
			n := printfInt(a, ok, errs)
			verb := string(c)
			if c == 'i' || c == 'u' {
				verb = "d"
			}
			if c == 'o' && strings.Contains(spec, "#") {
				verb = "o"
			}
			if prec >= 0 {
				spec = strings.ReplaceAll(spec, "0"+strconv.Itoa(width), strconv.Itoa(width))
			}
			if c == 'd' || c == 'i' {
				fmt.Fprintf(b, spec+verb, n)
			} else {
				fmt.Fprintf(b, spec+verb, uint64(n))
			}
		case 'f', 'F', 'e', 'E', 'g', 'G', 'a', 'A':
			a, _ := next()
			f, err := strconv.ParseFloat(strings.TrimSpace(a), 64)
			if err != nil && a != "" {
				*errs = append(*errs, a+": invalid number")
			}
			if math.IsInf(f, 0) || math.IsNaN(f) {
				fmt.Fprintf(b, "%s", strings.ToLower(strings.TrimPrefix(fmt.Sprint(f), "+")))
				break
			}
			if prec < 0 && (c == 'g' || c == 'G') {
				spec += ".6"
			}
			fmt.Fprintf(b, spec+string(c), f)
		case '(':
			end := strings.Index(format[i:], ")T")
			if end < 0 {
				b.WriteString("%(")
				break
			}
			layout := format[i+1 : i+end]
			i += end + 1
			at := now
			if a, ok := next(); ok && a != "-1" && a != "-2" {
				n, _ := strconv.ParseInt(a, 10, 64)
				at = time.Unix(n, 0).UTC()
			}
			if layout == "" {
				layout = "%X"
			}
			str(Strftime(layout, at))
		default:
			*errs = append(*errs, "`"+string(c)+"': invalid format character")
			return used, true
		}
	}
	return used, false
}

func quotePrintf(a string) string {
	var b strings.Builder
	for _, r := range a {
		if r < 32 || r == 127 {
			q := strconv.Quote(a)
			return "$'" + strings.ReplaceAll(strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`), "'", `\'`) + "'"
		}
		if strings.ContainsRune(" !\"#$&'()*,;<>?[\\]^`{|}~", r) && !(r == '#' || r == '~') || (r == '#' || r == '~') && b.Len() == 0 {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func oneEscape(s string) (text string, n int, stop bool) {
	if len(s) < 2 {
		return s, len(s), false
	}
	n = 2
	switch s[1] {
	case '0', '1', '2', '3', '4', '5', '6', '7':
		for n < 4 && n < len(s) && s[n] >= '0' && s[n] <= '7' {
			n++
		}
	case 'x':
		for n < 4 && n < len(s) && isHex(s[n]) {
			n++
		}
	case 'u':
		for n < 6 && n < len(s) && isHex(s[n]) {
			n++
		}
	case 'U':
		for n < 10 && n < len(s) && isHex(s[n]) {
			n++
		}
	}
	text, stop = Escapes(s[:n], false)
	return text, n, stop
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func printfInt(a string, ok bool, errs *[]string) int64 {
	if !ok || a == "" {
		return 0
	}
	if a[0] == '"' || a[0] == '\'' {
		r, _ := utf8.DecodeRuneInString(a[1:])
		return int64(r)
	}
	t := strings.TrimSpace(a)
	n, err := strconv.ParseInt(t, 0, 64)
	if err == nil && !strings.Contains(t, "_") {
		return n
	}
	if u, err := strconv.ParseUint(t, 0, 64); err == nil {
		return int64(u)
	}
	i := 0
	for i < len(t) && (t[i] >= '0' && t[i] <= '9' || i == 0 && (t[i] == '-' || t[i] == '+')) {
		i++
	}
	n, _ = strconv.ParseInt(t[:i], 10, 64)
	*errs = append(*errs, a+": invalid number")
	return n
}

func seq(t *T) int {
	sep, format, equal := "\n", "", false
	args := t.args
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' && !(args[0][1] >= '0' && args[0][1] <= '9' || args[0][1] == '.') {
		o := args[0]
		args = args[1:]
		switch {
		case o == "-w" || o == "--equal-width":
			equal = true
		case o == "-s" && len(args) > 0:
			sep = args[0]
			args = args[1:]
		case strings.HasPrefix(o, "-s"):
			sep = o[2:]
		case o == "-f" && len(args) > 0:
			format = args[0]
			args = args[1:]
		case o == "--":
		default:
			return t.usageError(1, "invalid option -- '%s'", strings.TrimLeft(o, "-"))
		}
	}
	if len(args) == 0 {
		return t.usageError(1, "missing operand")
	}
	if len(args) > 3 {
		return t.usageError(1, "extra operand ‘%s’", args[3])
	}
	vals := make([]float64, len(args))
	prec := 0
	for i, a := range args {
		f, err := strconv.ParseFloat(a, 64)
		if err != nil {
			return t.usageError(1, "invalid floating point argument: ‘%s’", a)
		}
		vals[i] = f
		if _, frac, ok := strings.Cut(a, "."); ok {
			prec = max(prec, len(frac))
		}
	}
	first, step, last := 1.0, 1.0, vals[len(vals)-1]
	if len(vals) > 1 {
		first = vals[0]
	}
	if len(vals) > 2 {
		step = vals[1]
	}
	if step == 0 {
		return t.usageError(1, "invalid Zero increment value: ‘%s’", args[1])
	}
	n := math.Floor((last-first)/step + 1e-10)
	width := 0
	text := func(v float64) string {
		if format != "" {
			s, _ := Printf(format, []string{strconv.FormatFloat(v, 'f', -1, 64)}, time.Time{}, nil)
			return s
		}
		return fmt.Sprintf("%0*.*f", width, prec, v)
	}
	if equal {
		width = max(len(text(first)), len(text(first+n*step)))
	}
	for i := 0.0; i <= n; i++ {
		t.Proc.Tick()
		if i > 0 {
			t.puts(sep)
		}
		t.puts(text(first + i*step))
	}
	if n >= 0 {
		t.puts("\n")
	}
	return 0
}
