// The life of one pod on its node: admitted, given its volumes and its sandbox,
// its containers started in order and restarted as its policy says, ended when
// it is deleted. What takes time on a real node (a sandbox, a pull, a start) is
// a timer here, between two steps of the same sync.

package kubelet

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/container"
	"github.com/kubonsai/kubonsai/sim/container/image"
	"github.com/kubonsai/kubonsai/sim/network"
)

// What things take, as on the recorded cluster.
const (
	noticeLatency  = 8 * time.Millisecond
	sandboxLatency = 370 * time.Millisecond
	createLatency  = 15 * time.Millisecond
	startLatency   = 45 * time.Millisecond
	finishLatency  = 1050 * time.Millisecond
	removeLatency  = 100 * time.Millisecond
	backOffPeriod  = 10 * time.Second
	maxBackOff     = 5 * time.Minute
	resyncPeriod   = time.Minute
)

type ctrKind int

const (
	appCtr ctrKind = iota
	initCtr
	sidecarCtr
	ephemeralCtr
)

func (k ctrKind) field() string {
	switch k {
	case initCtr, sidecarCtr:
		return "spec.initContainers"
	case ephemeralCtr:
		return "spec.ephemeralContainers"
	}
	return "spec.containers"
}

// pod is a pod on its node.
type pod struct {
	k       *Kubelet
	node    *node
	uid     metav1.UID
	key     string
	obj     *corev1.Pod
	sandbox *container.Sandbox
	ip      netip.Addr
	ctrs    []*ctr // by first appearance in the spec
	vols    []*volume

	since       time.Time // when the kubelet took it up
	timer       *clock.Timer
	retry       *clock.Timer
	deadline    *clock.Timer
	storage     *clock.Timer // the next look at what it has written
	busy        bool         // a sync is under way
	again       bool         // another one was asked for meanwhile
	admitted    bool
	mounted     bool
	mountTries  int
	initDone    bool
	showIP      bool
	quiet       bool // the next sync goes on with what the last one began
	changed     bool // something happened that the next relist would find
	terminating bool
	asked       bool // its containers have been told to stop
	ending      bool // no more restarts: waiting for finish
	down        bool // the sandbox is gone
	finished    bool // nothing runs and nothing will
	removed     bool
	failReason  string
	failMessage string

	tookCPU, tookMemory int64
	took                bool

	resizing resizing
}

// ctr is one container of a pod over its restarts.
type ctr struct {
	spec    *corev1.Container
	kind    ctrKind
	index   int
	cur     *container.Container
	prev    *corev1.ContainerStateTerminated
	old     *container.Container // the one before, for logs --previous
	reason  string               // why it does not run, from the last attempt to start it
	message string
	ready   bool
	started bool

	granted *corev1.ResourceRequirements // what it has; nil before the pod is looked at
	wanted  *corev1.ResourceRequirements // what it is being given

	backOff   time.Duration
	backOffAt time.Time
	pullOff   time.Duration
	pullOffAt time.Time
	probes    []*prober
	hook      bool   // preStop still runs
	ended     func() // told of its end, before the kubelet acts on that
	stopping  bool
	restart   bool // the kubelet itself ends it, for another one
	replace   bool // it has ended so
	unseen    bool // it has ended, and no relist has found out
}

func (k *Kubelet) podChanged(old, obj *corev1.Pod) {
	if obj == nil {
		if p := k.byUID[old.UID]; p != nil {
			k.gone(p)
		}
		return
	}
	if obj.Spec.NodeName == "" {
		return
	}
	p := k.byUID[obj.UID]
	if p == nil {
		n := k.nodes[obj.Spec.NodeName]
		if n == nil || n.stopped {
			return
		}
		if q := k.byKey[client.Key(obj)]; q != nil {
			k.gone(q)
		}
		p = &pod{k: k, node: n, uid: obj.UID, key: client.Key(obj), obj: obj}
		k.byUID[obj.UID], k.byKey[p.key] = p, p
		if s := k.restored[string(obj.UID)]; s != nil {
			delete(k.restored, string(obj.UID))
			k.restore(p, s)
			return
		}
		if obj.Status.Phase == "Succeeded" || obj.Status.Phase == "Failed" {
			p.admitted, p.finished = true, true
			if obj.DeletionTimestamp == nil {
				return
			}
		}
		p.wake(noticeLatency)
		return
	}
	was := p.obj
	p.obj = obj
	if p.node.stopped {
		return
	}
	if was.Generation != obj.Generation || was.DeletionTimestamp == nil && obj.DeletionTimestamp != nil ||
		was.DeletionGracePeriodSeconds != nil && obj.DeletionGracePeriodSeconds != nil && *was.DeletionGracePeriodSeconds != *obj.DeletionGracePeriodSeconds ||
		len(was.Spec.EphemeralContainers) != len(obj.Spec.EphemeralContainers) {
		p.wake(noticeLatency)
	} else if len(p.vols) > 0 && (!maps.Equal(was.Labels, obj.Labels) || !maps.Equal(was.Annotations, obj.Annotations)) {
		k.sourceChanged("pod", obj.Namespace, obj.Name)
	}
}

