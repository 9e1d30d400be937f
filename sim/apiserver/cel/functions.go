// The functions of the language itself, of text and of lists. A method's
// receiver is its first argument; the checker and the table's signatures see to
// the number of arguments, the functions to their types.

package cel

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// functions by name; those without a body are methods of Objects alone.
var functions = map[string]*function{}

func define(name, signatures string, call func(args []any) (any, bool)) {
	if f := functions[name]; f != nil {
		f.signatures += " " + signatures
		if call != nil {
			f.call = call
		}
		return
	}
	functions[name] = &function{signatures, call}
}

// texts makes a function of one whose arguments are all strings.
func texts(fn func(s ...string) any) func([]any) (any, bool) {
	return func(args []any) (any, bool) {
		parts := make([]string, len(args))
		for i, a := range args {
			s, ok := a.(string)
			if !ok {
				return nil, false
			}
			parts[i] = s
		}
		return fn(parts...), true
	}
}

// lists makes a function of one whose first argument is a list.
func lists(fn func(l []any, args []any) any) func([]any) (any, bool) {
	return func(args []any) (any, bool) {
		if l, ok := args[0].([]any); ok {
			return fn(l, args[1:]), true
		}
		return nil, false
	}
}

// must gives the value, or ends the evaluation.
func must[T any](v T, err error) T {
	if err != nil {
		fail("%v", err)
	}
	return v
}

func compileRegexp(text string) *regexp.Regexp { return must(regexp.Compile(text)) }

// whole gives the i-th argument as a number, or what stands for it.
func whole(args []any, i, without int) int {
	if i >= len(args) {
		return without
	}
	n, ok := args[i].(int64)
	if !ok {
		fail("no such overload")
	}
	return int(min(max(n, math.MinInt32), math.MaxInt32))
}

