// What minikube adds to a profile's cluster: add-ons, and the tunnel that gives
// Services of type LoadBalancer an address.

package minikube

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/api"
	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	batchv1 "github.com/kubonsai/kubonsai/sim/api/batch/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/provision"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// addon is one of minikube's add-ons that the simulation has.
type addon struct {
	name string
	// namespace and selector find its workloads.
	namespace, selector string
	// pods selects those that enabling waits for; "" waits for none.
	pods string
	on   func(provision.Spec) bool
	// toggle is nil where every cluster has it.
	toggle func(c provision.Cluster, on bool) error
}

func always(provision.Spec) bool { return true }

var addons = []addon{
	{name: "default-storageclass", on: always},
	{name: "ingress", namespace: "ingress-nginx", pods: "app.kubernetes.io/name=ingress-nginx",
		on: func(s provision.Spec) bool { return s.Ingress }, toggle: provision.Cluster.SwitchIngress},
	{name: "metrics-server", namespace: "kube-system", selector: "k8s-app=metrics-server",
		on: func(s provision.Spec) bool { return s.MetricsServer }, toggle: provision.Cluster.SwitchMetricsServer},
	{name: "storage-provisioner", on: always},
}

func addonsList(r *run, _ []string) error {
	c, err := r.existing()
	if err != nil {
		return err
	}
	rows := [][]string{{"ADDON NAME", "PROFILE", "STATUS", "MAINTAINER"}}
	for _, a := range addons {
		status := "disabled"
		if a.on(c.Spec()) {
			status = "enabled ✅"
		}
		rows = append(rows, []string{a.name, c.Spec().Name, status, "Kubernetes"})
	}
	r.table(rows)
	return nil
}

// addonNamed finds an add-on; verb is what was to be done with it.
func addonNamed(verb, name string) (addon, error) {
	var names []string
	for _, a := range addons {
		if a.name == name {
			return a, nil
		}
		names = append(names, a.name)
	}
	return addon{}, exitMessage(exitAddon, "MK_ADDON_"+strings.ToUpper(verb), "%s failed: the simulation does not have the addon %s; it has: %s", verb, name, strings.Join(names, ", "))
}

// verifyTimeout is how long enabling waits for an add-on's pods.
const verifyTimeout = 6 * time.Minute

func addonsEnable(r *run, args []string) error {
	if len(args) != 1 {
		return usage("usage: minikube addons enable ADDON_NAME")
	}
	c, err := r.running()
	if err != nil {
		return err
	}
	a, err := addonNamed("enable", args[0])
	if err != nil {
		return err
	}
	_ = r.step("💡", a.name+" is an addon maintained by Kubernetes. For any concerns contact minikube on GitHub.\nYou can view the list of minikube maintainers at: https://github.com/kubernetes/minikube/blob/master/OWNERS", 0)
	if err := r.enable(c, a); err != nil {
		return err
	}
	return r.step("🌟", fmt.Sprintf("The '%s' addon is enabled", a.name), 0)
}

// enable switches an add-on on and waits for it.
func (r *run) enable(c provision.Cluster, a addon) error {
	if a.toggle != nil {
		if err := a.toggle(c, true); err != nil {
			return exitMessage(exitAddon, "MK_ADDON_ENABLE", "enable failed: run callbacks: running callbacks: [%v]", err)
		}
		for _, image := range a.images(client.New(c.Handler(), "minikube")) {
			_ = r.step("▪", "Using image "+image, 0)
		}
	}
	if a.pods != "" {
		_ = r.step("🔎", "Verifying "+a.name+" addon...", 0)
		if err := r.await(c, a); err != nil {
			return err
		}
	}
	return nil
}

// images are those of the add-on's workloads.
func (a *addon) images(from *client.Client) []string {
	var out []string
	add := func(t *corev1.PodTemplateSpec) {
		for _, k := range t.Spec.Containers {
			out = append(out, k.Image)
		}
	}
	jobs, _, _ := client.List[*batchv1.Job](from, a.namespace, a.selector)
	for _, j := range jobs {
		add(&j.Spec.Template)
	}
	deployments, _, _ := client.List[*appsv1.Deployment](from, a.namespace, a.selector)
	for _, d := range deployments {
		add(&d.Spec.Template)
	}
	return out
}