// gone forgets a pod whose object is no more; what still runs is stopped.
func (k *Kubelet) gone(p *pod) {
	p.timer.Stop()
	p.retry.Stop()
	p.deadline.Stop()
	p.storage.Stop()
	p.stopProbes()
	p.removed = true
	p.release()
	delete(k.byUID, p.uid)
	if k.byKey[p.key] == p {
		delete(k.byKey, p.key)
	}
	k.dirty[string(p.uid)] = true
	if p.sandbox == nil || p.node.stopped {
		return
	}
	running := false
	for _, c := range p.all() {
		if c.running() {
			running = true
			if !c.stopping {
				k.event(p, c.spec, c.kind, "Normal", "Killing", "Stopping container "+c.spec.Name)
				c.stopping = true
				c.cur.Stop(2 * time.Second)
			}
		}
	}
	sb := p.sandbox
	if !running {
		sb.Close()
		return
	}
	k.Clock.After(2*time.Second, "remove sandbox", sb.Close)
}

// wake asks for a sync after d, unless one is due sooner.
func (p *pod) wake(d time.Duration) {
	due := p.k.Clock.Now().Add(d)
	if p.timer.Pending() {
		if !due.Before(p.timer.Due()) {
			return
		}
		p.timer.Stop()
	}
	p.timer = p.k.Clock.At(due, "kubelet "+p.key, func() {
		p.timer = nil
		p.k.sync(p)
	})
}

// later continues the sync under way after d.
func (p *pod) later(d time.Duration, fn func()) {
	p.k.Clock.After(d, "kubelet "+p.key, func() {
		if p.removed || p.node.stopped {
			p.busy = false
			return
		}
		fn()
	})
}

// done ends the sync under way.
func (p *pod) done() {
	p.busy = false
	if p.again {
		p.again = false
		p.wake(0)
	}
}

func (c *ctr) running() bool { return c.cur != nil && c.cur.State == container.Running }

// exited reports whether the kubelet knows of the container's end.
func (c *ctr) exited() bool { return c.cur != nil && c.cur.State == container.Exited && !c.unseen }

// ctr is the container of that name; nil when there is none.
func (p *pod) ctr(name string) *ctr {
	for _, c := range p.ctrs {
		if c.spec.Name == name {
			return c
		}
	}
	return nil
}

// volume is the mounted volume of that name; nil when there is none.
func (p *pod) volume(name string) *volume {
	for _, v := range p.vols {
		if v.spec.Name == name {
			return v
		}
	}
	return nil
}

// all lists the pod's containers: init, app, ephemeral.
func (p *pod) all() []*ctr {
	out := make([]*ctr, 0, max(1, len(p.ctrs)))
	get := func(i int, spec *corev1.Container, kind ctrKind) {
		c := p.ctr(spec.Name)
		if c == nil {
			c = &ctr{}
			p.ctrs = append(p.ctrs, c)
		}
		c.spec, c.kind, c.index = spec, kind, i
		out = append(out, c)
	}
	spec := &p.obj.Spec
	for i := range spec.InitContainers {
		kind := initCtr
		if rp := spec.InitContainers[i].RestartPolicy; rp != nil && *rp == "Always" {
			kind = sidecarCtr
		}
		get(i, &spec.InitContainers[i], kind)
	}
	for i := range spec.Containers {
		get(i, &spec.Containers[i], appCtr)
	}
	for i := range spec.EphemeralContainers {
		c := ephemeral(&spec.EphemeralContainers[i])
		get(i, c, ephemeralCtr)
	}
	return out
}

func ephemeral(e *corev1.EphemeralContainer) *corev1.Container {
	c := corev1.Container(e.EphemeralContainerCommon)
	return &c
}

