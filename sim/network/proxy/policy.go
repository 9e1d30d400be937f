// Network policies: whether the pods at both ends of a connection let it pass.
// They are asked about a connection's first packet, after the service's address
// has become an endpoint's; answers pass with it.
// https://kubernetes.io/docs/concepts/services-networking/network-policies/

package proxy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/api/intstr"
	"github.com/kubonsai/kubonsai/sim/api/labels"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	networkingv1 "github.com/kubonsai/kubonsai/sim/api/networking/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/network"
)

// peer is one end of a connection; pod is nil for what is not a pod of the pod
// network (pods with hostNetwork are their node).
type peer struct {
	addr netip.Addr
	pod  *corev1.Pod
}

// decision is what the policies for one direction say of a pod.
type decision struct {
	direction networkingv1.PolicyType
	pod       *corev1.Pod
	selecting []string // the policies that isolate the pod in that direction
	allowing  string   // the one that lets the connection pass, with the rule's number
}

func (d *decision) allowed() bool { return len(d.selecting) == 0 || d.allowing != "" }

// permits reports whether policies let the connection reach the endpoint; said
// is told of each decision.
func (p *Proxy) permits(r *route, e Endpoint, said func(*decision)) bool {
	if said == nil && p.policies.Len() == 0 {
		return true
	}
	from, to := peer{addr: r.from.Addr(), pod: r.fromPod}, peer{addr: e.Addr.Addr()}
	if e.Pod != "" {
		if owner := p.net.Owner(to.addr); owner == nil || owner.Pod != "" { // else it is on its node's network
			to.pod, _ = p.pods.ByKey(e.Pod)
		}
	}
	if p.Nodes != nil {
		node := p.Nodes.NodeOf(to.addr)
		switch {
		case from.addr == to.addr, // a pod reaches itself
			r.from.Pod == "" && !r.from.NodePorts && p.Nodes.NodeOf(from.addr) == node, // a node reaches its pods
			from.pod != nil && to.pod == nil && from.pod.Spec.NodeName == node:         // and they it
			return true
		case r.from.NodePorts && r.svc != nil && node != r.entry: // hidden behind the node that passed it on
			from.addr, _ = p.Nodes.NodeAddr(r.entry)
		}
	}
	ok := true
	for _, direction := range [2]networkingv1.PolicyType{networkingv1.PolicyTypeEgress, networkingv1.PolicyTypeIngress} {
		d := decision{direction: direction, pod: from.pod}
		if direction == networkingv1.PolicyTypeIngress {
			d.pod = to.pod
		}
		if d.pod == nil {
			continue
		}
		p.decide(&d, from, to, r.proto, e.Addr.Port())
		if said != nil {
			said(&d)
		}
		ok = ok && d.allowed()
	}
	return ok
}

func (p *Proxy) decide(d *decision, from, to peer, proto network.Protocol, port uint16) {
	p.policies.Scan(d.pod.Namespace, func(n *networkingv1.NetworkPolicy) bool {
		if !slices.Contains(n.Spec.PolicyTypes, d.direction) || !selects(&n.Spec.PodSelector, d.pod.Labels) {
			return true
		}
		d.selecting = append(d.selecting, n.Name)
		rule := func(i int, ports []networkingv1.NetworkPolicyPort, peers []networkingv1.NetworkPolicyPeer, other peer) {
			if d.allowing == "" && portAllowed(ports, proto, port, to.pod) && p.peerAllowed(peers, n.Namespace, other) {
				d.allowing = fmt.Sprintf("%s, rule %d", n.Name, i+1)
			}
		}
		if d.direction == networkingv1.PolicyTypeIngress {
			for i := range n.Spec.Ingress {
				rule(i, n.Spec.Ingress[i].Ports, n.Spec.Ingress[i].From, from)
			}
			return true
		}
		for i := range n.Spec.Egress {
			rule(i, n.Spec.Egress[i].Ports, n.Spec.Egress[i].To, to)
		}
		return true
	})
}

func selects(s *metav1.LabelSelector, set map[string]string) bool {
	sel, err := metav1.LabelSelectorAsSelector(s)
	return err == nil && sel.Matches(labels.Set(set))
}

// portAllowed looks a port up in a rule; a name is that of a port of the pod
// at the receiving end.
func portAllowed(ports []networkingv1.NetworkPolicyPort, proto network.Protocol, port uint16, to *corev1.Pod) bool {
	return len(ports) == 0 || slices.ContainsFunc(ports, func(a networkingv1.NetworkPolicyPort) bool {
		if a.Protocol == nil && proto != network.TCP || a.Protocol != nil && string(*a.Protocol) != string(proto) {
			return false
		}
		switch {
		case a.Port == nil:
			return true
		case a.Port.Type == intstr.String:
			named := false
			if to != nil {
				eachPort(to, func(c *corev1.ContainerPort) {
					named = named || c.Name == a.Port.StrVal && c.ContainerPort == int32(port) && (c.Protocol == "" || string(c.Protocol) == string(proto))
				})
			}
			return named
		case a.EndPort != nil:
			return a.Port.IntVal <= int32(port) && int32(port) <= *a.EndPort
		}
		return a.Port.IntVal == int32(port)
	})
}

func (p *Proxy) peerAllowed(peers []networkingv1.NetworkPolicyPeer, namespace string, other peer) bool {
	return len(peers) == 0 || slices.ContainsFunc(peers, func(a networkingv1.NetworkPolicyPeer) bool {
		if a.IPBlock != nil {
			return inRanges([]string{a.IPBlock.CIDR}, other.addr) && !inRanges(a.IPBlock.Except, other.addr)
		}
		if other.pod == nil {
			return false
		}
		if a.NamespaceSelector == nil {
			if other.pod.Namespace != namespace {
				return false
			}
		} else if ns, ok := p.namespaces.ByKey(other.pod.Namespace); !ok || !selects(a.NamespaceSelector, ns.Labels) {
			return false
		}
		return a.PodSelector == nil || selects(a.PodSelector, other.pod.Labels)
	})
}

// text tells a decision in words; some policy selects the pod.
func (d *decision) text() string {
	who := "pod " + client.Key(d.pod)
	if d.allowing != "" {
		return "allowed by " + d.allowing
	}
	if len(d.selecting) == 1 {
		return fmt.Sprintf("denied: %s selects %s and has no rule for this", d.selecting[0], who)
	}
	return fmt.Sprintf("denied: %s select %s and have no rule for this", strings.Join(d.selecting, ", "), who)
}
