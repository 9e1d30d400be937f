// Heartbeats: a node's lease and the times of its conditions. A real kubelet
// writes them every few seconds; here they are worked out when they are read,
// so that an idle cluster has no timer.

package kubelet

import (
	"slices"
	"time"

	coordinationv1 "github.com/kubonsai/kubonsai/sim/api/coordination/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/client"
)

const (
	leaseNamespace = "kube-node-lease"
	leaseSeconds   = 40
	renewInterval  = 10 * time.Second
	reportInterval = 5 * time.Minute
)

// lease makes the node's lease; without its namespace there is none.
func (k *Kubelet) lease(n *corev1.Node) error {
	now := metav1.NewMicroTime(k.Clock.Now())
	l := &coordinationv1.Lease{}
	l.APIVersion, l.Kind = "coordination.k8s.io/v1", "Lease"
	l.Name, l.Namespace = n.Name, leaseNamespace
	l.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: n.Name, UID: n.UID}}
	l.Spec = coordinationv1.LeaseSpec{HolderIdentity: ptr(n.Name), LeaseDurationSeconds: ptr(int32(leaseSeconds)), RenewTime: &now}
	_, err := client.Create(k.Client, l)
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return ignoreNotFound(err)
}

// lastBeat is the last moment, one interval after another since start, at which
// the node's kubelet spoke; start itself when there has been none since.
func (k *Kubelet) lastBeat(node string, start time.Time, interval time.Duration) time.Time {
	n := k.nodes[node]
	if n == nil {
		return start
	}
	until := k.Clock.Now()
	if n.stopped {
		until = n.since
	}
	beats := until.Sub(start) / interval
	if beats <= 0 {
		return start
	}
	return start.Add(beats * interval)
}

// LeaseView is a lease with the time at which its node has last renewed it.
func (k *Kubelet) LeaseView(stored metav1.Object) metav1.Object {
	l, ok := stored.(*coordinationv1.Lease)
	if !ok || l.Namespace != leaseNamespace || l.Spec.RenewTime == nil {
		return stored
	}
	c := *l
	renewed := metav1.NewMicroTime(k.lastBeat(l.Name, l.Spec.RenewTime.Time, renewInterval))
	c.Spec.RenewTime = &renewed
	return &c
}

// NodeView is a node whose conditions have the time of its last heartbeat.
func (k *Kubelet) NodeView(stored metav1.Object) metav1.Object {
	o, ok := stored.(*corev1.Node)
	if !ok || k.nodes[o.Name] == nil {
		return stored
	}
	var conditions []corev1.NodeCondition
	for i, c := range o.Status.Conditions {
		if c.Status == corev1.ConditionUnknown || c.LastHeartbeatTime.IsZero() {
			continue
		}
		at := k.lastBeat(o.Name, c.LastHeartbeatTime.Time, reportInterval)
		if at.Equal(c.LastHeartbeatTime.Time) {
			continue
		}
		if conditions == nil {
			conditions = slices.Clone(o.Status.Conditions)
		}
		conditions[i].LastHeartbeatTime = metav1.NewTime(at)
	}
	if conditions == nil {
		return stored
	}
	c := *o
	c.Status.Conditions = conditions
	return &c
}
