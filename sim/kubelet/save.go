// What the kubelets keep over a restart of the simulation, as records by key:
// kubelet/pod/<uid> for a pod's containers, kubelet/images for what the nodes
// have pulled, kubelet/stopped for nodes that are off, kubelet/pv/<name> for
// persistent volumes and the nodes' own files.

package kubelet

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/container"
	"github.com/kubonsai/kubonsai/sim/store"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

const (
	podPrefix  = "kubelet/pod/"
	pvPrefix   = "kubelet/pv/"
	imagesKey  = "kubelet/images"
	stoppedKey = "kubelet/stopped"
	saveFormat = 1
)

// nodesDirty stands, among the uids of pods that have changed, for the nodes.
const nodesDirty = "nodes"

type savedPod struct {
	Format     int                        `json:"format"`
	Sandbox    string                     `json:"sandbox,omitempty"`
	IP         string                     `json:"ip,omitempty"`
	Finished   bool                       `json:"finished,omitempty"`
	InitDone   bool                       `json:"initDone,omitempty"`
	FailReason string                     `json:"failReason,omitempty"`
	FailText   string                     `json:"failMessage,omitempty"`
	Containers map[string]savedCtr        `json:"containers"`
	Volumes    map[string]json.RawMessage `json:"volumes,omitempty"`
}

type savedCtr struct {
	Current   *container.Saved                 `json:"current,omitempty"`
	Old       *container.Saved                 `json:"old,omitempty"`
	Last      *corev1.ContainerStateTerminated `json:"last,omitempty"`
	Reason    string                           `json:"reason,omitempty"`
	Message   string                           `json:"message,omitempty"`
	Ready     bool                             `json:"ready,omitempty"`
	Started   bool                             `json:"started,omitempty"`
	BackOff   time.Duration                    `json:"backOff,omitempty"`
	BackOffAt time.Time                        `json:"backOffAt,omitempty"`
	PullOff   time.Duration                    `json:"pullOff,omitempty"`
	PullOffAt time.Time                        `json:"pullOffAt,omitempty"`
}

// Dirty returns the records that have changed since the last call.
func (k *Kubelet) Dirty() []store.Record {
	var out []store.Record
	for _, key := range slices.Sorted(maps.Keys(k.dirty)) {
		if key == "images" {
			out = append(out, k.imagesRecord())
			continue
		}
		if key == nodesDirty {
			out = append(out, k.stoppedRecord())
			continue
		}
		r := store.Record{Key: podPrefix + key}
		if p := k.byUID[metav1.UID(key)]; p != nil {
			r.Value = k.savePod(p)
		}
		out = append(out, r)
	}
	k.dirty = map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(k.volumes)) {
		gen := k.volumes[name].Generation()
		if at, ok := k.savedGen[name]; ok && at == gen {
			continue
		}
		k.savedGen[name] = gen
		if b, err := json.Marshal(k.volumes[name]); err == nil {
			out = append(out, store.Record{Key: pvPrefix + name, Value: b})
		}
	}
	return out
}

// Save returns every record.
func (k *Kubelet) Save() []store.Record {
	for uid := range k.byUID {
		k.dirty[string(uid)] = true
	}
	k.dirty["images"], k.dirty[nodesDirty] = true, true
	k.savedGen = map[string]uint64{}
	return k.Dirty()
}

func (k *Kubelet) imagesRecord() store.Record {
	nodes := map[string][]string{}
	for _, n := range k.nodes {
		nodes[n.Name] = slices.Sorted(maps.Keys(n.images))
	}
	b, _ := json.Marshal(nodes)
	return store.Record{Key: imagesKey, Value: b}
}

// stoppedRecord says which nodes are off, and since when.
func (k *Kubelet) stoppedRecord() store.Record {
	since := map[string]time.Time{}
	for _, n := range k.nodes {
		if n.stopped {
			since[n.Name] = n.since
		}
	}
	b, _ := json.Marshal(since)
	return store.Record{Key: stoppedKey, Value: b}
}

func (k *Kubelet) savePod(p *pod) []byte {
	s := savedPod{Format: saveFormat, Finished: p.finished, InitDone: p.initDone, FailReason: p.failReason, FailText: p.failMessage,
		Containers: map[string]savedCtr{}, Volumes: map[string]json.RawMessage{}}
	if p.sandbox != nil {
		s.Sandbox, s.IP = p.sandbox.ID, p.ip.String()
	}
	for _, c := range p.ctrs {
		x := savedCtr{Last: c.prev, Reason: c.reason, Message: c.message, Ready: c.ready, Started: c.started,
			BackOff: c.backOff, BackOffAt: c.backOffAt, PullOff: c.pullOff, PullOffAt: c.pullOffAt}
		if c.cur != nil {
			v := c.cur.Save()
			x.Current = &v
		}
		if c.old != nil {
			v := c.old.Save()
			v.FS = nil
			x.Old = &v
		}
		s.Containers[c.spec.Name] = x
	}
	for _, v := range p.vols {
		if v.fs != nil && v.spec.EmptyDir != nil {
			if b, err := json.Marshal(v.fs); err == nil {
				s.Volumes[v.spec.Name] = b
			}
		}
	}
	b, _ := json.Marshal(s)
	return b
}

