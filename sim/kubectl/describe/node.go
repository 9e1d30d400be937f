// The page of a node: its state, what it offers, and what the pods on it ask for.

package describe

import (
	"fmt"
	"net/url"
	"sort"
	"strings"

	coordinationv1 "github.com/kubonsai/kubonsai/sim/api/coordination/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/api/resource"
)

func init() { register("", "Node", node) }

func node(p *page, o *corev1.Node) error {
	p.line(0, "Name:\t%s", o.Name)
	var roles []string
	for k, v := range o.Labels {
		if role, ok := strings.CutPrefix(k, "node-role.kubernetes.io/"); ok && role != "" {
			roles = append(roles, role)
		} else if k == "kubernetes.io/role" && v != "" {
			roles = append(roles, v)
		}
	}
	sort.Strings(roles)
	p.line(0, "Roles:\t%s", orNone(strings.Join(roles, ",")))
	p.labels(0, "Labels", o.Labels)
	p.annotations(0, "Annotations", o.Annotations)
	p.line(0, "CreationTimestamp:\t%s", stamp(o.CreationTimestamp.Time))
	var taints []string
	for _, t := range o.Spec.Taints {
		text := t.Key
		if t.Value != "" {
			text += "=" + t.Value
		}
		if t.Effect != "" {
			text += ":" + string(t.Effect)
		}
		taints = append(taints, text)
	}
	sort.Strings(taints)
	p.rows(0, "Taints", taints)
	p.line(0, "Unschedulable:\t%v", o.Spec.Unschedulable)
	p.lease(o.Name)
	if len(o.Status.Conditions) > 0 {
		p.line(0, "Conditions:")
		p.line(1, "Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage")
		p.line(1, "----\t------\t-----------------\t------------------\t------\t-------")
		for _, c := range o.Status.Conditions {
			p.line(1, "%v \t%v \t%s \t%s \t%v \t%v", c.Type, c.Status, stamp(c.LastHeartbeatTime.Time), stamp(c.LastTransitionTime.Time), c.Reason, c.Message)
		}
	}
	p.line(0, "Addresses:")
	for _, a := range o.Status.Addresses {
		p.line(1, "%s:\t%s", a.Type, a.Address)
	}
	p.amounts("Capacity", o.Status.Capacity)
	p.amounts("Allocatable", o.Status.Allocatable)
	i := &o.Status.NodeInfo
	p.line(0, "System Info:")
	for _, f := range [][2]string{
		{"Machine ID", i.MachineID}, {"System UUID", i.SystemUUID}, {"Boot ID", i.BootID},
		{"Kernel Version", i.KernelVersion}, {"OS Image", i.OSImage}, {"Operating System", string(i.OperatingSystem)},
		{"Architecture", i.Architecture}, {"Container Runtime Version", i.ContainerRuntimeVersion}, {"Kubelet Version", i.KubeletVersion},
	} {
		p.line(1, "%s:\t%s", f[0], f[1])
	}
	if o.Spec.PodCIDR != "" {
		p.line(0, "PodCIDR:\t%s", o.Spec.PodCIDR)
	}
	if len(o.Spec.PodCIDRs) > 0 {
		p.line(0, "PodCIDRs:\t%s", strings.Join(o.Spec.PodCIDRs, ","))
	}
	if o.Spec.ProviderID != "" {
		p.line(0, "ProviderID:\t%s", o.Spec.ProviderID)
	}
	pods, err := p.List("", "pods", "", url.Values{"fieldSelector": {"spec.nodeName=" + o.Name + ",status.phase!=Failed,status.phase!=Succeeded"}})
	if err != nil {
		p.line(0, "Pods:\tnot authorized")
	} else {
		p.load(o, pods)
	}
	events := p.eventsOf(o, "Node", o.UID, metav1.UID(o.Name))
	p.showEvents(events)
	return nil
}

func (p *page) lease(name string) {
	o, err := p.Get("coordination.k8s.io", "leases", "kube-node-lease", name)
	if err != nil {
		p.line(0, "Lease:\tFailed to get lease: %s", err)
		return
	}
	holder, acquired, renewed := "<unset>", "<unset>", "<unset>"
	if l, ok := o.(*coordinationv1.Lease); ok {
		if l.Spec.HolderIdentity != nil {
			holder = *l.Spec.HolderIdentity
		}
		if l.Spec.AcquireTime != nil {
			acquired = stamp(l.Spec.AcquireTime.Time)
		}
		if l.Spec.RenewTime != nil {
			renewed = stamp(l.Spec.RenewTime.Time)
		}
	}
	p.line(0, "Lease:")
	p.line(1, "HolderIdentity:\t%s", holder)
	p.line(1, "AcquireTime:\t%s", acquired)
	p.line(1, "RenewTime:\t%s", renewed)
}