// sync looks at the pod and takes the next steps.
func (k *Kubelet) sync(p *pod) {
	if p.removed || p.node.stopped {
		return
	}
	if p.busy {
		p.again = true
		return
	}
	if obj, ok := k.pods.ByKey(p.key); ok && obj.UID == p.uid {
		p.obj = obj
	} else {
		return
	}
	p.busy = true
	if p.since.IsZero() {
		p.since = k.Clock.Now()
	}
	p.all()
	if p.finished {
		k.writeStatus(p)
		if p.obj.DeletionTimestamp != nil {
			k.remove(p)
		}
		p.done()
		return
	}
	if p.obj.DeletionTimestamp != nil || p.terminating {
		k.terminate(p)
		return
	}
	if !p.admitted {
		if !k.admit(p) {
			p.finished = true
			k.writeStatus(p)
			p.done()
			return
		}
		p.admitted = true
		p.armDeadline()
	}
	k.resize(p)
	if !p.quiet {
		k.writeStatus(p)
	}
	p.quiet = false
	if p.ending {
		p.done()
		return
	}
	if !p.mounted && !k.mountVolumes(p) {
		p.done()
		return
	}
	if p.sandbox == nil {
		p.later(k.jitter(sandboxLatency, 0.15), func() {
			if p.obj.DeletionTimestamp != nil {
				p.busy = false
				p.wake(0)
				return
			}
			k.makeSandbox(p)
			k.writeStatus(p)
			p.showIP = true
			k.act(p)
		})
		return
	}
	k.act(p)
}

func (p *pod) armDeadline() {
	s := p.obj.Spec.ActiveDeadlineSeconds
	if s == nil || p.deadline.Pending() {
		return
	}
	start := p.k.Clock.Now()
	if p.obj.Status.StartTime != nil {
		start = p.obj.Status.StartTime.Time
	}
	p.deadline = p.k.Clock.At(start.Add(time.Duration(*s)*time.Second), "active deadline "+p.key, func() {
		if p.finished || p.removed || p.obj.DeletionTimestamp != nil {
			return
		}
		p.failReason, p.failMessage = "DeadlineExceeded", "Pod was active on the node longer than the specified deadline"
		p.terminating = true
		p.k.event(p, nil, 0, "Normal", "DeadlineExceeded", p.failMessage)
		p.wake(0)
	})
}

// admit checks what a pod asks of its node; a scheduler would have, but not
// every pod comes from one.
func (k *Kubelet) admit(p *pod) bool {
	reject := func(reason, format string, args ...any) bool {
		p.failReason, p.failMessage = reason, "Pod was rejected: "+fmt.Sprintf(format, args...)
		k.event(p, nil, 0, "Warning", reason, fmt.Sprintf(format, args...))
		return false
	}
	obj, ok := k.nodesInf.Get("", p.node.Name)
	if !ok {
		return true
	}
	for key, v := range p.obj.Spec.NodeSelector {
		if obj.Labels[key] != v {
			return reject("NodeAffinity", "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector")
		}
	}
	if sc := p.obj.Spec.SecurityContext; sc != nil {
		for _, s := range sc.Sysctls {
			if name := strings.ReplaceAll(s.Name, "/", "."); !slices.Contains(safeSysctls, name) {
				return reject("SysctlForbidden", "forbidden sysctl: %q not allowlisted", name)
			}
		}
	}
	n := p.node
	wantCPU, wantMem := podRequests(p.obj)
	if alloc := obj.Status.Allocatable; n.podCount+1 > alloc.Pods().Value() {
		return reject("OutOfpods", lackMessage, "pods", 1, n.podCount, alloc.Pods().Value())
	}
	if what, message := k.lacks(p, wantCPU, wantMem); what != "" {
		return reject("OutOf"+string(what), "%s", message)
	}
	p.take(wantCPU, wantMem)
	return true
}

// safeSysctls are those that a kubelet lets pods set.
// https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/#safe-and-unsafe-sysctls
var safeSysctls = []string{"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range",
	"net.ipv4.ip_unprivileged_port_start", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout",
	"net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"}

const lackMessage = "Node didn't have enough resource: %s, requested: %d, used: %d, capacity: %d"

// lacks says what the node has too little of for the pod to have this much, if anything.
func (k *Kubelet) lacks(p *pod, cpu, mem int64) (what corev1.ResourceName, message string) {
	obj, ok := k.nodesInf.Get("", p.node.Name)
	if !ok {
		return "", ""
	}
	usedCPU, usedMemory := p.node.usedCPU, p.node.usedMemory
	if p.took {
		usedCPU, usedMemory = usedCPU-p.tookCPU, usedMemory-p.tookMemory
	}
	alloc := obj.Status.Allocatable
	switch {
	case cpu > 0 && usedCPU+cpu > alloc.Cpu().MilliValue():
		return corev1.ResourceCPU, fmt.Sprintf(lackMessage, "cpu", cpu, usedCPU, alloc.Cpu().MilliValue())
	case mem > 0 && usedMemory+mem > alloc.Memory().Value():
		return corev1.ResourceMemory, fmt.Sprintf(lackMessage, "memory", mem, usedMemory, alloc.Memory().Value())
	}
	return "", ""
}

