// Package crd makes CustomResourceDefinitions real: it accepts their names,
// installs their kinds in the API server, and when one is deleted removes its
// objects before it goes.
package crd

import (
	"fmt"
	"slices"
	"strings"
	"time"

	apiextensionsv1 "github.com/kubonsai/kubonsai/sim/api/apiextensions/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/controller"
)

const (
	latency = 8 * time.Millisecond
	recheck = 5 * time.Second // while objects of a deleted definition remain
)

// Server is where kinds are installed.
type Server interface {
	Install(*apiserver.Kind)
	Uninstall(metav1.GroupVersionResource)
}

type definition = apiextensionsv1.CustomResourceDefinition

// Controller reconciles custom resource definitions.
type Controller struct {
	client    *client.Client
	clock     *clock.Clock
	server    Server
	crds      *client.Informer[*definition]
	queue     *client.Queue
	installed map[string]*installed // by name of the definition
}

type installed struct {
	generation int64
	uid        metav1.UID
	kinds      []*apiserver.Kind
}

// New returns the controller. Definitions that are established already, as
// after a reload, are installed at once.
func New(c *client.Client, f *client.Factory, s Server) *Controller {
	cc := &Controller{client: c, clock: f.Clock(), server: s, crds: client.InformerFor[*definition](f), installed: map[string]*installed{}}
	cc.queue = client.NewQueue(f.Clock(), "crd", latency, cc.sync)
	cc.crds.OnChange(func(old, crd *definition) {
		if crd == nil {
			cc.uninstall(old.Name)
			cc.queue.Remove(old.Name)
			cc.crds.Scan("", func(other *definition) bool {
				if other.Spec.Group == old.Spec.Group { // a name may be free now
					cc.queue.Add(other.Name)
				}
				return true
			})
			return
		}
		if condition(crd, apiextensionsv1.Established) == apiextensionsv1.ConditionTrue {
			cc.install(crd)
		}
		cc.queue.Add(crd.Name)
	})
	return cc
}

func (c *Controller) install(crd *definition) {
	have := c.installed[crd.Name]
	if have != nil && have.uid == crd.UID && have.generation == crd.Generation {
		return
	}
	c.uninstall(crd.Name)
	in := &installed{generation: crd.Generation, uid: crd.UID, kinds: apiserver.CustomKinds(crd)}
	for _, k := range in.kinds {
		c.server.Install(k)
	}
	c.installed[crd.Name] = in
}

func (c *Controller) uninstall(name string) {
	if in := c.installed[name]; in != nil {
		for _, k := range in.kinds {
			c.server.Uninstall(k.GroupVersionResource())
		}
		delete(c.installed, name)
	}
}

func condition(crd *definition, t apiextensionsv1.CustomResourceDefinitionConditionType) apiextensionsv1.ConditionStatus {
	for i := range crd.Status.Conditions {
		if crd.Status.Conditions[i].Type == t {
			return crd.Status.Conditions[i].Status
		}
	}
	return apiextensionsv1.ConditionUnknown
}

// set replaces or adds a condition; true when that changes anything.
func (c *Controller) set(crd *definition, t apiextensionsv1.CustomResourceDefinitionConditionType, status apiextensionsv1.ConditionStatus, reason, message string) bool {
	next := apiextensionsv1.CustomResourceDefinitionCondition{Type: t, Status: status, Reason: reason, Message: message, LastTransitionTime: metav1.NewTime(c.clock.Now())}
	list := slices.Clone(crd.Status.Conditions)
	for i := range list {
		if list[i].Type != t {
			continue
		}
		if list[i].Status == status {
			next.LastTransitionTime = list[i].LastTransitionTime
		}
		changed := list[i] != next
		list[i] = next
		crd.Status.Conditions = list
		return changed
	}
	crd.Status.Conditions = append(list, next)
	return true
}

