// This file finds the objects that a command line is about: names, type/name
// pairs, lists of types, selectors, files, directories, URLs, stdin and
// kustomizations, with the real builder's rules and messages. Verbs fill a
// Builder and read the Result.

package kubectl

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"strings"

	"github.com/kubonsai/kubonsai/sim/api/labels"

	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// Info is one object that a command is about, known by name or by content.
type Info struct {
	Mapping         *Mapping // nil with Local
	Namespace, Name string
	Source          string // the file it came from
	Object          tree.Map
	// Table is set instead of Object when the request asked for one.
	Answer          any
	ResourceVersion string
	Subresource     string

	client *Client
}

// Get fetches the object. A namespace that does not exist is the error rather than the object.
func (i *Info) Get() error { return i.get(nil) }

func (i *Info) get(transform func(*rest.Request)) error {
	if i.Name == "" {
		return errNoName
	}
	req := &rest.Request{Method: "GET", Path: i.Mapping.Path(i.Namespace, i.Name, i.Subresource), Header: rest.Header{}, Query: url.Values{}}
	if transform != nil {
		transform(req)
	}
	resp, err := i.client.Do(req)
	if err != nil {
		if apierrors.IsNotFound(err) && i.Namespace != "" && i.Namespace != "default" {
			_, err2 := i.client.Do(&rest.Request{Method: "GET", Path: "/api/v1/namespaces/" + i.Namespace})
			if apierrors.IsNotFound(err2) {
				return err2
			}
		}
		return err
	}
	return i.take(resp)
}

// take keeps an answer: as a table if it is one, else as a tree.
func (i *Info) take(resp *rest.Response) error {
	if table, err := asTable(resp.Object); err != nil {
		return err
	} else if table != nil {
		i.Answer, i.Object = table, nil
		i.ResourceVersion = table.ResourceVersion
		return nil
	}
	t, err := ResponseTree(resp)
	if err != nil {
		return err
	}
	if table, err := asTable(t); table != nil || err != nil {
		i.Answer, i.Object = table, nil
		return err
	}
	if tree.Kind(t) == "" && i.Mapping != nil {
		t["apiVersion"], t["kind"] = i.Mapping.APIVersion(), i.Mapping.Kind
	}
	i.Object, i.Answer = t, nil
	i.ResourceVersion = tree.String(t, "metadata", "resourceVersion")
	return nil
}

// Refresh takes over what the server answered.
func (i *Info) Refresh(obj tree.Map) {
	i.Object = obj
	i.Name = tree.Name(obj)
	i.Namespace = tree.Namespace(obj)
	i.ResourceVersion = tree.String(obj, "metadata", "resourceVersion")
}

// Namespaced reports whether the object lives in a namespace.
func (i *Info) Namespaced() bool {
	if i.Mapping != nil {
		return i.Mapping.Namespaced
	}
	return i.Namespace != ""
}

// ObjectName is "pods/web".
func (i *Info) ObjectName() string {
	if i.Mapping != nil {
		return i.Mapping.Resource + "/" + i.Name
	}
	name := strings.ToLower(tree.Kind(i.Object))
	if group, _, ok := strings.Cut(tree.APIVersion(i.Object), "/"); ok {
		return name + "." + group + "/" + i.Name + "\n" // upstream's line break
	}
	return name + "/" + i.Name
}

// FilenameOptions are the -f, -k and -R flags.
type FilenameOptions struct {
	Filenames []string
	Kustomize string
	Recursive bool
}

// Empty reports whether neither -f nor -k was given.
func (o *FilenameOptions) Empty() bool { return len(o.Filenames) == 0 && o.Kustomize == "" }

// Require fails when neither -f nor -k was given.
func (o *FilenameOptions) Require() error {
	if o.Empty() {
		return errors.New("must specify one of -f and -k")
	}
	return nil
}

// ErrMissingResource is a line that names no resource at all.
var ErrMissingResource = errors.New(`You must provide one or more resources by argument or filename.
Example resource specifications include:
   '-f rsrc.yaml'
   '--filename=rsrc.json'
   '<resource> <name>'
   '<resource>'`)

var errStdinTwice = errors.New("standard input cannot be used for multiple arguments")