// take and release keep the sums of what the node's pods ask for.
func (p *pod) take(cpu, mem int64) {
	p.tookCPU, p.tookMemory, p.took = cpu, mem, true
	p.node.usedCPU, p.node.usedMemory, p.node.podCount = p.node.usedCPU+cpu, p.node.usedMemory+mem, p.node.podCount+1
}

func (p *pod) release() {
	if !p.took {
		return
	}
	p.took = false
	p.node.usedCPU, p.node.usedMemory, p.node.podCount = p.node.usedCPU-p.tookCPU, p.node.usedMemory-p.tookMemory, p.node.podCount-1
	for _, q := range p.node.deferred { // those that wait to grow
		q.wake(time.Millisecond)
	}
	p.node.deferred = nil
}

// podRequests are the cpu in thousandths and the bytes of memory that the pod asks for.
func podRequests(o *corev1.Pod) (cpu, mem int64) {
	total := corev1.PodTotal(&o.Spec, func(r *corev1.ResourceRequirements) corev1.ResourceList { return r.Requests })
	return total.Cpu().MilliValue(), total.Memory().Value()
}

func (k *Kubelet) makeSandbox(p *pod) { k.sandboxAt(p, netip.Addr{}) }

func (k *Kubelet) sandboxConfig(p *pod, ip netip.Addr) container.SandboxConfig {
	o := p.obj
	cfg := container.SandboxConfig{UID: string(p.uid), Namespace: o.Namespace, Name: o.Name, Hostname: o.Spec.Hostname, Node: p.node.Name, ManageHost: true}
	if cfg.Hostname == "" {
		cfg.Hostname = o.Name
	}
	if len(cfg.Hostname) > 63 {
		cfg.Hostname = strings.TrimRight(cfg.Hostname[:63], "-.")
	}
	if o.Spec.Subdomain != "" {
		cfg.FQDN = cfg.Hostname + "." + o.Spec.Subdomain + "." + o.Namespace + ".svc." + k.Domain
	}
	for _, h := range o.Spec.HostAliases {
		cfg.Hosts = append(cfg.Hosts, container.HostAlias{IP: h.IP, Names: h.Hostnames})
	}
	switch {
	case o.Spec.DNSPolicy == "None":
	case o.Spec.DNSPolicy == "Default", o.Spec.DNSPolicy == "ClusterFirst" && o.Spec.HostNetwork:
		cfg.DNS = p.node.ns.DNS
	default:
		cfg.DNS = k.podDNS(o.Namespace)
	}
	if d := o.Spec.DNSConfig; d != nil {
		cfg.DNS.Nameservers = append(slices.Clone(cfg.DNS.Nameservers), d.Nameservers...)
		cfg.DNS.Search = append(slices.Clone(cfg.DNS.Search), d.Searches...)
		for _, opt := range d.Options {
			s := opt.Name
			if opt.Value != nil {
				s += ":" + *opt.Value
			}
			cfg.DNS.Options = append(slices.DeleteFunc(slices.Clone(cfg.DNS.Options), func(have string) bool {
				return have == opt.Name || strings.HasPrefix(have, opt.Name+":")
			}), s)
		}
	}
	if o.Spec.HostNetwork {
		cfg.Net, cfg.Addr, cfg.Hostname = p.node.ns, p.node.addr, p.node.Name
	} else {
		cfg.Addr = ip
		if !ip.IsValid() {
			cfg.Addr = k.allocIP(p.node)
		}
	}
	return cfg
}

// podDNS is how ordinary pods of the namespace resolve names.
func (k *Kubelet) podDNS(namespace string) network.DNSConfig {
	d, ok := k.dns[namespace]
	if !ok {
		d = network.DNSConfig{Nameservers: []string{k.DNS}, Options: []string{"ndots:5"},
			Search: []string{namespace + ".svc." + k.Domain, "svc." + k.Domain, k.Domain}}
		k.dns[namespace] = d
	}
	return d
}

func (k *Kubelet) sandboxAt(p *pod, ip netip.Addr) {
	cfg := k.sandboxConfig(p, ip)
	p.sandbox, p.ip = k.Runtime.NewSandbox(cfg), cfg.Addr
	p.changed = true
	k.dirty[string(p.uid)] = true
}

// lostSandbox is after a node came back: everything that ran is gone.
func (p *pod) lostSandbox() {
	p.sandbox, p.busy, p.again, p.initDone, p.showIP = nil, false, false, false, false
	p.vols, p.mounted = nil, false
	for _, c := range p.all() {
		c.ready, c.started, c.hook, c.stopping, c.restart, c.replace, c.unseen = false, false, false, false, false, false, false
		c.ended = nil
	}
}

