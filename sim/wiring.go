// The wiring: which parts a cluster is made of and how they know each other.

package sim

import (
	"fmt"
	"maps"
	"net/netip"
	"time"

	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/apiserver/admission"
	"github.com/kubonsai/kubonsai/sim/apiserver/rbac"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/container"
	"github.com/kubonsai/kubonsai/sim/container/image"
	"github.com/kubonsai/kubonsai/sim/controller/crd"
	"github.com/kubonsai/kubonsai/sim/controller/cronjob"
	"github.com/kubonsai/kubonsai/sim/controller/daemonset"
	"github.com/kubonsai/kubonsai/sim/controller/deployment"
	"github.com/kubonsai/kubonsai/sim/controller/disruption"
	"github.com/kubonsai/kubonsai/sim/controller/endpoints"
	"github.com/kubonsai/kubonsai/sim/controller/endpointslice"
	"github.com/kubonsai/kubonsai/sim/controller/garbagecollector"
	"github.com/kubonsai/kubonsai/sim/controller/horizontalpodautoscaler"
	"github.com/kubonsai/kubonsai/sim/controller/job"
	"github.com/kubonsai/kubonsai/sim/controller/namespace"
	"github.com/kubonsai/kubonsai/sim/controller/nodelifecycle"
	"github.com/kubonsai/kubonsai/sim/controller/persistentvolume"
	"github.com/kubonsai/kubonsai/sim/controller/podgc"
	"github.com/kubonsai/kubonsai/sim/controller/replicaset"
	"github.com/kubonsai/kubonsai/sim/controller/resourcequota"
	"github.com/kubonsai/kubonsai/sim/controller/serviceaccount"
	"github.com/kubonsai/kubonsai/sim/controller/statefulset"
	"github.com/kubonsai/kubonsai/sim/kubectl"
	"github.com/kubonsai/kubonsai/sim/kubelet"
	"github.com/kubonsai/kubonsai/sim/network"
	"github.com/kubonsai/kubonsai/sim/network/proxy"
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/rest"
	"github.com/kubonsai/kubonsai/sim/scheduler"
	"github.com/kubonsai/kubonsai/sim/shell"
	"github.com/kubonsai/kubonsai/sim/shell/texttool"
	"github.com/kubonsai/kubonsai/sim/shell/tool"
)

// parts are what a cluster is wired of.
type parts struct {
	server    *apiserver.Server
	factory   *client.Factory
	admin     *client.Client
	network   *network.Network
	proxy     *proxy.Proxy
	runtime   *container.Runtime
	kubelet   *kubelet.Kubelet
	readerNet *network.Namespace
	machine   program.System
	programs  map[string]program.Program
}

// readerAddr is the reader's machine on the nodes' network.
var readerAddr = netip.MustParseAddr("172.18.0.1")

// wire makes all parts. Nothing runs before the host's first turn.
func (c *Cluster) wire(state *kept) error {
	c.server = apiserver.New(apiserver.Options{
		Store: c.store, Clock: c.clock, Seed: c.seed, Admission: admission.Default(), Authorizer: rbac.New(c.store),
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
	c.readerNet = c.network.NewNamespace("reader", readerAddr)
	c.readerNet.NodePorts = true

	images := image.Default()
	for i, doc := range c.opts.Images {
		if err := images.Add(doc); err != nil {
			return fmt.Errorf("image catalogue %d: %w", i+1, err)
		}
	}
	c.programs = c.readerPrograms()
	containerPrograms := tool.All()
	containerPrograms["awk"] = texttool.All()["awk"] // jq is the reader's alone
	for name, p := range shell.Programs(shell.Ash) {
		containerPrograms[name] = p
	}
	containerPrograms["bash"] = shell.Program(shell.Bash, "bash")
	c.runtime = container.New(container.Options{
		Clock: c.clock, Kernel: c.kernel, Network: c.network, Seed: c.seed, Images: images,
		Programs: func(name string) program.Program { return containerPrograms[name] },
	})
	c.kubelet = kubelet.New(kubelet.Options{
		Clock: c.clock, Kernel: c.kernel, Client: client.New(c.server, "kubelet"), Factory: c.factory,
		Runtime: c.runtime, Network: c.network, Seed: c.seed, ImagesPresent: c.opts.ImagesPresent, Token: c.podToken,
	})
	c.server.SetNodeProxy(nodeProxy{c.kubelet})
	c.server.SetView("nodes", c.kubelet.NodeView)
	c.server.SetView("leases.coordination.k8s.io", c.kubelet.LeaseView)
	c.proxy.IsNode, c.proxy.NodeOf = c.kubelet.IsNode, c.kubelet.NodeOf

	if state == nil {
		if err := c.server.Bootstrap("172.18.0.2"); err != nil {
			return err
		}
	}
	for _, n := range kubelet.DefaultNodes("kind", c.opts.Nodes) {
		if err := c.kubelet.AddNode(n); err != nil {
			return err
		}
	}
	if err := c.listenAPI(); err != nil {
		return err
	}
	c.savers = append(c.savers, c.kubelet)
	if state != nil {
		if err := c.kubelet.Load(state.savers); err != nil {
			c.notices = append(c.notices, err.Error())
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
	serviceaccount.New(manager, c.factory, "")
	podgc.New(manager, c.factory)
	endpoints.New(manager, c.factory)
	endpointslice.New(manager, c.factory)
	nodelifecycle.New(manager, c.factory, c.kubelet)
	var metrics horizontalpodautoscaler.Metrics
	if c.opts.MetricsServer {
		metrics = podMetrics{c.kubelet}
	}
	horizontalpodautoscaler.New(manager, c.factory, metrics, discover)
	scheduler.New(client.New(c.server, "kube-scheduler"), c.factory, c.seed)
	c.kubelet.Start()
	return nil
}

// readerPrograms are what can be started by name in the reader's terminals.
func (c *Cluster) readerPrograms() map[string]program.Program {
	m := tool.All()
	maps.Copy(m, texttool.All())
	for name, p := range shell.Programs(shell.Bash) {
		m[name] = p
	}
	m["kubectl"] = kubectl.New(kubectl.Options{
		Connect: func(server string) (rest.Handler, error) {
			if server != ServerURL {
				return nil, &network.Error{Kind: network.Refused, Host: server}
			}
			return c.server, nil
		},
		Startup: 90 * time.Millisecond, RoundTrip: 20 * time.Millisecond,
		Encode: apiserver.Encode, EncodeEvent: apiserver.EncodeWatchEvent,
		FetchURL: func(url string) ([]byte, error) {
			if data, ok := c.fetchURL(url); ok {
				return data, nil
			}
			return nil, fmt.Errorf("unable to read URL %q, server reported 404 Not Found, status code=404", url)
		},
	})
	m["k"] = m["kubectl"]
	return m
}

func (c *Cluster) lookupProgram(name string) program.Program { return c.programs[name] }

// podMetrics is the metrics server's view of the kubelets.
type podMetrics struct{ k *kubelet.Kubelet }

func (m podMetrics) Pod(namespace, name string) (map[string]horizontalpodautoscaler.Usage, bool) {
	usage, ok := m.k.PodUsage(namespace, name)
	out := make(map[string]horizontalpodautoscaler.Usage, len(usage))
	for _, u := range usage {
		out[u.Name] = horizontalpodautoscaler.Usage{MilliCPU: u.MilliCPU, Memory: u.Memory}
	}
	return out, ok
}
