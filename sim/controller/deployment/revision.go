// Revisions: which ReplicaSet belongs to the current template, its name, hash
// and annotations, and the deployment's revision.

package deployment

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"reflect"
	"strconv"
	"strings"

	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/controller"
)

// Annotations of deployments and their ReplicaSets.
const (
	RevisionAnnotation        = "deployment.kubernetes.io/revision"
	RevisionHistoryAnnotation = "deployment.kubernetes.io/revision-history"
	DesiredReplicasAnnotation = "deployment.kubernetes.io/desired-replicas"
	MaxReplicasAnnotation     = "deployment.kubernetes.io/max-replicas"
)

const (
	maxHistoryChars = 2000
	noLimit         = math.MaxInt32
)

// syncRevision brings the current set's annotations and the deployment's
// revision up to date. When there is no set of the current template yet, it
// makes one, if asked to.
func (r *rollout) syncRevision(create bool) error {
	d := r.d
	next := int64(0)
	for _, rs := range r.olds {
		next = max(next, Revision(rs))
	}
	next++
	if r.new != nil {
		annotations, changed := setAnnotations(d, r.new.Annotations, next)
		if changed || r.new.Spec.MinReadySeconds != d.Spec.MinReadySeconds {
			u := controller.Copy(r.new)
			u.Annotations = annotations
			u.Spec.MinReadySeconds = d.Spec.MinReadySeconds
			u, err := client.Update(r.client, u)
			if err != nil {
				return err
			}
			r.replace(r.new, u)
			return nil
		}
		write := r.setRevision(r.new.Annotations[RevisionAnnotation])
		if hasProgressDeadline(d) && condition(d.Status.Conditions, appsv1.DeploymentProgressing) == nil {
			r.setCondition(&d.Status, appsv1.DeploymentProgressing, corev1.ConditionTrue, reasonFound,
				fmt.Sprintf("Found new replica set %q", r.new.Name))
			write = true
		}
		if write {
			return r.updateStatus()
		}
		return nil
	}
	if !create {
		return nil
	}
	return r.createSet(next)
}

func (r *rollout) createSet(revision int64) error {
	d := r.d
	hash := TemplateHash(&d.Spec.Template, d.Status.CollisionCount)
	template := d.Spec.Template
	template.Labels = with(template.Labels, appsv1.DefaultDeploymentUniqueLabelKey, hash)
	selector := *d.Spec.Selector
	selector.MatchLabels = with(selector.MatchLabels, appsv1.DefaultDeploymentUniqueLabelKey, hash)
	rs := &appsv1.ReplicaSet{Spec: appsv1.ReplicaSetSpec{Replicas: new(int32(0)),
		MinReadySeconds: d.Spec.MinReadySeconds, Selector: &selector, Template: template}}
	rs.APIVersion, rs.Kind = appsv1.SchemeGroupVersion.String(), "ReplicaSet"
	rs.Namespace, rs.Name = d.Namespace, setName(d.Name, hash)
	rs.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(d, gvk)}
	rs.Labels = template.Labels
	size := newSize(d, append(r.all(), rs), rs)
	rs.Spec.Replicas = &size
	rs.Annotations, _ = setAnnotations(d, nil, revision)
	rs.Annotations, _ = withSize(rs.Annotations, replicas(d), replicas(d)+maxSurge(d))
	created, err := client.Create(r.client, rs)
	existed := false
	switch {
	case apierrors.IsAlreadyExists(err):
		stored, ok := r.sets.Get(rs.Namespace, rs.Name)
		if !ok {
			return err
		}
		if metav1.IsControlledBy(stored, d) && EqualIgnoreHash(&stored.Spec.Template, &d.Spec.Template) {
			created, existed = stored, true
			break
		}
		// Another template has the same hash: count up and try again.
		count := int32(1)
		if d.Status.CollisionCount != nil {
			count = *d.Status.CollisionCount + 1
		}
		d.Status.CollisionCount = &count
		if uerr := r.updateStatus(); uerr != nil {
			return uerr
		}
		return err
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return err
	case err != nil:
		message := fmt.Sprintf("Failed to create new replica set %q: %v", rs.Name, err)
		if hasProgressDeadline(d) {
			r.setCondition(&d.Status, appsv1.DeploymentProgressing, corev1.ConditionFalse, reasonCreateError, message)
			_ = r.updateStatus() // the sync is tried again anyway
		}
		r.recorder.Eventf(d, controller.Warning, reasonCreateError, "%s", message)
		return err
	}
	if !existed && size > 0 {
		r.recorder.Eventf(d, controller.Normal, "ScalingReplicaSet", "Scaled up replica set %s from 0 to %d", created.Name, size)
	}
	r.new = created
	write := r.setRevision(strconv.FormatInt(revision, 10))
	if !existed && hasProgressDeadline(d) {
		r.setCondition(&d.Status, appsv1.DeploymentProgressing, corev1.ConditionTrue, reasonCreated,
			fmt.Sprintf("Created new replica set %q", created.Name))
		write = true
	}
	if write {
		return r.updateStatus()
	}
	return nil
}

