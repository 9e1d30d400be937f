package gotemplate

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
)

type function struct {
	params   []param // the last one is for all further arguments of a variadic function
	variadic bool
	call     func(args []value) (value, error)
}

// functions are text/template's, and kubectl's exists and base64decode.
var functions map[string]function

func init() { // a table that refers to itself through what its functions call
	functions = map[string]function{
		"and":          {[]param{valueArg, valueArg}, true, nil},
		"or":           {[]param{valueArg, valueArg}, true, nil},
		"call":         {[]param{valueArg, valueArg}, true, callFunction},
		"html":         {[]param{anyArg}, true, text(escapeHTML)},
		"js":           {[]param{anyArg}, true, text(escapeJS)},
		"urlquery":     {[]param{anyArg}, true, text(url.QueryEscape)},
		"index":        {[]param{valueArg, valueArg}, true, index},
		"slice":        {[]param{valueArg, valueArg}, true, slice},
		"len":          {[]param{valueArg}, false, length},
		"not":          {[]param{valueArg}, false, func(a []value) (value, error) { return of(!truth(a[0])), nil }},
		"print":        {[]param{anyArg}, true, func(a []value) (value, error) { return of(fmt.Sprint(plain(a)...)), nil }},
		"println":      {[]param{anyArg}, true, func(a []value) (value, error) { return of(fmt.Sprintln(plain(a)...)), nil }},
		"printf":       {[]param{stringArg, anyArg}, true, func(a []value) (value, error) { return of(fmt.Sprintf(a[0].v.(string), plain(a[1:])...)), nil }},
		"eq":           {[]param{valueArg, valueArg}, true, equal},
		"ne":           {[]param{valueArg, valueArg}, false, not(equal)},
		"lt":           {[]param{valueArg, valueArg}, false, less},
		"le":           {[]param{valueArg, valueArg}, false, lessOrEqual},
		"gt":           {[]param{valueArg, valueArg}, false, not(lessOrEqual)},
		"ge":           {[]param{valueArg, valueArg}, false, not(less)},
		"exists":       {[]param{anyArg, anyArg}, true, exists},
		"base64decode": {[]param{stringArg}, false, decode},
	}
}

func plain(args []value) []any {
	out := make([]any, len(args))
	for i, a := range args {
		out[i] = a.v
	}
	return out
}

// text makes a function of the text of its arguments.
func text(f func(string) string) func([]value) (value, error) {
	return func(args []value) (value, error) {
		list := plain(args)
		if len(list) == 1 {
			if s, ok := list[0].(string); ok {
				return of(f(s)), nil
			}
		}
		for i := range list {
			if list[i] == nil {
				list[i] = "<no value>"
			}
		}
		return of(f(fmt.Sprint(list...))), nil
	}
}

func not(f func([]value) (value, error)) func([]value) (value, error) {
	return func(args []value) (value, error) {
		v, err := f(args)
		if err != nil {
			return v, err
		}
		return of(v.v == false), nil
	}
}

func callFunction(args []value) (value, error) {
	if args[1].v == nil {
		return value{}, errors.New("call of nil")
	}
	return value{}, fmt.Errorf("non-function %s of type %T", args[0].v, args[1].v)
}

func decode(args []value) (value, error) {
	data, err := base64.StdEncoding.DecodeString(args[0].v.(string))
	if err != nil {
		return value{}, fmt.Errorf("base64 decode failed: %v", err)
	}
	return of(string(data)), nil
}

// exists reports whether the item has a value at the indices.
func exists(args []value) (value, error) {
	item := args[0].v
	for _, i := range args[1:] {
		switch x := item.(type) {
		case map[string]any:
			key, ok := i.v.(string)
			if !ok {
				return of(false), nil
			}
			item = x[key]
		case []any:
			n, ok := integer(i.v)
			if !ok || n < 0 || n >= int64(len(x)) {
				return of(false), nil
			}
			item = x[n]
		default:
			return of(false), nil
		}
	}
	return of(item != nil), nil
}

func integer(v any) (int64, bool) {
	switch x := v.(type) {
	case int:
		return int64(x), true
	case int64:
		return x, true
	case byte:
		return int64(x), true
	}
	return 0, false
}

func indexArg(v value, most int) (int, error) {
	x, ok := integer(v.v)
	switch {
	case v.v == nil:
		return 0, errors.New("cannot index slice/array with nil")
	case !ok:
		return 0, fmt.Errorf("cannot index slice/array with type %T", v.v)
	case x < 0 || x > int64(most):
		return 0, fmt.Errorf("index out of range: %d", x)
	}
	return int(x), nil
}

func index(args []value) (value, error) {
	item := args[0].open()
	if item.kind == none {
		return item, errors.New("index of untyped nil")
	}
	for _, i := range args[1:] {
		switch x := item.v.(type) {
		case nil:
			return value{}, errors.New("index of nil pointer")
		case []any:
			n, err := indexArg(i, len(x))
			if err != nil {
				return value{}, err
			}
			if n == len(x) {
				return value{}, errors.New("reflect: slice index out of range")
			}
			item = value{x[n], boxed}
		case string:
			n, err := indexArg(i, len(x))
			if err != nil {
				return value{}, err
			}
			if n == len(x) {
				return value{}, errors.New("reflect: string index out of range")
			}
			item = of(x[n])
		case map[string]any:
			key, ok := i.v.(string)
			switch {
			case i.v == nil:
				return value{}, errors.New("value is nil; should be of type string")
			case !ok:
				return value{}, fmt.Errorf("value has type %T; should be string", i.v)
			}
			item = value{x[key], boxed}
		default:
			return value{}, fmt.Errorf("can't index item of type %T", item.v)
		}
	}
	return item, nil
}

