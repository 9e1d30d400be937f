// The status of a pod, computed from its containers: what the API shows.

package kubelet

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/container"
)

func (k *Kubelet) writeStatus(p *pod) {
	obj, ok := k.pods.ByKey(p.key)
	if !ok || obj.UID != p.uid || p.removed {
		return
	}
	p.obj = obj
	st := k.computeStatus(p)
	k.dirty[string(p.uid)] = true
	if reflect.DeepEqual(*st, obj.Status) {
		return
	}
	c := *obj
	c.Status = *st
	upd, err := client.StatusGiven(k.Client, &c)
	if err == nil && upd != nil {
		p.obj = upd
	}
}

func terminated(c *container.Container) *corev1.ContainerStateTerminated {
	return &corev1.ContainerStateTerminated{ExitCode: int32(c.ExitCode), Reason: c.Reason, Message: c.Message,
		StartedAt: metav1.NewTime(c.Started), FinishedAt: metav1.NewTime(c.Finished), ContainerID: c.URI()}
}

func ptr[T any](v T) *T { return &v }

// What many statuses point to; nobody changes it.
var (
	isTrue, isFalse = ptr(true), ptr(false)
	notRecursive    = ptr(corev1.RecursiveReadOnlyMode("Disabled"))
	noResources     = &corev1.ResourceRequirements{}
)

func shared(v bool) *bool {
	if v {
		return isTrue
	}
	return isFalse
}

// ctrStatus is the status of one container.
func (k *Kubelet) ctrStatus(p *pod, c *ctr) corev1.ContainerStatus {
	s := corev1.ContainerStatus{Name: c.spec.Name, Image: c.spec.Image, Started: isFalse}
	old := p.oldStatus(c)
	if n := len(c.spec.VolumeMounts); n > 0 {
		s.VolumeMounts = make([]corev1.VolumeMountStatus, 0, n)
	}
	for i := range c.spec.VolumeMounts {
		m := &c.spec.VolumeMounts[i]
		v := corev1.VolumeMountStatus{Name: m.Name, MountPath: m.MountPath, ReadOnly: m.ReadOnly}
		if m.ReadOnly {
			v.RecursiveReadOnly = notRecursive
		}
		s.VolumeMounts = append(s.VolumeMounts, v)
	}
	if old != nil && slices.Equal(old.VolumeMounts, s.VolumeMounts) {
		s.VolumeMounts = old.VolumeMounts
	}
	cur := c.cur
	if cur == nil {
		reason := "ContainerCreating"
		if len(p.obj.Spec.InitContainers) > 0 && c.kind != ephemeralCtr {
			reason = "PodInitializing"
		}
		s.State.Waiting = &corev1.ContainerStateWaiting{Reason: reason}
		if c.reason != "" && !p.finished && !p.terminating {
			s.State.Waiting = &corev1.ContainerStateWaiting{Reason: c.reason, Message: c.message}
		}
		if p.finished && p.terminating && (c.kind != appCtr || p.initDone || len(p.obj.Spec.InitContainers) == 0) && p.admitted && (c.kind == appCtr || c.kind == ephemeralCtr) {
			s.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "ContainerStatusUnknown",
				Message: "The container could not be located when the pod was terminated"}}
		}
		if c.prev != nil {
			s.LastTerminationState.Terminated = c.prev
		}
		return s
	}
	s.Image, s.ImageID, s.ContainerID = cur.Image.Name, cur.Image.ID(), cur.URI()
	s.RestartCount = int32(cur.Attempt)
	s.Resources = noResources
	r := c.spec.Resources
	if c.granted != nil {
		r = *c.granted
	}
	if len(r.Requests) > 0 || len(r.Limits) > 0 {
		s.Resources = &corev1.ResourceRequirements{Requests: r.Requests, Limits: r.Limits}
		s.AllocatedResources = r.Requests
	}
	s.User = k.user(cur)
	if c.prev != nil {
		s.LastTerminationState.Terminated = c.prev
	}
	state := cur.State
	if c.unseen && !p.terminating {
		state = container.Running
	}
	switch state {
	case container.Created:
		s.State.Waiting = &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}
		if len(p.obj.Spec.InitContainers) > 0 {
			s.State.Waiting.Reason = "PodInitializing"
		}
	case container.Running:
		s.State.Running = &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(cur.Started)}
		if old != nil && old.State.Running != nil && *old.State.Running == *s.State.Running {
			s.State.Running = old.State.Running
		}
		s.Ready, s.Started = c.ready, shared(c.started)
	case container.Exited:
		s.State.Terminated = terminated(cur)
		if c.reason != "" && !p.terminating && !p.finished && !p.ending {
			s.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: c.reason, Message: c.message}}
			s.LastTerminationState.Terminated = terminated(cur)
		}
		if c.kind == initCtr {
			s.Ready = cur.ExitCode == 0
		}
	}
	return s
}

