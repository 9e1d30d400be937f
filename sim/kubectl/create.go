// kubectl create: objects from files, and the frame of its subcommands, which
// make one object of a kind from flags. The subcommands are in create_*.go.

package kubectl

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"

	"github.com/spf13/pflag"

	"github.com/kubonsai/kubonsai/sim/api"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

func createCommand() *Command {
	return &Command{
		Use:   "create -f FILENAME",
		Short: "Create objects from files, stdin or flags",
		Long:  "Create the objects that a file, a directory or stdin describes, in JSON or YAML; or one object of a kind with a subcommand.",
		Examples: `# Create what a file describes
kubectl create -f ./web.yaml
# Create what comes from stdin
cat web.yaml | kubectl create -f -
# Write the manifest of a deployment without creating it
kubectl create deployment web --image=nginx --dry-run=client -o yaml`,
		New: func() Verb { return &createOptions{} },
		Sub: []*Command{
			createClusterRoleCommand(), createClusterRoleBindingCommand(), createConfigMapCommand(), createCronJobCommand(),
			createDeploymentCommand(), createIngressCommand(), createJobCommand(), createNamespaceCommand(),
			createPDBCommand(), createPriorityClassCommand(), createQuotaCommand(), createRoleCommand(),
			createRoleBindingCommand(), createSecretCommand(), createServiceCommand(), createServiceAccountCommand(),
			createTokenCommand(),
		},
	}
}

type createOptions struct {
	files      FilenameOptions
	selector   string
	out        outputFlags
	record     recordFlag
	dryRunText string
	validate   string
	saveConfig bool
	edit       bool
	windows    bool
	raw        string
	manager    string
	dryRun     DryRun
}

func (o *createOptions) Flags(f *pflag.FlagSet) {
	o.files.flags(f, "with the objects to create")
	o.out.flags(f)
	o.record.flags(f)
	dryRunFlag(f, &o.dryRunText)
	validateFlag(f, &o.validate)
	saveConfigFlag(f, &o.saveConfig)
	selectorFlag(f, &o.selector)
	f.BoolVar(&o.edit, "edit", false, "Edit the objects before they are created")
	f.BoolVar(&o.windows, "windows-line-endings", false, "Has no effect here")
	f.StringVar(&o.raw, "raw", "", "Path to POST to on the server, as it is")
	fieldManagerFlag(f, &o.manager, "kubectl-create")
}

func (o *createOptions) Complete(s *Session, args []string) (err error) {
	if err := o.files.Require(); err != nil && len(args) == 0 {
		return err
	}
	if len(args) > 0 {
		return s.UsageErrorf("Unexpected args: %v", args)
	}
	if o.dryRun, err = s.dryRun(o.dryRunText); err != nil {
		return err
	}
	if o.validate, err = validationDirective(o.validate); err != nil {
		return err
	}
	return o.out.check(s)
}

func (o *createOptions) Validate() error {
	if o.raw == "" {
		return nil
	}
	if o.edit {
		return errors.New("--raw and --edit are mutually exclusive")
	}
	if err := checkRaw(o.raw, &o.files, true); err != nil {
		return err
	}
	if o.selector != "" {
		return errors.New("--raw and --selector (-l) are mutually exclusive")
	}
	if o.out.Output != "" {
		return errors.New("--raw and --output are mutually exclusive")
	}
	return nil
}

// validator checks documents on the client's side, unless told not to.
func validator(validation string) func(tree.Map) error {
	if validation == "Ignore" {
		return nil
	}
	return RequireTypeMeta
}

func (o *createOptions) Run(s *Session) error {
	if o.raw != "" {
		return s.sendRaw("POST", o.raw, o.files.Filenames[0])
	}
	b, err := s.objects(o.files, nil)
	if err != nil {
		return err
	}
	b.Selector, b.Validate = o.selector, validator(o.validate)
	w := writer{DryRun: o.dryRun, Manager: o.manager, Validation: o.validate}
	if o.edit {
		e := &editOptions{mode: editBeforeCreate, out: o.out, record: o.record, saveConfig: o.saveConfig, manager: o.manager, validate: o.validate}
		return b.Do().Visit(func(i *Info) error { return e.session(s, []*Info{i}) })
	}
	count := 0
	err = b.Do().Visit(func(i *Info) error {
		if _, has := tree.Strings(i.Object, "metadata", "annotations")[lastApplied]; has || o.saveConfig {
			setLastApplied(i.Object)
		}
		o.record.note(s, i.Object)
		if o.dryRun != DryRunClient {
			obj, err := i.create(w, i.Object)
			if err != nil {
				return AddSource("creating", i.Source, err)
			}
			i.Refresh(obj)
		}
		count++
		return o.out.print(s, "created", o.dryRun, i.Object)
	})
	if err != nil {
		return err
	}
	if count == 0 {
		return errors.New("no objects passed to create")
	}
	return nil
}

