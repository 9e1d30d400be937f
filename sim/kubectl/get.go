// kubectl get: tables and documents of objects.
// https://kubernetes.io/docs/reference/kubectl/generated/kubectl_get/

package kubectl

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/pflag"

	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/kubectl/printer"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
	"github.com/kubonsai/kubonsai/sim/rest"
)

func getCommand() *Command {
	return &Command{
		Use:        "get [(-o|--output=)" + strings.Join(getFormats(), "|") + "] (TYPE[.VERSION][.GROUP] [NAME | -l label] | TYPE[.VERSION][.GROUP]/NAME ...) [flags]",
		SuggestFor: []string{"list", "ls"},
		Short:      "Display one or many resources",
		Long:       "Shows objects of the cluster as a table, or as documents with -o.\n\nUse \"kubectl api-resources\" for a complete list of supported resources.",
		Examples: `# All pods of the namespace
kubectl get pods
# With more columns
kubectl get pods -o wide
# One object, in full
kubectl get pod web -o yaml
# Several types at once
kubectl get rs,pods
# One field
kubectl get pod web -o jsonpath='{.status.phase}'
# What happens, as it happens
kubectl get pods --watch`,
		New: func() Verb { return &getOptions{} },
	}
}

type getOptions struct {
	print             getPrintFlags
	files             FilenameOptions
	raw               string
	watch, watchOnly  bool
	watchEvents       bool
	ignoreNotFound    bool
	allNamespaces     bool
	selector          string
	fieldSelector     string
	chunk             int64
	serverPrint       bool
	subresource       string
	namespace         string
	explicitNamespace bool
	args              []string
}

func (o *getOptions) Flags(f *pflag.FlagSet) {
	o.print.Flags(f)
	o.files.flags(f, "that names the objects to get")
	f.StringVar(&o.raw, "raw", "", "Path to ask the server for, answered as it is")
	f.BoolVarP(&o.watch, "watch", "w", false, "Go on and show every change")
	f.BoolVar(&o.watchOnly, "watch-only", false, "Show changes only, not what there is now")
	f.BoolVar(&o.watchEvents, "output-watch-events", false, "Show the type of each change; what there is now counts as ADDED")
	f.BoolVar(&o.ignoreNotFound, "ignore-not-found", false, "Do not fail when a named object does not exist")
	fieldSelectorFlag(f, &o.fieldSelector)
	allNamespacesFlag(f, &o.allNamespaces)
	f.BoolVar(&o.serverPrint, "server-print", true, "Let the server make the table")
	chunkFlag(f, &o.chunk)
	selectorFlag(f, &o.selector)
	subresourceFlag(f, &o.subresource, "Get this subresource of the object")
}

func (o *getOptions) Complete(s *Session, args []string) error {
	o.args = args
	if o.raw != "" {
		if len(args) > 0 {
			return errors.New("arguments may not be passed when --raw is specified")
		}
		return nil
	}
	var err error
	if o.namespace, o.explicitNamespace, err = s.Namespace(); err != nil {
		return err
	}
	if o.allNamespaces {
		o.explicitNamespace = false
	}
	if strings.Contains(o.print.Output, "custom-columns") || o.print.Output == "yaml" || strings.Contains(o.print.Output, "json") {
		o.serverPrint = false
	}
	switch {
	case o.watch:
		if o.print.SortBy != "" {
			s.Errorf("warning: --watch requested, --sort-by will be ignored for watch events received\n")
		}
	case o.watchOnly:
		if o.print.SortBy != "" {
			s.Errorf("warning: --watch-only requested, --sort-by will be ignored\n")
		}
	case len(args) == 0 && o.files.Empty():
		s.Errorf("You must specify the type of resource to get. Use \"kubectl api-resources\" for a complete list of supported resources.\n\n")
		return s.UsageErrorf("Required resource not specified.\nUse \"kubectl explain <resource>\" for a detailed description of that resource (e.g. kubectl explain pods).")
	}
	return nil
}

func (o *getOptions) Validate() error {
	if o.raw != "" {
		if o.watch || o.watchOnly || o.selector != "" {
			return errors.New("--raw may not be specified with other flags that filter the server request or alter the output")
		}
		if o.print.Output != "" {
			return errors.New("--raw and --output are mutually exclusive")
		}
		if _, err := url.ParseRequestURI(o.raw); err != nil {
			return fmt.Errorf("--raw must be a valid URL path: %v", err)
		}
	}
	if o.print.ShowLabels && o.print.Output != "" && o.print.Output != "wide" {
		return fmt.Errorf("--show-labels option cannot be used with %s printer", o.print.Output)
	}
	if o.watchEvents && !o.watch && !o.watchOnly {
		return errors.New("--output-watch-events option can only be used with --watch or --watch-only")
	}
	return nil
}

