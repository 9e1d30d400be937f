// Package labels holds label selectors: sets of requirements on an object's
// labels, their text form and its parser, with the API's messages
// (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/).
// (The upstream package links the net and log packages into the browser module.)
package labels

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kubonsai/kubonsai/sim/api/validation"
)

// Labels are what a selector is asked about.
type Labels interface {
	Has(label string) bool
	Get(label string) string
}

// Set is an object's labels.
type Set map[string]string

// Has reports whether the label is set.
func (s Set) Has(label string) bool { _, ok := s[label]; return ok }

// Get is the label's value, "" if it is not set.
func (s Set) Get(label string) string { return s[label] }

// String is the labels as a=b,c=d, sorted.
func (s Set) String() string {
	out := make([]string, 0, len(s))
	for k, v := range s {
		out = append(out, k+"="+v)
	}
	sort.Strings(out)
	return strings.Join(out, ",")
}

// AsSelector is the selector of objects that have all of these labels.
func (s Set) AsSelector() Selector { return SelectorFromSet(s) }

// Selector chooses objects by their labels.
type Selector interface {
	// Matches reports whether an object with these labels is chosen.
	Matches(Labels) bool
	// Empty reports whether the selector chooses everything.
	Empty() bool
	// String is the selector's text; Parse reads it.
	String() string
	// Add returns a selector with more requirements.
	Add(r ...Requirement) Selector
	// Requirements returns what makes up the selector; selectable is false for
	// the selector that chooses nothing.
	Requirements() (reqs []Requirement, selectable bool)
	// RequiresExactMatch is the one value that a label must have, if there is.
	RequiresExactMatch(label string) (value string, found bool)
}

// Requirement is one condition on one label.
type Requirement struct {
	key      string
	operator selection.Operator
	values   []string // sorted
}

type requirements []Requirement

type nothing struct{}

func (nothing) Matches(Labels) bool                      { return false }
func (nothing) Empty() bool                              { return false }
func (nothing) String() string                           { return "" }
func (n nothing) Add(...Requirement) Selector            { return n }
func (nothing) Requirements() ([]Requirement, bool)      { return nil, false }
func (nothing) RequiresExactMatch(string) (string, bool) { return "", false }

// Everything chooses every object.
func Everything() Selector { return requirements{} }

// Nothing chooses no object.
func Nothing() Selector { return nothing{} }

// NewSelector returns a selector without requirements.
func NewSelector() Selector { return requirements{} }

// SelectorFromSet chooses the objects that have all labels of the set; it does
// not check them.
func SelectorFromSet(set Set) Selector {
	rs := make(requirements, 0, len(set))
	for k, v := range set {
		rs = append(rs, Requirement{k, selection.Equals, []string{v}})
	}
	rs.sort()
	return rs
}

// ValidatedSelectorFromSet is SelectorFromSet after checking the labels.
func ValidatedSelectorFromSet(set Set) (Selector, error) {
	rs := make(requirements, 0, len(set))
	for k, v := range set {
		r, err := NewRequirement(k, selection.Equals, []string{v})
		if err != nil {
			return nil, err
		}
		rs = append(rs, *r)
	}
	rs.sort()
	return rs, nil
}

// FormatLabels is the set as people read it, "<none>" when it is empty.
func FormatLabels(set map[string]string) string {
	if s := Set(set).String(); s != "" {
		return s
	}
	return "<none>"
}

// NewRequirement checks and returns a requirement; its error is an aggregate of
// field errors.
func NewRequirement(key string, op selection.Operator, values []string) (*Requirement, error) {
	var errs field.ErrorList
	var path *field.Path
	if err := checkKey(key); err != nil {
		errs = append(errs, err)
	}
	at := path.Child("values")
	switch op {
	case selection.In, selection.NotIn:
		if len(values) == 0 {
			errs = append(errs, field.Invalid(at, values, "for 'in', 'notin' operators, values set can't be empty"))
		}
	case selection.Equals, selection.DoubleEquals, selection.NotEquals:
		if len(values) != 1 {
			errs = append(errs, field.Invalid(at, values, "exact-match compatibility requires one single value"))
		}
	case selection.Exists, selection.DoesNotExist:
		if len(values) != 0 {
			errs = append(errs, field.Invalid(at, values, "values set must be empty for exists and does not exist"))
		}
	case selection.GreaterThan, selection.LessThan:
		if len(values) != 1 {
			errs = append(errs, field.Invalid(at, values, "for 'Gt', 'Lt' operators, exactly one value is required"))
		}
		for i, v := range values {
			if _, err := strconv.ParseInt(v, 10, 64); err != nil {
				errs = append(errs, field.Invalid(at.Index(i), v, "for 'Gt', 'Lt' operators, the value must be an integer"))
			}
		}
	default:
		errs = append(errs, field.NotSupported(path.Child("operator"), op, operators))
	}
	for i, v := range values {
		if msgs := validation.IsValidLabelValue(v); len(msgs) > 0 {
			errs = append(errs, field.Invalid(at.Index(i).Key(key), v, strings.Join(msgs, "; ")))
		}
	}
	values = slices.Clone(values)
	if !slices.IsSorted(values) {
		sort.Strings(values)
	}
	return &Requirement{key, op, values}, errs.ToAggregate()
}

