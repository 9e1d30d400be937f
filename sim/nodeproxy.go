// What joins the API server to the kubelets: neither knows the other.

package sim

import (
	"net/netip"
	"strconv"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/kubelet"
	"github.com/kubonsai/kubonsai/sim/rest"
)

type nodeProxy struct{ k *kubelet.Kubelet }

func (n nodeProxy) Logs(p *corev1.Pod, c string, o apiserver.LogOptions) ([]byte, rest.Stream, error) {
	return n.k.Logs(p, c, kubelet.LogOptions(o))
}

func (n nodeProxy) Exec(p *corev1.Pod, c string, command []string, o apiserver.ExecOptions) (rest.Stream, error) {
	return n.k.Exec(p, c, command, kubelet.ExecOptions(o))
}

func (n nodeProxy) Attach(p *corev1.Pod, c string, o apiserver.ExecOptions) (rest.Stream, error) {
	return n.k.Attach(p, c, kubelet.ExecOptions(o))
}

func (n nodeProxy) PortForward(p *corev1.Pod, port int32) (rest.Stream, error) {
	return n.k.PortForward(p, port)
}

func (n nodeProxy) HTTP(t apiserver.ProxyTarget, r *rest.Request) (*rest.Response, error) {
	to := kubelet.Target{Pod: t.Pod, Node: t.Node, Scheme: t.Scheme, Port: t.Port, Path: t.Path}
	if s := t.Service; s != nil {
		to.Addr, _ = netip.ParseAddr(s.Spec.ClusterIP)
		for _, p := range s.Spec.Ports {
			if t.Port == "" || t.Port == p.Name {
				to.Port = strconv.Itoa(int(p.Port))
				break
			}
		}
	}
	return n.k.HTTP(to, r)
}