// Builder says which objects are meant. The zero value of every field is the
// usual case.
type Builder struct {
	S                *Session
	Namespace        string // where names are looked up
	EnforceNamespace bool   // files must name this namespace or none
	AllNamespaces    bool
	Files            FilenameOptions
	Selector         string // -l
	FieldSelector    string
	SelectAll        bool // --all
	Args             []string
	// TypeOnlyMeansAll lets "pods" without a name or selector mean all of them.
	TypeOnlyMeansAll bool
	// DefaultResource lets arguments be plain names of this type (ResourceNames).
	DefaultResource string
	ContinueOnError bool
	Latest          bool // fetch objects that came from files
	NoFetch         bool // leave objects that were named unfetched
	Flatten         bool // take lists apart
	SingleType      bool // only one resource type may be meant
	Local           bool // no server
	Chunk           int64
	Subresource     string
	Transform       func(*rest.Request) // changes requests that read objects
	// Validate checks each document of a file (JSON) before it is used.
	Validate func(doc tree.Map) error

	client     *Client
	mapper     *Mapper
	errs       []error
	types      []string
	names      []string
	tuples     [][2]string
	selector   *string
	fields     *string
	paths      []source
	dir        bool
	stream     bool
	singleItem bool
}

// visit calls fn for each object; an error of fn ends the visit.
type visit func(fn func(*Info, error) error) error

type source struct {
	visit visit
}

// Result is what a Builder found; objects are read when visited.
type Result struct {
	err               error
	visit             visit
	singleItemImplied bool
	// SingleItems is true when objects were named one by one or came from files.
	SingleItems bool
	ignore      []func(error) bool
	mappings    []*Mapping
	watchQuery  url.Values
	watchNS     string
	bySelector  bool
	stdin       bool
}

// SingleItemImplied is true when the line means exactly one object.
func (r *Result) SingleItemImplied() bool { return r.singleItemImplied }

// IgnoreErrors drops errors for which a predicate holds.
func (r *Result) IgnoreErrors(fns ...func(error) bool) *Result {
	r.ignore = append(r.ignore, fns...)
	return r
}

// Err is a mistake found before any object was visited.
func (r *Result) Err() error { return r.err }

func (r *Result) filter(err error) error {
	if err == nil || len(r.ignore) == 0 {
		return err
	}
	drop := func(e error) bool {
		for _, f := range r.ignore {
			if f(e) {
				return true
			}
		}
		return false
	}
	if a, ok := err.(Aggregate); ok {
		var kept []error
		for _, e := range a.flat() {
			if !drop(e) {
				kept = append(kept, e)
			}
		}
		if len(kept) == 1 {
			return kept[0]
		}
		return NewAggregate(kept)
	}
	if drop(err) {
		return nil
	}
	return err
}

// Visit calls fn for every object.
func (r *Result) Visit(fn func(*Info) error) error {
	if r.err != nil {
		return r.err
	}
	return r.filter(r.visit(func(i *Info, err error) error {
		if err != nil {
			return err
		}
		return fn(i)
	}))
}

// Infos collects every object; objects found before an error are returned with it.
func (r *Result) Infos() ([]*Info, error) {
	var infos []*Info
	err := r.Visit(func(i *Info) error {
		infos = append(infos, i)
		return nil
	})
	return infos, err
}

func splitTypes(arg string) []string {
	var out []string
	seen := map[string]bool{}
	for _, t := range strings.Split(arg, ",") {
		if !seen[t] {
			seen[t] = true
			out = append(out, t)
		}
	}
	return out
}

// HasNames reports whether the arguments name objects rather than types.
func HasNames(args []string) (bool, error) {
	args = spreadTypes(args)
	slashed, err := combined(args)
	return slashed || len(args) > 1, err
}

// spreadTypes makes "pods,svc a b" mean pods/a pods/b svc/a svc/b.
func spreadTypes(args []string) []string {
	if len(args) < 2 {
		return args
	}
	types := splitTypes(args[0])
	if len(types) < 2 {
		return args
	}
	var out []string
	for _, t := range types {
		for _, n := range args[1:] {
			out = append(out, t+"/"+n)
		}
	}
	return out
}

