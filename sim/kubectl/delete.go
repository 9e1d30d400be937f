// kubectl delete: by names, labels, files or all, with the ways to cascade, the
// grace period, and waiting until the objects are gone.

package kubectl

import (
	"bufio"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
	"github.com/kubonsai/kubonsai/sim/rest"
)

func deleteCommand() *Command {
	return &Command{
		Use:        "delete ([-f FILENAME] | [-k DIRECTORY] | TYPE [(NAME | -l label | --all)])",
		SuggestFor: []string{"rm", "remove"},
		Short:      "Delete objects by file, stdin, type and name, or type and label selector",
		Long: `Delete objects named on the command line, in files, or chosen by a selector.

Objects are given time to end; --grace-period changes how long, --now makes it one second, and --force removes them from the API without waiting for anybody. The command returns when the objects are gone, finalizers included, unless --wait=false is given. There is no check of resource versions: somebody's update of a moment ago is lost with the object.`,
		Examples: `# Delete the pod web
kubectl delete pod web
# Delete what a file describes
kubectl delete -f ./web.yaml
# Delete pods and services by label
kubectl delete pods,services -l app=web
# Delete a replica set and leave its pods alone
kubectl delete rs web --cascade=orphan
# Delete a pod at once, from a node that no longer answers
kubectl delete pod web --force`,
		New: func() Verb { return &deleteOptions{wait: true, grace: -1} },
	}
}

// deleteOptions are also what run, replace and apply delete with.
type deleteOptions struct {
	files           FilenameOptions
	selector        string
	fieldSelector   string
	all, allNS      bool
	cascade         string
	force, now      bool
	grace           int
	timeout         time.Duration
	ignoreNotFound  bool
	wait            bool
	output          string
	raw             string
	interactive     bool
	dryRunText      string
	quiet           bool
	dryRun          DryRun
	propagation     string
	warnClusterWide bool
	warnForce       bool
	args            []string
	s               *Session
	confirmed       map[string]bool
}

func (o *deleteOptions) Flags(f *pflag.FlagSet) {
	o.sharedFlags(f)
	f.StringVarP(&o.selector, "selector", "l", "", "Label selector: '=', '==', '!=', 'in', 'notin' (a=b,c in (d,e))")
	fieldSelectorFlag(f, &o.fieldSelector)
	f.BoolVar(&o.all, "all", false, "Delete all objects of the types, in the namespace")
	allNamespacesFlag(f, &o.allNS)
	f.BoolVar(&o.ignoreNotFound, "ignore-not-found", false, "Do not fail for what is not there; the default with --all and selectors")
	f.BoolVar(&o.now, "now", false, "Give the objects one second (--grace-period=1)")
	f.StringVarP(&o.output, "output", "o", "", `"name" prints type/name only`)
	f.StringVar(&o.raw, "raw", "", "Path to DELETE on the server, as it is")
	f.BoolVarP(&o.interactive, "interactive", "i", false, "Ask before deleting")
	dryRunFlag(f, &o.dryRunText)
}

// sharedFlags are those that replace and apply have as well.
func (o *deleteOptions) sharedFlags(f *pflag.FlagSet) {
	o.files.flags(f, "with the objects")
	f.StringVar(&o.cascade, "cascade", "background", `"background", "orphan" or "foreground": what happens to the objects' dependents`)
	noOptDefault(f, "cascade", "background")
	f.BoolVar(&o.force, "force", false, "Remove from the API at once, without a graceful end; may leave things running")
	f.IntVar(&o.grace, "grace-period", o.grace, "Seconds to end gracefully; negative: the object's own. 0 needs --force")
	f.DurationVar(&o.timeout, "timeout", 0, "How long to wait for the end; 0: as long as it takes")
	f.BoolVar(&o.wait, "wait", o.wait, "Return only when the objects are gone")
}

// prepare reads the flags that need words of their own.
func (o *deleteOptions) prepare(s *Session) error {
	o.s = s
	b, err := strconv.ParseBool(o.cascade)
	switch {
	case err != nil:
		switch o.cascade {
		case "orphan", "foreground", "background":
			o.propagation = strings.ToUpper(o.cascade[:1]) + o.cascade[1:]
		default:
			return fmt.Errorf(`invalid cascade value (%v). Must be "background", "foreground", or "orphan"`, o.cascade)
		}
	case b:
		s.Errorf("warning: --cascade=%v is deprecated (boolean value) and can be replaced with --cascade=background.\n", o.cascade)
		o.propagation = "Background"
	default:
		s.Errorf("warning: --cascade=%v is deprecated (boolean value) and can be replaced with --cascade=orphan.\n", o.cascade)
		o.propagation = "Orphan"
	}
	return nil
}