func slice(args []value) (value, error) {
	item, indices := args[0].open(), args[1:]
	if item.kind == none {
		return item, errors.New("slice of untyped nil")
	}
	if len(indices) > 3 {
		return value{}, fmt.Errorf("too many slice indexes: %d", len(indices))
	}
	s, isString := item.v.(string)
	list, isList := item.v.([]any)
	size, most := len(s), len(s)
	switch {
	case isString && len(indices) == 3:
		return value{}, errors.New("cannot 3-index slice a string")
	case isList:
		size, most = len(list), cap(list)
	case !isString:
		return value{}, fmt.Errorf("can't slice item of type %T", item.v)
	}
	x := [3]int{0, size}
	for i, a := range indices {
		if a.kind == boxed { // text/template does not look into the interface here
			return value{}, fmt.Errorf("cannot index slice/array with type %s", a.typ())
		}
		n, err := indexArg(a, most)
		if err != nil {
			return value{}, err
		}
		x[i] = n
	}
	switch {
	case x[0] > x[1]:
		return value{}, fmt.Errorf("invalid slice index: %d > %d", x[0], x[1])
	case isString:
		return of(s[x[0]:x[1]]), nil
	case len(indices) < 3:
		return of(list[x[0]:x[1]]), nil
	case x[1] > x[2]:
		return value{}, fmt.Errorf("invalid slice index: %d > %d", x[1], x[2])
	}
	return of(list[x[0]:x[1]:x[2]]), nil
}

func length(args []value) (value, error) {
	switch x := args[0].v.(type) {
	case nil:
		if args[0].kind == none {
			return value{}, errors.New("reflect: call of reflect.Value.Type on zero Value")
		}
		return value{}, errors.New("len of nil pointer")
	case []any:
		return of(len(x)), nil
	case map[string]any:
		return of(len(x)), nil
	case string:
		return of(len(x)), nil
	default:
		return value{}, fmt.Errorf("len of type %T", x)
	}
}

// basic is the class of types within which values compare.
func basic(v any) string {
	switch v.(type) {
	case bool:
		return "bool"
	case int, int64:
		return "int"
	case byte:
		return "uint"
	case float64:
		return "float"
	case complex128:
		return "complex"
	case string:
		return "string"
	}
	return ""
}

// shape is the class of the rest.
func shape(v any) string {
	switch v.(type) {
	case map[string]any:
		return "map"
	case []any:
		return "list"
	}
	return ""
}

func integers(k1, k2 string) bool {
	return (k1 == "int" || k1 == "uint") && (k2 == "int" || k2 == "uint")
}

func equal(args []value) (value, error) {
	if len(args) == 1 {
		return of(false), errors.New("missing argument for comparison")
	}
	a := args[0].v
	k1 := basic(a)
	for _, arg := range args[1:] {
		b := arg.v
		k2 := basic(b)
		same := false
		switch {
		case integers(k1, k2):
			x, _ := integer(a)
			y, _ := integer(b)
			same = x == y
		case k1 != k2:
			if a != nil && b != nil {
				return of(false), fmt.Errorf("incompatible types for comparison: %T and %T", a, b)
			}
		case k1 != "":
			same = a == b
		case a == nil || b == nil:
			same = a == nil && b == nil
		case shape(a) != shape(b):
			return of(false), fmt.Errorf("non-comparable types %s: %T, %T: %v", a, a, b, b)
		default:
			return of(false), fmt.Errorf("non-comparable type %s: %T", b, b)
		}
		if same {
			return of(true), nil
		}
	}
	return of(false), nil
}

func less(args []value) (value, error) {
	a, b := args[0].v, args[1].v
	k1, k2 := basic(a), basic(b)
	bad := errors.New("invalid type for comparison")
	switch {
	case k1 == "" || k2 == "":
		return of(false), bad
	case integers(k1, k2):
		x, _ := integer(a)
		y, _ := integer(b)
		return of(x < y), nil
	case k1 != k2:
		return of(false), fmt.Errorf("incompatible types for comparison: %T and %T", a, b)
	}
	switch x := a.(type) {
	case float64:
		return of(x < b.(float64)), nil
	case string:
		return of(x < b.(string)), nil
	}
	return of(false), bad
}

func lessOrEqual(args []value) (value, error) {
	v, err := less(args)
	if err != nil || v.v == true {
		return v, err
	}
	return equal(args)
}

var htmlEscapes = strings.NewReplacer(`"`, "&#34;", "'", "&#39;", "&", "&amp;", "<", "&lt;", ">", "&gt;", "\x00", "\uFFFD")

func escapeHTML(s string) string { return htmlEscapes.Replace(s) }

func escapeJS(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\\' || r == '\'' || r == '"':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || strings.ContainsRune("<>&=", r) || r >= 0x80 && !unicode.IsPrint(r):
			fmt.Fprintf(&b, "\\u%04X", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