// combined reports whether the arguments have the form type/name.
func combined(args []string) (bool, error) {
	n := 0
	for _, a := range args {
		if strings.Contains(a, "/") {
			n++
		}
	}
	if n > 0 && n != len(args) {
		return true, errors.New("there is no need to specify a resource type as a separate argument when passing arguments in resource/name form (e.g. 'kubectl get resource/<resource_name>' instead of 'kubectl get resource resource/<resource_name>'")
	}
	return n > 0, nil
}

func splitTuple(a string) ([2]string, bool, error) {
	if !strings.Contains(a, "/") {
		return [2]string{}, false, nil
	}
	parts := strings.Split(a, "/")
	if len(parts) != 2 {
		return [2]string{}, false, errors.New("arguments in resource/name form may not have more than one slash")
	}
	if parts[0] == "" || parts[1] == "" || len(splitTypes(parts[0])) != 1 {
		return [2]string{}, false, errors.New("arguments in resource/name form must have a single resource and name")
	}
	return [2]string{parts[0], parts[1]}, true, nil
}

func (b *Builder) arguments() {
	if b.DefaultResource != "" {
		for _, a := range b.Args {
			t, ok, err := splitTuple(a)
			if err != nil {
				b.errs = append(b.errs, err)
				return
			}
			if !ok {
				t = [2]string{b.DefaultResource, a}
			}
			b.tuples = append(b.tuples, t)
		}
		return
	}
	args := spreadTypes(b.Args)
	slashed, err := combined(args)
	if err != nil {
		b.errs = append(b.errs, err)
		return
	}
	if slashed {
		for _, a := range args {
			t, _, err := splitTuple(a)
			if err != nil {
				b.errs = append(b.errs, err)
				return
			}
			b.tuples = append(b.tuples, t)
		}
		return
	}
	if len(args) == 0 {
		return
	}
	for _, t := range splitTypes(args[0]) {
		b.types = append(b.types, b.expand(t)...)
	}
	b.names = append(b.names, args[1:]...)
	if len(args) == 1 && b.selector == nil && b.TypeOnlyMeansAll {
		b.selector = new(string)
	}
}

// expand replaces a category by its resources.
func (b *Builder) expand(t string) []string {
	if err := b.connect(); err != nil {
		b.errs = append(b.errs, err)
		return nil
	}
	members := b.mapper.Expand(t)
	if len(members) == 0 {
		return []string{t}
	}
	var out []string
	for _, m := range members {
		out = append(out, m.GroupResource().String())
	}
	return out
}

func (b *Builder) connect() error {
	if b.Local {
		return errors.New("local operation only")
	}
	if b.mapper != nil {
		return nil
	}
	c, err := b.S.Client()
	if err != nil {
		return err
	}
	m, err := c.Mapper()
	if err != nil {
		return err
	}
	b.client, b.mapper = c, m
	return nil
}

// Do looks at the line; nothing is fetched before the Result is visited.
func (b *Builder) Do() *Result {
	b.files()
	sel := strings.TrimSpace(b.Selector)
	if sel != "" {
		b.selector = &sel
	}
	if f := strings.TrimSpace(b.FieldSelector); f != "" {
		b.fields = &f
	}
	if b.SelectAll && (b.selector != nil || b.fields != nil) {
		b.errs = append(b.errs, errors.New("setting 'all' parameter but found a non empty selector. "))
	}
	b.arguments()
	r := b.result()
	if r.err != nil {
		return r
	}
	inner := r.visit
	if b.Flatten {
		inner = b.flatten(inner)
	}
	if b.ContinueOnError {
		inner = keepGoing(inner)
	}
	r.visit = func(fn func(*Info, error) error) error {
		return inner(func(i *Info, err error) error {
			if err != nil {
				return err
			}
			if err := b.settle(i); err != nil {
				return err
			}
			return fn(i, nil)
		})
	}
	return r
}

