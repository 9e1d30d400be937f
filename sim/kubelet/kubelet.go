// Package kubelet is the kubelets of all nodes as one actor: it registers the
// nodes, runs the pods bound to them through package container, and writes
// their status. It serves what the API server asks of a node: logs, exec,
// attach, port-forward, proxy (see proxy.go).
//
// Nothing ticks while nothing happens: a pod is looked at when it changes, when
// one of its containers does, or when something it waits for is due. Heartbeats
// are not written; who wants to know asks Stopped.
package kubelet

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/api/resource"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/container"
	"github.com/kubonsai/kubonsai/sim/container/image"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/network"
	"github.com/kubonsai/kubonsai/sim/seed"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

// Versions that nodes report.
const (
	KubeletVersion = "v1.36.2"
	RuntimeVersion = "containerd://2.2.7"
)

// NodeConfig describes one node.
type NodeConfig struct {
	Name         string
	ControlPlane bool
	CPU          string // "" is 2
	Memory       string // "" is 24684096Ki
	Pods         string // "" is 110
	Labels       map[string]string
	Taints       []corev1.Taint
	Version      string // the kubelet's; "" is KubeletVersion
	// NoNetwork is a node that begins without the pods' network: it is NotReady
	// until NetworkReady.
	NoNetwork bool
}

// Options are what the kubelets need.
type Options struct {
	Clock   *clock.Clock
	Kernel  *kernel.Kernel
	Client  *client.Client // as user agent "kubelet"
	Factory *client.Factory
	Runtime *container.Runtime
	Network *network.Network
	Seed    *seed.Source
	// ImagesPresent says that every image that exists is on every node already,
	// as on the recorded cluster.
	ImagesPresent bool
	// Token makes the service account token that a volume of a pod asks for; nil is a placeholder.
	Token func(pod *corev1.Pod, projection *corev1.ServiceAccountTokenProjection) string
	// HealthCheck is who answers at a port of a node that nothing is bound to: kube-proxy for
	// load balancers; nil, or a nil result, is nobody.
	HealthCheck func(node string, port int) network.Handler
	// DNS is the cluster's name server; "" is 10.96.0.10.
	DNS string
	// Domain is the cluster's DNS domain; "" is cluster.local.
	Domain string
	// FirstNode is the first node's address, the others' follow; the zero Addr
	// is 172.18.0.2. The network's address that ends in .1 is the nodes' gateway
	// and name server.
	FirstNode netip.Addr
	// PodNet is where the pods' addresses come from, a /24 for each node; the
	// zero Prefix is 10.244.0.0/16 and, for more than 256 nodes, what follows.
	PodNet netip.Prefix
}

// Kubelet is the kubelets of all nodes.
type Kubelet struct {
	Options
	pods           *client.Informer[*corev1.Pod]
	nodesInf       *client.Informer[*corev1.Node]
	configs        *client.Informer[*corev1.ConfigMap]
	secrets        *client.Informer[*corev1.Secret]
	services       *client.Informer[*corev1.Service]
	claims         *client.Informer[*corev1.PersistentVolumeClaim]
	pvs            *client.Informer[*corev1.PersistentVolume]
	rand           *seed.Stream
	nodes          map[string]*node
	order          []string
	byUID          map[metav1.UID]*pod
	byKey          map[string]*pod
	volumes        map[string]*vfs.FS // persistent volumes by name
	dirty          map[string]bool
	dns            map[string]network.DNSConfig // of ordinary pods, by namespace
	serviceVars    map[string][]string          // by namespace, as of serviceVersion
	serviceVersion uint64
	users          map[[2]int]*corev1.ContainerUser
	conditions     map[conditionsKey][]corev1.PodCondition
	onNode         []func(name string, stopped bool)
	restored       map[string]*savedPod
	savedGen       map[string]uint64 // of persistent volumes, when last kept
}

// node is what one kubelet knows.
type node struct {
	NodeConfig
	index   int
	addr    netip.Addr
	hostIPs []corev1.HostIP
	ns      *network.Namespace
	rec     *client.Recorder
	phase   time.Duration // of the relist of containers, each second
	images  map[string]*image.Image
	pullAt  time.Time      // pulls are one after another: when the last one ends
	pulling map[string]int // by image, how many pulls are queued
	nextIP  int
	spill   int
	stopped bool
	since   time.Time

	usedCPU, usedMemory, podCount int64  // of the pods admitted
	deferred                      []*pod // whose resize waits for room
}