func (o *getOptions) Run(s *Session) error {
	if o.raw != "" {
		return o.getRaw(s)
	}
	if o.watch || o.watchOnly {
		return o.follow(s)
	}
	chunk := o.chunk
	if o.print.SortBy != "" {
		chunk = 0
	}
	b := o.builder(s)
	b.Chunk, b.ContinueOnError, b.Flatten, b.Subresource = chunk, true, true, o.subresource
	r := b.Do()
	if o.ignoreNotFound {
		r.IgnoreErrors(apierrors.IsNotFound)
	}
	if r.Err() != nil {
		return r.Err()
	}
	if !o.print.human() {
		return o.printDocuments(s, r)
	}
	return o.printTables(s, r)
}

func (o *getOptions) builder(s *Session) *Builder {
	return &Builder{
		S: s, Namespace: o.namespace, EnforceNamespace: o.explicitNamespace, AllNamespaces: o.allNamespaces,
		Files: o.files, Selector: o.selector, FieldSelector: o.fieldSelector, Args: o.args,
		TypeOnlyMeansAll: true, Latest: true, Transform: o.wantTable,
	}
}

// wantTable asks the server for a table where one will be drawn.
func (o *getOptions) wantTable(r *rest.Request) {
	if !o.serverPrint || !o.print.human() {
		return
	}
	r.Header["Accept"] = tableAccept
	if o.print.SortBy != "" {
		r.Query.Set("includeObject", "Object")
	}
}

func (o *getOptions) getRaw(s *Session) error {
	c, err := s.Client()
	if err != nil {
		return err
	}
	path, query, _ := strings.Cut(o.raw, "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		return err
	}
	if p, err := url.PathUnescape(path); err == nil {
		path = p
	}
	resp, err := c.Do(&rest.Request{Method: "GET", Path: path, Query: q, Header: rest.Header{"Accept": "application/json"}})
	if err != nil {
		return err
	}
	data, err := ResponseBytes(resp)
	if err != nil {
		return err
	}
	if resp.Object != nil {
		data = append(data, '\n')
	}
	_, err = s.Stdout.Write(data)
	return err
}

// separator puts an empty line before the next group of rows.
type separator struct {
	w       io.Writer
	due     bool
	written int
}

func (t *separator) Write(p []byte) (int, error) {
	if len(p) > 0 && t.due {
		t.due = false
		io.WriteString(t.w, "\n")
	}
	t.written += len(p)
	return t.w.Write(p)
}

func (o *getOptions) printTables(s *Session, r *Result) error {
	infos, err := r.Infos()
	var errs []error
	if _, several := err.(Aggregate); err != nil && !several && !o.files.Empty() {
		err = listed{err}
	}
	if err != nil {
		errs = append(errs, err)
	}
	withKind := false
	for _, i := range infos {
		withKind = withKind || i.Mapping.GVK() != infos[0].Mapping.GVK()
	}
	if o.print.SortBy != "" {
		if err := o.sort(s, infos); err != nil {
			return err
		}
	}
	out := &separator{w: s.Stdout}
	w := printer.NewTabWriter(out)
	var p printer.Printer
	var last *Mapping
	namespaced := !o.allNamespaces
	seen := map[string]bool{}
	for _, i := range infos {
		namespaced = namespaced && i.Namespaced()
		if p == nil || last == nil || i.Mapping != last {
			w.Flush()
			w.Forget()
			if last != nil && !o.print.NoHeaders && out.written > 0 {
				out.due = true
			}
			next, err := o.print.printer(s, i.Mapping.GroupKind(), o.allNamespaces && i.Mapping.Namespaced, withKind)
			if err != nil {
				if !seen[err.Error()] {
					seen[err.Error()] = true
					errs = append(errs, err)
				}
				continue
			}
			p, last = next, i.Mapping
		}
		// Errors of sorting and of printing are not told: nothing is printed.
		if t := tableOf(i); t != nil && o.print.SortBy != "" && len(infos) == 1 {
			if err := printer.SortTable(t, o.print.SortBy); errors.As(err, new(*printer.UnsortableError)) {
				return s.unsortable(375, "[][][]reflect.Value", err)
			} else if err != nil {
				continue
			}
		}
		_ = p.Print(i.content(), w)
	}
	w.Flush()
	if out.written == 0 && !o.ignoreNotFound && len(errs) == 0 {
		if namespaced {
			s.Errorf("No resources found in %s namespace.\n", o.namespace)
		} else {
			s.Errorf("No resources found\n")
		}
	}
	return NewAggregate(errs)
}

// content is what to print: the table or the object.
func (i *Info) content() any {
	if t := tableOf(i); t != nil {
		return t
	}
	return i.Object
}

