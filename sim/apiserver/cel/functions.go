// The functions that expressions may call. A method's receiver is its first argument.

package cel

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kubonsai/kubonsai/sim/api/resource"
)

// functions return false for arguments that they do not take.
var functions = map[string]func(args []any) (any, bool){}

func text(fn func(s string, rest []string) (any, bool), n int) func([]any) (any, bool) {
	return func(args []any) (any, bool) {
		if len(args) != n {
			return nil, false
		}
		parts := make([]string, n)
		for i, a := range args {
			s, ok := a.(string)
			if !ok {
				return nil, false
			}
			parts[i] = s
		}
		return fn(parts[0], parts[1:])
	}
}

func one(fn func(v any) (any, bool)) func([]any) (any, bool) {
	return func(args []any) (any, bool) {
		if len(args) != 1 {
			return nil, false
		}
		return fn(args[0])
	}
}

func parsed[T any](v T, err error) (any, bool) {
	if err != nil {
		fail("%v", err)
	}
	return v, true
}

func init() {
	functions["size"] = one(func(v any) (any, bool) {
		switch x := v.(type) {
		case string:
			return int64(utf8.RuneCountInString(x)), true
		case []any:
			return int64(len(x)), true
		case map[string]any:
			return int64(len(x)), true
		}
		return nil, false
	})
	functions["startsWith"] = text(func(s string, r []string) (any, bool) { return strings.HasPrefix(s, r[0]), true }, 2)
	functions["endsWith"] = text(func(s string, r []string) (any, bool) { return strings.HasSuffix(s, r[0]), true }, 2)
	functions["contains"] = text(func(s string, r []string) (any, bool) { return strings.Contains(s, r[0]), true }, 2)
	functions["matches"] = text(func(s string, r []string) (any, bool) { return parsed(regexp.MatchString(r[0], s)) }, 2)
	functions["lowerAscii"] = text(func(s string, _ []string) (any, bool) { return strings.ToLower(s), true }, 1)
	functions["upperAscii"] = text(func(s string, _ []string) (any, bool) { return strings.ToUpper(s), true }, 1)
	functions["trim"] = text(func(s string, _ []string) (any, bool) { return strings.TrimSpace(s), true }, 1)
	functions["replace"] = text(func(s string, r []string) (any, bool) { return strings.ReplaceAll(s, r[0], r[1]), true }, 3)
	functions["split"] = text(func(s string, r []string) (any, bool) {
		var out []any
		for _, p := range strings.Split(s, r[0]) {
			out = append(out, p)
		}
		return out, true
	}, 2)
	functions["indexOf"] = func(args []any) (any, bool) {
		if len(args) != 2 {
			return nil, false
		}
		if l, ok := args[0].([]any); ok {
			return int64(slices.IndexFunc(l, func(v any) bool { return Equal(v, args[1]) })), true
		}
		s, ok := args[0].(string)
		sub, ok2 := args[1].(string)
		return int64(strings.Index(s, sub)), ok && ok2
	}
	functions["substring"] = func(args []any) (any, bool) {
		s, ok := args[0].(string)
		runes := []rune(s)
		bounds := []int64{0, int64(len(runes))}
		for i, a := range args[1:] {
			n, isInt := a.(int64)
			if !isInt || i > 1 {
				return nil, false
			}
			bounds[i] = n
		}
		if bounds[0] < 0 || bounds[1] > int64(len(runes)) || bounds[0] > bounds[1] {
			fail("index out of range: %d", bounds[0])
		}
		return string(runes[bounds[0]:bounds[1]]), ok
	}
	functions["join"] = func(args []any) (any, bool) {
		l, ok := args[0].([]any)
		sep := ""
		if len(args) == 2 {
			sep, _ = args[1].(string)
		}
		parts := make([]string, len(l))
		for i, v := range l {
			parts[i], _ = v.(string)
		}
		return strings.Join(parts, sep), ok
	}
	functions["int"] = one(func(v any) (any, bool) {
		switch x := v.(type) {
		case int64:
			return x, true
		case float64:
			return int64(x), true
		case string:
			return parsed(strconv.ParseInt(x, 10, 64))
		case time.Time:
			return x.Unix(), true
		}
		return nil, false
	})
	functions["uint"] = functions["int"]
	functions["double"] = one(func(v any) (any, bool) {
		switch x := v.(type) {
		case int64:
			return float64(x), true
		case float64:
			return x, true
		case string:
			return parsed(strconv.ParseFloat(x, 64))
		}
		return nil, false
	})
	functions["string"] = one(func(v any) (any, bool) {
		switch x := v.(type) {
		case string:
			return x, true
		case int64:
			return strconv.FormatInt(x, 10), true
		case float64:
			return strconv.FormatFloat(x, 'g', -1, 64), true
		case bool:
			return strconv.FormatBool(x), true
		case time.Duration:
			return strconv.FormatFloat(x.Seconds(), 'f', -1, 64) + "s", true
		case time.Time:
			return x.Format(time.RFC3339Nano), true
		}
		return nil, false
	})
	functions["bool"] = one(func(v any) (any, bool) {
		if s, ok := v.(string); ok {
			return parsed(strconv.ParseBool(s))
		}
		b, ok := v.(bool)
		return b, ok
	})
	functions["type"] = one(func(v any) (any, bool) {
		switch v.(type) {
		case nil:
			return "null_type", true
		case int64:
			return "int", true
		case float64:
			return "double", true
		case string:
			return "string", true
		case bool:
			return "bool", true
		case []any:
			return "list", true
		}
		return "map", true
	})
	functions["dyn"] = one(func(v any) (any, bool) { return v, true })
	functions["duration"] = text(func(s string, _ []string) (any, bool) { return parsed(time.ParseDuration(s)) }, 1)
	functions["timestamp"] = text(func(s string, _ []string) (any, bool) { return parsed(time.Parse(time.RFC3339, s)) }, 1)
	functions["isSorted"] = list1(func(l []any) any { return slices.IsSortedFunc(l, compare) })
	functions["sum"] = list1(func(l []any) any {
		var sum any = int64(0)
		for i, v := range l {
			if i == 0 {
				sum = v
			} else {
				sum = arithmetic("+", sum, v)
			}
		}
		return sum
	})
	pick := func(sign int) func([]any) any {
		return func(l []any) any {
			if len(l) == 0 {
				fail("min/max called on empty list")
			}
			best := l[0]
			for _, v := range l[1:] {
				if compare(v, best)*sign > 0 {
					best = v
				}
			}
			return best
		}
	}
	functions["min"], functions["max"] = list1(pick(-1)), list1(pick(1))
	functions["find"] = text(func(s string, r []string) (any, bool) {
		re, err := regexp.Compile(r[0])
		if err != nil {
			fail("%v", err)
		}
		return re.FindString(s), true
	}, 2)
	functions["quantity"] = text(func(s string, _ []string) (any, bool) { return parsed(amount(s)) }, 1)
	functions["isQuantity"] = text(func(s string, _ []string) (any, bool) {
		_, err := resource.ParseQuantity(s)
		return err == nil, true
	}, 1)
	functions["isGreaterThan"] = compared(func(c int) any { return c > 0 })
	functions["isLessThan"] = compared(func(c int) any { return c < 0 })
	functions["compareTo"] = compared(func(c int) any { return int64(c) })
}

// amount is a quantity as a number.
func amount(s string) (float64, error) {
	q, err := resource.ParseQuantity(s)
	if err != nil {
		return math.NaN(), err
	}
	return q.AsApproximateFloat64(), nil
}

func list1(fn func([]any) any) func([]any) (any, bool) {
	return one(func(v any) (any, bool) {
		l, ok := v.([]any)
		if !ok {
			return nil, false
		}
		return fn(l), true
	})
}

func compared(fn func(int) any) func([]any) (any, bool) {
	return func(args []any) (any, bool) {
		if len(args) != 2 {
			return nil, false
		}
		return fn(compare(args[0], args[1])), true
	}
}