func (c *Controller) write(crd *definition) error {
	_, err := client.UpdateStatus(c.client, crd)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func (c *Controller) sync(name string) error {
	shared, ok := c.crds.ByKey(name)
	if !ok {
		return nil
	}
	crd := controller.Copy(shared)
	if crd.DeletionTimestamp != nil {
		return c.finish(crd)
	}
	if !slices.Equal(namesOf(&crd.Spec.Names), namesOf(&crd.Status.AcceptedNames)) ||
		!slices.Equal(crd.Spec.Names.Categories, crd.Status.AcceptedNames.Categories) ||
		condition(crd, apiextensionsv1.NamesAccepted) != apiextensionsv1.ConditionTrue {
		if c.accept(crd) {
			return c.write(crd)
		}
	}
	if condition(crd, apiextensionsv1.NamesAccepted) == apiextensionsv1.ConditionTrue &&
		condition(crd, apiextensionsv1.Established) != apiextensionsv1.ConditionTrue {
		c.set(crd, apiextensionsv1.Established, apiextensionsv1.ConditionTrue, "InitialNamesAccepted", "the initial names have been accepted")
		c.install(crd) // before others read that it is there
		return c.write(crd)
	}
	return nil
}

func namesOf(n *apiextensionsv1.CustomResourceDefinitionNames) []string {
	return append([]string{n.Plural, n.Singular, n.Kind, n.ListKind}, n.ShortNames...)
}

// accept takes over the names that no other definition of the group has; true
// when the status changed.
func (c *Controller) accept(crd *definition) bool {
	resources, kinds := map[string]bool{}, map[string]bool{}
	c.crds.Scan("", func(other *definition) bool {
		if n := &other.Status.AcceptedNames; other.Spec.Group == crd.Spec.Group && other.Name != crd.Name {
			for _, s := range append([]string{n.Plural, n.Singular}, n.ShortNames...) {
				resources[s] = true
			}
			kinds[n.Kind], kinds[n.ListKind] = true, true
		}
		return true
	})
	want, have := &crd.Spec.Names, crd.Status.AcceptedNames
	reason, message := "NoConflicts", "no conflicts found"
	status := apiextensionsv1.ConditionTrue
	take := func(to *string, name string, used map[string]bool, conflict string) {
		if *to != name && used[name] {
			status, reason, message = apiextensionsv1.ConditionFalse, conflict, fmt.Sprintf("%q is already in use", name)
			return
		}
		*to = name
	}
	take(&have.Plural, want.Plural, resources, "PluralConflict")
	take(&have.Singular, want.Singular, resources, "SingularConflict")
	var taken []string
	for _, s := range want.ShortNames {
		if resources[s] && !slices.Contains(have.ShortNames, s) {
			taken = append(taken, fmt.Sprintf("%q is already in use", s))
		}
	}
	if len(taken) > 0 {
		status, reason, message = apiextensionsv1.ConditionFalse, "ShortNamesConflict", strings.Join(taken, ", ")
		if len(taken) > 1 {
			message = "[" + message + "]"
		}
	} else {
		have.ShortNames = want.ShortNames
	}
	take(&have.Kind, want.Kind, kinds, "KindConflict")
	take(&have.ListKind, want.ListKind, kinds, "ListKindConflict")
	have.Categories = want.Categories
	changed := !slices.Equal(namesOf(&have), namesOf(&crd.Status.AcceptedNames)) || !slices.Equal(have.Categories, crd.Status.AcceptedNames.Categories)
	crd.Status.AcceptedNames = have
	changed = c.set(crd, apiextensionsv1.NamesAccepted, status, reason, message) || changed
	if condition(crd, apiextensionsv1.Established) != apiextensionsv1.ConditionTrue {
		if status == apiextensionsv1.ConditionTrue {
			changed = c.set(crd, apiextensionsv1.Established, apiextensionsv1.ConditionFalse, "Installing", "the initial names have been accepted") || changed
		} else {
			changed = c.set(crd, apiextensionsv1.Established, apiextensionsv1.ConditionFalse, "NotAccepted", "not all names are accepted") || changed
		}
	}
	return changed
}

// finish removes the objects of a definition that is being deleted, then its
// finalizer.
func (c *Controller) finish(crd *definition) error {
	const finalizer = apiextensionsv1.CustomResourceCleanupFinalizer
	if !slices.Contains(crd.Finalizers, finalizer) {
		return nil
	}
	done := func(reason, message string) error {
		c.set(crd, apiextensionsv1.Terminating, apiextensionsv1.ConditionFalse, reason, message)
		crd.Finalizers = slices.DeleteFunc(slices.Clone(crd.Finalizers), func(f string) bool { return f == finalizer })
		c.uninstall(crd.Name)
		_, err := client.Update(c.client, crd)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	}
	in := c.installed[crd.Name]
	if in == nil || len(in.kinds) == 0 {
		return done("NeverEstablished", "resource was never established")
	}
	r := in.kinds[0].Resource
	items, _, err := controller.ListAny(c.client, r, "")
	if err != nil {
		return err
	}
	for _, o := range items {
		m := o.GetObjectMeta()
		if m.DeletionTimestamp != nil {
			continue
		}
		if err := client.DeleteResource(c.client, r, m.Namespace, m.Name, client.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	if items, _, err = controller.ListAny(c.client, r, ""); err != nil {
		return err
	}
	if len(items) == 0 {
		return done("InstanceDeletionCompleted", "removed all instances")
	}
	c.queue.AddAfter(crd.Name, recheck)
	if c.set(crd, apiextensionsv1.Terminating, apiextensionsv1.ConditionTrue, "InstanceDeletionInProgress", "CustomResource deletion is in progress") {
		return c.write(crd)
	}
	return nil
}
