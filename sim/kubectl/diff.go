// kubectl diff: what apply would change, as a unified diff.

package kubectl

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"

	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	"github.com/kubonsai/kubonsai/sim/internal/lazy"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
	"github.com/kubonsai/kubonsai/sim/kubectl/unified"
)

func diffCommand() *Command {
	return &Command{
		Use:   "diff -f FILENAME",
		Short: "Diff the live version against a would-be applied version",
		Long:  "Show what kubectl apply would change. The exit status is 0 if nothing would, 1 if something would, and more if something went wrong. KUBECTL_EXTERNAL_DIFF names another program to compare with.",
		Examples: `kubectl diff -f web.yaml
cat web.yaml | kubectl diff -f -`,
		New: func() Verb { return &diffOptions{} },
	}
}

type diffOptions struct {
	files                      FilenameOptions
	serverSide, forceConflicts bool
	manager, selector          string
	showManaged, showSecrets   bool
	concurrency                int
	prune                      bool
	allowlist                  []string
	pruned                     []*Mapping
}

func (o *diffOptions) Flags(f *pflag.FlagSet) {
	f.StringArrayVar(&o.allowlist, "prune-allowlist", nil, "Kinds to prune, <group/version/kind>")
	f.BoolVar(&o.prune, "prune", false, "Show what pruning would delete as well")
	f.BoolVar(&o.showManaged, "show-managed-fields", false, "Compare metadata.managedFields too")
	f.BoolVar(&o.showSecrets, "show-secrets", false, "Do not hide the values of secrets")
	f.IntVar(&o.concurrency, "concurrency", 1, "How many objects to look at at once; has no effect here")
	o.files.flags(f, "with the configuration to compare")
	f.BoolVar(&o.serverSide, "server-side", false, "Let the server merge")
	f.BoolVar(&o.forceConflicts, "force-conflicts", false, "Take over fields that others manage; with --server-side")
	fieldManagerFlag(f, &o.manager, clientSideManager)
	selectorFlag(f, &o.selector)
}

// trouble gives an error an exit status above 1.
func trouble(err error) error {
	var code *CodeError
	if err == nil || errors.As(err, &code) {
		return err
	}
	return &CodeError{Code: 2, Err: err}
}

func (o *diffOptions) Complete(s *Session, args []string) error {
	if len(args) > 0 {
		return trouble(s.UsageErrorf("Unexpected args: %v", args))
	}
	if err := o.files.Require(); err != nil {
		return trouble(err)
	}
	if o.serverSide && !s.Changed("field-manager") {
		o.manager = serverSideManager
	}
	if o.forceConflicts && !o.serverSide {
		return trouble(errors.New("--force-conflicts only works with --server-side"))
	}
	if o.prune {
		var err error
		if o.pruned, err = s.prunedKinds(o.allowlist); err != nil {
			return trouble(err)
		}
	}
	return nil
}

func (o *diffOptions) Validate() error { return nil }

func (o *diffOptions) Run(s *Session) error {
	suffix := s.suffix("diff")
	live, merged := "/tmp/LIVE-"+suffix, "/tmp/MERGED-"+suffix
	for _, dir := range []string{live, merged} {
		if err := s.FS.MkdirAll(dir, 0o700); err != nil {
			return trouble(err)
		}
		defer s.FS.RemoveAll(dir)
	}
	b, err := s.objects(o.files, nil)
	if err != nil {
		return trouble(err)
	}
	b.Selector, b.Validate = o.selector, RequireTypeMeta
	namespaces, seen := map[string]bool{}, map[string]bool{}
	err = b.Do().Visit(func(i *Info) error {
		manifest := i.Object
		if i.Namespaced() {
			namespaces[i.Namespace] = true
		}
		for try := 1; ; try++ {
			var before tree.Map
			if err := i.Get(); err == nil {
				before = i.Object
			} else if !apierrors.IsNotFound(err) {
				return err
			}
			seen[tree.String(before, "metadata", "uid")] = true
			const tries = 4
			if try == tries {
				s.logLine('W', "diff.go:723", fmt.Sprintf("Object (%v: %v) keeps changing, diffing without lock", gvkText(i.Mapping.GVK()), i.Name))
			}
			after, err := o.merged(i, manifest, before, try == tries)
			if apierrors.IsConflict(err) && try < tries {
				continue
			}
			if err != nil {
				return err
			}
			return o.write(s, i, before, after, live, merged)
		}
	})
	if o.prune {
		perr := s.unnamed(o.pruned, namespaces, seen, o.selector, func(_ *Client, m *Mapping, obj tree.Map) error {
			return s.FS.WriteFile(path.Join(live, fileName(m, tree.Namespace(obj), tree.Name(obj))), yamlOf(obj), 0o700)
		})
		if perr != nil {
			s.logLine('W', "diff.go:760", fmt.Sprintf("pruning failed and could not be evaluated err: %v", perr))
		}
	}
	if err != nil {
		return trouble(err)
	}
	return o.compare(s, live, merged)
}

