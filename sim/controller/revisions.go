// What the controllers of DaemonSets and StatefulSets share: ControllerRevisions,
// which keep the templates that a set has had.

package controller

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kubonsai/kubonsai/sim/api"
	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	"github.com/kubonsai/kubonsai/sim/api/labels"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/client"
)

// RevisionData is what a revision keeps of a template: a patch that puts it
// back in place.
func RevisionData(t *corev1.PodTemplateSpec) []byte {
	tree, err := api.ToTree(t)
	if err == nil {
		tree["$patch"] = "replace"
		var data []byte
		if data, err = json.Marshal(map[string]any{"spec": map[string]any{"template": tree}}); err == nil {
			return data
		}
	}
	panic("controller: template does not encode: " + err.Error())
}

// RevisionTemplate undoes RevisionData.
func RevisionTemplate(r *appsv1.ControllerRevision) (*corev1.PodTemplateSpec, error) {
	tree, err := metav1.DecodeTree(r.Data.Raw)
	if err != nil {
		return nil, err
	}
	top, _ := tree.(map[string]any)
	spec, _ := top["spec"].(map[string]any)
	template, _ := spec["template"].(map[string]any)
	if template == nil {
		return nil, fmt.Errorf("revision %s holds no template", r.Name)
	}
	template = maps.Clone(template)
	delete(template, "$patch")
	out := &corev1.PodTemplateSpec{}
	return out, api.FromTree(template, out)
}

// Hash is a short name for data, in characters that spell no words.
func Hash(data []byte, collisions *int32) string {
	h := fnv.New32a()
	h.Write(data)
	if collisions != nil {
		fmt.Fprintf(h, "/%d", *collisions)
	}
	const alphabet = "bcdfghjklmnpqrstvwxz2456789"
	digits := []byte(strconv.FormatUint(uint64(h.Sum32()), 10))
	for i, c := range digits {
		digits[i] = alphabet[int(c)%len(alphabet)]
	}
	return string(digits)
}

// Revisions returns the revisions that the owner controls, after adopting
// matching orphans, oldest first.
func Revisions(c *client.Client, inf *client.Informer[*appsv1.ControllerRevision], owner metav1.Object, gvk metav1.GroupVersionKind,
	sel labels.Selector) ([]*appsv1.ControllerRevision, error) {
	m := owner.GetObjectMeta()
	candidates := slices.Clone(inf.ByIndex(OwnerIndex, string(m.UID)))
	for _, r := range inf.ByIndex(OwnerIndex, OrphanKey(m.Namespace)) {
		if sel.Matches(labels.Set(r.Labels)) {
			candidates = append(candidates, r)
		}
	}
	out, err := Claim(c, owner, gvk, sel, candidates)
	slices.SortStableFunc(out, func(a, b *appsv1.ControllerRevision) int {
		switch {
		case a.Revision != b.Revision:
			return int(a.Revision - b.Revision)
		case !a.CreationTimestamp.Equal(&b.CreationTimestamp):
			return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out, err
}

// CurrentRevision finds or makes the revision of a template among those given
// (oldest first); it is made the newest one. hashLabel is the label under which
// the hash is kept. *collisions grows while another template has the same name.
func CurrentRevision(c *client.Client, revisions []*appsv1.ControllerRevision, owner metav1.Object, gvk metav1.GroupVersionKind,
	t *corev1.PodTemplateSpec, hashLabel string, collisions *int32) (*appsv1.ControllerRevision, error) {
	data := RevisionData(t)
	next := int64(1)
	var same *appsv1.ControllerRevision
	for _, r := range revisions {
		next = r.Revision + 1
		if bytes.Equal(r.Data.Raw, data) {
			same = r
		}
	}
	if same != nil {
		if same == revisions[len(revisions)-1] {
			return same, nil
		}
		u := Copy(same)
		u.Revision = next
		return client.Update(c, u)
	}
	m := owner.GetObjectMeta()
	for {
		hash := Hash(data, collisions)
		r := &appsv1.ControllerRevision{Data: metav1.RawExtension{Raw: data}, Revision: next}
		r.APIVersion, r.Kind = appsv1.SchemeGroupVersion.String(), "ControllerRevision"
		r.Namespace, r.Name = m.Namespace, m.Name[:min(len(m.Name), 223)]+"-"+hash
		r.Labels = map[string]string{}
		maps.Copy(r.Labels, t.Labels)
		r.Labels[hashLabel] = hash
		r.Annotations = m.Annotations
		r.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(owner, gvk)}
		created, err := client.Create(c, r)
		if !apierrors.IsAlreadyExists(err) {
			return created, err
		}
		have, err := client.Get[*appsv1.ControllerRevision](c, r.Namespace, r.Name)
		if err != nil {
			return nil, err
		}
		if bytes.Equal(have.Data.Raw, data) && metav1.IsControlledBy(have, owner) {
			return have, nil
		}
		*collisions++
	}
}

// TruncateRevisions deletes the oldest revisions beyond the limit, but none
// that is live. A negative limit keeps all.
func TruncateRevisions(c *client.Client, revisions []*appsv1.ControllerRevision, limit int32, live func(*appsv1.ControllerRevision) bool) error {
	if limit < 0 {
		return nil
	}
	dead := slices.DeleteFunc(slices.Clone(revisions), live)
	for _, r := range dead[:max(0, len(dead)-int(limit))] {
		if err := client.Delete[*appsv1.ControllerRevision](c, r.Namespace, r.Name, client.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}