// oldStatus is the container's status as it is stored; nil when there is none.
func (p *pod) oldStatus(c *ctr) *corev1.ContainerStatus {
	st := &p.obj.Status
	switch c.kind {
	case initCtr, sidecarCtr:
		return statusOf(st.InitContainerStatuses, c.spec.Name)
	case ephemeralCtr:
		return statusOf(st.EphemeralContainerStatuses, c.spec.Name)
	}
	return statusOf(st.ContainerStatuses, c.spec.Name)
}

// user is who the container runs as; most run as the same.
func (k *Kubelet) user(cur *container.Container) *corev1.ContainerUser {
	key := [2]int{cur.UID, cur.GID}
	groups := []int64{int64(cur.GID)}
	for _, g := range cur.Groups {
		if !slices.Contains(groups, int64(g)) {
			groups = append(groups, int64(g))
		}
	}
	if u := k.users[key]; u != nil && len(groups) == 1 {
		return u
	}
	u := &corev1.ContainerUser{Linux: &corev1.LinuxContainerUser{UID: int64(cur.UID), GID: int64(cur.GID), SupplementalGroups: groups}}
	if len(groups) == 1 {
		k.users[key] = u
	}
	return u
}

// podIPs are the addresses in both of their forms, those of old if they are the same.
func podIPs(a netip.Addr, old *corev1.PodStatus) (string, []corev1.PodIP) {
	if len(old.PodIPs) == 1 && old.PodIPs[0].IP == old.PodIP {
		if b, err := netip.ParseAddr(old.PodIP); err == nil && a == b {
			return old.PodIP, old.PodIPs
		}
	}
	ip := a.String()
	return ip, []corev1.PodIP{{IP: ip}}
}

// computeStatus is the pod's status now.
func (k *Kubelet) computeStatus(p *pod) *corev1.PodStatus {
	o, old := p.obj, &p.obj.Status
	now := metav1.NewTime(k.Clock.Now())
	st := &corev1.PodStatus{ObservedGeneration: o.Generation, QOSClass: old.QOSClass, NominatedNodeName: old.NominatedNodeName,
		ResourceClaimStatuses: old.ResourceClaimStatuses, ExtendedResourceClaimStatus: old.ExtendedResourceClaimStatus,
		HostIP: p.node.hostIPs[0].IP, HostIPs: p.node.hostIPs, StartTime: old.StartTime,
		Reason: p.failReason, Message: p.failMessage}
	if st.StartTime == nil {
		st.StartTime = &now
	}
	if p.failReason != "" && !p.admitted { // rejected: nothing of it was ever there
		st.Phase, st.HostIP, st.HostIPs = "Failed", "", nil
		return st
	}
	st.Resources, st.AllocatedResources = p.resources()
	if p.showIP && p.ip.IsValid() {
		st.PodIP, st.PodIPs = podIPs(p.ip, old)
	}
	st.ContainerStatuses = make([]corev1.ContainerStatus, 0, len(o.Spec.Containers))
	for _, c := range p.all() {
		s := k.ctrStatus(p, c)
		switch c.kind {
		case initCtr, sidecarCtr:
			st.InitContainerStatuses = append(st.InitContainerStatuses, s)
		case ephemeralCtr:
			s.Started, s.Ready = nil, false
			st.EphemeralContainerStatuses = append(st.EphemeralContainerStatuses, s)
		default:
			st.ContainerStatuses = append(st.ContainerStatuses, s)
		}
	}
	slices.SortStableFunc(st.ContainerStatuses, func(a, b corev1.ContainerStatus) int { return strings.Compare(a.Name, b.Name) })
	phase := PodPhase(&o.Spec, st, p.finished)
	if p.failReason != "" && (p.finished || p.ending) {
		phase = "Failed"
	}
	shown := phase
	if p.terminating && p.noneStarted() && p.failReason == "" {
		shown = "Pending" // what the last real look at it found
	}
	st.Conditions = p.resizing.with(k.sharedConditions(p.disruption(Conditions(o, st, shown, p.sandbox != nil && !p.finished && !p.down, now))))
	// The phase does not become final before everything has ended for sure.
	if (phase == "Succeeded" || phase == "Failed") && !p.finished {
		phase = old.Phase
		if phase == "" {
			phase = "Pending"
		}
		if anyStarted(st) && phase == "Pending" {
			phase = "Running"
		}
	}
	st.Phase = phase
	if p.failReason != "" && phase != "Failed" {
		st.Reason, st.Message = "", ""
	}
	return st
}