func init() {
	define("size", "s>i .s>i l>i m>i y>i s.>i l.>i m.>i y.>i", func(args []any) (any, bool) {
		switch x := args[0].(type) {
		case string:
			return int64(utf8.RuneCountInString(x)), true
		case []byte:
			return int64(len(x)), true
		case []any:
			return int64(len(x)), true
		case map[string]any:
			return int64(len(x)), true
		}
		return nil, false
	})
	define("startsWith", "s.s>b", texts(func(s ...string) any { return strings.HasPrefix(s[0], s[1]) }))
	define("endsWith", "s.s>b", texts(func(s ...string) any { return strings.HasSuffix(s[0], s[1]) }))
	define("contains", "s.s>b", texts(func(s ...string) any { return strings.Contains(s[0], s[1]) }))
	define("matches", "s.s>b ss>b", texts(func(s ...string) any { return compileRegexp(s[1]).MatchString(s[0]) }))
	define("lowerAscii", "s.>s", texts(func(s ...string) any { return ascii(s[0], 'A', 'Z') }))
	define("upperAscii", "s.>s", texts(func(s ...string) any { return ascii(s[0], 'a', 'z') }))
	define("trim", "s.>s", texts(func(s ...string) any { return strings.TrimSpace(s[0]) }))
	define("strings.quote", "s>s", texts(func(s ...string) any { return strconv.Quote(s[0]) }))
	define("reverse", "s.>s", texts(func(s ...string) any {
		r := []rune(s[0])
		slices.Reverse(r)
		return string(r)
	}))
	define("replace", "s.ss>s s.ssi>s", func(args []any) (any, bool) {
		n := whole(args, 3, -1)
		return texts(func(s ...string) any {
			if s[1] == "" && len(s[0])*(len(s[2])+1) > maxText || s[1] != "" && len(s[0])+strings.Count(s[0], s[1])*len(s[2]) > maxText {
				panic(failure{errBudget})
			}
			return strings.Replace(s[0], s[1], s[2], n)
		})(args[:3])
	})
	define("split", "s.s>ls s.si>ls", func(args []any) (any, bool) {
		n := whole(args, 2, -1)
		return texts(func(s ...string) any { return listOf(strings.SplitN(s[0], s[1], n)) })(args[:2])
	})
	define("charAt", "s.i>s", func(args []any) (any, bool) {
		s, ok := args[0].(string)
		r, i := []rune(s), whole(args, 1, 0)
		if i < 0 || i > len(r) {
			fail("index out of range: %d", i)
		}
		if i == len(r) {
			return "", ok
		}
		return string(r[i]), ok
	})
	index := func(last bool) func(args []any) (any, bool) {
		return func(args []any) (any, bool) {
			if l, ok := args[0].([]any); ok {
				for i := range l {
					if last {
						i = len(l) - 1 - i
					}
					if Equal(l[i], args[1]) {
						return int64(i), true
					}
				}
				return int64(-1), true
			}
			s, ok := args[0].(string)
			sub, ok2 := args[1].(string)
			if !ok || !ok2 {
				return nil, false
			}
			r, want := []rune(s), []rune(sub)
			from := whole(args, 2, 0)
			if last {
				from = whole(args, 2, len(r))
			}
			if from < 0 || from > len(r) {
				fail("index out of range: %d", from)
			}
			for i := from; i >= 0 && i <= len(r); {
				if i+len(want) <= len(r) && slices.Equal(r[i:i+len(want)], want) {
					return int64(i), true
				}
				if last {
					i--
				} else {
					i++
				}
			}
			return int64(-1), true
		}
	}
	define("indexOf", "s.s>i s.si>i l.*>i", index(false))
	define("lastIndexOf", "s.s>i s.si>i l.*>i", index(true))
	define("substring", "s.i>s s.ii>s", func(args []any) (any, bool) {
		s, ok := args[0].(string)
		r := []rune(s)
		from, to := whole(args, 1, 0), whole(args, 2, len(r))
		switch {
		case from < 0 || from > len(r):
			fail("index out of range: %d", from)
		case to < 0 || to > len(r):
			fail("index out of range: %d", to)
		case from > to:
			fail("invalid substring range. start: %d, end: %d", from, to)
		}
		return string(r[from:to]), ok
	})
	define("join", "l.>s l.s>s", lists(func(l []any, args []any) any {
		sep, parts, length := "", make([]string, len(l)), 0
		ok := len(args) == 0
		if !ok {
			sep, ok = args[0].(string)
		}
		for i, v := range l {
			var is bool
			parts[i], is = v.(string)
			ok = ok && is
			length += len(parts[i]) + len(sep)
		}
		if !ok {
			fail("no such overload")
		}
		if length > maxText {
			panic(failure{errBudget})
		}
		return strings.Join(parts, sep)
	}))
	define("format", "s.l>s", func(args []any) (any, bool) {
		s, ok := args[0].(string)
		l, ok2 := args[1].([]any)
		if !ok || !ok2 {
			return nil, false
		}
		return formatted(s, l), true
	})
	define("int", "i>i d>i s>i t>i D>i", func(args []any) (any, bool) {
		switch x := args[0].(type) {
		case int64:
			return x, true
		case float64:
			if math.IsNaN(x) || x <= math.MinInt64 || x >= math.MaxInt64 {
				fail("integer overflow")
			}
			return int64(x), true
		case string:
			return must(strconv.ParseInt(x, 10, 64)), true
		case time.Time:
			return x.Unix(), true
		case time.Duration:
			return int64(x), true
		}
		return nil, false
	})
	define("uint", "i>i d>i s>i", func(args []any) (any, bool) {
		v, ok := functions["int"].call(args)
		if n, _ := v.(int64); n < 0 {
			fail("unsigned integer overflow")
		}
		return v, ok
	})
	define("double", "i>d d>d s>d", func(args []any) (any, bool) {
		switch x := args[0].(type) {
		case int64:
			return float64(x), true
		case float64:
			return x, true
		case string:
			return must(strconv.ParseFloat(x, 64)), true
		}
		return nil, false
	})
	define("string", "s>s i>s d>s b>s y>s t>s D>s Q>s U>s P>s C>s V>s", func(args []any) (any, bool) {
		switch x := args[0].(type) {
		case []any, map[string]any, nil, optional, typeName:
			return nil, false
		case []byte:
			if !utf8.Valid(x) {
				fail("invalid UTF-8 in bytes, cannot convert to string")
			}
			return string(x), true
		default:
			return shown(x), true
		}
	})
	define("bytes", "s>y y>y", func(args []any) (any, bool) {
		switch x := args[0].(type) {
		case string:
			return []byte(x), true
		case []byte:
			return x, true
		}
		return nil, false
	})
	define("bool", "b>b s>b", func(args []any) (any, bool) {
		if s, ok := args[0].(string); ok {
			return must(strconv.ParseBool(s)), true
		}
		b, ok := args[0].(bool)
		return b, ok
	})
	define("type", "*>T", func(args []any) (any, bool) {
		letter := typeOf(args[0]).sort
		for name, l := range typeNames {
			if l == letter && name != "uint" {
				return typeName(name), true
			}
		}
		return typeName("dyn"), true
	})
	define("dyn", "*>*", func(args []any) (any, bool) { return args[0], true })
	define("duration", "s>D D>D", func(args []any) (any, bool) {
		if s, ok := args[0].(string); ok {
			return must(time.ParseDuration(s)), true
		}
		d, ok := args[0].(time.Duration)
		return d, ok
	})
	define("timestamp", "s>t t>t i>t", func(args []any) (any, bool) {
		switch x := args[0].(type) {
		case string:
			return must(time.Parse(time.RFC3339, x)), true
		case int64:
			return time.Unix(x, 0).UTC(), true
		case time.Time:
			return x, true
		}
		return nil, false
	})
	parts := map[string]func(t time.Time) int{
		"getFullYear": time.Time.Year, "getMonth": func(t time.Time) int { return int(t.Month()) - 1 },
		"getDate": time.Time.Day, "getDayOfMonth": func(t time.Time) int { return t.Day() - 1 },
		"getDayOfWeek": func(t time.Time) int { return int(t.Weekday()) }, "getDayOfYear": func(t time.Time) int { return t.YearDay() - 1 },
		"getHours": time.Time.Hour, "getMinutes": time.Time.Minute, "getSeconds": time.Time.Second,
		"getMilliseconds": func(t time.Time) int { return t.Nanosecond() / 1e6 },
	}
	units := map[string]time.Duration{"getHours": time.Hour, "getMinutes": time.Minute, "getSeconds": time.Second, "getMilliseconds": time.Millisecond}
	for name, part := range parts {
		define(name, "t.>i t.s>i D.>i", func(args []any) (any, bool) {
			if d, ok := args[0].(time.Duration); ok && units[name] != 0 {
				return int64(d / units[name]), true
			}
			t, ok := args[0].(time.Time)
			if !ok {
				return nil, false
			}
			zone := "UTC"
			if len(args) == 2 {
				zone, _ = args[1].(string)
			}
			return int64(part(t.In(must(location(zone))))), true
		})
	}
	define("isSorted", "l.>b", lists(func(l, _ []any) any { return slices.IsSortedFunc(l, compare) }))
	define("sum", "l.>*", lists(func(l, _ []any) any {
		var sum any = int64(0)
		for i, v := range l {
			if i == 0 {
				sum = v
			} else {
				sum = (&env{left: budget}).arithmetic("+", sum, v)
			}
		}
		return sum
	}))
	pick := func(name string, sign int) {
		define(name, "l.>*", lists(func(l, _ []any) any {
			if len(l) == 0 {
				fail("%s called on empty list", name)
			}
			best := l[0]
			for _, v := range l[1:] {
				if compare(v, best)*sign > 0 {
					best = v
				}
			}
			return best
		}))
	}
	pick("min", -1)
	pick("max", 1)
	subset := func(a, b []any) bool {
		return !slices.ContainsFunc(a, func(v any) bool {
			return !slices.ContainsFunc(b, func(w any) bool { return Equal(v, w) })
		})
	}
	two := func(fn func(a, b []any) bool) func([]any) (any, bool) {
		return lists(func(a, args []any) any {
			b, ok := args[0].([]any)
			if !ok {
				fail("no such overload")
			}
			return fn(a, b)
		})
	}
	define("sets.contains", "ll>b", two(func(a, b []any) bool { return subset(b, a) }))
	define("sets.equivalent", "ll>b", two(func(a, b []any) bool { return subset(a, b) && subset(b, a) }))
	define("sets.intersects", "ll>b", two(func(a, b []any) bool {
		return slices.ContainsFunc(a, func(v any) bool { return slices.ContainsFunc(b, func(w any) bool { return Equal(v, w) }) })
	}))
	define("find", "s.s>s", texts(func(s ...string) any { return compileRegexp(s[1]).FindString(s[0]) }))
	define("findAll", "s.s>ls s.si>ls", func(args []any) (any, bool) {
		n := whole(args, 2, -1)
		return texts(func(s ...string) any { return listOf(compileRegexp(s[1]).FindAllString(s[0], n)) })(args[:2])
	})

	define("optional.none", ">o", func([]any) (any, bool) { return missing, true })
	define("optional.of", "*>o", func(args []any) (any, bool) { return some(args[0]), true })
	define("optional.ofNonZeroValue", "*>o", func(args []any) (any, bool) {
		switch x := args[0].(type) {
		case []any:
			return optional{x, len(x) > 0}, true
		case map[string]any:
			return optional{x, len(x) > 0}, true
		}
		for _, zero := range []any{nil, false, int64(0), "", time.Duration(0)} {
			if Equal(args[0], zero) {
				return missing, true
			}
		}
		return some(args[0]), true
	})
	define("hasValue", "o.>b", func(args []any) (any, bool) { return asOptional(args[0]).set, true })
	define("value", "o.>*", func(args []any) (any, bool) {
		o := asOptional(args[0])
		if !o.set {
			fail("optional.none() dereference")
		}
		return o.v, true
	})
	define("orValue", "o.*>*", func(args []any) (any, bool) {
		if o := asOptional(args[0]); o.set {
			return o.v, true
		}
		return args[1], true
	})
	define("or", "o.o>o", func(args []any) (any, bool) {
		if o := asOptional(args[0]); o.set {
			return o, true
		}
		return asOptional(args[1]), true
	})
}