// await lets time pass until the add-on's pods run or have done their work.
func (r *run) await(c provision.Cluster, a addon) error {
	for end := r.Proc.Now().Add(verifyTimeout); r.Proc.Now().Before(end); {
		if r.Proc.Sleep(500*time.Millisecond) != nil {
			return errInterrupted
		}
		pods, _, err := client.List[*corev1.Pod](client.New(c.Handler(), "minikube"), a.namespace, a.pods)
		if err == nil && len(pods) > 0 && !slices.ContainsFunc(pods, func(p *corev1.Pod) bool {
			return p.Status.Phase != corev1.PodRunning && p.Status.Phase != corev1.PodSucceeded
		}) {
			return nil
		}
	}
	return exitMessage(exitAddon, "MK_ADDON_ENABLE", "enable failed: run callbacks: running callbacks: [waiting for %s pods: context deadline exceeded]", a.pods)
}

func addonsDisable(r *run, args []string) error {
	if len(args) != 1 {
		return usage("usage: minikube addons disable ADDON_NAME")
	}
	c, err := r.running()
	if err != nil {
		return err
	}
	a, err := addonNamed("disable", args[0])
	if err != nil {
		return err
	}
	if a.toggle == nil {
		return exitMessage(exitAddon, "MK_ADDON_DISABLE", "disable failed: the simulation cannot take out the addon %s", a.name)
	}
	if err := a.toggle(c, false); err != nil {
		return exitMessage(exitAddon, "MK_ADDON_DISABLE", "disable failed: run callbacks: running callbacks: [%v]", err)
	}
	return r.step("🌑", fmt.Sprintf("\"The '%s' addon is disabled", a.name), 0) // with that quote
}

// tunnel gives Services of type LoadBalancer their ClusterIP as external address
// while it runs: the reader's machine has a way to those. The real one looks
// every five seconds and reports each time; this one, which is told of changes,
// reports when there is one.
// https://minikube.sigs.k8s.io/docs/handbook/accessing/#loadbalancer-access
func tunnel(r *run, _ []string) error {
	c, err := r.running()
	if err != nil {
		return err
	}
	to := client.New(c.Handler(), "minikube")
	resp, err := to.Do(&rest.Request{Method: "GET", Path: "/api/v1/services", Query: map[string][]string{"watch": {"true"}}})
	if err != nil {
		return exitMessage(exitService, "SVC_TUNNEL_START", "error starting tunnel: %v", err)
	}
	defer func() { // a signal ends the program, and its addresses with it
		resp.Watch.Stop()
		setIngress(to, false)
	}()
	var changed kernel.WaitQueue
	resp.Watch.Notify(changed.Wake)
	was, news := "", true
	for {
		for {
			if _, more := resp.Watch.Next(); !more {
				break
			}
			news = true
		}
		switch {
		case news:
			news = false
			if now := fmt.Sprint(setIngress(to, true)); now != was {
				was = now
				fmt.Fprintf(r.Stdout, "Status:\t\n\tmachine: %s\n\tpid: %d\n\troute: %s -> %s\n\tminikube: Running\n\tservices: %s\n    errors: \n\t\tminikube: no errors\n\t\trouter: no errors\n\t\tloadbalancer emulator: no errors\n",
					r.profile, r.Proc.ID, serviceRange(c.Spec()), c.Spec().FirstNode, now)
			}
		case resp.Watch.Done(): // the cluster has stopped
			return nil
		case r.Proc.Wait(&changed) != nil:
			return errInterrupted
		}
	}
}

func serviceRange(s provision.Spec) string {
	if s.ServiceSubnet.IsValid() {
		return s.ServiceSubnet.String()
	}
	return "10.96.0.0/16"
}

// setIngress gives every Service of type LoadBalancer its address, or takes it
// away, and returns their names. Whatever fails is tried again at the next change.
func setIngress(to *client.Client, on bool) []string {
	services, _, _ := client.List[*corev1.Service](to, "", "")
	names := []string{}
	for _, s := range services {
		if s.Spec.Type != corev1.ServiceTypeLoadBalancer {
			continue
		}
		names = append(names, s.Name)
		var want []corev1.LoadBalancerIngress
		if on {
			want = []corev1.LoadBalancerIngress{{IP: s.Spec.ClusterIP}}
		}
		if is := s.Status.LoadBalancer.Ingress; len(is) == len(want) && (len(is) == 0 || is[0].IP == want[0].IP) {
			continue
		}
		s = api.ShallowCopy(s).(*corev1.Service)
		s.Status.LoadBalancer.Ingress = want
		_, _ = client.UpdateStatus(to, s)
	}
	return names
}
