// The little of the world outside that the reader's machine can fetch: what the
// page and the documentation's examples have, and the downloads that tutorials
// begin with. The tools are here already, so a download of one is a file that
// stands for it.

package sim

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"path"
	"strings"

	"github.com/kubonsai/kubonsai/sim/internal/lazy"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/network"
)

// webHosts are the names that resolve; their address is one for documentation.
var (
	webHosts = []string{"k8s.io", "kubernetes.io", "dl.k8s.io", "kind.sigs.k8s.io", "raw.githubusercontent.com", "github.com", "storage.googleapis.com"}
	webAddr  = netip.AddrFrom4([4]byte{203, 0, 113, 10})
)

// downloads are where the releases of tools are.
var downloads = lazy.Regexp(`^(dl\.k8s\.io/(release/)?v[^/]+/bin/\w+/\w+/kubectl|kind\.sigs\.k8s\.io/dl/[^/]+/kind-\w+-\w+|github\.com/kubernetes-sigs/kind/releases/download/[^/]+/kind-\w+-\w+|storage\.googleapis\.com/minikube/releases/[^/]+/minikube-\w+-\w+|github\.com/kubernetes/minikube/releases/(latest/download|download/[^/]+)/minikube-\w+-\w+)(\.sha256|\.sha256sum)?$`)

// download is what an address of a release has.
func download(url string) ([]byte, bool) {
	_, rest, _ := strings.Cut(url, "://")
	if strings.HasPrefix(rest, "dl.k8s.io/release/stable") && strings.HasSuffix(rest, ".txt") {
		return []byte("v1.36.2"), true
	}
	m := downloads().FindStringSubmatch(rest)
	if m == nil {
		return nil, false
	}
	tool, _, _ := strings.Cut(path.Base(m[1]), "-")
	program := []byte("\x7fELF\x02\x01\x01 " + tool) // a shell starts what has this name
	if m[len(m)-1] != "" {
		return fmt.Appendf(nil, "%x", sha256.Sum256(program)), true
	}
	return program, true
}

const webMissing = "This address is not a part of the simulation, which is not connected to the internet.\nkubectl, kind, minikube, docker, git, jq and the usual tools are installed already.\n"

// listenWeb makes the world's server.
func (m *Machine) listenWeb() {
	web := m.network.NewNamespace("web", webAddr)
	for _, port := range []int{80, 443} {
		_, _ = web.Listen(port, false, func(_ *kernel.Proc, r *network.Request) *network.Response {
			if r.Method == network.Raw {
				return nil
			}
			status, data := 200, []byte(nil)
			if body, ok := m.fetchURL("https://" + r.Host + r.Path); ok {
				data = body
			} else {
				status, data = 404, []byte(webMissing)
			}
			return &network.Response{Status: status, Header: network.Header{"Content-Type": {"text/plain; charset=utf-8"}, "Content-Length": {fmt.Sprint(len(data))}}, Body: data}
		})
	}
}