// ascii changes the case of the letters from one to the other.
func ascii(s string, from, to byte) string {
	b := []byte(s)
	for i, c := range b {
		if c >= from && c <= to {
			b[i] = c ^ 0x20
		}
	}
	return string(b)
}

func listOf(s []string) []any {
	out := make([]any, len(s))
	for i := range s {
		out[i] = s[i]
	}
	return out
}

// location is a time zone by its offset; the names of zones are not known here.
func location(zone string) (*time.Location, error) {
	if zone == "UTC" || zone == "" {
		return time.UTC, nil
	}
	sign, rest := 1, strings.TrimPrefix(zone, "+")
	if strings.HasPrefix(zone, "-") {
		sign, rest = -1, zone[1:]
	}
	t, err := time.Parse("15:04", rest)
	if err != nil {
		return nil, fmt.Errorf("unknown time zone %s", zone)
	}
	return time.FixedZone(zone, sign*(t.Hour()*3600+t.Minute()*60)), nil
}

// shown is a value as string() and %s show it.
func shown(v any) string {
	switch x := v.(type) {
	case nil:
		return "null"
	case string:
		return x
	case []byte:
		return string(x)
	case float64:
		switch {
		case math.IsInf(x, 1):
			return "Infinity"
		case math.IsInf(x, -1):
			return "-Infinity"
		}
		return strconv.FormatFloat(x, 'g', -1, 64)
	case time.Duration:
		return strconv.FormatFloat(x.Seconds(), 'f', -1, 64) + "s"
	case time.Time:
		return x.Format(time.RFC3339Nano)
	case []any:
		parts := make([]string, len(x))
		for i := range x {
			parts[i] = shown(x[i])
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		var parts []string
		for k, e := range x {
			parts = append(parts, k+": "+shown(e))
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprint(v)
}

// formatted is the strings library's format: %s %d %f %e %b %o %x %X.
func formatted(text string, args []any) string {
	var b strings.Builder
	used := 0
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			b.WriteByte(text[i])
			continue
		}
		i++
		precision := -1
		if i < len(text) && text[i] == '.' {
			for precision, i = 0, i+1; i < len(text) && digit(text[i]); i++ {
				precision = min(precision*10+int(text[i]-'0'), 1000)
			}
		}
		if i == len(text) {
			fail("could not parse formatting clause: unexpected end of string")
		}
		if text[i] == '%' {
			b.WriteByte('%')
			continue
		}
		if used == len(args) {
			fail("index %d out of range", used)
		}
		v := args[used]
		used++
		bad := func() {
			fail("error during formatting: %%%c cannot be given %s", text[i], typeOf(v))
		}
		switch c := text[i]; c {
		case 's':
			b.WriteString(shown(v))
		case 'd':
			n, ok := v.(int64)
			if !ok {
				bad()
			}
			b.WriteString(strconv.FormatInt(n, 10))
		case 'f', 'e':
			f, ok := v.(float64)
			if n, whole := v.(int64); whole {
				f, ok = float64(n), true
			}
			if !ok {
				bad()
			}
			if precision < 0 {
				precision = 6
			}
			b.WriteString(strconv.FormatFloat(f, c, precision, 64))
		case 'b', 'o', 'x', 'X':
			base := map[byte]int{'b': 2, 'o': 8, 'x': 16, 'X': 16}[c]
			out := ""
			switch x := v.(type) {
			case int64:
				out = strconv.FormatInt(x, base)
			case bool:
				out = map[bool]string{true: "1", false: "0"}[x]
			case string:
				out = fmt.Sprintf("%x", x)
			case []byte:
				out = fmt.Sprintf("%x", x)
			default:
				bad()
			}
			if c == 'X' {
				out = strings.ToUpper(out)
			}
			b.WriteString(out)
		default:
			fail("could not parse formatting clause: unrecognized formatting clause \"%c\"", c)
		}
		if b.Len() > maxText {
			panic(failure{errBudget})
		}
	}
	return b.String()
}