func (o *deleteOptions) Complete(s *Session, args []string) error {
	if err := o.prepare(s); err != nil {
		return err
	}
	o.args = args
	_, explicit, err := s.Namespace()
	if err != nil {
		return err
	}
	o.warnClusterWide = explicit && !o.allNS
	if (o.all || o.selector != "" || o.fieldSelector != "") && !s.Changed("ignore-not-found") {
		o.ignoreNotFound = true
	}
	if o.now {
		if o.grace != -1 {
			return errors.New("--now and --grace-period cannot be specified together")
		}
		o.grace = 1
	}
	if o.grace == 0 && !o.force {
		o.grace = 1
	}
	if o.force && o.grace < 0 {
		o.grace = 0
	}
	if o.dryRun, err = s.dryRun(o.dryRunText); err != nil {
		return err
	}
	if o.raw != "" {
		return nil
	}
	b, err := o.builder()
	if err != nil {
		return err
	}
	return b.check()
}

func (o *deleteOptions) builder() (*Builder, error) {
	b, err := o.s.objects(o.files, o.args)
	if err != nil {
		return nil, err
	}
	b.Selector, b.FieldSelector, b.SelectAll, b.AllNamespaces, b.NoFetch = o.selector, o.fieldSelector, o.all, o.allNS, true
	return b, nil
}

// check says early what is wrong with the line, without reading stdin.
func (b *Builder) check() error {
	for _, f := range b.Files.Filenames {
		if f == "-" {
			return nil
		}
	}
	c := *b
	return c.Do().Err()
}

func (o *deleteOptions) Validate() error {
	if o.output != "" && o.output != "name" {
		return fmt.Errorf("unexpected -o output mode: %v. We only support '-o name'", o.output)
	}
	if o.all && o.selector != "" {
		return errors.New("cannot set --all and --selector at the same time")
	}
	if o.all && o.fieldSelector != "" {
		return errors.New("cannot set --all and --field-selector at the same time")
	}
	switch {
	case o.grace == 0 && o.force:
		o.s.Warn("Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may continue to run on the cluster indefinitely.")
	case o.grace > 0 && o.force:
		return errors.New("--force and --grace-period greater than 0 cannot be specified together")
	}
	if o.raw == "" {
		return nil
	}
	if o.interactive {
		return errors.New("--interactive can not be used with --raw")
	}
	if err := checkRaw(o.raw, &o.files, false); err != nil {
		return err
	}
	if o.output != "" {
		return errors.New("--raw and --output are mutually exclusive")
	}
	return nil
}

// checkRaw is the rules of --raw beside -f.
func checkRaw(raw string, files *FilenameOptions, required bool) error {
	switch {
	case len(files.Filenames) > 1 || required && len(files.Filenames) != 1:
		return errors.New("--raw can only use a single local file or stdin")
	case len(files.Filenames) == 1 && (strings.HasPrefix(files.Filenames[0], "http://") || strings.HasPrefix(files.Filenames[0], "https://")):
		return errors.New("--raw cannot read from a url")
	case files.Recursive:
		return errors.New("--raw and --recursive are mutually exclusive")
	}
	if _, err := url.ParseRequestURI(raw); err != nil {
		return fmt.Errorf("--raw must be a valid URL path: %v", err)
	}
	return nil
}

// sendRaw sends a file's text to a path of the server and prints the answer.
func (s *Session) sendRaw(method, raw, file string) error {
	var body []byte
	var err error
	switch {
	case file == "-":
		body, err = s.ReadStdin()
	case file != "":
		if body, err = s.FS.ReadFile(s.Path(file)); err != nil {
			err = openError(file, err)
		}
	}
	if err != nil {
		return err
	}
	u, err := url.ParseRequestURI(raw)
	if err != nil {
		return err
	}
	c, err := s.Client()
	if err != nil {
		return err
	}
	resp, err := c.Do(&rest.Request{Method: method, Path: u.Path, Query: u.Query(), Body: body, Header: rest.Header{"Content-Type": "application/json"}})
	if err != nil {
		return err
	}
	data, err := ResponseBytes(resp)
	if err == nil {
		s.Printf("%s", strings.TrimSuffix(string(data), "\n")+"\n")
	}
	return err
}

