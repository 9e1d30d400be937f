// The wiring: which parts a cluster is made of and how they know each other.

package sim

import (
	"fmt"
	"net/netip"
	"strings"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/apiserver/admission"
	"github.com/kubonsai/kubonsai/sim/apiserver/rbac"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/container"
	"github.com/kubonsai/kubonsai/sim/controller/certificates"
	"github.com/kubonsai/kubonsai/sim/controller/clusterroleaggregation"
	"github.com/kubonsai/kubonsai/sim/controller/crd"
	"github.com/kubonsai/kubonsai/sim/controller/cronjob"
	"github.com/kubonsai/kubonsai/sim/controller/daemonset"
	"github.com/kubonsai/kubonsai/sim/controller/deployment"
	"github.com/kubonsai/kubonsai/sim/controller/disruption"
	"github.com/kubonsai/kubonsai/sim/controller/endpoints"
	"github.com/kubonsai/kubonsai/sim/controller/endpointslice"
	"github.com/kubonsai/kubonsai/sim/controller/endpointslicemirroring"
	"github.com/kubonsai/kubonsai/sim/controller/garbagecollector"
	"github.com/kubonsai/kubonsai/sim/controller/horizontalpodautoscaler"
	"github.com/kubonsai/kubonsai/sim/controller/ingressnginx"
	"github.com/kubonsai/kubonsai/sim/controller/job"
	"github.com/kubonsai/kubonsai/sim/controller/loadbalancer"
	"github.com/kubonsai/kubonsai/sim/controller/namespace"
	"github.com/kubonsai/kubonsai/sim/controller/nodelifecycle"
	"github.com/kubonsai/kubonsai/sim/controller/persistentvolume"
	"github.com/kubonsai/kubonsai/sim/controller/podgc"
	"github.com/kubonsai/kubonsai/sim/controller/replicaset"
	"github.com/kubonsai/kubonsai/sim/controller/resourcequota"
	"github.com/kubonsai/kubonsai/sim/controller/serviceaccount"
	"github.com/kubonsai/kubonsai/sim/controller/statefulset"
	"github.com/kubonsai/kubonsai/sim/controller/validatingadmissionpolicystatus"
	"github.com/kubonsai/kubonsai/sim/kubelet"
	"github.com/kubonsai/kubonsai/sim/network"
	"github.com/kubonsai/kubonsai/sim/network/proxy"
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/provision"
	"github.com/kubonsai/kubonsai/sim/scheduler"
	"github.com/kubonsai/kubonsai/sim/shell"
	"github.com/kubonsai/kubonsai/sim/shell/tool"
)

// parts are what a cluster is wired of.
type parts struct {
	server       *apiserver.Server
	factory      *client.Factory
	admin        *client.Client
	network      *network.Network
	proxy        *proxy.Proxy
	runtime      *container.Runtime
	kubelet      *kubelet.Kubelet
	loadBalancer *loadbalancer.Controller
	ingress      *ingressnginx.Controller
	readerNet    *network.Namespace // the reader's machine as a host on this network
}

// SwitchLoadBalancer turns the cloud that gives services of type LoadBalancer
// their addresses on or off: what minikube tunnel and cloud-provider-kind do.
func (c *Cluster) SwitchLoadBalancer(on bool) {
	c.loadBalancer.Switch(on)
	c.spec.CloudLoadBalancer = on
	c.machine.dirty.clusters = true
}

// firstLoadBalancer is where the addresses of the cloud's load balancers begin:
// at the end of the nodes' network.
func (c *Cluster) firstLoadBalancer() netip.Addr {
	b := c.spec.FirstNode.As4()
	if c.spec.Tool == provision.Kind { // whose network is a /16
		b[2], b[3] = 255, 1
	} else {
		b[3] = 200
	}
	return netip.AddrFrom4(b)
}

