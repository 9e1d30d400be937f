// Making the pod of an ordinal: its name, labels, host name and volumes.

package statefulset

import (
	"errors"
	"maps"
	"strconv"
	"strings"

	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/controller"
)

// parse splits a pod's name into its set's name and its ordinal, -1 if it has none.
func parse(name string) (string, int) {
	i := strings.LastIndexByte(name, '-')
	if i < 0 {
		return "", -1
	}
	n, err := strconv.ParseInt(name[i+1:], 10, 32)
	if err != nil || n < 0 {
		return "", -1
	}
	return name[:i], int(n)
}

func ordinal(p *corev1.Pod) int { _, n := parse(p.Name); return n }

func revisionOf(p *corev1.Pod) string { return p.Labels[appsv1.StatefulSetRevisionLabel] }

// newPod plans the pod of an ordinal. Below the partition pods have the
// template of the current revision.
func (p *pass) newPod(n int) *corev1.Pod {
	set := p.set
	template, revision := &set.Spec.Template, p.update.Name
	if u := &set.Spec.UpdateStrategy; u.Type == appsv1.RollingUpdateStatefulSetStrategyType {
		kept := int(set.Status.CurrentReplicas)
		if u.RollingUpdate != nil {
			kept = 0
			if u.RollingUpdate.Partition != nil {
				kept = int(*u.RollingUpdate.Partition)
			}
		}
		if n < p.start+kept {
			template, revision = p.old, p.current.Name
		}
	}
	pod := controller.PodFromTemplate(template, set, gvk)
	pod.GenerateName = ""
	pod.Name = set.Name + "-" + strconv.Itoa(n)
	pod.Labels = maps.Clone(pod.Labels)
	if pod.Labels == nil {
		pod.Labels = map[string]string{}
	}
	pod.Labels[appsv1.StatefulSetPodNameLabel] = pod.Name
	pod.Labels[appsv1.PodIndexLabel] = strconv.Itoa(n)
	pod.Labels[appsv1.StatefulSetRevisionLabel] = revision
	pod.Spec.Hostname, pod.Spec.Subdomain = pod.Name, set.Spec.ServiceName
	pod.Spec.Volumes = p.volumes(pod)
	return pod
}

// volumes are the pod's volumes with those of the claim templates.
func (p *pass) volumes(pod *corev1.Pod) []corev1.Volume {
	if len(p.set.Spec.VolumeClaimTemplates) == 0 {
		return pod.Spec.Volumes
	}
	var out []corev1.Volume
	claimed := map[string]bool{}
	for i := range p.set.Spec.VolumeClaimTemplates {
		t := &p.set.Spec.VolumeClaimTemplates[i]
		claimed[t.Name] = true
		out = append(out, corev1.Volume{Name: t.Name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claimName(t, p.set, ordinal(pod))}}})
	}
	for _, v := range pod.Spec.Volumes {
		if !claimed[v.Name] {
			out = append(out, v)
		}
	}
	return out
}

// create creates a pod after its claims.
func (p *pass) create(pod *corev1.Pod) (*corev1.Pod, error) {
	if err := p.makeClaims(pod); err != nil {
		p.record("create", pod, err)
		return nil, err
	}
	made, err := client.Create(p.client, pod)
	if apierrors.IsAlreadyExists(err) {
		return nil, err
	}
	if cerr := p.fixClaims(pod); cerr != nil {
		p.record("update", pod, cerr)
		return nil, errors.Join(err, cerr)
	}
	p.record("create", pod, err)
	return made, err
}

// fixPod gives a pod back the labels that somebody took.
func (p *pass) fixPod(pod *corev1.Pod) error {
	if err := p.fixClaims(pod); err != nil {
		return err
	}
	if pod.Labels[appsv1.StatefulSetPodNameLabel] == pod.Name {
		return nil
	}
	u := controller.Copy(pod)
	u.Labels = maps.Clone(pod.Labels)
	if u.Labels == nil {
		u.Labels = map[string]string{}
	}
	u.Labels[appsv1.StatefulSetPodNameLabel] = pod.Name
	u.Labels[appsv1.PodIndexLabel] = strconv.Itoa(ordinal(pod))
	_, err := client.Update(p.client, u)
	p.record("update", pod, err)
	return err
}
