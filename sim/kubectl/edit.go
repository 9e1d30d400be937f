// kubectl edit: opens an object in the reader's editor and sends what changed.

package kubectl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/kubectl/printer"
	"github.com/kubonsai/kubonsai/sim/kubectl/smerge"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

func editCommand() *Command {
	return &Command{
		Use:   "edit (RESOURCE/NAME | -f FILENAME)",
		Short: "Edit a resource on the server",
		Long:  "Open objects in the editor that KUBE_EDITOR or EDITOR names, or else in the page's or vi, and send the difference when it is saved. If the server refuses, the editor opens again with the reason.",
		Examples: `kubectl edit deployment/web
KUBE_EDITOR=nano kubectl edit svc/web
kubectl edit deployment/web -o json
kubectl edit deployment web --subresource=status`,
		New: func() Verb { return &editOptions{mode: editNormal} },
	}
}

type editMode int

const (
	editNormal editMode = iota
	editBeforeCreate
	editLastApplied
)

type editOptions struct {
	mode        editMode
	files       FilenameOptions
	out         outputFlags
	record      recordFlag
	validate    string
	saveConfig  bool
	outputPatch bool
	manager     string
	subresource string
	windows     bool
	args        []string
}

func (o *editOptions) Flags(f *pflag.FlagSet) {
	o.record.flags(f)
	o.out.flags(f)
	o.files.flags(f, "that names the objects to edit")
	validateFlag(f, &o.validate)
	f.BoolVar(&o.windows, "windows-line-endings", false, "Has no effect here")
	manager := "kubectl-edit"
	if o.mode == editLastApplied {
		manager = clientSideManager
	} else {
		f.BoolVar(&o.outputPatch, "output-patch", false, "Print the patch that is sent")
		saveConfigFlag(f, &o.saveConfig)
		subresourceFlag(f, &o.subresource, "Edit this subresource of the object")
	}
	fieldManagerFlag(f, &o.manager, manager)
}

func (o *editOptions) Complete(s *Session, args []string) (err error) {
	o.args = args
	if o.validate, err = validationDirective(o.validate); err != nil {
		return err
	}
	switch o.out.Output {
	case "", "json", "kyaml", "yaml":
		return nil
	}
	return &noPrinterError{o.out.Output, []string{"json", "kyaml", "yaml"}}
}

func (o *editOptions) Validate() error { return nil }

func (o *editOptions) Run(s *Session) error {
	b, err := s.objects(o.files, o.args)
	if err != nil {
		return err
	}
	b.TypeOnlyMeansAll, b.Latest, b.Subresource = true, true, o.subresource
	infos, err := b.Do().Infos()
	if err != nil {
		return err
	}
	if o.mode == editNormal {
		if len(infos) == 0 {
			return errors.New("edit cancelled, no objects found")
		}
		return o.session(s, infos)
	}
	var last []*Info
	for _, i := range infos {
		original, has, err := originalConfiguration(i.Object)
		if err != nil {
			return err
		}
		if has && original != nil {
			c := *i
			c.Object = original
			last = append(last, &c)
		}
	}
	if len(last) == 0 {
		return errors.New("no last-applied-configuration annotation found on resources, to create the annotation, use command `kubectl apply set-last-applied --create-annotation`")
	}
	return o.session(s, last)
}

// reason is why the editor opens again.
type editReason struct {
	head  string
	other []string
}

// editResult is what became of one turn of the editor.
type editResult struct {
	reasons             []editReason
	retryable, notFound int
	invalid             int
	file                string
}

func (r *editResult) fail(err error, i *Info) string {
	what := i.Mapping.GroupResource().String()
	switch {
	case apierrors.IsInvalid(err):
		r.invalid++
		reason := editReason{head: fmt.Sprintf("%s %q was not valid", what, i.Name)}
		if status, ok := err.(apierrors.APIStatus); ok && status.Status().Details != nil {
			for _, c := range status.Status().Details.Causes {
				reason.other = append(reason.other, c.Field+": "+c.Message)
			}
		}
		r.reasons = append(r.reasons, reason)
		return fmt.Sprintf("error: %s %q is invalid", what, i.Name)
	case apierrors.IsNotFound(err):
		r.notFound++
		return fmt.Sprintf("error: %s %q could not be found on the server", what, i.Name)
	}
	r.retryable++
	return fmt.Sprintf("error: %s %q could not be patched: %v", what, i.Name, err)
}

func (o *editOptions) header(reasons []editReason) string {
	var b strings.Builder
	if o.mode == editLastApplied {
		b.WriteString("# Please edit the 'last-applied-configuration' annotations below.\n# Lines beginning with a '#' will be ignored, and an empty file will abort the edit.\n#\n")
	} else {
		b.WriteString("# Please edit the object below. Lines beginning with a '#' will be ignored,\n# and an empty file will abort the edit. If an error occurs while saving this file will be\n# reopened with the relevant failures.\n#\n")
	}
	hash := func(s string) string { return strings.ReplaceAll(strings.TrimSuffix(s, "\n"), "\n", "\n# ") }
	for _, r := range reasons {
		colon := ""
		if len(r.other) > 0 {
			colon = ":"
		}
		fmt.Fprintf(&b, "# %s%s\n", hash(r.head), colon)
		for _, x := range r.other {
			fmt.Fprintf(&b, "# * %s\n", hash(x))
		}
		b.WriteString("#\n")
	}
	return b.String()
}

