package kubelet_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/container"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/kubelet"
	"github.com/kubonsai/kubonsai/sim/network"
	"github.com/kubonsai/kubonsai/sim/network/proxy"
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/provision"
	"github.com/kubonsai/kubonsai/sim/rest"
	"github.com/kubonsai/kubonsai/sim/seed"
	"github.com/kubonsai/kubonsai/sim/shell"
	"github.com/kubonsai/kubonsai/sim/shell/tool"
	"github.com/kubonsai/kubonsai/sim/store"
	"sigs.k8s.io/yaml"
)

// cluster is the least that a kubelet needs: a server, a clock, processes.
type cluster struct {
	t     testing.TB
	clk   *clock.Clock
	kern  *kernel.Kernel
	net   *network.Network
	api   *apiserver.Server
	c     *client.Client
	k     *kubelet.Kubelet
	rt    *container.Runtime
	rows  []string
	watch rest.Watch
}

// nodeProxy joins the kubelets to the API server, as sim does.
type nodeProxy struct{ k *kubelet.Kubelet }

func (n nodeProxy) Logs(p *corev1.Pod, c string, o apiserver.LogOptions) ([]byte, rest.Stream, error) {
	return n.k.Logs(p, c, kubelet.LogOptions(o))
}
func (n nodeProxy) Exec(p *corev1.Pod, c string, cmd []string, o apiserver.ExecOptions) (rest.Stream, error) {
	return n.k.Exec(p, c, cmd, kubelet.ExecOptions(o))
}
func (n nodeProxy) Attach(p *corev1.Pod, c string, o apiserver.ExecOptions) (rest.Stream, error) {
	return n.k.Attach(p, c, kubelet.ExecOptions(o))
}
func (n nodeProxy) PortForward(p *corev1.Pod, port int32) (rest.Stream, error) {
	return n.k.PortForward(p, port)
}
func (n nodeProxy) HTTP(t apiserver.ProxyTarget, r *rest.Request) (*rest.Response, error) {
	return n.k.HTTP(kubelet.Target{Pod: t.Pod, Node: t.Node, Scheme: t.Scheme, Port: t.Port, Path: t.Path}, r)
}

func sprint(args ...any) string { return strings.TrimSuffix(fmt.Sprintln(args...), "\n") }

// tools skips a test while the tools that it runs are missing.
func tools(t *testing.T, names ...string) {
	p := programs()
	for _, n := range names {
		if p(n) == nil {
			t.Skip("there is no ", n, " yet")
		}
	}
}

var start = time.Date(2026, 11, 22, 2, 44, 0, 0, time.UTC)

func programs() func(string) program.Program {
	all := tool.All()
	for n, p := range shell.Programs(shell.Bash) {
		all[n] = p
	}
	for n, p := range shell.Programs(shell.Ash) {
		all[n] = p
	}
	return func(n string) program.Program { return all[n] }
}

func newCluster(t testing.TB, nodes int) *cluster {
	c := &cluster{t: t, clk: clock.New(start), net: network.New()}
	c.kern = kernel.New(c.clk)
	src := seed.New(1)
	proxied := &nodeProxy{}
	c.api = apiserver.New(apiserver.Options{Store: store.New(), Clock: c.clk, Seed: src, Nodes: proxied})
	c.c = client.New(c.api, "kubelet")
	f := client.NewFactory(c.c, c.clk)
	c.rt = container.New(container.Options{Clock: c.clk, Kernel: c.kern, Network: c.net, Seed: src, Programs: programs()})
	c.k = kubelet.New(kubelet.Options{Clock: c.clk, Kernel: c.kern, Client: c.c, Factory: f, Runtime: c.rt, Network: c.net, Seed: src, ImagesPresent: true})
	proxied.k = c.k
	px := proxy.New(c.clk, src, c.net, f)
	px.Nodes = c.k
	// the cluster's DNS, without its service and pods
	_, _ = c.net.NewNamespace("dns", netip.MustParseAddr("10.96.0.10")).Listen(53, false, func(*kernel.Proc, *network.Request) *network.Response { return nil })
	for _, n := range []string{"default", "kube-system"} {
		ns := &corev1.Namespace{}
		ns.Name = n
		_, _ = client.Create(c.c, ns)
	}
	for i, n := range provision.KindNodes("kind", nodes) {
		if err := c.k.AddNode(kubelet.NodeConfig{Name: n.Name, ControlPlane: i == 0, Pods: "2000"}); err != nil {
			t.Fatal(err)
		}
	}
	c.k.Start()
	return c
}

// run lets virtual time pass.
func (c *cluster) run(d time.Duration) {
	end := c.clk.Now().Add(d)
	for {
		if c.kern.Step() {
			continue
		}
		c.look()
		if !c.clk.Step(end) {
			break
		}
	}
	c.clk.SetNow(end)
	c.look()
}

// watchPods records what a watch of pods shows.
func (c *cluster) watchPods() {
	q := map[string][]string{"watch": {"true"}}
	c.watch = c.api.Serve(&rest.Request{Method: "GET", Path: "/api/v1/pods", Query: q}).Watch
}

func (c *cluster) look() {
	if c.watch == nil {
		return
	}
	for {
		e, ok := c.watch.Next()
		if !ok {
			return
		}
		row := string(e.Type[:3]) + " " + summary(e.Object.(*corev1.Pod))
		if n := len(c.rows); n == 0 || c.rows[n-1] != row {
			c.rows = append(c.rows, row)
		}
	}
}