// act starts what is to be started.
func (k *Kubelet) act(p *pod) {
	var todo []*ctr
	failed := false
	all := p.all()
	blocked := false
	for _, c := range all {
		switch c.kind {
		case sidecarCtr:
			if blocked {
				continue
			}
			if c.cur == nil || c.exited() {
				todo = append(todo, c)
			}
			if !p.initDone && !c.started {
				blocked = true
			}
		case initCtr:
			if p.initDone || blocked || c.exited() && c.cur.ExitCode == 0 {
				continue
			}
			blocked = true
			switch {
			case c.cur == nil, c.exited() && p.obj.Spec.RestartPolicy != "Never":
				todo = append(todo, c)
			case c.exited():
				failed = true
			}
		}
	}
	if failed {
		k.finish(p)
		p.done()
		return
	}
	if !blocked {
		p.initDone = true
		live := false
		for _, c := range all {
			if c.kind != appCtr {
				continue
			}
			switch {
			case c.cur == nil || c.exited() && k.restarts(p, c):
				todo = append(todo, c)
				live = true
			case !c.exited():
				live = true
			}
		}
		if !live {
			k.finish(p)
			p.done()
			return
		}
	}
	for _, c := range all {
		if c.kind == ephemeralCtr && c.cur == nil {
			todo = append(todo, c)
		}
	}
	k.startAll(p, todo, 0, false)
}

// restarts reports whether the container is started again after its end.
func (k *Kubelet) restarts(p *pod, c *ctr) bool {
	policy := string(p.obj.Spec.RestartPolicy)
	if c.spec.RestartPolicy != nil {
		policy = string(*c.spec.RestartPolicy)
	}
	for _, r := range c.spec.RestartPolicyRules {
		if r.ExitCodes == nil || r.Action != "Restart" {
			continue
		}
		in := slices.Contains(r.ExitCodes.Values, int32(c.cur.ExitCode))
		if r.ExitCodes.Operator == "In" && in || r.ExitCodes.Operator == "NotIn" && !in {
			return true
		}
	}
	switch policy {
	case "Never":
		return false
	case "OnFailure":
		return c.cur.ExitCode != 0
	}
	return true
}

// startAll starts the containers one after another, then ends the sync.
func (k *Kubelet) startAll(p *pod, todo []*ctr, started int, failed bool) {
	if len(todo) == 0 || p.obj.DeletionTimestamp != nil || p.terminating {
		if p.changed && failed {
			p.changed = false
			p.wake(k.relist(p.node))
		}
		p.changed = false
		p.busy = false
		p.retry.Stop()
		switch {
		case p.obj.DeletionTimestamp != nil || p.terminating:
			p.wake(0)
		case failed:
			p.retryAfter(k.jitter(p.retryDelay(), 0.5))
		}
		if started > 0 && !failed {
			p.wake(4 * time.Millisecond)
		}
		p.done()
		return
	}
	c := todo[0]
	k.startContainer(p, c, func(err bool) {
		n := started
		if !err {
			n++
		}
		k.startAll(p, todo[1:], n, failed || err)
	})
}

// retryDelay is when a failing pod is worth another look: when the first
// back-off of a crashed container ends, unless something else failed too.
func (p *pod) retryDelay() time.Duration {
	var d time.Duration
	for _, c := range p.all() {
		switch c.reason {
		case "":
		case "CrashLoopBackOff":
			left := max(c.backOff-p.k.Clock.Since(c.cur.Finished), time.Second)
			if d == 0 || left < d {
				d = left
			}
		default:
			return backOffPeriod
		}
	}
	if d == 0 {
		return backOffPeriod
	}
	return min(d, resyncPeriod)
}

// retryAfter looks at a failing pod again after d, when the kubelet next goes
// through those that wait, each second; there is one such time, the latest that
// was asked for.
func (p *pod) retryAfter(d time.Duration) {
	p.retry.Stop()
	d += p.node.untilTick(p.k.Clock.Now().Add(d))
	p.retry = p.k.Clock.After(d, "kubelet retry "+p.key, func() { p.k.sync(p) })
}

