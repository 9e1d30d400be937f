package sim

import "testing"

// TestMetricsServer follows what a reader sees of the resource metrics
// pipeline: no API, an API without a server behind it, young pods, figures.
func TestMetricsServer(t *testing.T) {
	c, err := New(Options{Seed: 1, ImagesPresent: true, Log: func(text string) { t.Error(text) }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, x := range []struct{ line, want string }{
		{"kubectl top pods", "error: Metrics API not available\n"},
		{"kubectl run stress --image=polinux/stress --command -- stress --vm 1 --vm-bytes 150M; kubectl create deployment web --image=nginx:1.27",
			"pod/stress created\ndeployment.apps/web created\n"},
		{"kubectl autoscale deployment web --min=1 --max=3 --cpu=50% >/dev/null; sleep 20; kubectl get hpa web -o jsonpath='{.status.conditions[?(@.type==\"ScalingActive\")].message}'",
			"the HPA was unable to compute the replica count: failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)"},
		{"kubectl apply -f https://github.com/kubernetes-sigs/metrics-server/releases/latest/download/components.yaml | tail -2",
			"deployment.apps/metrics-server created\napiservice.apiregistration.k8s.io/v1beta1.metrics.k8s.io created\n"},
		{"sleep 3; kubectl get apiservices; kubectl top nodes",
			"NAME                     SERVICE                      AVAILABLE                  AGE\nv1beta1.metrics.k8s.io   kube-system/metrics-server   False (MissingEndpoints)   3s\n" +
				"Error from server (ServiceUnavailable): the server is currently unable to handle the request (get nodes.metrics.k8s.io)\n"},
		{"kubectl wait -n kube-system --for=condition=Available deploy/metrics-server --timeout=60s; sleep 1; kubectl top pods --field-selector metadata.name=stress", "deployment.apps/metrics-server condition met\nNAME     CPU(cores)   MEMORY(bytes)   \nstress   50m          150Mi           \n"},
		{"kubectl top pods -l app=none", "No resources found in default namespace.\n"},
		{"kubectl top pod stress --containers --no-headers", "stress   stress   50m   150Mi   \n"},
		{"kubectl top pods -A --sort-by=memory --no-headers | head -1", "default       stress                     50m   150Mi   \n"},
		{"kubectl top pod nope", "Error from server (NotFound): pods \"nope\" not found\n"},
		{"kubectl run new --image=nginx:1.27 >/dev/null; sleep 5; kubectl top pod new; kubectl top pod -l run=new", "Error from server (NotFound): podmetrics.metrics.k8s.io \"default/new\" not found\nerror: metrics not available yet\n"},
		{"sleep 30; kubectl top pod new --no-headers", "new   0m    3Mi   \n"},
		{"kubectl api-resources --api-group=metrics.k8s.io", "NAME    SHORTNAMES   APIVERSION               NAMESPACED   KIND\nnodes                metrics.k8s.io/v1beta1   false        NodeMetrics\npods                 metrics.k8s.io/v1beta1   true         PodMetrics\n"},
		{"kubectl get podmetrics stress", "NAME     CPU         MEMORY     WINDOW\nstress   50000000n   154112Ki   15s\n"},
		{"kubectl delete podmetrics stress", "Error from server (MethodNotAllowed): the server does not allow this method on the requested resource\n"},
		{"kubectl delete apiservice v1beta1.metrics.k8s.io; kubectl top pods", "apiservice.apiregistration.k8s.io \"v1beta1.metrics.k8s.io\" deleted\nerror: Metrics API not available\n"},
	} {
		if got := do(t, c, "1", x.line); got != x.want {
			t.Errorf("$ %s\n got %q\nwant %q", x.line, got, x.want)
		}
	}
	if err := c.Current().SwitchMetricsServer(true); err != nil {
		t.Error(err)
	}
	if got := do(t, c, "1", "sleep 1; kubectl top node --no-headers | wc -l"); got != "1\n" {
		t.Errorf("after it was switched on again: %q", got)
	}
}
