package endpointslice

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	discoveryv1 "github.com/kubonsai/kubonsai/sim/api/discovery/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	ct "github.com/kubonsai/kubonsai/sim/controller/controllertest"
	"github.com/kubonsai/kubonsai/sim/controller/endpoints"
)

func show(c *ct.Cluster) string {
	var out []string
	for _, s := range ct.List[*discoveryv1.EndpointSlice](c, "kubernetes.io/service-name=web") {
		line := fmt.Sprintf("%d ports", len(s.Ports))
		for _, e := range s.Endpoints {
			line += fmt.Sprintf(" %s(%v,%v,%v)", e.TargetRef.Name, *e.Conditions.Ready, *e.Conditions.Serving, *e.Conditions.Terminating)
		}
		out = append(out, line)
	}
	return strings.Join(out, "; ")
}

// objects/service-endpoints.jsonl: empty, then ready pods, then terminating ones.
func TestEndpoints(t *testing.T) {
	c := ct.New(t)
	New(c.Client, c.Factory)
	endpoints.New(c.Client, c.Factory)
	k := c.StartKubelet(500 * time.Millisecond)
	c.Node("node-1", "4", "8Gi")
	ct.Apply[*corev1.Service](c, "metadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80, protocol: TCP, targetPort: http}]}")
	c.Run(100 * time.Millisecond)
	if got := show(c); got != "0 ports" {
		t.Errorf("at first: %s", got)
	}
	for _, name := range []string{"a", "b"} {
		ct.Apply[*corev1.Pod](c, "metadata: {name: "+name+", labels: {app: web}}\nspec: {nodeName: node-1, containers: [{name: x, image: y, ports: [{name: http, containerPort: 8080, protocol: TCP}]}]}")
	}
	c.Run(time.Second)
	if got := show(c); got != "1 ports a(true,true,false) b(true,true,false)" {
		t.Errorf("with pods: %s", got)
	}
	s := ct.List[*discoveryv1.EndpointSlice](c, "kubernetes.io/service-name=web")[0]
	if *s.Ports[0].Port != 8080 || !strings.HasPrefix(s.Name, "web-") || s.Labels["endpointslice.kubernetes.io/managed-by"] != managerName ||
		s.Annotations["endpoints.kubernetes.io/last-change-trigger-time"] == "" {
		t.Errorf("slice %+v", s)
	}
	e := ct.Get[*corev1.Endpoints](c, "default", "web")
	if len(e.Subsets) != 1 || len(e.Subsets[0].Addresses) != 2 || e.Subsets[0].Ports[0].Port != 8080 {
		t.Errorf("endpoints %+v", e.Subsets)
	}
	_ = client.Delete[*corev1.Pod](c.Client, "default", "a", client.DeleteOptions{})
	c.Run(100 * time.Millisecond)
	if got := show(c); got != "1 ports a(false,true,true) b(true,true,false)" {
		t.Errorf("terminating: %s", got)
	}
	if e := ct.Get[*corev1.Endpoints](c, "default", "web"); len(e.Subsets) != 1 || len(e.Subsets[0].Addresses) != 1 {
		t.Errorf("endpoints %+v", e.Subsets)
	}
	_ = k
	_ = client.Delete[*corev1.Pod](c.Client, "default", "b", client.DeleteOptions{})
	c.Run(5 * time.Second)
	if got := show(c); got != "0 ports" {
		t.Errorf("at last: %s", got)
	}
}

// At most 100 endpoints a slice.
func TestManyEndpoints(t *testing.T) {
	c := ct.New(t)
	New(c.Client, c.Factory)
	c.StartKubelet(10 * time.Millisecond)
	c.Node("node-1", "4", "8Gi")
	ct.Apply[*corev1.Service](c, "metadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80, protocol: TCP, targetPort: 80}]}")
	for i := range 250 {
		ct.Apply[*corev1.Pod](c, fmt.Sprintf("metadata: {name: p%d, labels: {app: web}}\nspec: {nodeName: node-1, containers: [{name: x, image: y}]}", i))
	}
	c.Run(10 * time.Second)
	total := 0
	all := ct.List[*discoveryv1.EndpointSlice](c, "")
	for _, s := range all {
		total += len(s.Endpoints)
		if len(s.Endpoints) > 100 {
			t.Errorf("%d endpoints in one slice", len(s.Endpoints))
		}
	}
	if len(all) != 3 || total != 250 {
		t.Errorf("%d slices with %d endpoints", len(all), total)
	}
}