// settle gives an object its namespace and, unless told otherwise, its content.
func (b *Builder) settle(i *Info) error {
	if i.Namespaced() || i.Mapping == nil {
		if i.Namespace == "" && b.Namespace != "" && i.Mapping != nil {
			i.Namespace = b.Namespace
			if i.Object != nil {
				tree.Set(i.Object, b.Namespace, "metadata", "namespace")
			}
		} else if b.EnforceNamespace && i.Mapping != nil && i.Namespace != b.Namespace {
			return fmt.Errorf("the namespace from the provided object %q does not match the namespace %q. You must pass '--namespace=%s' to perform this operation.", i.Namespace, b.Namespace, i.Namespace)
		}
	} else {
		i.Namespace = ""
		if i.Object != nil {
			tree.Delete(i.Object, "metadata", "namespace")
		}
	}
	if i.Object == nil && i.Answer == nil && !b.NoFetch {
		return i.get(b.Transform)
	}
	return nil
}

func keepGoing(v visit) visit {
	return func(fn func(*Info, error) error) error {
		var errs []error
		err := v(func(i *Info, err error) error {
			if err == nil {
				err = fn(i, nil)
			}
			if err != nil {
				errs = append(errs, err)
			}
			return nil
		})
		if err != nil {
			errs = append(errs, err)
		}
		errs = Aggregate(errs).flat()
		if len(errs) == 1 {
			return errs[0]
		}
		return NewAggregate(errs)
	}
}

func fail(err error) *Result { return &Result{err: err} }

func (b *Builder) result() *Result {
	if len(b.errs) > 0 {
		return fail(NewAggregate(b.errs))
	}
	if b.SelectAll {
		b.selector = new(string)
	}
	switch {
	case len(b.paths) > 0:
		return b.byPaths()
	case b.selector != nil || b.fields != nil:
		return b.bySelector()
	case len(b.tuples) > 0:
		return b.byTuples()
	case len(b.names) > 0:
		return b.byNames()
	case len(b.types) > 0:
		for _, t := range b.types {
			if _, err := b.find(t); err != nil {
				return fail(err)
			}
		}
		return fail(errors.New("resource(s) were provided, but no name was specified"))
	}
	return fail(ErrMissingResource)
}

func (b *Builder) find(t string) (*Mapping, error) {
	if err := b.connect(); err != nil {
		return nil, err
	}
	return b.mapper.Find(t)
}

func (b *Builder) mappings() ([]*Mapping, error) {
	if len(b.types) > 1 && b.SingleType {
		return nil, errors.New("you may only specify a single resource type")
	}
	var out []*Mapping
	seen := map[*Mapping]bool{}
	for _, t := range b.types {
		m, err := b.find(t)
		if err != nil {
			return nil, err
		}
		if !seen[m] {
			seen[m] = true
			out = append(out, m)
		}
	}
	return out, nil
}

func (b *Builder) bySelector() *Result {
	switch {
	case len(b.names) > 0:
		return fail(errors.New("name cannot be provided when a selector is specified"))
	case len(b.tuples) > 0:
		return fail(errors.New("selectors and the all flag cannot be used when passing resource/name arguments"))
	case len(b.types) == 0:
		return fail(errors.New("at least one resource must be specified to use a selector"))
	case b.Subresource != "":
		return fail(errors.New("subresource cannot be used when bulk resources are specified"))
	}
	ms, err := b.mappings()
	if err != nil {
		return fail(err)
	}
	q := url.Values{}
	if b.selector != nil && *b.selector != "" {
		q.Set("labelSelector", *b.selector)
	}
	if b.fields != nil {
		q.Set("fieldSelector", *b.fields)
	}
	r := &Result{mappings: ms, watchQuery: q, bySelector: true}
	r.visit = func(fn func(*Info, error) error) error {
		var errs []error
		for _, m := range ms {
			err := b.list(m, q, fn)
			if err != nil && !b.ContinueOnError {
				return err
			}
			if err != nil {
				errs = append(errs, err)
			}
		}
		return NewAggregate(errs)
	}
	return r
}