// conditionsKey tells lists of conditions apart.
type conditionsKey [5]struct {
	kind         corev1.PodConditionType
	status       corev1.ConditionStatus
	reason, text string
	changed      int64 // seconds
	generation   int64
}

// maxConditions bounds the lists that are remembered to be shared.
const maxConditions = 1024

// resources are what the pod as a whole has, and what it was promised.
func (p *pod) resources() (*corev1.ResourceRequirements, corev1.ResourceList) {
	requests := func(r *corev1.ResourceRequirements) corev1.ResourceList { return r.Requests }
	limits := func(r *corev1.ResourceRequirements) corev1.ResourceList { return r.Limits }
	spec, old := &p.obj.Spec, &p.obj.Status
	allocated := corev1.PodTotal(spec, requests)
	if len(allocated) == 0 {
		return noResources, nil
	}
	if p.resizing.pending.Type != "" || p.resizing.progress.Type != "" {
		was := *spec
		was.Containers = slices.Clone(spec.Containers)
		for i := range was.Containers {
			if c := p.ctr(was.Containers[i].Name); c != nil && c.granted != nil {
				was.Containers[i].Resources = *c.granted
			}
		}
		if spec = &was; p.resizing.pending.Type != "" {
			allocated = corev1.PodTotal(spec, requests)
		}
	}
	r := &corev1.ResourceRequirements{Requests: corev1.PodTotal(spec, requests), Limits: corev1.PodTotal(spec, limits)}
	if old.Phase == corev1.PodRunning { // from now on read from the pod's cgroup
		for name := range r.Requests {
			if name != corev1.ResourceCPU && name != corev1.ResourceMemory {
				delete(r.Requests, name)
			}
		}
		for name := range r.Limits {
			unlimited := func(c corev1.Container) bool { q, ok := c.Resources.Limits[name]; return !ok || q.IsZero() }
			own := false
			if spec.Resources != nil {
				_, own = spec.Resources.Limits[name]
			}
			if name != corev1.ResourceCPU && name != corev1.ResourceMemory || !own && slices.ContainsFunc(spec.Containers, unlimited) {
				delete(r.Limits, name)
			}
		}
	}
	if old.Resources != nil && sameResources(old.Resources, r) && sameQuantities(old.AllocatedResources, allocated) {
		return old.Resources, old.AllocatedResources
	}
	return r, allocated
}

// sharedConditions is an equal list that other pods have, if there is one: pods
// that start together become ready together.
func (k *Kubelet) sharedConditions(list []corev1.PodCondition) []corev1.PodCondition {
	var key conditionsKey
	if len(list) != len(key) {
		return list
	}
	for i := range list {
		c := &list[i]
		if !c.LastProbeTime.IsZero() {
			return list
		}
		key[i].kind, key[i].status, key[i].reason, key[i].text = c.Type, c.Status, c.Reason, c.Message
		key[i].changed, key[i].generation = c.LastTransitionTime.Unix(), c.ObservedGeneration
	}
	if have, ok := k.conditions[key]; ok {
		return have
	}
	if len(k.conditions) >= maxConditions {
		clear(k.conditions)
	}
	k.conditions[key] = list
	return list
}

func anyStarted(st *corev1.PodStatus) bool {
	return slices.ContainsFunc(st.ContainerStatuses, func(s corev1.ContainerStatus) bool { return s.ContainerID != "" })
}

// PodPhase is the phase that the container statuses amount to. final says that
// nothing will run any more.
func PodPhase(spec *corev1.PodSpec, st *corev1.PodStatus, final bool) corev1.PodPhase {
	pendingInit, failedInit := 0, 0
	for i := range spec.InitContainers {
		c := &spec.InitContainers[i]
		sidecar := c.RestartPolicy != nil && *c.RestartPolicy == "Always"
		s := statusOf(st.InitContainerStatuses, c.Name)
		switch {
		case s == nil:
			pendingInit++
		case sidecar:
			if (s.Started == nil || !*s.Started) && s.State.Terminated == nil {
				pendingInit++
			}
		case s.State.Terminated != nil:
			if s.State.Terminated.ExitCode != 0 {
				failedInit++
			}
		case s.LastTerminationState.Terminated != nil && s.State.Running == nil:
			if s.LastTerminationState.Terminated.ExitCode != 0 {
				failedInit++
			}
		default:
			pendingInit++
		}
	}
	waiting, running, stopped, succeeded := 0, 0, 0, 0
	for i := range spec.Containers {
		s := statusOf(st.ContainerStatuses, spec.Containers[i].Name)
		switch {
		case s == nil:
			waiting++
		case s.State.Running != nil:
			running++
		case s.State.Terminated != nil:
			stopped++
			if s.State.Terminated.ExitCode == 0 {
				succeeded++
			}
		case s.LastTerminationState.Terminated != nil:
			stopped++
		default:
			waiting++
		}
	}
	if failedInit > 0 && (spec.RestartPolicy == "Never" || final) {
		return "Failed"
	}
	started := running+stopped > 0
	switch {
	case pendingInit > 0 && !started, failedInit > 0 && !started:
		if final {
			return "Failed"
		}
		return "Pending"
	case waiting > 0:
		if final {
			return "Failed"
		}
		return "Pending"
	case running > 0:
		return "Running"
	case stopped > 0:
		switch {
		case final && stopped == succeeded:
			return "Succeeded"
		case final:
			return "Failed"
		case spec.RestartPolicy == "Always":
			return "Running"
		case stopped == succeeded:
			return "Succeeded"
		case spec.RestartPolicy == "Never":
			return "Failed"
		}
		return "Running"
	}
	return "Pending"
}