func (r *rollout) setRevision(revision string) bool {
	if r.d.Annotations[RevisionAnnotation] == revision {
		return false
	}
	r.d.Annotations = with(r.d.Annotations, RevisionAnnotation, revision)
	return true
}

// setName is the name of a deployment's ReplicaSet; a long one is cut before the hash.
func setName(name, hash string) string {
	if limit := 253 - 1 - len(hash); len(name) > limit {
		name = name[:limit]
	}
	return name + "-" + hash
}

// TemplateHash is the pod-template-hash: FNV-1a over the template, written
// with characters that spell no words.
func TemplateHash(t *corev1.PodTemplateSpec, collisions *int32) string {
	h := fnv.New32a()
	data, err := json.Marshal(t)
	if err != nil {
		panic("deployment: template does not encode: " + err.Error())
	}
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

// EqualIgnoreHash reports whether two templates are the same but for the
// pod-template-hash label.
func EqualIgnoreHash(a, b *corev1.PodTemplateSpec) bool {
	x, y := *a, *b
	x.Labels = without(x.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	y.Labels = without(y.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	if reflect.DeepEqual(&x, &y) {
		return true
	}
	// Quantities keep caches, and nil and empty collections differ: what counts
	// is what a client would read.
	dx, errx := json.Marshal(&x)
	dy, erry := json.Marshal(&y)
	return errx == nil && erry == nil && string(dx) == string(dy)
}

// Revision is the revision annotation as a number; 0 when there is none.
func Revision(obj metav1.Object) int64 {
	n, err := strconv.ParseInt(obj.GetObjectMeta().Annotations[RevisionAnnotation], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

var ownAnnotations = map[string]bool{
	corev1.LastAppliedConfigAnnotation: true,
	RevisionAnnotation:                 true,
	RevisionHistoryAnnotation:          true,
	DesiredReplicasAnnotation:          true,
	MaxReplicasAnnotation:              true,
	appsv1.DeprecatedRollbackTo:        true,
}

// setAnnotations copies the deployment's annotations to those of its current
// set and raises the set's revision; a former one goes into the history.
func setAnnotations(d *appsv1.Deployment, have map[string]string, next int64) (map[string]string, bool) {
	out := maps.Clone(have)
	if out == nil {
		out = map[string]string{}
	}
	changed := false
	for k, v := range d.Annotations {
		if cur, ok := out[k]; !ownAnnotations[k] && (!ok || cur != v) {
			out[k], changed = v, true
		}
	}
	former, had := out[RevisionAnnotation]
	was, err := strconv.ParseInt(former, 10, 64)
	if err != nil && former != "" {
		return out, changed
	}
	if was >= next {
		return out, changed
	}
	out[RevisionAnnotation] = strconv.FormatInt(next, 10)
	if had {
		history := former
		if h := out[RevisionHistoryAnnotation]; h != "" {
			history = h + "," + former
		}
		for len(history) > maxHistoryChars {
			_, rest, ok := strings.Cut(history, ",")
			if !ok {
				break
			}
			history = rest
		}
		out[RevisionHistoryAnnotation] = history
	}
	return out, true
}

// withSize adds the annotations that say what the set was sized for.
func withSize(have map[string]string, desired, most int32) (map[string]string, bool) {
	ds, ms := strconv.Itoa(int(desired)), strconv.Itoa(int(most))
	if have[DesiredReplicasAnnotation] == ds && have[MaxReplicasAnnotation] == ms {
		return have, false
	}
	return with(with(have, DesiredReplicasAnnotation, ds), MaxReplicasAnnotation, ms), true
}

func annotatedInt(rs *appsv1.ReplicaSet, name string) (int32, bool) {
	n, err := strconv.ParseInt(rs.Annotations[name], 10, 32)
	return int32(n), err == nil && n >= 0
}

func with(m map[string]string, key, value string) map[string]string {
	out := make(map[string]string, len(m)+1)
	maps.Copy(out, m)
	out[key] = value
	return out
}

func without(m map[string]string, key string) map[string]string {
	if _, ok := m[key]; !ok {
		return m
	}
	out := maps.Clone(m)
	delete(out, key)
	return out
}