// summary is what is compared of a pod: phase, conditions, container states.
func summary(p *corev1.Pod) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", p.Name, p.Status.Phase)
	for _, c := range p.Status.Conditions {
		fmt.Fprintf(&b, " %s=%s", c.Type, c.Status)
		if c.Reason != "" {
			fmt.Fprintf(&b, "(%s)", c.Reason)
		}
	}
	state := func(s *corev1.ContainerState) string {
		switch {
		case s.Waiting != nil:
			return "waiting:" + s.Waiting.Reason
		case s.Running != nil:
			return "running"
		case s.Terminated != nil:
			return fmt.Sprintf("terminated:%s:%d", s.Terminated.Reason, s.Terminated.ExitCode)
		}
		return "-"
	}
	for _, list := range [][]corev1.ContainerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses} {
		b.WriteString(" |")
		for i := range list {
			s := &list[i]
			fmt.Fprintf(&b, " %s=%s last=%s ready=%v started=%v restarts=%d", s.Name, state(&s.State), state(&s.LastTerminationState), s.Ready, *s.Started, s.RestartCount)
		}
	}
	if p.Status.PodIP != "" {
		b.WriteString(" IP")
	}
	return b.String()
}

func (c *cluster) apply(doc string) *corev1.Pod {
	c.t.Helper()
	p := &corev1.Pod{}
	if err := yaml.Unmarshal([]byte(doc), p); err != nil {
		c.t.Fatal(err)
	}
	if p.Namespace == "" {
		p.Namespace = "default"
	}
	out, err := client.Create(c.c, p)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// create makes the pod and binds it as a scheduler would.
func (c *cluster) create(doc string) *corev1.Pod { return c.createOn("kind-control-plane", doc) }

func (c *cluster) createOn(node, doc string) *corev1.Pod {
	c.t.Helper()
	p := c.apply(doc)
	b := &corev1.Binding{}
	b.APIVersion, b.Kind = "v1", "Binding"
	b.Name, b.Namespace = p.Name, p.Namespace
	b.Target = corev1.ObjectReference{Kind: "Node", Name: node}
	if r := c.api.Serve(&rest.Request{Method: "POST", Path: "/api/v1/namespaces/" + p.Namespace + "/pods/" + p.Name + "/binding", Object: b}); r.Code >= 300 {
		c.t.Fatalf("binding: %+v", r.Object)
	}
	return p
}

func (c *cluster) pod(name string) *corev1.Pod {
	c.t.Helper()
	p, err := client.Get[*corev1.Pod](c.c, "default", name)
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

func (c *cluster) events(name string) string {
	list, _, err := client.List[*corev1.Event](c.c, "default", "")
	if err != nil {
		c.t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range list {
		if e.InvolvedObject.Name == name {
			fmt.Fprintf(&b, "%s %s %d %s %s\n", e.Type, e.Reason, e.Count, e.InvolvedObject.FieldPath, e.Message)
		}
	}
	return b.String()
}

func (c *cluster) logs(name string) string {
	b, _, err := c.k.Logs(c.pod(name), c.pod(name).Spec.Containers[0].Name, kubelet.LogOptions{})
	if err != nil {
		return "ERROR " + err.Error()
	}
	return string(b)
}

// exec runs a command as kubectl exec does.
func (c *cluster) exec(name string, argv ...string) (out string, err error) {
	c.t.Helper()
	p := c.pod(name)
	s, e := c.k.Exec(p, p.Spec.Containers[0].Name, argv, kubelet.ExecOptions{Stdout: true, Stderr: true})
	if e != nil {
		return "", e
	}
	var b bytes.Buffer
	proc := c.kern.Spawn(nil, "kubectl", func(*kernel.Proc) int {
		err = s.Run(rest.StreamOptions{Stdout: &b, Stderr: &b})
		return 0
	})
	for i := 0; i < 600; i++ {
		if _, done := proc.Done(); done {
			return b.String(), err
		}
		c.run(100 * time.Millisecond)
	}
	c.t.Fatalf("exec %v does not end", argv)
	return "", nil
}

func (c *cluster) want(got, want string) {
	c.t.Helper()
	if got != want {
		c.t.Errorf("got  %q\nwant %q", got, want)
	}
}

func simple(name, image string, command ...string) string {
	b, _ := json.Marshal(command)
	cmd := ""
	if len(command) > 0 {
		cmd = ", args: " + string(b)
	}
	return fmt.Sprintf("apiVersion: v1\nkind: Pod\nmetadata: {name: %s, labels: {run: %s}}\nspec:\n  containers:\n  - {name: %s, image: %q%s}\n", name, name, name, image, cmd)
}

func (c *cluster) delete(name string, grace int64) {
	c.t.Helper()
	if err := client.Delete[*corev1.Pod](c.c, "default", name, client.DeleteOptions{GracePeriodSeconds: &grace}); err != nil {
		c.t.Fatal(err)
	}
}

func TestRunDelete(t *testing.T) {
	c := newCluster(t, 1)
	c.watchPods()
	c.create(simple("web", "nginx:1.27"))
	c.run(6 * time.Second)
	c.delete("web", 30)
	c.run(5 * time.Second)
	for _, r := range c.rows {
		t.Log(r)
	}
	t.Log("\n" + c.events("web"))
	ready := " PodReadyToStartContainers=True Initialized=True Ready=True ContainersReady=True PodScheduled=True"
	want := []string{
		"ADD web Pending | |",
		"MOD web Pending PodScheduled=True | |",
		"MOD web Pending PodReadyToStartContainers=False Initialized=True Ready=False(ContainersNotReady) ContainersReady=False(ContainersNotReady) PodScheduled=True | | web=waiting:ContainerCreating last=- ready=false started=false restarts=0",
		"MOD web Pending PodReadyToStartContainers=True Initialized=True Ready=False(ContainersNotReady) ContainersReady=False(ContainersNotReady) PodScheduled=True | | web=waiting:ContainerCreating last=- ready=false started=false restarts=0",
		"MOD web Running" + ready + " | | web=running last=- ready=true started=true restarts=0 IP",
		"MOD web Succeeded PodReadyToStartContainers=False Initialized=True(PodCompleted) Ready=False(PodCompleted) ContainersReady=False(PodCompleted) PodScheduled=True | | web=terminated:Completed:0 last=- ready=false started=false restarts=0 IP",
		"DEL web Succeeded PodReadyToStartContainers=False Initialized=True(PodCompleted) Ready=False(PodCompleted) ContainersReady=False(PodCompleted) PodScheduled=True | | web=terminated:Completed:0 last=- ready=false started=false restarts=0 IP",
	}
	c.want(strings.Join(c.rows, "\n"), strings.Join(want, "\n"))
	if left := c.timers(); len(left) != 0 {
		t.Errorf("an idle cluster has timers: %q", left)
	}
}

func TestCrashLoop(t *testing.T) {
	tools(t, "sleep")
	c := newCluster(t, 1)
	c.watchPods()
	c.create(simple("crash", "busybox:1.36", "sh", "-c", "sleep 1; exit 1"))
	c.run(40 * time.Second)
	var got []string
	for _, r := range c.rows {
		i := strings.Index(r, "| | ")
		if i < 0 {
			continue
		}
		if s := r[i+4:]; len(got) == 0 || got[len(got)-1] != s {
			got = append(got, s)
		}
	}
	want := []string{
		"crash=waiting:ContainerCreating last=- ready=false started=false restarts=0",
		"crash=running last=- ready=true started=true restarts=0 IP",
		"crash=terminated:Error:1 last=- ready=false started=false restarts=0 IP",
		"crash=running last=terminated:Error:1 ready=true started=true restarts=1 IP",
		"crash=terminated:Error:1 last=terminated:Error:1 ready=false started=false restarts=1 IP",
		"crash=waiting:CrashLoopBackOff last=terminated:Error:1 ready=false started=false restarts=1 IP",
		"crash=running last=terminated:Error:1 ready=true started=true restarts=2 IP",
		"crash=terminated:Error:1 last=terminated:Error:1 ready=false started=false restarts=2 IP",
	}
	c.want(strings.Join(got[:min(len(got), len(want))], "\n"), strings.Join(want, "\n"))
	t.Log("\n" + c.events("crash"))
}

func TestImages(t *testing.T) {
	c := newCluster(t, 1)
	c.create(simple("missing", "nginx:no-such-tag"))
	c.create(simple("bad", "NGINX:1"))
	c.run(29 * time.Second)
	t.Log("\n" + c.events("missing") + c.events("bad"))
	for _, w := range []string{
		`Warning Failed 2 spec.containers{missing} Failed to pull image "nginx:no-such-tag": rpc error: code = NotFound desc = failed to pull and unpack image "docker.io/library/nginx:no-such-tag": failed to resolve image: docker.io/library/nginx:no-such-tag: not found`,
		`Warning Failed 2 spec.containers{missing} Error: ErrImagePull`,
		`spec.containers{missing} Back-off pulling image "nginx:no-such-tag"`,
		`spec.containers{missing} Error: ImagePullBackOff`,
	} {
		if !strings.Contains(c.events("missing"), w) {
			t.Errorf("no event %s", w)
		}
	}
	c.want(c.pod("bad").Status.ContainerStatuses[0].State.Waiting.Reason, "InvalidImageName")
	c.delete("missing", 1)
	c.run(3 * time.Second)
}

const boxes = `apiVersion: v1
kind: Pod
metadata: {name: box, labels: {app: box}}
spec:
  terminationGracePeriodSeconds: 2
  containers:
  - name: box
    image: busybox:1.36
    command: ["sleep", "3600"]
    env:
    - {name: GREETING, value: hello}
    - {name: WHO, value: "$(GREETING) there"}
    - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
    - {name: CPU, valueFrom: {resourceFieldRef: {resource: requests.cpu, divisor: 1m}}}
    resources: {requests: {cpu: 50m, memory: 16Mi}, limits: {memory: 64Mi}}
    volumeMounts:
    - {name: scratch, mountPath: /scratch}
    - {name: info, mountPath: /etc/podinfo}
  volumes:
  - {name: scratch, emptyDir: {}}
  - name: info
    downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}
`

func TestInside(t *testing.T) {
	tools(t, "sleep", "cat", "ls", "tr", "id", "wc")
	c := newCluster(t, 1)
	c.create(boxes)
	c.create(simple("web", "nginx:1.27"))
	c.run(3 * time.Second)
	run := func(want, pod string, argv ...string) {
		t.Helper()
		out, err := c.exec(pod, argv...)
		if err != nil {
			out += "ERR " + err.Error()
		}
		c.want(out, want)
	}
	run("hello hello there kind-control-plane 50\n", "box", "sh", "-c", "echo $GREETING $WHO $NODE $CPU")
	run("app=\"box\"", "box", "cat", "/etc/podinfo/labels")
	run("data\n0\n", "box", "sh", "-c", "echo data > /scratch/f; cat /scratch/f; rm /scratch/f; ls /scratch | wc -l")
	run("ERR command terminated with exit code 3", "web", "sh", "-c", "exit 3")
	run("nginx version: nginx/1.27.5\n", "web", "nginx", "-v")
	run("50x.html\nindex.html\n", "web", "ls", "/usr/share/nginx/html")
	run("nginx: master process nginx -g daemon off; ", "web", "sh", "-c", `cat /proc/1/cmdline | tr "\0" " "`)
	run("web\n/\nroot\n", "web", "sh", "-c", "echo $HOSTNAME; pwd; id -un")
	_, err := c.exec("web", "no-such-command")
	if err == nil || !strings.Contains(err.Error(), `OCI runtime exec failed: exec failed: unable to start container process: exec: "no-such-command": executable file not found in $PATH`) {
		t.Error(err)
	}
	ip := c.pod("web").Status.PodIP
	node := c.k.NodeNet("kind-control-plane")
	resp, err := node.Do(nil, ip, 80, &network.Request{Method: "GET", Host: "web", Path: "/", Header: network.Header{"User-Agent": {"curl/8"}}})
	if err != nil || !strings.Contains(string(resp.Body), "<title>Welcome to nginx!</title>") {
		t.Fatal(err, resp)
	}
	run("", "web", "sh", "-c", `echo "<h1>changed</h1>" > /usr/share/nginx/html/index.html`)
	resp, _ = node.Do(nil, ip, 80, &network.Request{Method: "GET", Host: "web", Path: "/"})
	c.want(string(resp.Body), "<h1>changed</h1>\n")
	resp, _ = node.Do(nil, ip, 80, &network.Request{Method: "GET", Host: "web", Path: "/nope"})
	c.want(sprint(resp.Status, len(resp.Body)), "404 153")
	t.Log(c.logs("web"))
	// sleep as pid 1 does not hear SIGTERM, nor SIGKILL from inside
	run("", "box", "sh", "-c", "kill 1; kill -9 1")
	c.run(3 * time.Second)
	c.want(sprint(c.pod("box").Status.ContainerStatuses[0].RestartCount), "0")
	// nginx does, and is started again
	run("", "web", "sh", "-c", "kill 1")
	c.run(3 * time.Second)
	s := c.pod("web").Status.ContainerStatuses[0]
	c.want(sprint(s.RestartCount, s.LastTerminationState.Terminated.Reason, s.State.Running != nil), "1 Completed true")
	// SIGKILL after the grace period
	c.delete("box", 2)
	c.run(1500 * time.Millisecond)
	c.pod("box")
	c.run(3 * time.Second)
	if _, err := client.Get[*corev1.Pod](c.c, "default", "box"); err == nil {
		t.Error("box is still there")
	}
}

func TestOOM(t *testing.T) {
	tools(t, "sleep", "tail", "dd")
	c := newCluster(t, 1)
	for name, cmd := range map[string]string{"hog": "sleep 4; tail /dev/zero", "filler": "sleep 1; dd if=/dev/zero of=/tmp/big bs=1M count=100; echo survived"} {
		c.create(strings.Replace(simple(name, "busybox:1.36", "sh", "-c", cmd), "}\n", ", resources: {limits: {memory: 50Mi}}}\n", 2)[0:])
	}
	c.run(12 * time.Second)
	for _, n := range []string{"hog", "filler"} {
		s := c.pod(n).Status.ContainerStatuses[0]
		if s.LastTerminationState.Terminated == nil || s.LastTerminationState.Terminated.Reason != "OOMKilled" || s.LastTerminationState.Terminated.ExitCode != 137 {
			t.Errorf("%s: %s\n%s", n, summary(c.pod(n)), c.logs(n))
		}
	}
}

func TestConfigError(t *testing.T) {
	c := newCluster(t, 1)
	c.create("apiVersion: v1\nkind: Pod\nmetadata: {name: c}\nspec:\n  containers:\n  - {name: nginx, image: 'nginx:1.27', envFrom: [{configMapRef: {name: cm}}], volumeMounts: []}\n")
	c.run(3 * time.Second)
	w := c.pod("c").Status.ContainerStatuses[0].State.Waiting
	c.want(w.Reason+" "+w.Message, `CreateContainerConfigError configmap "cm" not found`)
	cm := &corev1.ConfigMap{Data: map[string]string{"A": "1"}}
	cm.Name, cm.Namespace = "cm", "default"
	if _, err := client.Create(c.c, cm); err != nil {
		t.Fatal(err)
	}
	c.run(20 * time.Second)
	c.want(string(c.pod("c").Status.Phase), "Running")
	t.Log("\n" + c.events("c"))
}

func TestFailures(t *testing.T) {
	tools(t, "sleep", "cat", "rm", "touch", "true")
	c := newCluster(t, 1)
	pod := func(name, rest string) {
		c.create("apiVersion: v1\nkind: Pod\nmetadata: {name: " + name + "}\nspec:\n" + rest)
	}
	pod("done", "  restartPolicy: Never\n  containers:\n  - {name: main, image: 'busybox:1.36', command: [sh, -c, echo all good]}\n")
	pod("failed", "  restartPolicy: Never\n  containers:\n  - {name: main, image: 'busybox:1.36', command: [sh, -c, exit 3]}\n")
	pod("init-fails", "  initContainers:\n  - {name: setup, image: 'busybox:1.36', command: [sh, -c, sleep 1; exit 1]}\n  containers:\n  - {name: main, image: 'nginx:1.27'}\n")
	pod("bad-command", "  containers:\n  - {name: main, image: 'busybox:1.36', command: [no-such-program]}\n")
	pod("not-ready", "  containers:\n  - {name: main, image: 'nginx:1.27', readinessProbe: {httpGet: {path: /nope, port: 80}, periodSeconds: 2}}\n")
	pod("liveness", "  terminationGracePeriodSeconds: 2\n  containers:\n  - name: main\n    image: busybox:1.36\n    args: [/bin/sh, -c, touch /tmp/healthy; sleep 15; rm -f /tmp/healthy; sleep 600]\n    livenessProbe: {exec: {command: [cat, /tmp/healthy]}, initialDelaySeconds: 3, periodSeconds: 3}\n")
	pod("sidecar", "  initContainers:\n  - {name: helper, image: 'nginx:1.27', restartPolicy: Always}\n  - {name: once, image: 'busybox:1.36', command: ['true']}\n  containers:\n  - {name: main, image: 'busybox:1.36', command: [sleep, '3']}\n  restartPolicy: Never\n")
	c.run(45 * time.Second)
	c.want(string(c.pod("done").Status.Phase), "Succeeded")
	c.want(c.logs("done"), "all good\n")
	c.want(string(c.pod("failed").Status.Phase), "Failed")
	c.want(string(c.pod("sidecar").Status.Phase), "Succeeded")
	c.want(sprint(c.pod("init-fails").Status.Phase, c.pod("init-fails").Status.InitContainerStatuses[0].RestartCount >= 2), "Pending true")
	s := c.pod("bad-command").Status.ContainerStatuses[0]
	c.want(s.LastTerminationState.Terminated.Reason+" "+s.LastTerminationState.Terminated.Message, `StartError failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: "no-such-program": executable file not found in $PATH`)
	s = c.pod("liveness").Status.ContainerStatuses[0]
	c.want(sprint(s.RestartCount, s.LastTerminationState.Terminated != nil && s.LastTerminationState.Terminated.ExitCode == 137), "1 true")
	if e := c.events("not-ready"); !strings.Contains(e, "Readiness probe failed: HTTP probe failed with statuscode: 404") {
		t.Error(e)
	}
	for _, n := range []string{"done", "failed", "init-fails", "bad-command", "not-ready", "liveness", "sidecar"} {
		t.Logf("%s\n%s", summary(c.pod(n)), c.events(n))
	}
}

func TestServices(t *testing.T) {
	tools(t, "sleep", "env", "grep", "sort")
	c := newCluster(t, 1)
	svc := &corev1.Service{Spec: corev1.ServiceSpec{Selector: map[string]string{"run": "web"}, Ports: []corev1.ServicePort{{Port: 80}}}}
	svc.Name, svc.Namespace = "web", "default"
	made, err := client.Create(c.c, svc)
	if err != nil {
		t.Skip("services are not served yet: ", err)
	}
	c.create(simple("box", "busybox:1.36", "sleep", "3600"))
	c.run(2 * time.Second)
	ns := c.k.Container("default", "box", "").Sandbox().Net()
	addrs, err := ns.Lookup("web")
	if err != nil || addrs[0] != netip.MustParseAddr(made.Spec.ClusterIP) {
		t.Error(addrs, err)
	}
	if _, err := ns.Lookup("nosuch"); err == nil {
		t.Error("nosuch resolves")
	}
	if _, err := ns.Do(nil, "web", 80, &network.Request{Method: "GET", Path: "/"}); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Error("a service without endpoints answers: ", err)
	}
	out, _ := c.exec("box", "sh", "-c", "env | grep -E '^WEB_' | sort")
	if !strings.Contains(out, "WEB_PORT_80_TCP=tcp://"+made.Spec.ClusterIP+":80\n") {
		t.Error(out)
	}
}

func TestSaveAndLoad(t *testing.T) {
	tools(t, "sleep")
	c := newCluster(t, 1)
	c.create(simple("web", "nginx:1.27"))
	c.create(simple("box", "busybox:1.36", "sleep", "3600"))
	c.run(2 * time.Second)
	if _, err := c.exec("web", "sh", "-c", "echo kept > /usr/share/nginx/html/index.html"); err != nil {
		t.Fatal(err)
	}
	records := c.k.Save()
	before, ip := c.logs("web"), c.pod("web").Status.PodIP
	// the same API with kubelets that begin again
	net := network.New()
	src := seed.New(2)
	f := client.NewFactory(c.c, c.clk)
	c.kern = kernel.New(c.clk)
	rt := container.New(container.Options{Clock: c.clk, Kernel: c.kern, Network: net, Seed: src, Programs: programs()})
	c.k = kubelet.New(kubelet.Options{Clock: c.clk, Kernel: c.kern, Client: c.c, Factory: f, Runtime: rt, Network: net, Seed: src, ImagesPresent: true})
	if err := c.k.AddNode(kubelet.NodeConfig{Name: "kind-control-plane", ControlPlane: true}); err != nil {
		t.Fatal(err)
	}
	if err := c.k.Load(records); err != nil {
		t.Fatal(err)
	}
	c.k.Start()
	c.run(3 * time.Second)
	c.want(c.logs("web"), before)
	resp, err := c.k.NodeNet("kind-control-plane").Do(nil, ip, 80, &network.Request{Method: "GET", Path: "/"})
	if err != nil {
		t.Fatal(err)
	}
	c.want(string(resp.Body), "kept\n")
	for _, n := range []string{"web", "box"} {
		c.want(sprint(c.pod(n).Status.ContainerStatuses[0].RestartCount, c.pod(n).Status.Phase), "0 Running")
	}
}

func TestNodeFailure(t *testing.T) {
	c := newCluster(t, 2)
	c.create(simple("web", "nginx:1.27"))
	c.run(2 * time.Second)
	if err := c.k.StopNode("kind-control-plane"); err != nil {
		t.Fatal(err)
	}
	c.run(time.Minute)
	if _, stopped := c.k.Stopped("kind-control-plane"); !stopped {
		t.Error("not stopped")
	}
	if err := c.k.StartNode("kind-control-plane"); err != nil {
		t.Fatal(err)
	}
	c.run(5 * time.Second)
	t.Log(summary(c.pod("web")))
	c.want(sprint(c.pod("web").Status.Phase, c.pod("web").Status.ContainerStatuses[0].RestartCount), "Running 1")
}

// startPods makes n pods and lets them become ready.
func startPods(t testing.TB, n int) *cluster {
	c := newCluster(t, 10)
	nodes := c.k.Nodes()
	for i := range n {
		c.createOn(nodes[i%len(nodes)], simple(fmt.Sprintf("p%d", i), "nginx:1.27"))
	}
	c.run(10 * time.Second)
	if p := c.pod(fmt.Sprintf("p%d", n-1)); p.Status.Phase != "Running" {
		t.Fatal(summary(p))
	}
	return c
}

// timers are the pending timers, but for the one that waits for old events to expire.
func (c *cluster) timers() []string {
	return slices.DeleteFunc(c.clk.Names(), func(name string) bool { return name == "apiserver/event-ttl" })
}

func TestManyPodsIdle(t *testing.T) {
	c := startPods(t, 200)
	if left := c.timers(); len(left) != 0 {
		t.Errorf("an idle cluster has timers: %q", left)
	}
}

func BenchmarkThousandPods(b *testing.B) {
	for b.Loop() {
		startPods(b, 1000)
	}
}

// What a watch showed on the real cluster (testdata, from the oracle's objects)
// is what it shows here, at the same commands; rows that differ in nothing that
// is compared count once.
func TestOracle(t *testing.T) {
	tools(t, "sleep")
	for _, name := range []string{"pod-run-delete", "crash-loop", "image-not-found"} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile("testdata/" + name + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			c := newCluster(t, 1)
			c.watchPods()
			var want []string
			begin := c.clk.Now()
			for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
				cmd, ok := strings.CutPrefix(line, "$ ")
				if !ok {
					if n := len(want); n == 0 || want[n-1] != line {
						want = append(want, line)
					}
					continue
				}
				at, cmd, _ := strings.Cut(cmd, " ")
				d, _ := time.ParseDuration(at + "s")
				c.run(begin.Add(d).Sub(c.clk.Now()))
				words := strings.Fields(cmd)
				switch words[1] {
				case "run":
					var args []string
					if _, rest, ok := strings.Cut(cmd, " -- sh -c "); ok {
						args = []string{"sh", "-c", strings.Trim(rest, "'")}
					}
					c.create(simple(words[2], strings.TrimPrefix(words[3], "--image="), args...))
				case "delete":
					grace := int64(30)
					if words[len(words)-1] == "--now" {
						grace = 1
					}
					c.delete(words[3], grace)
				}
			}
			c.run(10 * time.Second)
			for i := range max(len(want), len(c.rows)) {
				w, g := "", ""
				if i < len(want) {
					w = want[i]
				}
				if i < len(c.rows) {
					g = c.rows[i]
				}
				if w != g {
					t.Fatalf("row %d\ngot  %s\nwant %s\nall:\n%s", i, g, w, strings.Join(c.rows, "\n"))
				}
			}
		})
	}
}