// creator is the frame of the subcommands.
type creator struct {
	out        outputFlags
	dryRunText string
	validate   string
	saveConfig bool
	manager    string

	name, namespace string
	explicit        bool
	command         []string // what follows "--"
	dryRun          DryRun
	s               *Session
}

func (o *creator) Flags(f *pflag.FlagSet) {
	o.out.flags(f)
	saveConfigFlag(f, &o.saveConfig)
	validateFlag(f, &o.validate)
	dryRunFlag(f, &o.dryRunText)
	fieldManagerFlag(f, &o.manager, "kubectl-create")
}

func (o *creator) Complete(s *Session, args []string) (err error) {
	o.s = s
	n := s.ArgsLenAtDash
	if n < 0 {
		n = len(args)
	}
	if n != 1 {
		return s.UsageErrorf("exactly one NAME is required, got %d", n)
	}
	o.name, o.command = args[0], args[1:]
	if len(o.command) == 0 {
		o.command = nil
	}
	if o.dryRun, err = s.dryRun(o.dryRunText); err != nil {
		return err
	}
	if err := o.out.check(s); err != nil {
		return err
	}
	if o.validate, err = validationDirective(o.validate); err != nil {
		return err
	}
	o.namespace, o.explicit, err = s.Namespace()
	return err
}

func (o *creator) Validate() error { return nil }

// meta is the metadata of the new object; the namespace is only written when the line names it.
func (o *creator) meta() metav1.ObjectMeta {
	m := metav1.ObjectMeta{Name: o.name}
	if o.explicit {
		m.Namespace = o.namespace
	}
	return m
}

// create sends the object, or only prints it. what names it in the error of a
// failure, with the colon that follows all but secrets; "" leaves the server's
// words alone.
func (o *creator) create(obj metav1.Object, what string) error {
	return o.createAs(obj, "created", what)
}

// createAs is create for verbs that call it something else.
func (o *creator) createAs(obj metav1.Object, operation, what string) error {
	t, err := treeOf(obj)
	if err != nil {
		return err
	}
	if o.saveConfig {
		if err := saveConfig(obj, t); err != nil {
			return err
		}
	}
	if o.dryRun == DryRunClient {
		return o.out.print(o.s, operation, o.dryRun, obj)
	}
	c, m, err := o.s.mappingOf(t)
	if err != nil {
		return err
	}
	w := writer{DryRun: o.dryRun, Manager: o.manager, Validation: o.validate}
	answer, err := c.Send("POST", m, o.namespace, "", "", w.query(), t)
	if err != nil {
		if what != "" {
			return fmt.Errorf("failed to create %s %v", what, err)
		}
		return err
	}
	typed, err := api.Decode(answer)
	if err != nil {
		return err
	}
	return o.out.print(o.s, operation, o.dryRun, typed)
}

// saveConfig keeps an object that this client made in its own annotation, and
// in its tree's.
func saveConfig(obj metav1.Object, t tree.Map) error {
	data, err := json.Marshal(obj)
	if err != nil {
		return err
	}
	m := obj.GetObjectMeta()
	annotations := map[string]string{lastApplied: string(data) + "\n"}
	for k, v := range m.Annotations {
		annotations[k] = v
	}
	m.Annotations = annotations
	tree.Set(t, string(data)+"\n", "metadata", "annotations", lastApplied)
	return nil
}

const suffixLetters = "bcdfghjklmnpqrstvwxz2456789"

// suffix is five letters for a name that must be new; they depend on the time and on salt only.
func (s *Session) suffix(salt string) string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %d", salt, s.Now().UnixNano())
	if s.Proc != nil {
		fmt.Fprintf(h, " %d", s.Proc.ID)
	}
	n := h.Sum64()
	out := make([]byte, 5)
	for i := range out {
		out[i] = suffixLetters[n%uint64(len(suffixLetters))]
		n /= uint64(len(suffixLetters))
	}
	return string(out)
}