func (o *deleteOptions) Run(s *Session) error {
	if o.raw != "" {
		file := ""
		if len(o.files.Filenames) > 0 {
			file = o.files.Filenames[0]
		}
		return s.sendRaw("DELETE", o.raw, file)
	}
	b, err := o.builder()
	if err != nil {
		return err
	}
	if o.interactive {
		var infos []*Info
		preview := *b
		r := preview.Do()
		if o.ignoreNotFound {
			r.IgnoreErrors(apierrors.IsNotFound)
		}
		if err := r.Visit(func(i *Info) error { infos = append(infos, i); return nil }); err != nil {
			return err
		}
		if len(infos) == 0 {
			s.Printf("No resources found\n")
			return nil
		}
		o.confirmed = map[string]bool{}
		s.Printf("You are about to delete the following %d resource(s):\n", len(infos))
		for _, i := range infos {
			o.confirmed[i.Mapping.String()+"/"+i.Namespace+"/"+i.Name] = true
			s.Printf("%s/%s\n", i.Mapping, i.Name)
		}
		s.Printf("Do you want to continue? (y/N): ")
		line := ""
		if s.Stdin != nil {
			line, _ = bufio.NewReader(s.Stdin).ReadString('\n')
		}
		if !strings.EqualFold(strings.TrimSpace(line), "y") {
			s.Printf("deletion is cancelled\n")
			return nil
		}
	}
	return o.deleteResult(b.Do())
}

// deleteResult deletes what a Builder found and waits if asked to.
func (o *deleteOptions) deleteResult(r *Result) error {
	type gone struct {
		i   *Info
		uid string
	}
	var deleted []gone
	if o.ignoreNotFound {
		r.IgnoreErrors(apierrors.IsNotFound)
	}
	s := o.s
	found := 0
	err := r.Visit(func(i *Info) error {
		if o.confirmed != nil && !o.confirmed[i.Mapping.String()+"/"+i.Namespace+"/"+i.Name] {
			return nil
		}
		found++
		if o.warnClusterWide && !i.Mapping.Namespaced {
			s.Warn("deleting cluster-scoped resources, not scoped to the provided namespace")
			o.warnClusterWide = false
		}
		if o.dryRun == DryRunClient {
			o.printDeleted(i)
			return nil
		}
		body := tree.Map{"propagationPolicy": o.propagation}
		if o.grace >= 0 {
			body["gracePeriodSeconds"] = int64(o.grace)
		}
		if o.dryRun == DryRunServer {
			body["dryRun"] = []any{"All"}
		}
		answer, err := i.client.Delete(i.Mapping, i.Namespace, i.Name, body)
		if err != nil {
			return AddSource("deleting", i.Source, err)
		}
		o.printDeleted(i)
		uid := tree.String(answer, "metadata", "uid")
		if tree.Kind(answer) == "Status" {
			uid = tree.String(answer, "details", "uid")
		}
		deleted = append(deleted, gone{i, uid})
		return nil
	})
	if err != nil {
		return err
	}
	if found == 0 {
		s.Printf("No resources found\n")
		return nil
	}
	if !o.wait || o.dryRun != DryRunNone {
		return nil
	}
	timeout := o.timeout
	if timeout == 0 {
		timeout = 168 * time.Hour
	}
	deadline := s.Now().Add(timeout)
	for _, g := range deleted {
		err := g.i.client.untilGone(g.i.Mapping, g.i.Namespace, g.i.Name, g.uid, deadline.Sub(s.Now()))
		if apierrors.IsForbidden(err) || apierrors.IsMethodNotSupported(err) {
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (o *deleteOptions) printDeleted(i *Info) {
	if o.quiet {
		return
	}
	if o.output == "name" {
		o.s.Printf("%s/%s\n", i.Mapping, i.Name)
		return
	}
	operation := "deleted"
	if o.grace == 0 {
		operation = "force deleted"
	}
	if i.Namespaced() {
		operation += " from " + i.Namespace + " namespace"
	}
	o.s.Printf("%s %q %s\n", i.Mapping, i.Name, dryRunSuffix(operation, o.dryRun))
}
