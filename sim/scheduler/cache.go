// What the scheduler knows of nodes and the pods on them.

package scheduler

import (
	"slices"

	"github.com/kubonsai/kubonsai/sim/api/labels"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/scheduler/plugin"
)

type cache struct {
	nodes  []*plugin.NodeInfo // in order of arrival
	byName map[string]*plugin.NodeInfo
	free   []int // node indexes that can be used again
	next   int
	placed map[metav1.UID]*placement
	// lost are pods on nodes that do not exist, by node name.
	lost     map[string][]*plugin.PodInfo
	affinity int // pods with affinity terms on nodes
	counts   map[string]*podCount
	uses     uint64
	// nominations are pods that wait for victims to leave a node.
	nominations map[metav1.UID]nomination
}

type placement struct {
	info *plugin.PodInfo
	node string
}

type nomination struct {
	info *plugin.PodInfo
	node string
}

// podCount is how many pods of a namespace match a selector, by node index.
type podCount struct {
	namespace string
	sel       labels.Selector
	n         []int64
	used      uint64
}

const maxCounts = 1024

func newCache() *cache {
	return &cache{byName: map[string]*plugin.NodeInfo{}, placed: map[metav1.UID]*placement{},
		lost: map[string][]*plugin.PodInfo{}, counts: map[string]*podCount{}, nominations: map[metav1.UID]nomination{}}
}

func (c *cache) len() int { return len(c.nodes) }

func (c *cache) setNode(node *corev1.Node) *plugin.NodeInfo {
	if n := c.byName[node.Name]; n != nil {
		n.SetNode(node)
		return n
	}
	index := c.next
	if k := len(c.free); k > 0 {
		index = c.free[k-1]
		c.free = c.free[:k-1]
	} else {
		c.next++
	}
	n := plugin.NewNodeInfo(node, index)
	c.byName[node.Name] = n
	c.nodes = append(c.nodes, n)
	for _, p := range c.lost[node.Name] {
		c.put(p, n)
	}
	delete(c.lost, node.Name)
	return n
}

func (c *cache) removeNode(name string) {
	n := c.byName[name]
	if n == nil {
		return
	}
	delete(c.byName, name)
	i := slices.Index(c.nodes, n)
	c.nodes = slices.Delete(c.nodes, i, i+1)
	c.free = append(c.free, n.Index)
	for _, pc := range c.counts {
		if n.Index < len(pc.n) {
			pc.n[n.Index] = 0
		}
	}
	for _, p := range n.Pods {
		c.lost[name] = append(c.lost[name], p)
		if p.HasAffinity() {
			c.affinity--
		}
	}
}

// assume puts a pod on a node before the API says so.
func (c *cache) assume(p *plugin.PodInfo, n *plugin.NodeInfo) {
	if c.placed[p.Pod.UID] != nil {
		return
	}
	c.placed[p.Pod.UID] = &placement{p, n.Node.Name}
	c.put(p, n)
}

func (c *cache) put(p *plugin.PodInfo, n *plugin.NodeInfo) {
	n.Add(p)
	if p.HasAffinity() {
		c.affinity++
	}
	c.count(p.Pod, n, 1)
}

// setPod places a pod that has a node, or refreshes it.
func (c *cache) setPod(pod *corev1.Pod) {
	if old := c.placed[pod.UID]; old != nil {
		if old.node == pod.Spec.NodeName && sameForScheduling(old.info.Pod, pod) {
			old.info.Pod = pod
			return
		}
		c.removePod(pod.UID)
	}
	p := plugin.NewPodInfo(pod)
	c.placed[pod.UID] = &placement{p, pod.Spec.NodeName}
	if n := c.byName[pod.Spec.NodeName]; n != nil {
		c.put(p, n)
	} else {
		c.lost[pod.Spec.NodeName] = append(c.lost[pod.Spec.NodeName], p)
	}
}