var operators = func() []string {
	all := append(append([]string{}, binary...), "!", "exists")
	sort.Strings(all)
	return all
}()

var binary = []string{"in", "notin", "=", "==", "!=", "gt", "lt"}

func checkKey(key string) *field.Error {
	if msgs := validation.IsQualifiedName(key); len(msgs) > 0 {
		return field.Invalid((*field.Path)(nil), key, strings.Join(msgs, "; "))
	}
	return nil
}

// Key is the label's name.
func (r *Requirement) Key() string { return r.key }

// Operator is the kind of condition.
func (r *Requirement) Operator() selection.Operator { return r.operator }

// Values are the values of the condition, sorted; they must not be changed.
func (r *Requirement) Values() []string { return r.values }

// ValuesUnsorted is Values.
func (r *Requirement) ValuesUnsorted() []string { return r.values }

// Matches reports whether the labels meet the requirement.
func (r *Requirement) Matches(l Labels) bool {
	switch r.operator {
	case selection.In, selection.Equals, selection.DoubleEquals:
		return l.Has(r.key) && slices.Contains(r.values, l.Get(r.key))
	case selection.NotIn, selection.NotEquals:
		return !l.Has(r.key) || !slices.Contains(r.values, l.Get(r.key))
	case selection.Exists:
		return l.Has(r.key)
	case selection.DoesNotExist:
		return !l.Has(r.key)
	case selection.GreaterThan, selection.LessThan:
		have, err := strconv.ParseInt(l.Get(r.key), 10, 64)
		if err != nil || !l.Has(r.key) || len(r.values) != 1 {
			return false
		}
		want, err := strconv.ParseInt(r.values[0], 10, 64)
		if err != nil {
			return false
		}
		return r.operator == selection.GreaterThan && have > want || r.operator == selection.LessThan && have < want
	}
	return false
}

// String is the requirement's text.
func (r *Requirement) String() string {
	list := strings.Join(r.values, ",")
	switch r.operator {
	case selection.Equals:
		return r.key + "=" + list
	case selection.DoubleEquals:
		return r.key + "==" + list
	case selection.NotEquals:
		return r.key + "!=" + list
	case selection.In:
		return r.key + " in (" + list + ")"
	case selection.NotIn:
		return r.key + " notin (" + list + ")"
	case selection.GreaterThan:
		return r.key + ">" + list
	case selection.LessThan:
		return r.key + "<" + list
	case selection.DoesNotExist:
		return "!" + r.key
	}
	return r.key
}

func (rs requirements) sort() {
	sort.SliceStable(rs, func(i, j int) bool { return rs[i].key < rs[j].key })
}

func (rs requirements) Matches(l Labels) bool {
	for i := range rs {
		if !rs[i].Matches(l) {
			return false
		}
	}
	return true
}

func (rs requirements) Empty() bool { return len(rs) == 0 }

func (rs requirements) String() string {
	out := make([]string, len(rs))
	for i := range rs {
		out[i] = rs[i].String()
	}
	return strings.Join(out, ",")
}

func (rs requirements) Add(more ...Requirement) Selector {
	out := append(slices.Clone(rs), more...)
	out.sort()
	return out
}

func (rs requirements) Requirements() ([]Requirement, bool) { return rs, true }

func (rs requirements) RequiresExactMatch(label string) (string, bool) {
	for _, r := range rs {
		if r.key != label {
			continue
		}
		switch r.operator {
		case selection.Equals, selection.DoubleEquals, selection.In:
			if len(r.values) == 1 {
				return r.values[0], true
			}
		}
		return "", false
	}
	return "", false
}

// Parse reads a selector such as "a=b,c in (d,e),!f".
func Parse(text string) (Selector, error) {
	p := parser{tokens: lex(text)}
	rs, err := p.selector()
	if err != nil {
		return nil, err
	}
	rs.sort()
	return rs, nil
}

// ParseToRequirements is Parse, giving the requirements.
func ParseToRequirements(text string) ([]Requirement, error) {
	s, err := Parse(text)
	if err != nil {
		return nil, err
	}
	reqs, _ := s.Requirements()
	return reqs, nil
}

// kind is what a token is: a word, one of the symbols, the end, or an error.
type kind string

const (
	word     kind = "word"
	end      kind = "end"
	badToken kind = "bad"
)

type token struct {
	kind kind
	text string
}

var symbols = []string{"==", "!=", ")", ",", "!", "=", ">", "<", "("}

