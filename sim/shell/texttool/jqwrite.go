// How jq writes JSON: with keys in the order in which they came, and indented.

package texttool

import (
	"fmt"
	"math"
	"math/big"
	"sort"
	"strconv"
	"unicode/utf8"
)

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// writer encodes values. indent is what one level is indented by, "" for one line.
type writer struct {
	orders *orders
	sorted bool
	ascii  bool
	indent string
	b      []byte
}

func (w *writer) encode(v any) string {
	w.b = w.b[:0]
	w.put(v, 0)
	return string(w.b)
}

func (w *writer) newline(depth int) {
	if w.indent != "" {
		w.b = append(w.b, '\n')
		for range depth {
			w.b = append(w.b, w.indent...)
		}
	}
}

func (w *writer) put(v any, depth int) {
	switch v := v.(type) {
	case nil:
		w.b = append(w.b, "null"...)
	case bool:
		w.b = strconv.AppendBool(w.b, v)
	case int:
		w.b = strconv.AppendInt(w.b, int64(v), 10)
	case *big.Int:
		w.b = v.Append(w.b, 10)
	case float64:
		w.b = append(w.b, number(v)...)
	case string:
		w.str(v)
	case []any:
		w.b = append(w.b, '[')
		for i, e := range v {
			if i > 0 {
				w.b = append(w.b, ',')
			}
			w.newline(depth + 1)
			w.put(e, depth+1)
		}
		if len(v) > 0 {
			w.newline(depth)
		}
		w.b = append(w.b, ']')
	case map[string]any:
		var keys []string
		if w.sorted || w.orders == nil {
			keys = sortedKeys(v)
		} else {
			keys = w.orders.of(v)
		}
		w.b = append(w.b, '{')
		for i, k := range keys {
			if i > 0 {
				w.b = append(w.b, ',')
			}
			w.newline(depth + 1)
			w.str(k)
			w.b = append(w.b, ':')
			if w.indent != "" {
				w.b = append(w.b, ' ')
			}
			w.put(v[k], depth+1)
		}
		if len(v) > 0 {
			w.newline(depth)
		}
		w.b = append(w.b, '}')
	default:
		w.b = append(w.b, fmt.Sprint(v)...)
	}
}

// number is a float as jq prints it: 17 digits at most.
func number(f float64) string {
	if math.IsNaN(f) {
		return "null"
	}
	f = min(max(f, -math.MaxFloat64), math.MaxFloat64)
	if f == 0 && math.Signbit(f) {
		return "-0"
	}
	if x := math.Abs(f); x != 0 && (x < 1e-5 || x >= 1e17) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

func (w *writer) str(s string) {
	const hex = "0123456789abcdef"
	w.b = append(w.b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			switch c {
			case '"', '\\':
				w.b = append(w.b, '\\', c)
			case '\n':
				w.b = append(w.b, `\n`...)
			case '\t':
				w.b = append(w.b, `\t`...)
			case '\r':
				w.b = append(w.b, `\r`...)
			case '\b':
				w.b = append(w.b, `\b`...)
			case '\f':
				w.b = append(w.b, `\f`...)
			default:
				if c < 0x20 || c == 0x7f {
					w.b = append(w.b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
				} else {
					w.b = append(w.b, c)
				}
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case !w.ascii:
			w.b = utf8.AppendRune(w.b, r)
		case r < 0x10000:
			w.b = append(w.b, fmt.Sprintf(`\u%04x`, r)...)
		default:
			r -= 0x10000
			w.b = append(w.b, fmt.Sprintf(`\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)...)
		}
		i += n
	}
	w.b = append(w.b, '"')
}
