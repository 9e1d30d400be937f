// What a cluster runs of itself: the cluster's DNS; an ingress controller when
// that is switched on.

package sim

import (
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

// addonManifests are applied to every new cluster.
const addonManifests = `apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: system-cluster-critical}
value: 2000000000
description: For the pods that the cluster itself needs, on whichever node.
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: system-node-critical}
value: 2000001000
description: For the pods that a node itself needs.
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: standard
  annotations: {storageclass.kubernetes.io/is-default-class: "true"}
provisioner: rancher.io/local-path
reclaimPolicy: Delete
volumeBindingMode: WaitForFirstConsumer
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: coredns, namespace: kube-system}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: coredns
  namespace: kube-system
  labels: {k8s-app: kube-dns}
spec:
  replicas: 1
  selector: {matchLabels: {k8s-app: kube-dns}}
  strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 1}}
  template:
    metadata: {labels: {k8s-app: kube-dns}}
    spec:
      serviceAccountName: coredns
      priorityClassName: system-cluster-critical
      dnsPolicy: Default
      tolerations:
      - {key: CriticalAddonsOnly, operator: Exists}
      - {key: node-role.kubernetes.io/control-plane, effect: NoSchedule}
      containers:
      - name: coredns
        image: registry.k8s.io/coredns/coredns:v1.14.2
        args: ["-conf", "/etc/coredns/Corefile"]
        resources:
          limits: {memory: 170Mi}
          requests: {cpu: 100m, memory: 70Mi}
        ports:
        - {name: dns, containerPort: 53, protocol: UDP}
        - {name: dns-tcp, containerPort: 53, protocol: TCP}
        - {name: metrics, containerPort: 9153, protocol: TCP}
        livenessProbe:
          httpGet: {path: /health, port: 8080}
          initialDelaySeconds: 60
          timeoutSeconds: 5
          failureThreshold: 5
        readinessProbe:
          httpGet: {path: /ready, port: 8181}
---
apiVersion: v1
kind: Service
metadata:
  name: kube-dns
  namespace: kube-system
  labels: {k8s-app: kube-dns, kubernetes.io/cluster-service: "true", kubernetes.io/name: CoreDNS}
spec:
  clusterIP: DNS_ADDRESS
  selector: {k8s-app: kube-dns}
  ports:
  - {name: dns, port: 53, protocol: UDP, targetPort: 53}
  - {name: dns-tcp, port: 53, protocol: TCP, targetPort: 53}
  - {name: metrics, port: 9153, protocol: TCP, targetPort: 9153}
`

// addon sends one manifest to the API: POST creates it, DELETE removes it.
func (c *Cluster) addon(method, text, userAgent string) error {
	body, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return err
	}
	var head struct {
		metav1.TypeMeta
		Metadata struct{ Namespace, Name string }
	}
	if err := yaml.Unmarshal(body, &head); err != nil {
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
	err := c.switchObjects(on, string(examples.IngressNginx("minikube")), "minikube")
	if err == nil {
		c.spec.Ingress, c.machine.dirty.clusters = on, true
	}
	return err
}

// switchObjects creates those objects of a YAML stream that are not there yet,
// or deletes those that are.
func (c *Cluster) switchObjects(on bool, manifests, userAgent string) error {
	method, done := "POST", apierrors.IsAlreadyExists
	if !on {
		method, done = "DELETE", apierrors.IsNotFound
	}
	for _, text := range strings.Split(manifests, "\n---\n") {
		if err := c.addon(method, text, userAgent); err != nil && !done(err) {
			return err
		}
	}
	return nil
}

func (c *Cluster) addons() error {
	if err := c.switchObjects(true, strings.ReplaceAll(addonManifests, "DNS_ADDRESS", c.dnsAddress()), "kubeadm"); err != nil {
		return err
	}
	for _, obj := range rbac.Defaults() {
		if _, err := c.admin.Do(&rest.Request{Method: "POST", Object: obj, Path: client.Path(api.Of(obj), "", "", "")}); err != nil {
			return fmt.Errorf("add-on %s: %w", api.Of(obj).Kind, err)
		}
	}
	if c.spec.MetricsServer {
		return c.SwitchMetricsServer(true)
	}
	return nil
}