func lex(s string) []token {
	var out []token
	for {
		s = strings.TrimLeft(s, " \t\r\n")
		if s == "" || s[0] == 0 {
			return append(out, token{end, ""})
		}
		if strings.IndexByte("=!(),><", s[0]) >= 0 {
			for _, sym := range symbols {
				if strings.HasPrefix(s, sym) {
					out = append(out, token{kind(sym), sym})
					s = s[len(sym):]
					break
				}
			}
			continue
		}
		n := strings.IndexAny(s, "=!(),>< \t\r\n\x00")
		if n < 0 {
			n = len(s)
		}
		text := s[:n]
		s = s[n:]
		if strings.HasPrefix(s, "\x00") {
			s = s[1:]
		}
		if text == "in" || text == "notin" {
			out = append(out, token{kind(text), text})
		} else {
			out = append(out, token{word, text})
		}
	}
}

type parser struct {
	tokens []token
	next   int
}

// peek is the next token; where a value is expected, in and notin are words.
func (p *parser) peek(values bool) token {
	t := p.tokens[min(p.next, len(p.tokens)-1)]
	if values && (t.kind == "in" || t.kind == "notin") {
		t.kind = word
	}
	return t
}

func (p *parser) take(values bool) token {
	t := p.peek(values)
	p.next++
	return t
}

func (p *parser) selector() (requirements, error) {
	var rs requirements
	for {
		switch t := p.peek(true); t.kind {
		case word, "!":
			r, err := p.requirement()
			if err != nil {
				return nil, fmt.Errorf("unable to parse requirement: %v", err)
			}
			rs = append(rs, *r)
			switch t := p.take(true); t.kind {
			case end:
				return rs, nil
			case ",":
				if n := p.peek(true); n.kind != word && n.kind != "!" {
					return nil, fmt.Errorf("found '%s', expected: identifier after ','", n.text)
				}
			default:
				return nil, fmt.Errorf("found '%s', expected: ',' or 'end of string'", t.text)
			}
		case end:
			return rs, nil
		default:
			return nil, fmt.Errorf("found '%s', expected: !, identifier, or 'end of string'", t.text)
		}
	}
}

func (p *parser) requirement() (*Requirement, error) {
	t := p.take(true)
	not := t.kind == "!"
	if not {
		t = p.take(true)
	}
	if t.kind != word {
		return nil, fmt.Errorf("found '%s', expected: identifier", t.text)
	}
	if err := checkKey(t.text); err != nil {
		return nil, err
	}
	if not {
		return NewRequirement(t.text, selection.DoesNotExist, nil)
	}
	if n := p.peek(true); n.kind == end || n.kind == "," {
		return NewRequirement(t.text, selection.Exists, nil)
	}
	var op selection.Operator
	o := p.take(false)
	switch o.kind {
	case "in", "notin", "=", "==", "!=":
		op = selection.Operator(o.text)
	case ">":
		op = selection.GreaterThan
	case "<":
		op = selection.LessThan
	default:
		return nil, fmt.Errorf("found '%s', expected: %v", o.text, strings.Join(binary, ", "))
	}
	var values []string
	var err error
	if op == selection.In || op == selection.NotIn {
		values, err = p.list()
	} else {
		values, err = p.exact()
	}
	if err != nil {
		return nil, err
	}
	return NewRequirement(t.text, op, values)
}

func (p *parser) exact() ([]string, error) {
	if t := p.peek(true); t.kind == end || t.kind == "," {
		return []string{""}, nil
	}
	t := p.take(true)
	if t.kind != word {
		return nil, fmt.Errorf("found '%s', expected: identifier", t.text)
	}
	return []string{t.text}, nil
}

// list reads a list of values in parentheses; empty values count.
func (p *parser) list() ([]string, error) {
	if t := p.take(true); t.kind != "(" {
		return nil, fmt.Errorf("found '%s' expected: '('", t.text)
	}
	first := p.peek(true)
	switch first.kind {
	case ")":
		p.take(true)
		return []string{""}, nil
	case word, ",":
	default:
		return nil, fmt.Errorf("found '%s', expected: ',', ')' or identifier", first.text)
	}
	var values []string
	add := func(v string) {
		if !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	for {
		switch t := p.take(true); t.kind {
		case word:
			add(t.text)
			switch n := p.peek(true); n.kind {
			case ",":
			case ")":
				p.take(true)
				return values, nil
			default:
				return nil, fmt.Errorf("found '%s', expected: ',' or ')'", n.text)
			}
		case ",":
			if len(values) == 0 {
				add("")
			}
			switch p.peek(true).kind {
			case ")":
				add("")
				p.take(true)
				return values, nil
			case ",":
				add("")
			}
		default:
			return nil, fmt.Errorf("found '%s', expected: ',', or identifier", t.text)
		}
	}
}