// startContainer pulls, creates and starts; then tells whether it failed.
func (k *Kubelet) startContainer(p *pod, c *ctr, then func(failed bool)) {
	now := k.Clock.Now()
	fail := func(reason, message string) {
		c.reason, c.message = reason, message
		then(true)
	}
	failEvent := func(reason, message string) {
		k.event(p, c.spec, c.kind, "Warning", "Failed", "Error: "+message)
		fail(reason, message)
	}
	// A sync that has ended the container itself knows of the one before only.
	last := c.cur
	if c.replace {
		last, c.replace = c.old, false
	}
	if last != nil && c.exited() {
		if c.backOff > 0 && now.Sub(c.backOffAt) > 2*maxBackOff {
			c.backOff = 0
		}
		if c.backOff > 0 && now.Sub(last.Finished) < c.backOff {
			// The relist had found both that it had started and that it had ended, and looks once more.
			p.changed = p.changed || c.reason == "PostStartHookError"
			k.event(p, c.spec, c.kind, "Warning", "BackOff", fmt.Sprintf("Back-off restarting failed container %s in pod %s_%s(%s)", c.spec.Name, p.obj.Name, p.obj.Namespace, p.uid))
			fail("CrashLoopBackOff", fmt.Sprintf("back-off %s restarting failed container=%s pod=%s_%s(%s)", shortDuration(c.backOff), c.spec.Name, p.obj.Name, p.obj.Namespace, p.uid))
			return
		}
		if c.backOff == 0 {
			c.backOff = backOffPeriod
		} else {
			c.backOff = min(2*c.backOff, maxBackOff)
		}
		c.backOffAt = now
	}
	k.pull(p, c, func(img *image.Image, reason, message string) {
		if img == nil {
			fail(reason, message)
			return
		}
		cfg, err := k.config(p, c, img)
		if err != nil {
			failEvent("CreateContainerConfigError", err.Error())
			return
		}
		p.later(k.jitter(createLatency, 0.5), func() {
			if p.obj.DeletionTimestamp != nil || p.terminating {
				then(true)
				return
			}
			if c.cur != nil {
				c.prev, c.old = terminated(c.cur), c.cur
				for _, o := range slices.Clone(p.sandbox.Containers()) {
					if o.Name == c.spec.Name && o != c.cur {
						p.sandbox.Remove(o)
					}
				}
			}
			c.cur = p.sandbox.Create(*cfg)
			c.ready, c.started, c.stopping, c.restart, c.unseen = false, false, false, false, false
			p.changed = true
			k.event(p, c.spec, c.kind, "Normal", "Created", "Container created")
			p.later(k.jitter(startLatency+time.Duration(img.StartMS)*time.Millisecond, 0.2), func() {
				if p.obj.DeletionTimestamp != nil && p.terminating {
					then(true)
					return
				}
				cur := c.cur
				cur.OnExit(func() { k.exited(p, c, cur) })
				cur.OnEvent(func() { p.probeEvent(c) })
				cur.OnWrite(p.wrote)
				if err := cur.Start(); err != nil {
					failEvent("RunContainerError", err.Error())
					return
				}
				c.reason, c.message = "", ""
				k.event(p, c.spec, c.kind, "Normal", "Started", "Container started")
				k.postStart(p, c, then)
			})
		})
	})
}

func shortDuration(d time.Duration) string { return d.String() }