// Load takes what Save and Dirty gave, before Start. Records of other parts are
// skipped; those that cannot be read are named in the error, the rest counts.
func (k *Kubelet) Load(records []store.Record) error {
	var bad []string
	for _, r := range records {
		switch {
		case r.Key == imagesKey:
			nodes := map[string][]string{}
			if json.Unmarshal(r.Value, &nodes) != nil {
				bad = append(bad, r.Key)
			}
			for name, images := range nodes {
				n := k.nodes[name]
				for _, i := range images {
					if img, err := k.Runtime.Images.Resolve(i); err == nil && n != nil {
						n.images[i] = img
					}
				}
			}
		case r.Key == stoppedKey:
			since := map[string]time.Time{}
			if json.Unmarshal(r.Value, &since) != nil {
				bad = append(bad, r.Key)
			}
			for name, at := range since {
				if n := k.nodes[name]; n != nil {
					n.stopped, n.since = true, at
					n.ns.Close()
				}
			}
		case strings.HasPrefix(r.Key, pvPrefix):
			f := k.persistent(strings.TrimPrefix(r.Key, pvPrefix))
			if json.Unmarshal(r.Value, f) != nil {
				bad = append(bad, r.Key)
			}
		case strings.HasPrefix(r.Key, podPrefix):
			s := &savedPod{}
			if json.Unmarshal(r.Value, s) != nil || s.Format != saveFormat {
				bad = append(bad, r.Key)
				continue
			}
			k.restored[strings.TrimPrefix(r.Key, podPrefix)] = s
		}
	}
	if len(bad) > 0 {
		return fmt.Errorf("kubelet: records cannot be read: %s", strings.Join(bad, ", "))
	}
	return nil
}

// restore makes a pod continue as it was saved.
func (k *Kubelet) restore(p *pod, s *savedPod) {
	p.admitted, p.initDone = true, s.InitDone
	p.failReason, p.failMessage = s.FailReason, s.FailText
	all := p.all()
	if s.Finished {
		p.finished = true
	}
	if !p.finished {
		p.take(podRequests(p.obj))
	}
	k.mountVolumes(p)
	for name, b := range s.Volumes {
		if v := p.volume(name); v != nil && v.spec.EmptyDir != nil {
			f := vfs.New(k.Clock.Now)
			if json.Unmarshal(b, f) == nil {
				v.fs = f
			}
		}
	}
	if s.Sandbox != "" {
		ip, _ := netip.ParseAddr(s.IP)
		p.sandbox, p.ip, p.showIP = k.Runtime.RestoreSandbox(k.sandboxConfig(p, ip), s.Sandbox), ip, true
		if ip.Is4() {
			if last := int(ip.As4()[3]); last >= p.node.nextIP {
				p.node.nextIP = last + 1
			}
		}
	}
	if p.since = k.Clock.Now(); p.obj.Status.StartTime != nil {
		p.since = p.obj.Status.StartTime.Time
	}
	for _, c := range all {
		x, ok := s.Containers[c.spec.Name]
		if !ok {
			continue
		}
		c.prev, c.reason, c.message, c.ready, c.started = x.Last, x.Reason, x.Message, x.Ready, x.Started
		c.backOff, c.backOffAt, c.pullOff, c.pullOffAt = x.BackOff, x.BackOffAt, x.PullOff, x.PullOffAt
		back := func(v *container.Saved) *container.Container {
			if v == nil || p.sandbox == nil {
				return nil
			}
			img, err := k.Runtime.Images.Resolve(v.Image)
			if err != nil {
				return nil
			}
			cfg, err := k.config(p, c, img)
			if err != nil {
				cfg = &container.Config{Name: v.Name, Image: img, UID: -1, GID: -1}
			}
			return p.sandbox.Restore(*cfg, *v)
		}
		c.old = back(x.Old)
		cur := back(x.Current)
		c.cur = cur
		if cur != nil && cur.State == container.Running {
			cur.OnExit(func() { k.exited(p, c, cur) })
			cur.OnEvent(func() { p.probeEvent(c) })
			cur.OnWrite(p.wrote)
			ready, started := c.ready, c.started
			k.startProbes(p, c)
			c.ready, c.started = ready, started
		}
	}
	if p.finished && p.sandbox != nil {
		p.sandbox.Close()
	}
	p.wake(noticeLatency)
}