// New returns the kubelets of no node yet; AddNode adds them.
func New(o Options) *Kubelet {
	if o.DNS == "" {
		o.DNS = "10.96.0.10"
	}
	if o.Domain == "" {
		o.Domain = "cluster.local"
	}
	if !o.FirstNode.IsValid() {
		o.FirstNode = netip.AddrFrom4([4]byte{172, 18, 0, 2})
	}
	k := &Kubelet{Options: o, rand: o.Seed.Stream("kubelet"), nodes: map[string]*node{}, byUID: map[metav1.UID]*pod{}, byKey: map[string]*pod{},
		volumes: map[string]*vfs.FS{}, dirty: map[string]bool{}, dns: map[string]network.DNSConfig{}, users: map[[2]int]*corev1.ContainerUser{}, serviceVars: map[string][]string{},
		conditions: map[conditionsKey][]corev1.PodCondition{}, restored: map[string]*savedPod{}, savedGen: map[string]uint64{},
		pods: client.InformerFor[*corev1.Pod](o.Factory), nodesInf: client.InformerFor[*corev1.Node](o.Factory),
		configs: client.InformerFor[*corev1.ConfigMap](o.Factory), secrets: client.InformerFor[*corev1.Secret](o.Factory),
		services: client.InformerFor[*corev1.Service](o.Factory), claims: client.InformerFor[*corev1.PersistentVolumeClaim](o.Factory),
		pvs: client.InformerFor[*corev1.PersistentVolume](o.Factory)}
	o.Runtime.Changed = func(c *container.Container) { k.dirty[c.Sandbox().UID] = true }
	return k
}

// Start begins to act on pods. Call it once the nodes have been added and, on a
// restored cluster, after Load.
func (k *Kubelet) Start() {
	k.pods.OnChange(k.podChanged)
	k.configs.OnChange(func(old, obj *corev1.ConfigMap) {
		if obj != nil {
			k.sourceChanged("configmap", obj.Namespace, obj.Name)
		} else {
			k.sourceChanged("configmap", old.Namespace, old.Name)
		}
	})
	k.secrets.OnChange(func(old, obj *corev1.Secret) {
		if obj != nil {
			k.sourceChanged("secret", obj.Namespace, obj.Name)
		} else {
			k.sourceChanged("secret", old.Namespace, old.Name)
		}
	})
}

// AddNode registers a node: its Node object is created unless it exists.
func (k *Kubelet) AddNode(cfg NodeConfig) error {
	if k.nodes[cfg.Name] != nil {
		return fmt.Errorf("node %q exists already", cfg.Name)
	}
	i := len(k.order)
	n := &node{NodeConfig: cfg, index: i, addr: k.nodeAddr(i), hostIPs: []corev1.HostIP{{IP: k.nodeAddr(i).String()}}, images: map[string]*image.Image{}, pulling: map[string]int{}, nextIP: 2,
		rec:   client.NewRecorder(k.Client, k.Clock, "kubelet", cfg.Name),
		phase: time.Duration(k.rand.IntN(1000)) * time.Millisecond}
	k.joinNetwork(n)
	k.nodes[cfg.Name], k.order = n, append(k.order, cfg.Name)
	if _, ok := k.nodesInf.Get("", cfg.Name); ok {
		return nil
	}
	obj := k.nodeObject(n)
	status := obj.Status
	created, err := client.Create(k.Client, obj)
	if err != nil {
		return fmt.Errorf("register node %s: %w", cfg.Name, err)
	}
	if created != nil {
		c := *created
		c.Status = status
		if _, err = client.UpdateStatus(k.Client, &c); err == nil {
			err = k.lease(created)
		}
	}
	return err
}

// joinNetwork gives the node a network namespace.
func (k *Kubelet) joinNetwork(n *node) {
	n.ns = k.Network.NewNamespace("node/"+n.Name, n.addr)
	gateway := k.FirstNode.As4()
	gateway[3] = 1
	if k.HealthCheck != nil {
		n.ns.Extra = func(port int) network.Handler { return k.HealthCheck(n.Name, port) }
	}
	n.ns.DNS = network.DNSConfig{Nameservers: []string{netip.AddrFrom4(gateway).String()}}
}