// list reads a collection in chunks; each chunk is one object, a list or a table.
func (b *Builder) list(m *Mapping, q url.Values, fn func(*Info, error) error) error {
	ns := b.Namespace
	if b.AllNamespaces || !m.Namespaced {
		ns = ""
	}
	query := cloneQuery(q)
	var whole *Info
	for {
		if b.Chunk > 0 {
			query.Set("limit", fmt.Sprint(b.Chunk))
		}
		req := &rest.Request{Method: "GET", Path: m.Path(ns, "", ""), Query: query, Header: rest.Header{}}
		if b.Transform != nil {
			b.Transform(req)
		}
		resp, err := b.client.Do(req)
		if err != nil {
			return rewordSelectorError(err, m, q)
		}
		i := &Info{Mapping: m, Namespace: ns, client: b.client}
		if err := i.take(resp); err != nil {
			return err
		}
		next := ""
		if i.Object != nil {
			for _, item := range tree.Maps(i.Object, "items") {
				if tree.Kind(item) == "" {
					item["apiVersion"], item["kind"] = m.APIVersion(), m.Kind
				}
			}
			next = tree.String(i.Object, "metadata", "continue")
			if whole == nil {
				whole = i
			} else {
				whole.Object["items"] = append(tree.Slice(whole.Object, "items"), tree.Slice(i.Object, "items")...)
				whole.Object["metadata"] = i.Object["metadata"]
			}
		} else if t := tableOf(i); t != nil {
			next = t.Continue
			if whole == nil {
				whole = i
			} else {
				w := tableOf(whole)
				w.Rows = append(w.Rows, t.Rows...)
				w.ListMeta = t.ListMeta
			}
		}
		if next == "" || b.Chunk <= 0 {
			return fn(whole, nil)
		}
		query = cloneQuery(q)
		query.Set("continue", next)
	}
}

func rewordSelectorError(err error, m *Mapping, q url.Values) error {
	st, ok := err.(apierrors.APIStatus)
	if !ok || !(apierrors.IsBadRequest(err) || apierrors.IsNotFound(err)) {
		return err
	}
	status := st.Status()
	if q.Get("labelSelector") == "" && q.Get("fieldSelector") == "" {
		status.Message = fmt.Sprintf("Unable to list %q: %v", gvrText(m), status.Message)
		return &apierrors.StatusError{ErrStatus: status}
	}
	status.Message = fmt.Sprintf("Unable to find %q that match label selector %q, field selector %q: %v",
		gvrText(m), q.Get("labelSelector"), q.Get("fieldSelector"), status.Message)
	return &apierrors.StatusError{ErrStatus: status}
}

func gvrText(m *Mapping) string {
	return fmt.Sprintf("%s/%s, Resource=%s", m.Group, m.Version, m.Resource)
}

func (b *Builder) namespaceFor(m *Mapping) (string, error) {
	if !m.Namespaced {
		return "", nil
	}
	if b.AllNamespaces {
		return "", errors.New("a resource cannot be retrieved by name across all namespaces")
	}
	if b.Namespace == "" {
		return "", errors.New("namespace may not be empty when retrieving a resource by name")
	}
	return b.Namespace, nil
}

func (b *Builder) byTuples() *Result {
	if len(b.types) > 0 {
		return fail(errors.New("you may not specify individual resources and bulk resources in the same call"))
	}
	var infos []*Info
	kinds := map[*Mapping]bool{}
	found := map[string]*Mapping{}
	for _, t := range b.tuples {
		m := found[t[0]]
		if m == nil {
			var err error
			if m, err = b.find(t[0]); err != nil {
				return fail(err)
			}
			found[t[0]] = m
		}
		kinds[m] = true
	}
	if len(kinds) > 1 && b.SingleType {
		return fail(errors.New("you may only specify a single resource type"))
	}
	for _, t := range b.tuples {
		m := found[t[0]]
		ns, err := b.namespaceFor(m)
		if err != nil {
			return fail(err)
		}
		infos = append(infos, &Info{Mapping: m, Namespace: ns, Name: t[1], Subresource: b.Subresource, client: b.client})
	}
	return b.named(infos, len(b.tuples) == 1)
}

func (b *Builder) byNames() *Result {
	switch {
	case len(b.types) == 0:
		return fail(errors.New("you must provide a resource and a resource name together"))
	case len(b.types) > 1:
		return fail(errors.New("you must specify only one resource"))
	}
	ms, err := b.mappings()
	if err != nil {
		return fail(err)
	}
	ns, err := b.namespaceFor(ms[0])
	if err != nil {
		return fail(err)
	}
	var infos []*Info
	for _, n := range b.names {
		infos = append(infos, &Info{Mapping: ms[0], Namespace: ns, Name: n, Subresource: b.Subresource, client: b.client})
	}
	return b.named(infos, len(b.names) == 1)
}