// pull makes the image present; then gets it, or why not.
func (k *Kubelet) pull(p *pod, c *ctr, then func(img *image.Image, reason, message string)) {
	n, name, now := p.node, c.spec.Image, k.Clock.Now()
	failed := func(reason, message string) { then(nil, reason, message) }
	ref, err := image.Parse(name)
	if err != nil {
		msg := fmt.Sprintf("Failed to apply default image tag %q: couldn't parse image name %q: %v", name, name, err)
		k.event(p, c.spec, c.kind, "Warning", "InspectFailed", msg)
		k.event(p, c.spec, c.kind, "Warning", "Failed", "Error: InvalidImageName")
		failed("InvalidImageName", msg)
		return
	}
	img, err := k.Runtime.Images.Resolve(name)
	present := n.images[ref.String()] != nil || k.ImagesPresent && err == nil && !img.Generic
	policy := c.spec.ImagePullPolicy
	if present && policy != "Always" || present && k.ImagesPresent && c.kind == ephemeralCtr {
		if n.images[ref.String()] == nil {
			n.images[ref.String()] = img
		}
		k.event(p, c.spec, c.kind, "Normal", "Pulled", fmt.Sprintf("Container image %q already present on machine and can be accessed by the pod", name))
		then(n.images[ref.String()], "", "")
		return
	}
	if policy == "Never" {
		msg := fmt.Sprintf("Container image %q is not present with pull policy of Never", name)
		k.event(p, c.spec, c.kind, "Warning", "ErrImageNeverPull", msg)
		k.event(p, c.spec, c.kind, "Warning", "Failed", "Error: ErrImageNeverPull")
		failed("ErrImageNeverPull", msg)
		return
	}
	if c.pullOff > 0 && now.Sub(c.pullOffAt) < c.pullOff {
		k.event(p, c.spec, c.kind, "Normal", "BackOff", fmt.Sprintf("Back-off pulling image %q", name))
		k.event(p, c.spec, c.kind, "Warning", "Failed", "Error: ImagePullBackOff")
		msg := fmt.Sprintf("Back-off pulling image %q", name)
		if err != nil {
			msg += ": ErrImagePull: " + err.Error()
		}
		failed("ImagePullBackOff", msg)
		return
	}
	k.event(p, c.spec, c.kind, "Normal", "Pulling", fmt.Sprintf("Pulling image %q", name))
	if err != nil {
		p.later(k.jitter(12*time.Millisecond, 1), func() {
			k.event(p, c.spec, c.kind, "Warning", "Failed", fmt.Sprintf("Failed to pull image %q: %s", name, err))
			k.event(p, c.spec, c.kind, "Warning", "Failed", "Error: ErrImagePull")
			if c.pullOff == 0 {
				c.pullOff = backOffPeriod
			} else {
				c.pullOff = min(2*c.pullOff, maxBackOff)
			}
			c.pullOffAt = k.Clock.Now()
			failed("ErrImagePull", err.Error())
		})
		return
	}
	took := k.jitter(img.PullTime(), 0.2)
	if present || n.images[ref.String()] != nil || n.pulling[ref.String()] > 0 {
		took = k.jitter(300*time.Millisecond, 0.5)
	}
	begin := now
	if n.pullAt.After(begin) {
		begin = n.pullAt
	}
	n.pullAt = begin.Add(took)
	n.pulling[ref.String()]++
	k.Clock.At(n.pullAt, "pulled "+name, func() { n.pulling[ref.String()]-- })
	p.later(n.pullAt.Sub(now), func() {
		n.images[ref.String()] = img
		k.dirty["images"] = true
		c.pullOff = 0
		total := k.Clock.Since(now)
		k.event(p, c.spec, c.kind, "Normal", "Pulled", fmt.Sprintf("Successfully pulled image %q in %s (%s including waiting). Image size: %d bytes.", name, took.Truncate(time.Millisecond), total.Truncate(time.Millisecond), img.Size()))
		then(img, "", "")
	})
}

// exited is told of the end of a container.
func (k *Kubelet) exited(p *pod, c *ctr, cur *container.Container) {
	if p.removed || p.node.stopped || c.cur != cur {
		return
	}
	c.stopProbes()
	k.dirty[string(p.uid)] = true
	if ended := c.ended; ended != nil {
		c.ended = nil
		defer ended()
	}
	switch {
	case p.terminating:
		p.wake(2 * time.Millisecond)
		return
	case c.restart:
		// The sync that has ended the container starts the next one.
		c.restart, c.replace, p.quiet = false, true, true
		p.wake(2 * time.Millisecond)
		k.Clock.After(k.relist(p.node), "kubelet relist "+p.key, func() { p.wake(0) })
		return
	}
	c.unseen = true
	k.Clock.After(k.relist(p.node), "kubelet relist "+p.key, func() {
		if c.cur == cur {
			c.unseen = false
			p.wake(0)
		}
	})
}

// postStart runs the hook, then goes on.
func (k *Kubelet) postStart(p *pod, c *ctr, then func(failed bool)) {
	go_ := func() {
		k.startProbes(p, c)
		then(false)
	}
	if c.spec.Lifecycle == nil || c.spec.Lifecycle.PostStart == nil || !c.running() {
		go_()
		return
	}
	k.runHook(p, c, c.spec.Lifecycle.PostStart, func(err string) {
		if err == "" {
			go_()
			return
		}
		k.event(p, c.spec, c.kind, "Warning", "FailedPostStartHook", "PostStartHook failed")
		k.event(p, c.spec, c.kind, "Normal", "Killing", "FailedPostStartHook")
		c.reason, c.message = "PostStartHookError", err
		fail := func() { then(true) }
		if !c.running() {
			fail()
			return
		}
		c.ended = fail
		c.cur.Stop(gracePeriod(p.obj))
	})
}

func gracePeriod(o *corev1.Pod) time.Duration {
	if o.DeletionGracePeriodSeconds != nil {
		return time.Duration(*o.DeletionGracePeriodSeconds) * time.Second
	}
	if o.Spec.TerminationGracePeriodSeconds != nil {
		return time.Duration(*o.Spec.TerminationGracePeriodSeconds) * time.Second
	}
	return 30 * time.Second
}