// session edits objects together until they are accepted or given up.
func (o *editOptions) session(s *Session, infos []*Info) error {
	var result editResult
	var original, edited []byte
	again := false
	extension := ".yaml"
	if o.out.Output == "json" {
		extension = ".json"
	}
	for {
		text := ""
		if extension == ".yaml" {
			text = o.header(result.reasons)
		}
		if again {
			text += string(withoutComments(edited))
		} else {
			body, err := o.document(infos, extension)
			if err != nil {
				return o.keep(s, err, result.file)
			}
			text += body
			original = []byte(text)
		}
		before := edited
		var file string
		var err error
		edited, file, err = s.openEditor(extension, text)
		if err != nil {
			return o.keep(s, err, result.file)
		}
		if again && bytes.Equal(strip(before), strip(edited)) {
			return o.keep(s, errors.New("Edit cancelled, no valid changes were saved."), file)
		}
		if result.file != "" && result.file != file {
			_ = s.FS.Remove(result.file)
		}
		if verr := o.check(edited); verr != nil {
			result = editResult{file: file}
			again = true
			s.Errorf("%s\n", result.fail(apierrors.NewInvalid(metav1.GroupKind{}, "", field.ErrorList{
				field.Invalid(nil, "The edited file failed validation", verr.Error())}), infos[0]))
			continue
		}
		if bytes.Equal(strip(original), strip(edited)) {
			_ = s.FS.Remove(file)
			s.Errorf("Edit cancelled, no changes made.\n")
			return nil
		}
		if len(bytes.TrimSpace(withoutComments(edited))) == 0 {
			_ = s.FS.Remove(file)
			s.Errorf("Edit cancelled, saved file was empty.\n")
			return nil
		}
		result = editResult{file: file}
		updates, err := o.parse(s, edited)
		if err != nil {
			again = true
			result.reasons = append(result.reasons, editReason{head: fmt.Sprintf("The edited file had a syntax error: %v", err)})
			continue
		}
		again = false
		for _, u := range updates {
			if err := o.send(s, infos, u, &result); err != nil {
				return o.keep(s, err, result.file)
			}
		}
		switch {
		case result.retryable > 0:
			s.Errorf("You can run `kubectl replace -f %s` to try this update again.\n", file)
			return ErrExit
		case result.notFound > 0:
			s.Errorf("The edits you made on deleted resources have been saved to %q\n", file)
			return ErrExit
		case result.invalid == 0:
			_ = s.FS.Remove(file)
			return nil
		}
		again = len(result.reasons) > 0
	}
}

// keep says where the reader's changes are.
func (o *editOptions) keep(s *Session, err error, file string) error {
	if file != "" {
		if _, serr := s.FS.Stat(file); serr == nil {
			s.Errorf("A copy of your changes has been stored to %q\n", file)
		}
	}
	return err
}

// document is the text to edit.
func (o *editOptions) document(infos []*Info, extension string) (string, error) {
	var obj tree.Map
	if len(infos) == 1 {
		obj = infos[0].Object
	} else {
		items := make([]any, len(infos))
		for n, i := range infos {
			items[n] = i.Object
		}
		obj = tree.Map{"apiVersion": "v1", "kind": "List", "metadata": tree.Map{}, "items": items}
	}
	var b strings.Builder
	var p printer.Printer = &printer.YAML{}
	if extension == ".json" {
		p = &printer.JSON{}
	}
	err := p.Print(obj, &b)
	return b.String(), err
}

// withoutComments drops the lines that begin with '#'.
func withoutComments(text []byte) []byte {
	var out []byte
	lines := bytes.SplitAfter(text, []byte("\n"))
	for _, l := range lines {
		t := bytes.TrimSpace(l)
		if bytes.HasPrefix(t, []byte("#")) && !bytes.HasPrefix(t, []byte("#!")) {
			continue
		}
		out = append(out, l...)
	}
	return out
}

// strip is the text's content as JSON, or without comments if it is no YAML.
func strip(text []byte) []byte {
	if j, err := yaml.YAMLToJSON(text); err == nil {
		return j
	}
	return withoutComments(text)
}

func (o *editOptions) check(edited []byte) error {
	if o.validate == "Ignore" {
		return nil
	}
	j, err := yaml.YAMLToJSON(withoutComments(edited))
	if err != nil {
		return err
	}
	v, err := metav1.DecodeTree(j)
	if err != nil {
		return err
	}
	if v == nil {
		return nil
	}
	m, ok := v.(tree.Map)
	if !ok {
		return errors.New("invalid object to validate")
	}
	return RequireTypeMeta(m)
}

func (o *editOptions) parse(s *Session, edited []byte) ([]*Info, error) {
	b := &Builder{S: s, ContinueOnError: true, Flatten: true, Subresource: o.subresource}
	b.addDocuments("edited-file", func() ([]byte, error) { return edited, nil })
	return b.Do().Infos()
}