func TestRestingProbes(t *testing.T) {
	c := newCluster(t, 1)
	c.create("apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - {name: web, image: 'nginx:1.27', readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 1}, livenessProbe: {tcpSocket: {port: 80}}}\n")
	c.run(20 * time.Second)
	c.want(sprint(c.pod("web").Status.ContainerStatuses[0].Ready, len(c.timers())), "true 0")
	tools(t, "rm")
	if _, err := c.exec("web", "rm", "/usr/share/nginx/html/index.html"); err != nil {
		t.Fatal(err)
	}
	c.run(10 * time.Second)
	c.want(sprint(c.pod("web").Status.ContainerStatuses[0].Ready), "false")
}

func TestFollowAndAttach(t *testing.T) {
	tools(t, "sleep", "cat")
	c := newCluster(t, 1)
	c.create("apiVersion: v1\nkind: Pod\nmetadata: {name: talk}\nspec:\n  restartPolicy: Never\n  containers:\n  - {name: main, image: 'busybox:1.36', stdin: true, stdinOnce: true, command: [sh, -c, 'echo one; cat; echo two; exit 4']}\n")
	c.run(2 * time.Second)
	p := c.pod("talk")
	_, follow, err := c.k.Logs(p, "main", kubelet.LogOptions{Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	attach, err := c.k.Attach(p, "main", kubelet.ExecOptions{Stdin: true, Stdout: true})
	if err != nil {
		t.Fatal(err)
	}
	var log, out bytes.Buffer
	c.kern.Spawn(nil, "logs", func(*kernel.Proc) int { _ = follow.Run(rest.StreamOptions{Stdout: &log}); return 0 })
	c.kern.Spawn(nil, "attach", func(*kernel.Proc) int {
		_ = attach.Run(rest.StreamOptions{Stdin: strings.NewReader("typed\n"), Stdout: &out})
		return 0
	})
	c.run(5 * time.Second)
	c.want(log.String(), "one\ntyped\ntwo\n")
	c.want(out.String(), "typed\ntwo\n")
	c.want(sprint(c.pod("talk").Status.Phase, c.pod("talk").Status.ContainerStatuses[0].State.Terminated.ExitCode), "Failed 4")
}

// Every image of the catalogue starts, and those with a web server answer.
func TestEveryImage(t *testing.T) {
	c := newCluster(t, 1)
	pods := map[string]string{}
	for i, n := range c.rt.Images.Names() {
		img, err := c.rt.Images.Resolve(n)
		if err != nil {
			continue
		}
		name := fmt.Sprintf("p%d", i)
		pods[name] = n
		c.create(fmt.Sprintf("apiVersion: v1\nkind: Pod\nmetadata: {name: %s}\nspec:\n  restartPolicy: Never\n  containers:\n  - {name: main, image: %q, env: [{name: MYSQL_ROOT_PASSWORD, value: x}, {name: POSTGRES_PASSWORD, value: x}]}\n", name, img.Name))
	}
	c.run(30 * time.Second)
	for name, n := range pods {
		s := c.pod(name).Status.ContainerStatuses[0]
		img, _ := c.rt.Images.Resolve(n)
		if e := s.State.Terminated; e != nil && (e.Reason == "StartError" && !strings.Contains(e.Message, "not found in $PATH") || len(img.Ports) > 0) {
			t.Errorf("%s: %+v\n%s", n, e, c.logs(name))
		}
		if s.State.Running == nil || len(img.Ports) == 0 {
			continue
		}
		ns := c.k.Container("default", name, "").Sandbox().Net()
		if !ns.Listening(img.Ports[0]) && !strings.Contains(n, "agnhost") && !strings.Contains(n, "serve") {
			t.Errorf("%s does not listen on %d", n, img.Ports[0])
		}
	}
}

func TestHelloServer(t *testing.T) {
	c := newCluster(t, 1)
	cm := &corev1.ConfigMap{Data: map[string]string{"myconfig.txt": "I am hungry."}}
	cm.Name, cm.Namespace = "cm", "default"
	if _, err := client.Create(c.c, cm); err != nil {
		t.Fatal(err)
	}
	c.create("apiVersion: v1\nkind: Pod\nmetadata: {name: v15}\nspec:\n  containers:\n  - {name: main, image: 'blux2/hello-server:1.5', volumeMounts: [{name: v, mountPath: /etc/config}]}\n  volumes: [{name: v, configMap: {name: cm}}]\n")
	c.create("apiVersion: v1\nkind: Pod\nmetadata: {name: v14}\nspec:\n  containers:\n  - {name: main, image: 'blux2/hello-server:1.4', env: [{name: PORT, value: '8081'}]}\n")
	c.create(simple("v10", "blux2/hello-server:1.0"))
	c.create(simple("v12", "blux2/hello-server:1.2"))
	c.create(simple("echo", "hashicorp/http-echo:1.0", "-text=apple"))
	c.run(3 * time.Second)
	for name, want := range map[string]string{"v10:8080": "Hello, world!", "v12:8080": "Hello, world! Let's learn Kubernetes!", "v14:8081": "Hello, world! Let's learn Kubernetes!", "v15:8080": "I am hungry.", "echo:5678": "apple\n"} {
		pod, portText, _ := strings.Cut(name, ":")
		port, _ := strconv.Atoi(portText)
		s, err := c.k.PortForward(c.pod(pod), int32(port))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := s.(kubelet.Forwarder).Do(nil, &network.Request{Method: "GET", Path: "/", Host: "localhost"})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c.want(string(resp.Body), want)
	}
	// a mounted file follows its ConfigMap after the sync delay
	cur, _ := client.Get[*corev1.ConfigMap](c.c, "default", "cm")
	n := *cur
	n.Data = map[string]string{"myconfig.txt": "Fed."}
	if _, err := client.Update(c.c, &n); err != nil {
		t.Fatal(err)
	}
	c.run(5 * time.Second)
	s, _ := c.k.PortForward(c.pod("v15"), 8080)
	resp, _ := s.(kubelet.Forwarder).Do(nil, &network.Request{Method: "GET", Path: "/"})
	c.want(string(resp.Body), "I am hungry.")
	c.run(90 * time.Second)
	resp, _ = s.(kubelet.Forwarder).Do(nil, &network.Request{Method: "GET", Path: "/"})
	c.want(string(resp.Body), "Fed.")
}

// The rows are a real kubelet's: while a postStart hook runs, and until the
// container of one that failed has ended, nothing is said of it.
func TestFailingHooks(t *testing.T) {
	tools(t, "sleep", "sh")
	c := newCluster(t, 1)
	c.watchPods()
	c.create(`{apiVersion: v1, kind: Pod, metadata: {name: post}, spec: {containers: [{name: c, image: "nginx:1.27", lifecycle: {postStart: {exec: {command: [sh, -c, "sleep 2; exit 5"]}}}}]}}`)
	c.run(9 * time.Second)
	for _, r := range c.rows {
		if strings.Contains(r, "c=running") {
			t.Error(r)
		}
	}
	if last := c.pod("post").Status.ContainerStatuses[0]; last.State.Waiting == nil || last.State.Waiting.Reason != "CrashLoopBackOff" || last.RestartCount != 1 {
		t.Errorf("%+v", last.State)
	}
	// the end of one container does not cut another's preStop hook short
	c.create(`{apiVersion: v1, kind: Pod, metadata: {name: pre}, spec: {containers: [{name: a, image: "nginx:1.27", lifecycle: {preStop: {exec: {command: [sleep, "3"]}}}}, {name: b, image: "nginx:1.27", command: [sh, -c, "trap 'exit 3' TERM; while true; do sleep 0.2; done"]}]}}`)
	c.run(2 * time.Second)
	c.delete("pre", 30)
	c.run(2 * time.Second)
	if c.pod("pre").Status.ContainerStatuses[0].State.Running == nil {
		t.Error("the hook was cut short")
	}
	if events := c.events("pre"); strings.Contains(events, "FailedPreStopHook") {
		t.Error(events)
	}
	// nothing of a pod whose initialization failed for good is ready
	c.create(`{apiVersion: v1, kind: Pod, metadata: {name: init}, spec: {restartPolicy: Never, initContainers: [{name: i, image: "busybox:1.36", command: [sh, -c, "exit 3"]}], containers: [{name: c, image: "nginx:1.27"}]}}`)
	c.run(3 * time.Second)
	if s := summary(c.pod("init")); !strings.Contains(s, "Ready=False(PodFailed) ContainersReady=False(PodFailed)") {
		t.Error(s)
	}
}

func TestResize(t *testing.T) {
	c := newCluster(t, 1)
	c.create(`{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: "nginx:1.27", resizePolicy: [{resourceName: memory, restartPolicy: RestartContainer}], resources: {requests: {cpu: 100m, memory: 64Mi}}}]}}`)
	c.run(3 * time.Second)
	resize := func(name, resources string) {
		t.Helper()
		body := []byte(`{"spec":{"containers":[{"name":"c","resources":{"requests":` + resources + `}}]}}`)
		r := c.api.Serve(&rest.Request{Method: "PATCH", Path: "/api/v1/namespaces/default/pods/" + name + "/resize", Body: body, Header: map[string]string{"Content-Type": "application/strategic-merge-patch+json"}})
		if r.Code != 200 {
			t.Fatal(r.Code, r.Object)
		}
	}
	state := func(name string) string {
		s := c.pod(name).Status
		r := s.ContainerStatuses[0]
		return sprint(r.Resources.Requests.Cpu().String(), r.Resources.Requests.Memory().String(), r.RestartCount, s.Conditions[0].Type, s.Conditions[0].Reason)
	}
	c.want(state("p"), "100m 64Mi 0 PodReadyToStartContainers ")
	resize("p", `{"cpu":"200m"}`)
	c.run(100 * time.Millisecond)
	c.want(state("p"), "100m 64Mi 0 PodResizeInProgress ")
	c.run(3 * time.Second)
	c.want(state("p"), "200m 64Mi 0 PodReadyToStartContainers ")
	resize("p", `{"memory":"96Mi"}`)
	c.run(4 * time.Second)
	c.want(state("p"), "200m 96Mi 1 PodReadyToStartContainers ")
	for _, want := range []string{`Pod resize started: {"containers":[{"name":"c","resources":{"requests":{"cpu":"200m","memory":"64Mi"}}}],"generation":2}`,
		"Container c resize requires restart", `Pod resize completed: {"containers":[{"name":"c","resources":{"requests":{"cpu":"200m","memory":"96Mi"}}}],"generation":3}`} {
		if events := c.events("p"); !strings.Contains(events, want) {
			t.Errorf("no %s in\n%s", want, events)
		}
	}
	// what another pod has cannot be had
	c.create(`{apiVersion: v1, kind: Pod, metadata: {name: q}, spec: {containers: [{name: c, image: "nginx:1.27", resources: {requests: {cpu: 100m}}}]}}`)
	c.run(3 * time.Second)
	resize("q", `{"cpu":"2"}`)
	c.run(3 * time.Second)
	c.want(state("q"), "100m 0 0 PodResizePending Deferred")
	c.delete("p", 0)
	c.run(2 * time.Minute)
	c.want(state("q"), "2 0 0 PodReadyToStartContainers ")
}
