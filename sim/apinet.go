// The API server on the cluster's network: what containers reach as
// https://kubernetes.default.svc, and the reader's curl as the kubeconfig's server.

package sim

import (
	"net/url"
	"strings"

	authenticationv1 "github.com/kubonsai/kubonsai/sim/api/authentication/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/kubectl"
	"github.com/kubonsai/kubonsai/sim/network"
	"github.com/kubonsai/kubonsai/sim/pki"
	"github.com/kubonsai/kubonsai/sim/rest"
)

const defaultAPIPort = 6443

// apiPort is the API server's port on the control plane's node.
func (c *Cluster) apiPort() uint16 {
	if c.spec.APIPort != 0 {
		return uint16(c.spec.APIPort)
	}
	return defaultAPIPort
}

// listenAPI binds the API server's port on the control plane's node, now and
// whenever the node comes back, and where the reader's machine finds it.
func (c *Cluster) listenAPI() error {
	node := c.kubelet.Nodes()[0]
	bind := func() error {
		_, err := c.kubelet.NodeNet(node).Listen(int(c.apiPort()), false, c.serveAPI)
		return err
	}
	c.kubelet.OnNode(func(name string, stopped bool) {
		if name == node && !stopped {
			_ = bind()
		}
	})
	if err := bind(); err != nil {
		return err
	}
	if err := c.publish(); err != nil || !c.spec.Server.Addr().IsLoopback() {
		return err
	}
	l, err := c.machine.net.Listen(int(c.spec.Server.Port()), true, c.serveAPI)
	if err == nil {
		c.releases = append(c.releases, l.Close)
	}
	return err
}

// ServeStranger serves a request from outside whose sender is told by its
// Authorization header alone: by a bearer token, or nobody (system:anonymous).
// A token that is not valid gets the real server's 401.
func (c *Cluster) ServeStranger(req *rest.Request) *rest.Response {
	req.User = &rest.User{Name: "system:anonymous", Groups: []string{"system:unauthenticated"}}
	if token, ok := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer "); ok {
		user, err := c.server.Authenticate(strings.TrimSpace(token))
		if err != nil {
			return unauthorized()
		}
		req.User = user
	}
	return c.server.Serve(req)
}

// serveReader serves a request of the reader's kubectl, whose kubeconfig says who
// sends it: a token, a certificate that the cluster's authority has signed, or
// what the cluster's tool has put there for the administrator.
func (c *Cluster) serveReader(req *rest.Request) *rest.Response {
	shown := req.Header.Get(kubectl.CertificateHeader)
	if shown == "" {
		return c.ServeStranger(req)
	}
	if cert, err := pki.ParseCertificate([]byte(shown)); err == nil {
		user, err := c.server.CertificateUser(cert)
		if err != nil {
			return unauthorized()
		}
		req.User = user
	}
	return c.server.Serve(req)
}

func unauthorized() *rest.Response {
	e := apierrors.NewUnauthorized("Unauthorized")
	return &rest.Response{Code: int(e.ErrStatus.Code), Object: e.Object()}
}

// serveAPI answers one request from the network.
func (c *Cluster) serveAPI(_ *kernel.Proc, r *network.Request) *network.Response {
	plain := func(status int, body string) *network.Response {
		return &network.Response{Status: status, Header: network.Header{"Content-Type": {"text/plain; charset=utf-8"}}, Body: []byte(body)}
	}
	if !r.TLS {
		return plain(400, "Client sent an HTTP request to an HTTPS server.\n")
	}
	u, err := url.ParseRequestURI(r.Path)
	if err != nil {
		return plain(400, "400 Bad Request")
	}
	req := &rest.Request{Method: r.Method, Path: u.Path, Query: u.Query(), Header: rest.Header{}, Body: r.Body}
	for _, name := range r.Header.Names() {
		req.Header[name] = r.Header.Get(name)
	}
	wire := kubectl.Wire{Kernel: c.kernel, Spawn: func(fn func(*kernel.Proc) int) { c.kernel.Spawn(nil, "kube-apiserver", fn) },
		Encode: apiserver.Encode, EncodeEvent: apiserver.EncodeWatchEvent}
	return wire.Answer(req, c.ServeStranger(req))
}

// podToken is the token that a pod finds in its files.
func (c *Cluster) podToken(pod *corev1.Pod, projection *corev1.ServiceAccountTokenProjection) string {
	r := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: projection.ExpirationSeconds,
		BoundObjectRef: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID}}}
	if projection.Audience != "" {
		r.Spec.Audiences = []string{projection.Audience}
	}
	r.APIVersion, r.Kind = "authentication.k8s.io/v1", "TokenRequest"
	resp, err := c.admin.Do(&rest.Request{Method: "POST", Object: r,
		Path: "/api/v1/namespaces/" + pod.Namespace + "/serviceaccounts/" + pod.Spec.ServiceAccountName + "/token"})
	if err != nil {
		return ""
	}
	if r, ok := resp.Object.(*authenticationv1.TokenRequest); ok {
		return r.Status.Token
	}
	return ""
}