// merged is the object as it would be after an apply.
func (o *diffOptions) merged(i *Info, manifest, before tree.Map, force bool) (tree.Map, error) {
	w := writer{DryRun: DryRunServer, Manager: o.manager, Force: o.forceConflicts}
	if o.serverSide {
		return i.patch(w, ApplyPatch, manifest)
	}
	if before == nil {
		return i.create(w, manifest)
	}
	modified := tree.Copy(manifest)
	if tree.Sub(modified, "metadata", "annotations") == nil {
		tree.Set(modified, tree.Map{}, "metadata", "annotations")
	}
	tree.Delete(modified, "metadata", "annotations", lastApplied)
	patch, media, err := applyPatch(i, before, modified)
	if err != nil {
		return nil, err
	}
	if len(patch) == 0 {
		return before, nil
	}
	if !force {
		tree.Set(patch, tree.String(before, "metadata", "resourceVersion"), "metadata", "resourceVersion")
	}
	after, err := i.patch(w, media, patch)
	if err != nil {
		return nil, AddSource("patching", i.Source, err)
	}
	return after, nil
}

// write puts both versions of an object into files of the same name.
func (o *diffOptions) write(s *Session, i *Info, before, after tree.Map, live, merged string) error {
	before, after = tree.Copy(before), tree.Copy(after)
	if !o.showManaged {
		tree.Delete(before, "metadata", "managedFields")
		tree.Delete(after, "metadata", "managedFields")
	}
	old := yamlOf(before)
	if i.Mapping.Group == "" && i.Mapping.Kind == "Secret" && !o.showSecrets {
		mask(tree.Sub(before, "data"), tree.Sub(after, "data"))
		if old = yamlOf(before); before == nil {
			old = []byte("null\n") // as upstream
		}
	}
	name := fileName(i.Mapping, i.Namespace, i.Name)
	if err := s.FS.WriteFile(path.Join(live, name), old, 0o700); err != nil {
		return err
	}
	return s.FS.WriteFile(path.Join(merged, name), yamlOf(after), 0o700)
}

// fileName is what a version of an object is kept as.
func fileName(m *Mapping, namespace, name string) string {
	file := fmt.Sprintf("%s.%s.%s.%s", m.Version, m.Kind, namespace, name)
	if m.Group != "" {
		file = m.Group + "." + file
	}
	return file
}

// yamlOf is a tree in YAML; nothing for none.
func yamlOf(obj tree.Map) []byte {
	if obj == nil {
		return nil
	}
	data, _ := yaml.Marshal(obj) // trees can always be written
	return data
}

// mask hides values; those that differ say so.
func mask(from, to tree.Map) {
	const stars = "***"
	for k := range from {
		if _, both := to[k]; both {
			if from[k] != to[k] {
				from[k], to[k] = stars+" (before)", stars+" (after)"
				continue
			}
			to[k] = stars
		}
		from[k] = stars
	}
	for k := range to {
		if _, both := from[k]; !both {
			to[k] = stars
		}
	}
}

var plainArgument = lazy.Regexp(`^[a-zA-Z0-9-=]+$`)

func (o *diffOptions) compare(s *Session, live, merged string) error {
	if external := s.Getenv("KUBECTL_EXTERNAL_DIFF"); external != "" {
		parts := strings.Split(external, " ")
		args := parts[:1:1]
		for _, a := range parts[1:] {
			if plainArgument().MatchString(a) {
				args = append(args, a)
			}
		}
		run := s.Lookup(args[0])
		if run == nil {
			return trouble(fmt.Errorf("failed to run %q: exec: %q: executable file not found in $PATH", args[0], args[0]))
		}
		if code := run(s.Context.Clone(), append(args, live, merged)); code != 0 {
			return &CodeError{Code: code}
		}
		return nil
	}
	entries, err := s.FS.ReadDir(live)
	if err != nil {
		return trouble(err)
	}
	differ := false
	for _, e := range entries {
		from, to := path.Join(live, e.Name()), path.Join(merged, e.Name())
		a, err := s.FS.ReadFile(from)
		if err != nil {
			return trouble(err)
		}
		b, err := s.FS.ReadFile(to)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return trouble(err)
		}
		if bytes.Equal(a, b) {
			continue
		}
		differ = true
		stamp := s.Now().Format("2006-01-02 15:04:05.000000000 -0700")
		s.Printf("diff -u -N %s %s\n--- %s\t%s\n+++ %s\t%s\n", from, to, from, stamp, to, stamp)
		io.WriteString(s.Stdout, unified.Hunks(string(a), string(b), 3))
	}
	if differ {
		return &CodeError{Code: 1}
	}
	return nil
}