func (b *Builder) named(infos []*Info, single bool) *Result {
	r := &Result{singleItemImplied: single, SingleItems: true}
	for _, i := range infos {
		r.mappings = append(r.mappings, i.Mapping)
	}
	r.visit = func(fn func(*Info, error) error) error {
		for _, i := range infos {
			if err := fn(i, nil); err != nil {
				return err
			}
		}
		return nil
	}
	return r
}

func (b *Builder) byPaths() *Result {
	switch {
	case len(b.types) > 0:
		return fail(errors.New("when paths, URLs, or stdin is provided as input, you may not specify resource arguments as well"))
	case len(b.names) > 0:
		return fail(errors.New("name cannot be provided when a path is specified"))
	case len(b.tuples) > 0:
		return fail(errors.New("resource/name arguments cannot be provided when a path is specified"))
	}
	r := &Result{singleItemImplied: !b.dir && !b.stream && len(b.paths) == 1, SingleItems: true, stdin: b.stream}
	var wanted labels.Selector
	if b.selector != nil {
		var err error
		if wanted, err = labels.Parse(*b.selector); err != nil {
			return fail(fmt.Errorf("the provided selector %q is not valid: %v", *b.selector, err))
		}
	}
	var all visit = func(fn func(*Info, error) error) error {
		var errs []error
		for _, p := range b.paths {
			err := p.visit(func(i *Info, err error) error {
				if err == nil {
					err = fn(i, nil)
				}
				if err != nil && b.ContinueOnError {
					errs = append(errs, err)
					return nil
				}
				return err
			})
			if err != nil && !b.ContinueOnError {
				return err
			}
			if err != nil {
				errs = append(errs, err)
			}
		}
		return NewAggregate(errs)
	}
	if b.Flatten {
		all = b.flatten(all)
	}
	r.visit = func(fn func(*Info, error) error) error {
		return all(func(i *Info, err error) error {
			if err != nil {
				return err
			}
			if wanted != nil && !wanted.Matches(labels.Set(tree.Strings(i.Object, "metadata", "labels"))) {
				return nil
			}
			if b.Latest {
				if i.Object != nil && tree.IsList(i.Object) {
					return errors.New("watch is only supported on individual resources and resource collections, but a list of resources is found")
				}
				if i.Name != "" {
					obj := i.Object
					i.Object = nil
					noFetch := b.NoFetch
					b.NoFetch = true
					err := b.settle(i)
					b.NoFetch = noFetch
					if err == nil {
						err = i.get(b.Transform)
					}
					if err != nil {
						i.Object = obj
						return err
					}
				}
			}
			return fn(i, nil)
		})
	}
	return r
}

// flatten takes lists apart; tables pass as they are.
func (b *Builder) flatten(v visit) visit {
	return func(fn func(*Info, error) error) error {
		return v(func(i *Info, err error) error {
			if err != nil {
				return err
			}
			if i.Object == nil || !tree.IsList(i.Object) {
				return fn(i, nil)
			}
			var errs []error
			for _, item := range flatItems(i.Object) {
				one, err := b.infoFor(item, i.Source)
				if err != nil {
					errs = append(errs, listed{fmt.Errorf("unable to recognize %v", err)})
					continue
				}
				if err := fn(one, nil); err != nil {
					errs = append(errs, err)
				}
			}
			return NewAggregate(errs)
		})
	}
}

func flatItems(list tree.Map) []tree.Map {
	var out []tree.Map
	for _, item := range tree.Maps(list, "items") {
		if tree.IsList(item) {
			out = append(out, flatItems(item)...)
		} else {
			out = append(out, item)
		}
	}
	return out
}

// infoFor makes the Info of an object's content.
func (b *Builder) infoFor(obj tree.Map, src string) (*Info, error) {
	i := &Info{
		Namespace: tree.Namespace(obj), Name: tree.Name(obj), Object: obj, Source: src,
		ResourceVersion: tree.String(obj, "metadata", "resourceVersion"), Subresource: b.Subresource,
	}
	if b.Local {
		return i, nil
	}
	if err := b.connect(); err != nil {
		return nil, err
	}
	m, err := b.mapper.ForObject(tree.APIVersion(obj), tree.Kind(obj))
	if err != nil {
		return nil, err
	}
	i.Mapping, i.client = m, b.client
	return i, nil
}