func (k *Kubelet) nodeAddr(i int) netip.Addr {
	b := k.FirstNode.As4()
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])+uint32(i))
	return netip.AddrFrom4(b)
}

// nodeIndex is which node has the address, -1 when none has.
func (k *Kubelet) nodeIndex(a netip.Addr) int {
	if !a.Is4() {
		return -1
	}
	b, first := a.As4(), k.FirstNode.As4()
	i := int64(binary.BigEndian.Uint32(b[:])) - int64(binary.BigEndian.Uint32(first[:]))
	if i < 0 || i >= int64(len(k.order)) || k.order[i] == "" {
		return -1
	}
	return int(i)
}

// podNet is the second byte of a node's pod addresses: 10.244 to 10.255, and
// for the 3,073rd node and later ones 10.8 and up.
func podNet(index int) byte {
	if n := index / 256; n >= 12 {
		return byte(8 + n - 12)
	}
	return byte(244 + index/256)
}

// podAddr is an address of a node's pods by its last byte.
func (k *Kubelet) podAddr(index int, last byte) netip.Addr {
	if !k.PodNet.IsValid() {
		return netip.AddrFrom4([4]byte{10, podNet(index), byte(index), last})
	}
	b := k.PodNet.Masked().Addr().As4()
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])+uint32(index)<<8)
	b[3] = last
	return netip.AddrFrom4(b)
}

func (k *Kubelet) nodeObject(n *node) *corev1.Node {
	or := func(v, d string) resource.Quantity {
		if v == "" {
			v = d
		}
		q, err := resource.ParseQuantity(v)
		if err != nil {
			q = resource.MustParse(d)
		}
		return q
	}
	caps := corev1.ResourceList{
		"cpu": or(n.CPU, "2"), "memory": or(n.Memory, "24684096Ki"), "pods": or(n.Pods, "110"),
		"ephemeral-storage": resource.MustParse("264212084Ki"), "hugepages-1Gi": resource.MustParse("0"), "hugepages-2Mi": resource.MustParse("0"),
	}
	labels := map[string]string{"beta.kubernetes.io/arch": "amd64", "beta.kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux", "kubernetes.io/hostname": n.Name}
	if n.ControlPlane {
		labels["node-role.kubernetes.io/control-plane"] = ""
	}
	maps.Copy(labels, n.Labels)
	now := metav1.NewTime(k.Clock.Now())
	ids := k.Seed.Stream("machine ids")
	machine := ids.Hex(16)
	o := &corev1.Node{}
	o.APIVersion, o.Kind = "v1", "Node"
	o.Name, o.Labels = n.Name, labels
	o.Annotations = map[string]string{"node.alpha.kubernetes.io/ttl": "0", "volumes.kubernetes.io/controller-managed-attach-detach": "true"}
	o.Spec.PodCIDR = k.podAddr(n.index, 0).String() + "/24"
	o.Spec.PodCIDRs = []string{o.Spec.PodCIDR}
	o.Spec.Taints = slices.Clone(n.Taints)
	conditions := NodeConditions(now)
	if n.NoNetwork {
		ready := &conditions[len(conditions)-1]
		ready.Status, ready.Reason, ready.Message = "False", notReadyReason, noNetwork
		o.Spec.Taints = append(o.Spec.Taints, corev1.Taint{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoSchedule})
	}
	version := n.Version
	if version == "" {
		version = KubeletVersion
	}
	o.Status = corev1.NodeStatus{Capacity: caps, Allocatable: maps.Clone(caps),
		Addresses:  []corev1.NodeAddress{{Type: "InternalIP", Address: n.addr.String()}, {Type: "Hostname", Address: n.Name}},
		Conditions: conditions,
		NodeInfo: corev1.NodeSystemInfo{MachineID: machine, SystemUUID: machine, BootID: ids.UID(), KernelVersion: "6.18.44", OSImage: "Debian GNU/Linux 12 (bookworm)",
			ContainerRuntimeVersion: RuntimeVersion, KubeletVersion: version, OperatingSystem: "linux", Architecture: "amd64"},
	}
	o.Status.DaemonEndpoints.KubeletEndpoint.Port = 10250
	return o
}

