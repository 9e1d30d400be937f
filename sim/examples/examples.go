// Package examples answers the addresses of the official documentation's
// example manifests, so that snippets such as
// `kubectl apply -f https://k8s.io/examples/controllers/frontend.yaml` work
// without a network. The manifests are written for this project; they have the
// names, labels and images that the documentation's commands go on to use.
package examples

import (
	"embed"
	"path"
	"strings"
)

//go:embed *.yaml
var files embed.FS

// paths maps the part of an address after /examples/ to a file.
var paths = map[string]string{
	"controllers/frontend.yaml": "frontend.yaml",
	"controllers/hpa-rs.yaml":   "hpa-rs.yaml",
	"pods/pod-rs.yaml":          "pod-rs.yaml",
}

// hosts are where the documentation's examples are served from.
var hosts = []string{"k8s.io/examples/", "kubernetes.io/examples/", "kubernetes.io/docs/examples/",
	"raw.githubusercontent.com/kubernetes/website/main/content/en/examples/"}

// metricsServer is where releases of the metrics server have their manifest,
// below latest/download/ or download/VERSION/.
const metricsServer = "github.com/kubernetes-sigs/metrics-server/releases/"

// Fetch returns the manifest at the address, and whether there is one.
func Fetch(url string) ([]byte, bool) {
	rest := strings.TrimPrefix(strings.TrimPrefix(url, "https://"), "http://")
	rest = strings.TrimPrefix(rest, "www.")
	if p, ok := strings.CutPrefix(rest, metricsServer); ok && path.Base(p) == "components.yaml" && strings.Contains(p, "download/") {
		data, err := files.ReadFile("metrics-server.yaml")
		return data, err == nil
	}
	for _, h := range hosts {
		if p, ok := strings.CutPrefix(rest, h); ok {
			if name, ok := paths[path.Clean(p)]; ok {
				data, err := files.ReadFile(name)
				return data, err == nil
			}
		}
	}
	return nil, false
}
