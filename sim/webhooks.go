// The way of the API server to admission webhooks: Services of the cluster, and
// what the host can reach.

package sim

import (
	"errors"
	"fmt"

	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/network"
)

// webhooks implements apiserver.Webhooks.
type webhooks struct{ c *Cluster }

func (w webhooks) Post(call *apiserver.WebhookCall) (int, []byte, error) {
	failed := func(err error) (int, []byte, error) { return 0, nil, fmt.Errorf("Post %q: %w", call.URL, err) }
	service := call.Service
	if service == nil {
		if out := w.c.opts.Webhooks; out != nil {
			return out(call)
		}
		return failed(fmt.Errorf("dial tcp: lookup %s: no such host", call.URL.Hostname()))
	}
	found := false
	for _, p := range service.Spec.Ports {
		found = found || p.Port == call.Port
	}
	if !found {
		return failed(fmt.Errorf("no service port %d found for service %q", call.Port, service.Name))
	}
	node := w.c.kubelet.NodeNet(w.c.kubelet.Nodes()[0])
	host := service.Spec.ClusterIP
	if service.Spec.ExternalName != "" {
		host = service.Spec.ExternalName
	}
	resp, err := node.Do(w.c.kernel.Current(), host, int(call.Port), &network.Request{Method: "POST", Host: call.URL.Host,
		Path: call.URL.RequestURI(), TLS: true, Body: call.Body,
		Header: network.Header{"Accept": {"application/json, */*"}, "Content-Type": {"application/json"}, "User-Agent": {"kube-apiserver-admission"}}})
	var e *network.Error
	switch {
	case errors.As(err, &e) && e.Waits():
		return failed(errors.New("context deadline exceeded"))
	case errors.As(err, &e):
		e.Port = int(call.Port)
		return failed(e)
	case err != nil:
		return failed(err)
	}
	return resp.Status, resp.Body, nil
}
