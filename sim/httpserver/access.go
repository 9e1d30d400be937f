// Who sends a request. Over HTTPS that is told by a client certificate or a
// bearer token, as by the real server; over plain HTTP, which is meant for
// one's own machine, whoever shows no token is the administrator.

package httpserver

import (
	"net/http"
	"slices"

	"github.com/kubonsai/kubonsai/sim"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// Administrator is the name in the certificate of the cluster's administrator,
// and its group: kubeadm's.
const (
	Administrator       = "kubernetes-admin"
	AdministratorsGroup = "kubeadm:cluster-admins"
)

// answer has the cluster serve a request as its sender.
func (h *Server) answer(c *sim.Machine, r *http.Request, req *rest.Request) *rest.Response {
	req.Wait = h.wait
	switch {
	case req.Header.Get("Authorization") != "":
	case r.TLS == nil:
		return c.Handler().Serve(req)
	case len(r.TLS.VerifiedChains) > 0:
		subject := r.TLS.VerifiedChains[0][0].Subject
		if subject.CommonName != Administrator || !slices.Contains(subject.Organization, AdministratorsGroup) {
			req.User = &rest.User{Name: subject.CommonName, Groups: append(slices.Clone(subject.Organization), "system:authenticated")}
		}
		return c.Handler().Serve(req)
	}
	return c.ServeStranger(req)
}