// send brings one edited object to the server.
func (o *editOptions) send(s *Session, infos []*Info, u *Info, result *editResult) error {
	if o.mode == editBeforeCreate {
		ns, explicit, err := s.Namespace()
		if err != nil {
			return err
		}
		if u.Namespaced() && u.Namespace == "" {
			u.Namespace = ns
			tree.Set(u.Object, ns, "metadata", "namespace")
		} else if u.Namespaced() && explicit && u.Namespace != ns {
			return fmt.Errorf("the namespace from the provided object %q does not match the namespace %q. You must pass '--namespace=%s' to perform this operation.", u.Namespace, ns, u.Namespace)
		}
		if o.saveConfig {
			setLastApplied(u.Object)
		}
		o.record.note(s, u.Object)
		obj, err := u.create(writer{Manager: "kubectl-create", Validation: o.validate}, u.Object)
		if err != nil {
			return err
		}
		return o.out.print(s, "created", DryRunNone, obj)
	}
	var orig *Info
	uid := tree.String(u.Object, "metadata", "uid")
	for _, i := range infos {
		if tree.String(i.Object, "metadata", "uid") == uid {
			orig = i
			break
		}
	}
	if orig == nil {
		return fmt.Errorf("no original object found for %#v", u.Object)
	}
	before := tree.Copy(orig.Object)
	tree.Delete(before, "metadata", "managedFields")
	if ns := tree.Namespace(before); u.Namespaced() && tree.Namespace(u.Object) != ns && o.mode == editNormal {
		return fmt.Errorf("the namespace from the provided object %q does not match the namespace %q. You must pass '--namespace=%s' to perform this operation.", tree.Namespace(u.Object), ns, tree.Namespace(u.Object))
	}
	if o.saveConfig && o.mode == editNormal {
		setLastApplied(u.Object)
	}
	if o.mode == editLastApplied {
		if smerge.Equal(before, u.Object) {
			return o.out.print(s, "skipped", DryRunNone, u.Object)
		}
		if _, err := orig.patch(writer{Manager: o.manager, Validation: o.validate}, MergePatch, lastAppliedPatch(u.Object)); err != nil {
			return err
		}
		return o.out.print(s, "edited", DryRunNone, u.Object)
	}
	o.record.note(s, u.Object)
	if smerge.Equal(before, u.Object) {
		return o.out.print(s, "skipped", DryRunNone, u.Object)
	}
	for _, p := range [][]string{{"apiVersion"}, {"kind"}, {"metadata", "name"}} {
		if tree.String(before, p...) != tree.String(u.Object, p...) {
			return errors.New("At least one of apiVersion, kind and name was changed")
		}
	}
	t := schemaOf(before)
	media := StrategicMergePatch
	if t == nil {
		media = MergePatch
	}
	patch := smerge.TwoWay(before, u.Object, t)
	if o.outputPatch {
		data, _ := json.Marshal(patch)
		s.Printf("Patch: %s\n", data)
	}
	target := *orig
	target.Subresource = o.subresource
	obj, err := target.patch(writer{Manager: o.manager, Validation: o.validate}, media, patch)
	if err != nil {
		s.Errorf("%s\n", result.fail(err, orig))
		return nil
	}
	return o.out.print(s, "edited", DryRunNone, obj)
}

// openEditor lets the reader edit a text and returns what they saved and the file it is in.
func (s *Session) openEditor(extension, text string) ([]byte, string, error) {
	h := 0
	for _, c := range s.suffix("edit" + text) {
		h = h*31 + int(c)
	}
	file := fmt.Sprintf("/tmp/kubectl-edit-%010d%s", h%10000000000, extension)
	if err := s.FS.MkdirAll(path.Dir(file), 0o777); err != nil {
		return nil, "", err
	}
	if err := s.FS.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, "", err
	}
	editor := s.Getenv("KUBE_EDITOR")
	if editor == "" {
		editor = s.Getenv("EDITOR")
	}
	if editor == "" && s.TTY != nil {
		edited, ok, err := s.TTY.Edit(s.Proc, path.Base(file), text)
		if err == nil {
			if !ok {
				edited = text
			}
			err = s.FS.WriteFile(file, []byte(edited), 0o600)
			return []byte(edited), file, err
		}
	}
	if editor == "" {
		editor = "vi"
	}
	args := append(strings.Split(editor, " "), file)
	shown := editor
	if len(args) > 2 && strings.ContainsAny(editor, "\"'\\") {
		shell := s.Getenv("SHELL")
		if shell == "" {
			shell = "/bin/bash"
		}
		args = []string{shell, "-c", editor + " " + strconv.Quote(file)}
		shown = shell + " -c " + editor
	}
	run := s.Lookup(path.Base(args[0]))
	if run == nil {
		return nil, file, fmt.Errorf("unable to launch the editor %q", shown)
	}
	c := s.Context.Clone()
	if run(c, args) != 0 {
		return nil, file, fmt.Errorf("there was a problem with the editor %q", shown)
	}
	data, err := s.FS.ReadFile(file)
	return data, file, err
}
