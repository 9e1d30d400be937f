// Package examples answers the addresses of the official documentation's
// example manifests, so that snippets such as
// `kubectl apply -f https://k8s.io/examples/controllers/frontend.yaml` work
// without a network. The manifests are written for this project; they have the
// names, labels and images that the documentation's commands go on to use. So
// are those that set up ingress-nginx.
package examples

import (
	"embed"
	"path"
	"strings"
)

//go:embed *.yaml
var files embed.FS

// paths maps the part of an address after /examples/ to a file. The others are
// in documentation.yaml.
var paths = map[string]string{
	"controllers/frontend.yaml": "frontend.yaml",
	"controllers/hpa-rs.yaml":   "hpa-rs.yaml",
	"pods/pod-rs.yaml":          "pod-rs.yaml",
}

// documented is the part of documentation.yaml that stands for an address.
func documented(address string) ([]byte, bool) {
	data, err := files.ReadFile("documentation.yaml")
	if err != nil {
		return nil, false
	}
	_, text, ok := strings.Cut(string(data), "\n#: "+address+"\n")
	text, _, _ = strings.Cut(text, "\n#: ")
	return []byte(strings.TrimSuffix(text, "\n") + "\n"), ok
}

// Addresses are the parts after /examples/ that are known, for tests.
func Addresses() []string {
	var out []string
	for address := range paths {
		out = append(out, address)
	}
	data, _ := files.ReadFile("documentation.yaml")
	for line := range strings.Lines(string(data)) {
		if address, ok := strings.CutPrefix(line, "#: "); ok {
			out = append(out, strings.TrimSpace(address))
		}
	}
	return out
}

// hosts are where the documentation's examples are served from.
var hosts = []string{"k8s.io/examples/", "kubernetes.io/examples/", "kubernetes.io/docs/examples/",
	"raw.githubusercontent.com/kubernetes/website/main/content/en/examples/"}

// metricsServer is where releases of the metrics server have their manifest,
// below latest/download/ or download/VERSION/.
const metricsServer = "github.com/kubernetes-sigs/metrics-server/releases/"

// providers of ingress-nginx's manifests.
const (
	kind      = "kind"
	cloud     = "cloud"
	bareMetal = "baremetal"
	minikube  = "minikube"
)

// ingressNginx says which of ingress-nginx's manifests is at the address:
// kind's guide, or the project's own for a provider.
func ingressNginx(address string) (provider string, ok bool) {
	if strings.HasPrefix(address, "kind.sigs.k8s.io/examples/ingress/") && strings.HasSuffix(address, "deploy-ingress-nginx.yaml") {
		return kind, true
	}
	rest, ok := strings.CutPrefix(address, "raw.githubusercontent.com/kubernetes/ingress-nginx/")
	if !ok {
		return "", false
	}
	_, rest, ok = strings.Cut(rest, "/deploy/static/provider/")
	provider, _, _ = strings.Cut(rest, "/")
	return provider, ok && strings.HasSuffix(rest, "/deploy.yaml") && (provider == kind || provider == cloud || provider == bareMetal)
}

// IngressNginx is the manifest of the ingress controller for a provider: kind,
// cloud, baremetal or minikube. They differ in how the world reaches it.
func IngressNginx(provider string) []byte {
	data, err := files.ReadFile("ingress-nginx.yaml")
	if err != nil {
		return nil
	}
	service, address, http, https := "NodePort", "--publish-status-address=localhost", ", hostPort: 80", ", hostPort: 443"
	switch provider {
	case minikube:
		address = "--report-node-internal-ip-address=true"
	case cloud, bareMetal:
		address, http, https = "--publish-service=ingress-nginx/ingress-nginx-controller", "", ""
		if provider == cloud {
			service = "LoadBalancer"
		} else {
			address = "--report-node-internal-ip-address=true"
		}
	}
	return []byte(strings.NewReplacer("${TYPE}", service, "${ADDRESS}", address, "${HTTP}", http, "${HTTPS}", https).Replace(string(data)))
}

// Fetch returns the manifest at the address, and whether there is one.
func Fetch(url string) ([]byte, bool) {
	rest := strings.TrimPrefix(strings.TrimPrefix(url, "https://"), "http://")
	rest = strings.TrimPrefix(rest, "www.")
	if p, ok := strings.CutPrefix(rest, metricsServer); ok && path.Base(p) == "components.yaml" && strings.Contains(p, "download/") {
		data, err := files.ReadFile("metrics-server.yaml")
		return data, err == nil
	}
	if provider, ok := ingressNginx(rest); ok {
		return IngressNginx(provider), true
	}
	for _, h := range hosts {
		if p, ok := strings.CutPrefix(rest, h); ok {
			if name, ok := paths[path.Clean(p)]; ok {
				data, err := files.ReadFile(name)
				return data, err == nil
			}
			return documented(path.Clean(p))
		}
	}
	return nil, false
}