// sort orders several answers by a field that they themselves have: of tables
// that is seldom one.
func (o *getOptions) sort(s *Session, infos []*Info) error {
	if len(infos) < 2 {
		return nil
	}
	trees := make([]tree.Map, len(infos))
	for n, i := range infos {
		trees[n] = i.Object
		if t := tableOf(i); t != nil {
			trees[n] = tree.Map{"apiVersion": t.APIVersion, "kind": t.Kind, "metadata": tree.Map{"resourceVersion": t.ResourceVersion}}
		}
	}
	return s.sortTrees(trees, o.print.SortBy, func(a, b int) { infos[a], infos[b] = infos[b], infos[a] })
}

func (s *Session) sortTrees(trees []tree.Map, field string, swap func(a, b int)) error {
	err := printer.SortTrees(trees, field, swap)
	if errors.As(err, new(*printer.UnsortableError)) {
		return s.unsortable(329, "*unstructured.Unstructured", err)
	}
	return err
}

// unsortable is how upstream's sorter ends on values that have no order.
func (s *Session) unsortable(line int, of string, err error) error {
	var e *printer.UnsortableError
	errors.As(err, &e)
	s.logLine('F', fmt.Sprintf("sorter.go:%d", line), fmt.Sprintf("Field %s in %s is an unsortable type: interface, err: %v", e.Field, of, err))
	return ErrExit
}

func (o *getOptions) printDocuments(s *Session, r *Result) error {
	var errs []error
	infos, err := r.Infos()
	if err != nil {
		if r.SingleItemImplied() {
			return err
		}
		errs = append(errs, err)
	}
	if len(infos) == 0 && o.ignoreNotFound {
		return NewAggregate(errs)
	}
	p, err := o.print.printer(s, metav1.GroupKind{}, false, false)
	if err != nil {
		return err
	}
	var obj tree.Map
	if !r.SingleItemImplied() || len(infos) != 1 {
		items := make([]tree.Map, 0, len(infos))
		for _, i := range infos {
			items = append(items, i.Object)
		}
		if o.print.SortBy != "" && len(items) > 0 {
			if err := s.sortTrees(items, o.print.SortBy, nil); err != nil {
				return err
			}
		}
		list := make([]any, len(items))
		for n, it := range items {
			list[n] = it
		}
		obj = tree.Map{"apiVersion": "v1", "kind": "List", "metadata": tree.Map{"resourceVersion": ""}, "items": list}
	} else {
		obj = infos[0].Object
	}
	if err := p.Print(obj, s.Stdout); err != nil {
		errs = append(errs, err)
	}
	return NewAggregate(errs)
}

// follow prints what there is and then every change.
func (o *getOptions) follow(s *Session) error {
	b := o.builder(s)
	b.Chunk, b.SingleType = o.chunk, true
	r := b.Do()
	if r.Err() != nil {
		return r.Err()
	}
	infos, err := r.Infos()
	if err != nil {
		if o.ignoreNotFound && apierrors.IsNotFound(err) {
			return nil
		}
		return err
	}
	if len(infos) > 1 {
		return errors.New("watch is only supported on individual resources and resource collections - " + fmt.Sprint(len(infos)) + " resources were found")
	}
	if len(infos) == 0 {
		return errors.New("watch is only supported on individual resources and resource collections - 0 resources were found")
	}
	i := infos[0]
	p, err := o.print.printer(s, i.Mapping.GroupKind(), o.allNamespaces, false)
	if err != nil {
		return err
	}
	w := printer.NewTabWriter(s.Stdout)
	show := func(event string, obj any) error {
		if t, err := asTable(obj); err != nil {
			return err
		} else if t != nil {
			if o.print.SortBy != "" && event == "ADDED" && len(t.Rows) > 1 {
				if err := printer.SortTable(t, o.print.SortBy); err != nil {
					return err
				}
			}
			obj = t
		} else if obj, err = ToTree(obj); err != nil {
			return err
		}
		if o.watchEvents {
			obj = &printer.Event{Type: event, Object: obj}
		}
		if err := p.Print(obj, w); err != nil {
			return err
		}
		return w.Flush()
	}
	isList := i.Name == ""
	if !o.watchOnly {
		var objs []any
		if isList && i.Object != nil {
			for _, item := range tree.Maps(i.Object, "items") {
				objs = append(objs, item)
			}
		} else {
			objs = append(objs, i.content())
		}
		for _, obj := range objs {
			if err := show("ADDED", obj); err != nil {
				return fmt.Errorf("unable to output the provided object: %v", err)
			}
		}
	}
	query := cloneQuery(r.watchQuery)
	namespace := i.Namespace
	if !isList {
		query.Set("fieldSelector", "metadata.name="+i.Name)
	}
	query.Set("resourceVersion", i.ResourceVersion)
	header := rest.Header{}
	req := &rest.Request{Header: header, Query: query}
	o.wantTable(req)
	query.Del("includeObject")
	if o.allNamespaces {
		namespace = ""
	}
	_, err = b.client.Watch(i.Mapping.Path(namespace, "", ""), query, header, 0, func(e rest.Event) (bool, error) {
		return false, show(string(e.Type), e.Object)
	})
	return err
}
