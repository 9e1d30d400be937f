// kubectl wait: until objects exist, are gone, have a condition or a value.

package kubectl

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/util/jsonpath"

	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/kubectl/printer"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

func waitCommand() *Command {
	return &Command{
		Use:   "wait ([-f FILENAME] | resource.group/resource.name | resource.group [(-l label | --all)]) [--for=create|--for=delete|--for condition=available|--for=jsonpath='{}'[=value]]",
		Short: "Wait for a specific condition on one or many resources",
		Long:  "Wait until every named object fulfils each --for in turn, or until the time is over.",
		Examples: `kubectl wait --for=condition=Ready pod/web
kubectl wait --for=jsonpath='{.status.phase}'=Running pod/web
kubectl wait --for=delete pod/web --timeout=60s
kubectl wait --for=create service/web`,
		New: func() Verb { return &waitOptions{} },
	}
}

type waitOptions struct {
	out           outputFlags
	files         FilenameOptions
	selector      string
	fieldSelector string
	all, allNS    bool
	local         bool
	timeout       time.Duration
	conditions    []string
	args          []string
	checks        []waitCheck
}

// waitCheck is one --for; check is nil for delete and create.
type waitCheck struct {
	kind  string
	check func(obj tree.Map) (bool, error)
}

func (o *waitOptions) Flags(f *pflag.FlagSet) {
	o.out.flags(f)
	f.StringSliceVarP(&o.files.Filenames, "filename", "f", nil, "Manifest, directory or URL that names the objects")
	f.BoolVarP(&o.files.Recursive, "recursive", "R", true, "Look into the directories of -f as well")
	selectorFlag(f, &o.selector)
	fieldSelectorFlag(f, &o.fieldSelector)
	f.BoolVar(&o.all, "all", false, "Select all objects of the types, in the namespace")
	allNamespacesFlag(f, &o.allNS)
	f.BoolVar(&o.local, "local", false, "Has no effect here")
	f.DurationVar(&o.timeout, "timeout", 30*time.Second, "How long to wait; 0 looks once, a negative time is a week")
	f.StringArrayVar(&o.conditions, "for", nil, "What to wait for: create, delete, condition=NAME[=value], jsonpath='{PATH}'[=value]; may be repeated")
}

func (o *waitOptions) Complete(s *Session, args []string) error {
	o.args = args
	if err := o.out.check(s); err != nil {
		return err
	}
	for _, text := range o.conditions {
		lower := strings.ToLower(text)
		switch {
		case lower == "delete", lower == "create":
			o.checks = append(o.checks, waitCheck{kind: lower})
		case strings.HasPrefix(text, "condition="):
			name, value, given := strings.Cut(strings.TrimPrefix(text, "condition="), "=")
			if !given {
				value = "true"
			}
			o.checks = append(o.checks, waitCheck{"condition", func(obj tree.Map) (bool, error) { return hasCondition(obj, name, value), nil }})
		case strings.HasPrefix(text, "jsonpath="):
			c, err := jsonpathCheck(strings.TrimPrefix(text, "jsonpath="))
			if err != nil {
				return err
			}
			o.checks = append(o.checks, waitCheck{"jsonpath", c})
		default:
			return fmt.Errorf("unrecognized condition: %q", text)
		}
	}
	if len(o.checks) == 0 {
		return fmt.Errorf("unrecognized condition: %q", o.conditions)
	}
	if o.timeout < 0 {
		o.timeout = 168 * time.Hour
	}
	return nil
}

func (o *waitOptions) Validate() error { return nil }

// hasCondition compares a status condition; one that is older than the object does not count.
func hasCondition(obj tree.Map, name, value string) bool {
	for _, c := range tree.Maps(obj, "status", "conditions") {
		if !strings.EqualFold(tree.String(c, "type"), name) {
			continue
		}
		status, ok := c["status"].(string)
		if !ok {
			continue
		}
		if generation, ok := tree.Int(obj, "metadata", "generation"); ok {
			observed, has := tree.Int(c, "observedGeneration")
			if !has {
				observed, has = tree.Int(obj, "status", "observedGeneration")
			}
			if has && observed < generation {
				return false
			}
		}
		return strings.EqualFold(status, value)
	}
	return false
}

// splitEquals cuts at single '=' signs; '==' belongs to the expression.
func splitEquals(s string) []string {
	var out []string
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '=' {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '=' {
			b.WriteString("==")
			i++
			continue
		}
		out = append(out, b.String())
		b.Reset()
	}
	return append(out, b.String())
}