// manifestExtensions are the files that a directory is searched for.
var manifestExtensions = []string{".json", ".yaml", ".yml"}

func (b *Builder) files() {
	o := &b.Files
	if len(o.Filenames) > 0 && o.Kustomize != "" {
		b.errs = append(b.errs, errors.New("only one of -f or -k can be specified"))
	}
	if o.Kustomize != "" && o.Recursive {
		b.errs = append(b.errs, errors.New("the -k flag can't be used with -f or -R"))
	}
	if len(b.errs) > 0 {
		return
	}
	for _, name := range o.Filenames {
		switch {
		case name == "-":
			b.stream = true
			if b.S.stdinUsed {
				b.errs = append(b.errs, errStdinTwice)
			}
			b.S.stdinUsed = true
			b.addDocuments("STDIN", b.S.ReadStdin)
		case strings.HasPrefix(name, "http://"), strings.HasPrefix(name, "https://"):
			if _, err := url.Parse(name); err != nil {
				b.errs = append(b.errs, fmt.Errorf("the URL passed to filename %q is not valid: %v", name, err))
				continue
			}
			b.addDocuments(name, func() ([]byte, error) {
				if b.S.Options.FetchURL == nil {
					return nil, fmt.Errorf("Get %q: dial tcp: lookup %s: no such host", name, hostOf(name))
				}
				return b.S.Options.FetchURL(name)
			})
		default:
			b.addPath(name)
		}
	}
	if o.Kustomize != "" {
		b.addDocuments(o.Kustomize, func() ([]byte, error) { return b.S.Kustomize(o.Kustomize) })
	}
}

func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	return u.Hostname()
}

func (b *Builder) addPath(name string) {
	fsys := b.S.FS
	full := b.S.Path(name)
	info, err := fsys.Stat(full)
	if err != nil {
		matches, gerr := b.S.glob(name)
		if gerr != nil {
			b.errs = append(b.errs, fmt.Errorf("pattern %q is not valid: %v", name, gerr))
			return
		}
		if len(matches) == 0 {
			b.errs = append(b.errs, fmt.Errorf("the path %q does not exist", name))
			return
		}
		for _, m := range matches {
			b.addPath(m)
		}
		return
	}
	if !info.IsDir() {
		b.addFile(name)
		return
	}
	n := len(b.paths)
	b.walk(name, true)
	if len(b.paths)-n > 1 {
		b.dir = true
	}
	if len(b.paths) == 0 && len(b.errs) == 0 {
		b.errs = append(b.errs, fmt.Errorf("error reading %v: recognized file extensions are %v", []string{name}, manifestExtensions))
	}
}

func (b *Builder) walk(dir string, top bool) {
	entries, err := b.S.FS.ReadDir(b.S.Path(dir))
	if err != nil {
		b.errs = append(b.errs, fmt.Errorf("error reading %q: %v", dir, err))
		return
	}
	for _, e := range entries {
		p := path.Join(dir, e.Name())
		if e.IsDir() {
			if b.Files.Recursive {
				b.walk(p, false)
			}
			continue
		}
		for _, ext := range manifestExtensions {
			if path.Ext(p) == ext {
				b.addFile(p)
				break
			}
		}
	}
}

func (b *Builder) addFile(name string) {
	b.addDocuments(name, func() ([]byte, error) {
		data, err := b.S.FS.ReadFile(b.S.Path(name))
		if err != nil {
			var pe *fs.PathError
			if errors.As(err, &pe) {
				return nil, fmt.Errorf("open %s: %v", name, pe.Err)
			}
			return nil, err
		}
		return data, nil
	})
}

// glob expands * and ? in the last parts of a path.
func (s *Session) glob(pattern string) ([]string, error) {
	dir, last := path.Split(pattern)
	if _, err := path.Match(last, ""); err != nil {
		return nil, err
	}
	dirs := []string{dir}
	if strings.ContainsAny(dir, "*?[") {
		var err error
		if dirs, err = s.glob(strings.TrimSuffix(dir, "/")); err != nil {
			return nil, err
		}
	}
	var out []string
	for _, d := range dirs {
		entries, err := s.FS.ReadDir(s.Path(d))
		if err != nil {
			continue
		}
		for _, e := range entries {
			if ok, _ := path.Match(last, e.Name()); ok {
				out = append(out, path.Join(d, e.Name()))
			}
		}
	}
	return out, nil
}