func (p *page) amounts(label string, l corev1.ResourceList) {
	if len(l) == 0 {
		return
	}
	p.line(0, "%s:", label)
	for _, n := range resourceNames(l) {
		p.line(1, "%s:\t%s", n, quantity(l, n))
	}
}

func share(q, of resource.Quantity) int64 {
	if of.IsZero() {
		return 0
	}
	return int64(float64(q.MilliValue()) / float64(of.MilliValue()) * 100)
}

// podAmounts is what a pod asks for: its containers together, or its largest
// init container if that is more; restartable init containers add up.
func podAmounts(pod *corev1.Pod, of func(*corev1.ResourceRequirements) corev1.ResourceList) corev1.ResourceList {
	total := corev1.ResourceList{}
	add := func(to corev1.ResourceList, l corev1.ResourceList) {
		for n, q := range l {
			sum := to[n].DeepCopy()
			sum.Add(q)
			to[n] = sum
		}
	}
	for i := range pod.Spec.Containers {
		add(total, of(&pod.Spec.Containers[i].Resources))
	}
	sidecars, peak := corev1.ResourceList{}, corev1.ResourceList{}
	for i := range pod.Spec.InitContainers {
		c := &pod.Spec.InitContainers[i]
		need := corev1.ResourceList{}
		add(need, of(&c.Resources))
		if c.RestartPolicy != nil && *c.RestartPolicy == "Always" {
			add(total, need)
			add(sidecars, need)
			need = corev1.ResourceList{}
		}
		add(need, sidecars)
		for n, q := range need {
			if have, ok := peak[n]; !ok || q.Cmp(have) > 0 {
				peak[n] = q
			}
		}
	}
	for n, q := range peak {
		if have, ok := total[n]; !ok || q.Cmp(have) > 0 {
			total[n] = q
		}
	}
	if pod.Spec.Resources != nil {
		for n, q := range of(pod.Spec.Resources) {
			total[n] = q
		}
	}
	if len(total) > 0 {
		add(total, pod.Spec.Overhead)
	}
	return total
}

func requestsOf(r *corev1.ResourceRequirements) corev1.ResourceList { return r.Requests }
func limitsOf(r *corev1.ResourceRequirements) corev1.ResourceList   { return r.Limits }

// load is the table of pods on the node and the sum of what they ask for.
func (p *page) load(o *corev1.Node, pods []metav1.Object) {
	allocatable := o.Status.Allocatable
	if len(allocatable) == 0 {
		allocatable = o.Status.Capacity
	}
	p.line(0, "Non-terminated Pods:\t(%d in total)", len(pods))
	p.line(1, "Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge")
	p.line(1, "---------\t----\t\t------------\t----------\t---------------\t-------------\t---")
	requests, limits := corev1.ResourceList{}, corev1.ResourceList{}
	sum := func(to, l corev1.ResourceList) {
		for n, q := range l {
			s := to[n].DeepCopy()
			s.Add(q)
			to[n] = s
		}
	}
	for _, x := range pods {
		pod, ok := x.(*corev1.Pod)
		if !ok {
			continue
		}
		req, lim := podAmounts(pod, requestsOf), podAmounts(pod, limitsOf)
		cell := func(l corev1.ResourceList, n corev1.ResourceName) string {
			return p.cell(l, allocatable, n)
		}
		p.line(1, "%s\t%s\t\t%s\t%s\t%s\t%s\t%s", pod.Namespace, pod.Name, cell(req, "cpu"), cell(lim, "cpu"),
			cell(req, "memory"), cell(lim, "memory"), p.since(pod.CreationTimestamp.Time))
		sum(requests, req)
		sum(limits, lim)
	}
	p.line(0, "Allocated resources:")
	p.line(0, "  (Total limits may be over 100 percent, i.e., overcommitted.)")
	p.line(1, "Resource\tRequests\tLimits")
	p.line(1, "--------\t--------\t------")
	shares := []corev1.ResourceName{"cpu", "memory", "ephemeral-storage"}
	var others []corev1.ResourceName
	for _, n := range resourceNames(allocatable) {
		switch {
		case strings.HasPrefix(string(n), "hugepages-"):
			shares = append(shares, n)
		case n != "cpu" && n != "memory" && n != "ephemeral-storage" && n != "storage" && n != "pods":
			others = append(others, n)
		}
	}
	for _, n := range shares {
		p.line(1, "%s\t%s\t%s", n, p.cell(requests, allocatable, n), p.cell(limits, allocatable, n))
	}
	for _, n := range others {
		p.line(1, "%s\t%s\t%s", n, quantity(requests, n), quantity(limits, n))
	}
}

func (p *page) cell(l, allocatable corev1.ResourceList, n corev1.ResourceName) string {
	q := l[n]
	return fmt.Sprintf("%s (%d%%)", q.String(), share(q, allocatable[n]))
}