func statusOf(list []corev1.ContainerStatus, name string) *corev1.ContainerStatus {
	for i := range list {
		if list[i].Name == name {
			return &list[i]
		}
	}
	return nil
}

// Conditions are the pod's conditions in the kubelet's order, after those that
// others have set. now is what changes get as their time.
func Conditions(o *corev1.Pod, st *corev1.PodStatus, phase corev1.PodPhase, sandbox bool, now metav1.Time) []corev1.PodCondition {
	own := []corev1.PodConditionType{"PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"}
	out := make([]corev1.PodCondition, 0, max(len(own), len(o.Status.Conditions)))
	for _, c := range o.Status.Conditions {
		if !slices.Contains(own, c.Type) && c.Type != corev1.PodResizePending && c.Type != corev1.PodResizeInProgress {
			out = append(out, c)
		}
	}
	set := func(t corev1.PodConditionType, ok bool, reason, message string) {
		c := corev1.PodCondition{Type: t, ObservedGeneration: o.Generation, Status: "False", Reason: reason, Message: message, LastTransitionTime: now}
		if ok {
			c.Status = "True"
		}
		for _, old := range o.Status.Conditions {
			if old.Type == t && old.Status == c.Status {
				c.LastTransitionTime = old.LastTransitionTime
			}
		}
		out = append(out, c)
	}
	var incomplete, unready []string
	for i := range o.Spec.InitContainers {
		c := &o.Spec.InitContainers[i]
		s := statusOf(st.InitContainerStatuses, c.Name)
		if c.RestartPolicy != nil && *c.RestartPolicy == "Always" {
			if s == nil || s.Started == nil || !*s.Started {
				incomplete = append(incomplete, c.Name)
			}
			if s == nil || !s.Ready {
				unready = append(unready, c.Name)
			}
		} else if s == nil || !s.Ready {
			incomplete = append(incomplete, c.Name)
		}
	}
	for i := range o.Spec.Containers {
		n := o.Spec.Containers[i].Name
		if s := statusOf(st.ContainerStatuses, n); s == nil || !s.Ready {
			unready = append(unready, n)
		}
	}
	set("PodReadyToStartContainers", sandbox, "", "")
	switch {
	case phase == "Succeeded":
		set("Initialized", true, "PodCompleted", "")
	case len(incomplete) > 0 && !anyStarted(st):
		set("Initialized", false, "ContainersNotInitialized", "containers with incomplete status: "+bracket(incomplete))
	default:
		set("Initialized", true, "", "")
	}
	ok, reason, message := true, "", ""
	switch {
	case phase == "Succeeded":
		ok, reason = false, "PodCompleted"
	case phase == "Failed":
		ok, reason = false, "PodFailed"
	case len(unready) > 0:
		ok, reason, message = false, "ContainersNotReady", "containers with unready status: "+bracket(unready)
	}
	readyOK, readyReason, readyMessage := ok, reason, message
	if ok {
		var lacking []string
		for _, g := range o.Spec.ReadinessGates {
			i := slices.IndexFunc(o.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == g.ConditionType })
			switch {
			case i < 0:
				lacking = append(lacking, "corresponding condition of pod readiness gate \""+string(g.ConditionType)+"\" does not exist.")
			case o.Status.Conditions[i].Status != "True":
				lacking = append(lacking, "the status of pod readiness gate \""+string(g.ConditionType)+"\" is not \"True\", but "+string(o.Status.Conditions[i].Status))
			}
		}
		if len(lacking) > 0 {
			readyOK, readyReason, readyMessage = false, "ReadinessGatesNotReady", strings.Join(lacking, ", ")
		}
	}
	set("Ready", readyOK, readyReason, readyMessage)
	set("ContainersReady", ok, reason, message)
	set("PodScheduled", true, "", "")
	return out
}