// finish ends a pod that has nothing left to run.
func (k *Kubelet) finish(p *pod) {
	if p.ending {
		return
	}
	p.ending = true
	for _, c := range p.all() {
		if c.running() && !c.stopping {
			c.stopping = true
			k.event(p, c.spec, c.kind, "Normal", "Killing", "Stopping container "+c.spec.Name)
			c.cur.Stop(gracePeriod(p.obj))
		}
	}
	var wait func()
	wait = func() {
		if p.removed || p.finished || p.node.stopped {
			return
		}
		for _, c := range p.all() {
			if c.running() {
				k.Clock.After(200*time.Millisecond, "kubelet "+p.key, wait)
				return
			}
		}
		k.conclude(p)
		k.writeStatus(p)
	}
	k.Clock.After(finishLatency, "kubelet "+p.key, wait)
}

// conclude: nothing runs any more.
func (k *Kubelet) conclude(p *pod) {
	p.finished = true
	p.release()
	p.retry.Stop()
	p.deadline.Stop()
	p.storage.Stop()
	p.stopProbes()
	if p.sandbox != nil {
		p.sandbox.Close()
	}
	k.dirty[string(p.uid)] = true
}

// noneStarted: no container of the pod proper has ever been made.
func (p *pod) noneStarted() bool {
	for _, c := range p.all() {
		if c.kind == appCtr && c.cur != nil {
			return false
		}
	}
	return true
}

// terminate ends the containers of a pod that is deleted or out of time.
func (k *Kubelet) terminate(p *pod) {
	first := !p.terminating || !p.asked
	p.terminating, p.asked = true, true
	p.stopProbes()
	grace := gracePeriod(p.obj)
	if p.failReason == "Evicted" {
		grace = time.Second
	}
	if first {
		k.writeStatus(p)
	}
	live, apps := 0, 0
	all := p.all()
	for _, c := range all {
		if c.running() {
			live++
			if c.kind != sidecarCtr {
				apps++
			}
		}
	}
	if live == 0 {
		if p.sandbox != nil && p.noneStarted() {
			p.sandbox.Close()
			p.down = true
			k.writeStatus(p)
		}
		k.conclude(p)
		k.writeStatus(p)
		p.busy = false
		if p.obj.DeletionTimestamp != nil {
			p.later(k.jitter(removeLatency, 0.3), func() { k.remove(p) })
		}
		return
	}
	if p.obj.DeletionTimestamp != nil && p.obj.DeletionGracePeriodSeconds != nil {
		left := p.obj.DeletionTimestamp.Time.Sub(k.Clock.Now())
		grace = min(grace, max(left+time.Second, time.Second))
		if *p.obj.DeletionGracePeriodSeconds == 0 {
			grace = 0
		}
	}
	for _, c := range slices.Backward(all) {
		if !c.running() || c.kind == sidecarCtr && apps > 0 {
			continue
		}
		if c.stopping {
			if !c.hook || grace == 0 {
				c.cur.Stop(grace) // a shorter grace period counts
			}
			continue
		}
		k.stopContainer(p, c, grace, "Stopping container "+c.spec.Name)
		if c.kind == sidecarCtr {
			break // the others after it, in reverse order
		}
	}
	p.done()
}

// stopContainer runs the preStop hook, then stops the program.
func (k *Kubelet) stopContainer(p *pod, c *ctr, grace time.Duration, message string) {
	c.stopping = true
	k.event(p, c.spec, c.kind, "Normal", "Killing", message)
	cur, begin := c.cur, k.Clock.Now()
	stop := func() { cur.Stop(max(grace-k.Clock.Since(begin), 0)) }
	if c.spec.Lifecycle == nil || c.spec.Lifecycle.PreStop == nil || grace == 0 {
		stop()
		return
	}
	ended := false
	c.hook = true
	timer := k.Clock.After(grace, "preStop "+p.key, func() {
		if !ended {
			ended, c.hook = true, false
			cur.Stop(2 * time.Second)
		}
	})
	k.runHook(p, c, c.spec.Lifecycle.PreStop, func(err string) {
		if ended {
			return
		}
		ended, c.hook = true, false
		timer.Stop()
		if err != "" {
			k.event(p, c.spec, c.kind, "Warning", "FailedPreStopHook", "PreStopHook failed")
		}
		grace = max(grace, k.Clock.Since(begin)+2*time.Second)
		stop()
	})
}

// remove deletes the object of a pod that has ended.
func (k *Kubelet) remove(p *pod) {
	zero := int64(0)
	err := client.Delete[*corev1.Pod](k.Client, p.obj.Namespace, p.obj.Name, client.DeleteOptions{GracePeriodSeconds: &zero, UID: string(p.uid)})
	if ignoreNotFound(err) != nil {
		p.wake(time.Second)
	}
}