// wire makes all parts. Nothing runs before the host's first turn.
func (c *Cluster) wire(state *kept) error {
	authorizer := rbac.New(c.store)
	plugins := append(admission.Default(), authorizer.Escalation(), c.opts.Limits.Plugin(c.store))
	c.server = apiserver.New(apiserver.Options{
		Store: c.store, Clock: c.clock, Seed: c.seed, Admission: plugins, Authorizer: authorizer, Authority: c.opts.Authority,
		Address: netip.AddrPortFrom(c.spec.FirstNode, c.apiPort()).String(), ServiceRange: c.spec.ServiceSubnet,
		OnPanic: func(r any, stack []byte) { c.opts.Log(fmt.Sprintf("the API server panicked: %v\n%s", r, stack)) },
	})
	if state != nil {
		c.server.Reload()
	}
	c.admin = client.New(c.server, "kubonsai")
	manager := client.New(c.server, "kube-controller-manager")
	c.factory = client.NewFactory(manager, c.clock)

	c.network = network.New()
	c.proxy = proxy.New(c.clock, c.seed, c.network, c.factory)
	c.joinMachine()

	c.ingress = ingressnginx.New(client.New(c.server, "nginx-ingress-controller"), c.factory)
	c.ingress.Lookup = func(pod, name string) []netip.Addr {
		namespace, pod, _ := strings.Cut(pod, "/")
		if ns := c.podNet(namespace, pod); ns != nil {
			addrs, _ := ns.Lookup(name)
			return addrs
		}
		return nil
	}
	containerPrograms := tool.All()
	for _, name := range []string{"awk", "jq", "bc"} { // images' tool sets say who has them
		containerPrograms[name] = c.machine.programs[name]
	}
	for _, name := range []string{"git", "brew", "envsubst", "openssl"} {
		delete(containerPrograms, name)
	}
	for name, p := range shell.Programs(shell.Ash) {
		containerPrograms[name] = p
	}
	for _, name := range []string{"bash", "zsh"} {
		containerPrograms[name] = shell.Program(shell.Bash, name)
	}
	c.runtime = container.New(container.Options{
		Clock: c.clock, Kernel: c.kernel, Network: c.network, Seed: c.seed, Images: c.machine.images,
		Programs: func(name string) program.Program { return containerPrograms[name] },
		Ingress:  c.ingress,
		LogLimit: c.opts.Limits.LogBytes, FileLimit: c.opts.Limits.FileBytes,
	})
	c.kubelet = kubelet.New(kubelet.Options{
		Clock: c.clock, Kernel: c.kernel, Client: client.New(c.server, "kubelet"), Factory: c.factory,
		Runtime: c.runtime, Network: c.network, Seed: c.seed, ImagesPresent: c.spec.ImagesPresent, Token: c.podToken, FirstNode: c.spec.FirstNode,
		PodNet: c.spec.PodSubnet, DNS: c.dnsAddress(), HealthCheck: c.proxy.HealthCheck,
	})
	c.server.SetNodeProxy(nodeProxy{c.kubelet})
	c.server.SetWebhooks(webhooks{c})
	c.server.SetView("nodes", c.kubelet.NodeView)
	c.server.SetView("leases.coordination.k8s.io", c.kubelet.LeaseView)
	c.proxy.Nodes = c.kubelet

	if state == nil {
		if err := c.server.Bootstrap(c.spec.FirstNode.String()); err != nil {
			return err
		}
	}
	for _, n := range c.spec.Nodes {
		if n.Removed {
			c.kubelet.SkipNode()
		} else if err := c.kubelet.AddNode(c.nodeConfig(n)); err != nil {
			return err
		}
	}
	if err := c.listenAPI(); err != nil {
		return err
	}
	c.savers = []Saver{c.kubelet}
	if state != nil {
		if err := c.kubelet.Load(state.savers); err != nil {
			c.machine.notices = append(c.machine.notices, err.Error())
		}
	}

	discover := c.server.Resources
	crd.New(manager, c.factory, c.server)
	replicaset.New(manager, c.factory)
	replicaset.NewReplicationController(manager, c.factory)
	deployment.New(manager, c.factory)
	job.New(manager, c.factory)
	job.NewCleaner(manager, c.factory)
	cronjob.New(manager, c.factory)
	daemonset.New(manager, c.factory)
	statefulset.New(manager, c.factory)
	persistentvolume.New(manager, c.factory)
	disruption.New(manager, c.factory)
	resourcequota.New(manager, c.factory, discover)
	garbagecollector.New(manager, c.factory, discover)
	namespace.New(manager, c.factory, discover)
	serviceaccount.New(manager, c.factory, string(c.server.Authority().Certificate()))
	serviceaccount.NewTokens(manager, c.factory, string(c.server.Authority().Certificate()), c.server)
	clusterroleaggregation.New(manager, c.factory)
	podgc.New(manager, c.factory)
	validatingadmissionpolicystatus.New(manager, c.factory, c.server.Kinds)
	certificates.New(manager, c.factory, c.server.Authority())
	endpoints.New(manager, c.factory)
	endpointslice.New(manager, c.factory)
	endpointslicemirroring.New(manager, c.factory)
	nodelifecycle.New(manager, c.factory, c.kubelet)
	c.loadBalancer = loadbalancer.New(client.New(c.server, "cloud-controller-manager"), c.factory, c.firstLoadBalancer())
	c.loadBalancer.Switch(c.spec.CloudLoadBalancer)
	horizontalpodautoscaler.New(manager, c.factory, c.newMetricsServer(manager), discover)
	scheduler.New(client.New(c.server, "kube-scheduler"), c.factory, c.seed)
	c.kubelet.Start()
	return nil
}

// nodeConfig is a node as its kubelet is told of it.
func (c *Cluster) nodeConfig(n provision.Node) kubelet.NodeConfig {
	cfg := kubelet.NodeConfig{Name: n.Name, ControlPlane: n.ControlPlane, CPU: n.CPU, Memory: n.Memory, Labels: n.Labels,
		Version: n.Version, NoNetwork: !c.spec.Connected}
	if n.Tainted {
		cfg.Taints = []corev1.Taint{{Key: "node-role.kubernetes.io/control-plane", Effect: corev1.TaintEffectNoSchedule}}
	}
	return cfg
}

// dnsAddress is the cluster's name server, the tenth address for Services.
func (c *Cluster) dnsAddress() string {
	if !c.spec.ServiceSubnet.IsValid() {
		return "10.96.0.10"
	}
	a := c.spec.ServiceSubnet.Masked().Addr()
	for range 10 {
		a = a.Next()
	}
	return a.String()
}

// podNet is a running pod's network; nil when there is no such pod.
func (c *Cluster) podNet(namespace, pod string) *network.Namespace {
	if cur := c.kubelet.Container(namespace, pod, ""); cur != nil {
		return cur.Sandbox().Net()
	}
	return nil
}