// sameForScheduling reports whether nothing that rules look at has changed.
// Containers' resources may change in place; their slice is then a new one.
func sameForScheduling(a, b *corev1.Pod) bool {
	return (a.DeletionTimestamp == nil) == (b.DeletionTimestamp == nil) && a.Generation == b.Generation && sameLabels(a.Labels, b.Labels)
}

func sameLabels(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || w != v {
			return false
		}
	}
	return true
}

func (c *cache) removePod(uid metav1.UID) *plugin.PodInfo {
	old := c.placed[uid]
	if old == nil {
		return nil
	}
	delete(c.placed, uid)
	if n := c.byName[old.node]; n != nil {
		n.Remove(old.info)
		if old.info.HasAffinity() {
			c.affinity--
		}
		c.count(old.info.Pod, n, -1)
		return old.info
	}
	rest := c.lost[old.node]
	if i := slices.Index(rest, old.info); i >= 0 {
		rest = slices.Delete(rest, i, i+1)
	}
	if len(rest) == 0 {
		delete(c.lost, old.node)
	} else {
		c.lost[old.node] = rest
	}
	return old.info
}

func (c *cache) count(pod *corev1.Pod, n *plugin.NodeInfo, sign int64) {
	if pod.DeletionTimestamp != nil {
		return
	}
	for _, pc := range c.counts {
		if pc.namespace == pod.Namespace && pc.sel.Matches(labels.Set(pod.Labels)) {
			pc.at(n.Index, sign)
		}
	}
}

func (pc *podCount) at(i int, delta int64) {
	for len(pc.n) <= i {
		pc.n = append(pc.n, make([]int64, i+1-len(pc.n))...)
	}
	pc.n[i] += delta
}

// counter returns a function that tells how many pods on a node match; pods
// being deleted do not count. The numbers are counted once and then kept up to
// date.
func (c *cache) counter(namespace string, sel labels.Selector) func(*plugin.NodeInfo) int64 {
	key := namespace + "\x00" + sel.String()
	pc := c.counts[key]
	if pc == nil {
		if len(c.counts) >= maxCounts {
			c.evict()
		}
		pc = &podCount{namespace: namespace, sel: sel}
		for _, n := range c.nodes {
			pc.at(n.Index, countPods(n, namespace, sel))
		}
		c.counts[key] = pc
	}
	c.uses++
	pc.used = c.uses
	return func(n *plugin.NodeInfo) int64 {
		if n.Index >= len(pc.n) {
			return 0
		}
		return pc.n[n.Index]
	}
}

// countPods counts without the cache.
func countPods(n *plugin.NodeInfo, namespace string, sel labels.Selector) int64 {
	k := int64(0)
	for _, p := range n.Pods {
		if p.Pod.Namespace == namespace && p.Pod.DeletionTimestamp == nil && sel.Matches(labels.Set(p.Pod.Labels)) {
			k++
		}
	}
	return k
}

// evict forgets the counts that have not been used for longest.
func (c *cache) evict() {
	for key, pc := range c.counts {
		if c.uses-pc.used > maxCounts/2 {
			delete(c.counts, key)
		}
	}
	if len(c.counts) >= maxCounts {
		clear(c.counts)
	}
}

func (c *cache) nominate(p *plugin.PodInfo, node string) {
	if node == "" {
		delete(c.nominations, p.Pod.UID)
	} else {
		c.nominations[p.Pod.UID] = nomination{p, node}
	}
}

// nominatedFor returns the other pods of the same or a higher priority that
// wait for a node, by node.
func (c *cache) nominatedFor(p *plugin.PodInfo) map[string][]*plugin.PodInfo {
	if len(c.nominations) == 0 {
		return nil
	}
	out := map[string][]*plugin.PodInfo{}
	for uid, nom := range c.nominations {
		if uid != p.Pod.UID && nom.info.Priority >= p.Priority {
			out[nom.node] = append(out[nom.node], nom.info)
		}
	}
	return out
}