// NodeConditions are the conditions of a healthy node.
func NodeConditions(now metav1.Time) []corev1.NodeCondition {
	c := func(t corev1.NodeConditionType, s corev1.ConditionStatus, reason, msg string) corev1.NodeCondition {
		return corev1.NodeCondition{Type: t, Status: s, LastHeartbeatTime: now, LastTransitionTime: now, Reason: reason, Message: msg}
	}
	return []corev1.NodeCondition{
		c("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
		c("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
		c("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
		c("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
	}
}

// Why a node without a network plugin is not ready.
const (
	notReadyReason = "KubeletNotReady"
	noNetwork      = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized"
)

// WaitsForNetwork reports whether a node is not ready for want of a network.
func (k *Kubelet) WaitsForNetwork(name string) bool {
	o, ok := k.nodesInf.Get("", name)
	return ok && slices.ContainsFunc(o.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Reason == notReadyReason
	})
}

// NetworkReady makes a node ready that was registered without a network.
func (k *Kubelet) NetworkReady(name string) {
	if k.WaitsForNetwork(name) {
		k.postReady(name)
	}
}

// postReady is the status update by which a node becomes Ready (again).
func (k *Kubelet) postReady(name string) {
	n, o := k.nodes[name], (*corev1.Node)(nil)
	if n != nil && !n.stopped {
		o, _ = k.nodesInf.Get("", name)
	}
	if o == nil {
		return
	}
	c := *o
	c.Status.Conditions = NodeConditions(metav1.NewTime(k.Clock.Now()))
	was := map[corev1.NodeConditionType]corev1.NodeCondition{}
	for _, old := range o.Status.Conditions {
		was[old.Type] = old
	}
	for i := range c.Status.Conditions {
		if old := was[c.Status.Conditions[i].Type]; old.Status == c.Status.Conditions[i].Status {
			c.Status.Conditions[i].LastTransitionTime = old.LastTransitionTime
		}
	}
	if _, err := client.UpdateStatus(k.Client, &c); err == nil && was[corev1.NodeReady].Status != corev1.ConditionTrue {
		k.nodeEvent(n, "NodeReady", "Node "+name+" status is now: NodeReady")
	}
}

// nodeEvent records an event about a node, whose uid is, for kubelets, its name.
func (k *Kubelet) nodeEvent(n *node, reason, message string) {
	n.rec.EventAt(corev1.ObjectReference{Kind: "Node", Name: n.Name, UID: metav1.UID(n.Name)}, "Normal", reason, message)
}

// SkipNode leaves out the address of a node that has been removed.
func (k *Kubelet) SkipNode() { k.order = append(k.order, "") }

// RemoveNode forgets a node; its API object is left to the caller.
func (k *Kubelet) RemoveNode(name string) error {
	if err := k.StopNode(name); err != nil {
		return err
	}
	k.order[k.nodes[name].index] = ""
	delete(k.nodes, name)
	k.dirty[nodesDirty] = true
	if files := hostPrefix + name; k.volumes[files] != nil { // another node of that name begins anew
		delete(k.volumes, files)
		delete(k.savedGen, files)
		k.persistent(files)
	}
	return nil
}

// Nodes are the names of the nodes, in order of registration.
func (k *Kubelet) Nodes() []string {
	return slices.DeleteFunc(slices.Clone(k.order), func(name string) bool { return name == "" })
}

// NodeAddr is a node's address, and whether there is such a node.
func (k *Kubelet) NodeAddr(name string) (netip.Addr, bool) {
	if n := k.nodes[name]; n != nil {
		return n.addr, true
	}
	return netip.Addr{}, false
}

// NodeNet is a node's network namespace; nil when there is no such node.
func (k *Kubelet) NodeNet(name string) *network.Namespace {
	if n := k.nodes[name]; n != nil {
		return n.ns
	}
	return nil
}

// IsNode reports whether an address is a node's.
func (k *Kubelet) IsNode(a netip.Addr) bool {
	return k.nodeIndex(a) >= 0
}

// NodeOf is the node that has the address, or whose pod has it.
func (k *Kubelet) NodeOf(a netip.Addr) string {
	if i := k.nodeIndex(a); i >= 0 {
		return k.order[i]
	}
	if !a.Is4() {
		return ""
	}
	b := a.As4()
	index := -1
	switch {
	case k.PodNet.IsValid() && k.PodNet.Contains(a):
		first := k.PodNet.Masked().Addr().As4()
		index = int(binary.BigEndian.Uint32(b[:])-binary.BigEndian.Uint32(first[:])) >> 8
	case b[0] == 10 && b[1] >= 244:
		index = int(b[1]-244)<<8 + int(b[2])
	case b[0] == 10 && b[1] >= 8 && b[1] < 96:
		index = (int(b[1])-8+12)<<8 + int(b[2])
	}
	if index >= 0 && index < len(k.order) {
		return k.order[index]
	}
	for _, name := range k.Nodes() {
		if n := k.nodes[name]; b[0] == 10 && b[1] == byte(128+n.index%64) {
			return name
		}
	}
	return ""
}

// Stopped reports whether the node's kubelet is stopped, and since when: no
// heartbeat has come from it after that.
func (k *Kubelet) Stopped(name string) (since time.Time, stopped bool) {
	if n := k.nodes[name]; n != nil {
		return n.since, n.stopped
	}
	return time.Time{}, true
}

// LoadImage puts an image that a registry has onto nodes, as if it had been
// pulled.
func (k *Kubelet) LoadImage(nodes []string, name string) {
	ref, err := image.Parse(name)
	if err != nil {
		return
	}
	img, err := k.Runtime.Images.Resolve(name)
	if err != nil {
		return
	}
	for _, node := range nodes {
		if n := k.nodes[node]; n != nil {
			n.images[ref.String()] = img
		}
	}
	k.dirty["images"] = true
}

// HasImage reports whether a node has the image.
func (k *Kubelet) HasImage(node, name string) bool {
	n, ref := k.nodes[node], image.Ref{}
	if n != nil {
		ref, _ = image.Parse(name)
	}
	return n != nil && n.images[ref.String()] != nil
}

// OnNode adds an observer of nodes that stop and start.
func (k *Kubelet) OnNode(fn func(name string, stopped bool)) { k.onNode = append(k.onNode, fn) }

// StopNode is a node failure: its kubelet says nothing any more and its
// containers are out of reach.
func (k *Kubelet) StopNode(name string) error {
	n := k.nodes[name]
	if n == nil {
		return fmt.Errorf("node %q not found", name)
	}
	if n.stopped {
		return nil
	}
	n.stopped, n.since = true, k.Clock.Now()
	k.dirty[nodesDirty] = true
	for _, p := range k.onNodePods(name) {
		p.timer.Stop()
		p.retry.Stop()
		p.stopProbes()
		if p.sandbox != nil {
			p.sandbox.Close()
		}
	}
	n.ns.Close()
	for _, fn := range k.onNode {
		fn(name, true)
	}
	return nil
}

// startTime is how long a kubelet takes from its start to its first status.
const startTime = 2 * time.Second

// StartNode brings a stopped node back: its pods' containers are started anew.
func (k *Kubelet) StartNode(name string) error {
	n := k.nodes[name]
	if n == nil {
		return fmt.Errorf("node %q not found", name)
	}
	if !n.stopped {
		return nil
	}
	n.stopped = false
	k.dirty[nodesDirty] = true
	k.joinNetwork(n)
	k.nodeEvent(n, "Starting", "Starting kubelet.")
	for _, fn := range k.onNode {
		fn(name, false)
	}
	for _, o := range k.pods.List("", nil) {
		if o.Spec.NodeName == name && k.byUID[o.UID] == nil {
			k.podChanged(nil, o)
		}
	}
	for _, p := range k.onNodePods(name) {
		p.lostSandbox()
		p.wake(time.Duration(k.rand.IntN(900)+100) * time.Millisecond)
	}
	k.Clock.After(startTime, "kubelet starts", func() { k.postReady(name) })
	return nil
}

func (k *Kubelet) onNodePods(name string) []*pod {
	var out []*pod
	for _, key := range slices.Sorted(maps.Keys(k.byKey)) {
		if p := k.byKey[key]; p.node.Name == name {
			out = append(out, p)
		}
	}
	return out
}

// CrashContainer is a fault: the container's program ends with the code.
func (k *Kubelet) CrashContainer(namespace, name, containerName string, code int) error {
	c := k.running(namespace, name, containerName)
	if c == nil {
		return fmt.Errorf("container %s of pod %s/%s does not run", containerName, namespace, name)
	}
	c.Crash(code)
	return nil
}

// Container is the current container of that name, ended ones included; nil
// when there is none. An empty container name is the pod's first.
func (k *Kubelet) Container(namespace, name, containerName string) *container.Container {
	p := k.byKey[namespace+"/"+name]
	if p == nil {
		return nil
	}
	if containerName == "" {
		containerName = p.obj.Spec.Containers[0].Name
	}
	if c := p.ctr(containerName); c != nil {
		return c.cur
	}
	return nil
}

func (k *Kubelet) running(namespace, name, containerName string) *container.Container {
	c := k.Container(namespace, name, containerName)
	if c == nil || c.State != container.Running {
		return nil
	}
	return c
}

// ContainerUsage is what one container uses now.
type ContainerUsage struct {
	Name     string
	MilliCPU int64
	Memory   int64 // bytes
	Started  time.Time
}

// PodUsage is what the containers of a pod use now; false when the pod does not
// run. It is the source of metrics for autoscaling and top.
func (k *Kubelet) PodUsage(namespace, name string) ([]ContainerUsage, bool) {
	p := k.byKey[namespace+"/"+name]
	if p == nil || p.node.stopped || p.finished {
		return nil, false
	}
	var out []ContainerUsage
	for i := range p.obj.Spec.Containers {
		n := p.obj.Spec.Containers[i].Name
		if c := p.ctr(n); c != nil && c.cur != nil && c.cur.State == container.Running {
			cpu, mem := c.cur.Usage()
			out = append(out, ContainerUsage{n, cpu, mem, c.cur.Started})
		}
	}
	return out, len(out) > 0
}

// NodeUsage is what the node uses now, its own programs included.
func (k *Kubelet) NodeUsage(name string) (milliCPU, memory int64, ok bool) {
	n := k.nodes[name]
	if n == nil || n.stopped {
		return 0, 0, false
	}
	milliCPU, memory = 80, 600<<20
	for _, p := range k.onNodePods(name) {
		us, _ := k.PodUsage(p.obj.Namespace, p.obj.Name)
		for _, u := range us {
			milliCPU += u.MilliCPU
			memory += u.Memory
		}
	}
	return milliCPU, memory, true
}

// allocIP takes the node's next pod address. A node that has more pods than
// its range has addresses (its limit was raised) goes on in a range of its own
// in 10.128.0.0/10.
func (k *Kubelet) allocIP(n *node) netip.Addr {
	for range 253 {
		a := k.podAddr(n.index, byte(n.nextIP))
		n.nextIP++
		if n.nextIP > 254 {
			n.nextIP = 2
		}
		if k.Network.Owner(a) == nil {
			return a
		}
	}
	for {
		n.spill = (n.spill + 1) & 0xffff
		a := netip.AddrFrom4([4]byte{10, byte(128 + n.index%64), byte(n.spill >> 8), byte(n.spill)})
		if k.Network.Owner(a) == nil {
			return a
		}
	}
}

// relist is when the node's kubelet next looks at its containers: it finds out
// about an end of one only then.
func (k *Kubelet) relist(n *node) time.Duration { return n.untilTick(k.Clock.Now()) }

// untilTick is how long it is from t to the next of the ticks that come each second.
func (n *node) untilTick(t time.Time) time.Duration {
	d := n.phase - time.Duration(t.Nanosecond())
	if d <= 0 {
		d += time.Second
	}
	return d
}

func (k *Kubelet) jitter(d time.Duration, factor float64) time.Duration {
	return d + time.Duration(k.rand.Float64()*factor*float64(d))
}

func (k *Kubelet) event(p *pod, c *corev1.Container, kind ctrKind, eventType, reason, message string) {
	ref := client.ObjectReference(p.obj)
	if c != nil {
		ref.FieldPath = kind.field() + "{" + c.Name + "}"
	}
	p.node.rec.EventAt(ref, eventType, reason, message)
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}

func bracket(names []string) string { return "[" + strings.Join(names, " ") + "]" }