// addDocuments adds the objects of a YAML or JSON text that is read when visited.
func (b *Builder) addDocuments(name string, read func() ([]byte, error)) {
	b.paths = append(b.paths, source{func(fn func(*Info, error) error) error {
		data, err := read()
		if err != nil {
			return err
		}
		return eachDocument(data, func(doc any, err error) error {
			if err != nil {
				return fmt.Errorf("error parsing %s: %v", name, err)
			}
			if err := b.validate(doc, name); err != nil {
				return err
			}
			info, err := b.decode(doc, name)
			if err != nil {
				return fn(nil, err)
			}
			return fn(info, nil)
		})
	}})
}

const turnOffValidation = "if you choose to ignore these errors, turn validation off with --validate=false"

func (b *Builder) validate(doc any, name string) error {
	if b.Validate == nil {
		return nil
	}
	m, ok := doc.(tree.Map)
	if ok && m["apiVersion"] == "v1" && m["kind"] == "List" {
		_, ok = m["items"].([]any)
	}
	var err error
	if !ok {
		err = errors.New("invalid object to validate")
	} else {
		err = b.Validate(m)
	}
	if err != nil {
		if _, isStatus := err.(apierrors.APIStatus); isStatus {
			return err
		}
		return fmt.Errorf("error validating %q: error validating data: %v; %s", name, err, turnOffValidation)
	}
	return nil
}

// decode makes the Info of one document, or says why it is no object.
func (b *Builder) decode(doc any, name string) (*Info, error) {
	m, ok := doc.(tree.Map)
	if !ok {
		return nil, fmt.Errorf("unable to decode %q: %v", name, notAnObject(doc))
	}
	kind, isString := m["kind"].(string)
	if k, there := m["kind"]; there && !isString {
		return nil, fmt.Errorf("unable to decode %q: couldn't get version/kind; json parse error: json: cannot unmarshal %s into Go struct field .kind of type string", name, jsonType(k))
	}
	if v, there := m["apiVersion"]; there {
		if _, isString := v.(string); !isString {
			return nil, fmt.Errorf("unable to decode %q: couldn't get version/kind; json parse error: json: cannot unmarshal %s into Go struct field .apiVersion of type string", name, jsonType(v))
		}
	}
	if kind == "" {
		return nil, fmt.Errorf("unable to decode %q: Object 'Kind' is missing in '%s'", name, compactJSON(m))
	}
	if md, there := m["metadata"]; there && md != nil {
		mm, isMap := md.(tree.Map)
		if !isMap {
			return nil, fmt.Errorf("unable to decode %q: json: cannot unmarshal %s into Go struct field metadataOnlyObject.metadata of type v1.ObjectMeta", name, jsonType(md))
		}
		for _, f := range []string{"labels", "annotations"} {
			for k, v := range tree.Sub(mm, f) {
				if _, isString := v.(string); !isString {
					_ = k
					return nil, fmt.Errorf("unable to decode %q: json: cannot unmarshal %s into Go struct field ObjectMeta.metadata.%s of type string", name, jsonType(v), f)
				}
			}
		}
		for _, f := range []string{"name", "namespace", "generateName"} {
			if v, there := mm[f]; there && v != nil {
				if _, isString := v.(string); !isString {
					return nil, fmt.Errorf("unable to decode %q: json: cannot unmarshal %s into Go struct field ObjectMeta.metadata.%s of type string", name, jsonType(v), f)
				}
			}
		}
	}
	i, err := b.infoFor(m, name)
	if err != nil {
		var nk *noKindMatch
		if errors.As(err, &nk) {
			return nil, fmt.Errorf("resource mapping not found for name: %q namespace: %q from %q: %w\nensure CRDs are installed first",
				tree.Name(m), tree.Namespace(m), name, err)
		}
		return nil, err
	}
	return i, nil
}

func tableOf(i *Info) *tableType {
	t, _ := i.Answer.(*tableType)
	return t
}