func jsonpathCheck(text string) (func(tree.Map) (bool, error), error) {
	parts := splitEquals(text)
	if len(parts) > 2 {
		return nil, errors.New("jsonpath wait format must be --for=jsonpath='{.status.readyReplicas}'=3 or --for=jsonpath='{.status.readyReplicas}'")
	}
	expression, err := printer.RelaxedPath(parts[0])
	if err != nil {
		return nil, err
	}
	want := ""
	if len(parts) == 2 {
		if want = strings.Trim(parts[1], `'"`); want == "" {
			return nil, errors.New("jsonpath wait has to have a value after equal sign, like --for=jsonpath='{.status.readyReplicas}'=3")
		}
	}
	if expression == "" {
		return nil, errors.New("jsonpath expression cannot be empty")
	}
	p := jsonpath.New("wait").AllowMissingKeys(true)
	if err := p.Parse(expression); err != nil {
		return nil, err
	}
	return func(obj tree.Map) (bool, error) {
		results, err := p.FindResults(map[string]any(obj))
		if err != nil {
			return false, err
		}
		if len(results) == 0 || len(results[0]) == 0 {
			return false, nil
		}
		if len(results) > 1 {
			return false, errors.New("given jsonpath expression matches more than one list")
		}
		if len(results[0]) > 1 {
			return false, errors.New("given jsonpath expression matches more than one value")
		}
		if want == "" {
			return true, nil
		}
		var v any
		if r := results[0][0]; r.IsValid() && r.CanInterface() {
			v = r.Interface()
		}
		switch reflect.ValueOf(v).Kind() {
		case reflect.Map, reflect.Slice:
			return false, errors.New("jsonpath leads to a nested object or list which is not supported")
		}
		return strings.TrimSpace(fmt.Sprint(v)) == strings.TrimSpace(want), nil
	}, nil
}

var errNoMatch = errors.New("no matching resources found")

func (o *waitOptions) builder(s *Session) (*Builder, error) {
	b, err := s.objects(o.files, o.args)
	if err != nil {
		return nil, err
	}
	b.Selector, b.FieldSelector, b.SelectAll, b.AllNamespaces, b.Latest = o.selector, o.fieldSelector, o.all, o.allNS, true
	return b, nil
}

func (o *waitOptions) Run(s *Session) error {
	deadline := s.Now().Add(o.timeout)
	forDelete, forCreate := false, false
	for _, c := range o.checks {
		forDelete = forDelete || c.kind == "delete"
		forCreate = forCreate || c.kind == "create"
	}
	for forCreate {
		b, err := o.builder(s)
		if err != nil {
			return err
		}
		found := false
		err = b.Do().Visit(func(*Info) error { found = true; return nil })
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		if found && err == nil {
			break
		}
		if !s.Now().Before(deadline) {
			return errTimedOut
		}
		if err := s.Proc.Sleep(500 * time.Millisecond); err != nil {
			return err
		}
	}
	b, err := o.builder(s)
	if err != nil {
		return err
	}
	r := b.Do()
	if forDelete {
		r.IgnoreErrors(apierrors.IsNotFound)
	}
	count := 0
	err = r.Visit(func(i *Info) error {
		count++
		for _, c := range o.checks {
			obj, err := o.until(s, i, c, deadline)
			if err != nil {
				return err
			}
			if err := o.out.print(s, "condition met", DryRunNone, obj); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if count == 0 && !forDelete {
		return errNoMatch
	}
	return nil
}

func (o *waitOptions) until(s *Session, i *Info, c waitCheck, deadline time.Time) (tree.Map, error) {
	if i.Name == "" {
		return nil, errors.New("resource name must be provided")
	}
	timeout := fmt.Errorf("timed out waiting for the condition on %s/%s", i.Mapping.Resource, i.Name)
	if c.kind == "create" {
		return i.Object, nil
	}
	if o.timeout == 0 {
		obj, err := i.client.Get(i.Mapping, i.Namespace, i.Name, "")
		if c.kind == "delete" && apierrors.IsNotFound(err) {
			return i.Object, nil
		}
		if err != nil {
			return nil, err
		}
		done := false
		if c.check != nil {
			if done, err = c.check(obj); err != nil {
				return nil, err
			}
		}
		if !done {
			return nil, fmt.Errorf("condition not met for %s", i.ObjectName())
		}
		return obj, nil
	}
	left := deadline.Sub(s.Now())
	if left < 0 {
		return nil, timeout
	}
	if c.kind == "delete" {
		if err := i.client.untilGone(i.Mapping, i.Namespace, i.Name, "", left); err != nil {
			return nil, err
		}
		return i.Object, nil
	}
	var result tree.Map
	seen := false
	late, err := i.client.watchObject(i.Mapping, i.Namespace, i.Name, left, func(obj tree.Map) (bool, error) {
		seen = true
		if obj == nil {
			return false, nil
		}
		ok, err := c.check(obj)
		if ok {
			result = obj
		}
		return ok, err
	})
	switch {
	case err != nil:
		return nil, err
	case late && !seen:
		return nil, apierrors.NewNotFound(i.Mapping.GroupResource(), i.Name)
	case late:
		return nil, timeout
	}
	return result, nil
}

func errorsIsInterrupted(err error) bool { return errors.Is(err, kernel.ErrInterrupted) }
