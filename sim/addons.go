// What a cluster runs of itself: the cluster's DNS; an ingress controller when
// that is switched on.

package sim

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/kubonsai/kubonsai/sim/api"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver/rbac"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/examples"
	"github.com/kubonsai/kubonsai/sim/rest"
	"sigs.k8s.io/yaml"
)

// The objects of addons.yaml, for every new cluster, and those of the metrics
// server: JSON, which a cluster that is waited for reads sooner than YAML.
// scripts/pack makes them.
var (
	//go:embed zz_generated.addons.txt
	addonObjects string
	//go:embed zz_generated.metrics.txt
	metricsObjects string
)

// addon sends one object to the API: POST creates it, DELETE removes it.
func (c *Cluster) addon(method string, body []byte, userAgent string) error {
	var head struct {
		metav1.TypeMeta
		Metadata struct{ Namespace, Name string }
	}
	if err := json.Unmarshal(body, &head); err != nil {
		return err
	}
	name := ""
	if method == "DELETE" {
		name, body = head.Metadata.Name, nil
	}
	res := api.ByGVK(head.GroupVersionKind())
	if _, err := c.admin.Do(&rest.Request{Method: method, Body: body, Path: client.Path(res, head.Metadata.Namespace, name, ""),
		Header: rest.Header{"Content-Type": "application/json", "User-Agent": userAgent}}); err != nil {
		return fmt.Errorf("add-on %s: %w", head.Kind, err)
	}
	return nil
}

// SwitchIngress installs ingress-nginx as minikube's add-on of that name does,
// or removes it; doing so twice is no error.
func (c *Cluster) SwitchIngress(on bool) error {
	var objects []string
	for _, text := range strings.Split(string(examples.IngressNginx("minikube")), "\n---\n") {
		object, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			return err
		}
		objects = append(objects, string(object))
	}
	err := c.switchObjects(on, strings.Join(objects, "\n"), "minikube")
	if err == nil {
		c.spec.Ingress, c.machine.dirty.clusters = on, true
	}
	return err
}

// switchObjects creates those objects, JSON on a line each, that are not there
// yet, or deletes those that are.
func (c *Cluster) switchObjects(on bool, objects, userAgent string) error {
	method, done := "POST", apierrors.IsAlreadyExists
	if !on {
		method, done = "DELETE", apierrors.IsNotFound
	}
	for object := range strings.Lines(objects) {
		if err := c.addon(method, []byte(object), userAgent); err != nil && !done(err) {
			return err
		}
	}
	return nil
}

func (c *Cluster) addons() error {
	if err := c.switchObjects(true, strings.ReplaceAll(addonObjects, "DNS_ADDRESS", c.dnsAddress()), "kubeadm"); err != nil {
		return err
	}
	for _, obj := range rbac.Defaults() {
		if _, err := c.admin.Do(&rest.Request{Method: "POST", Object: obj, Path: client.Path(api.Of(obj), "", "", ""),
			Header: rest.Header{"User-Agent": "kube-apiserver"}}); err != nil {
			return fmt.Errorf("add-on %s: %w", api.Of(obj).Kind, err)
		}
	}
	if c.spec.MetricsServer {
		return c.SwitchMetricsServer(true)
	}
	return nil
}
