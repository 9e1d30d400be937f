// kubonsai trace: where a connection would go, step by step, and why.

package simctl

import (
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"

	"github.com/kubonsai/kubonsai/sim/container"
	"github.com/kubonsai/kubonsai/sim/network"
	"github.com/kubonsai/kubonsai/sim/network/proxy"
	"github.com/kubonsai/kubonsai/sim/program"
)

// Tracer is what trace asks.
type Tracer struct {
	// Proxy are the rules of the current cluster; nil when there is none.
	Proxy func() *proxy.Proxy
	// Here is where a connection of this machine meets those rules.
	Here func(host string, port uint16) *network.Namespace
	// Published says where a port of this machine leads that a cluster's nodes
	// are published on: the node, its address, and who explains that cluster. The
	// Tracer is nil when the port is none.
	Published func(host string, port uint16) (node string, to netip.AddrPort, of *Tracer)
	// PodNet is the network of a running pod; nil when there is no such pod.
	PodNet func(namespace, pod string) *network.Namespace
	// Ingress explains a request that has reached a pod; ok is false when no
	// ingress controller runs there.
	Ingress func(pod string, r *network.Request) (text string, route container.IngressRoute, ok bool)
}

const traceHelp = `
Options:
  --from POD        begin in this pod (or NAMESPACE/POD) instead of on this machine
  -n, --namespace   the pod's namespace, "default" if it is not given
  -H, --host NAME   the Host header, if it is another than the URL's, for ingresses
  --udp             a datagram instead of a TCP connection

The walk is printed rule by rule: the name, the Service, its port, the endpoints
with what network policies say of each, the ingress if it leads to a controller,
and the result. The exit status is 0
when whichever endpoint is chosen would answer, else 1.

Examples:
  kubonsai trace localhost:30599
  kubonsai trace --from curl http://hello-server-service:8080/
  kubonsai trace -H hello.example http://localhost/v2
`

func traceCommand(t *Tracer) command {
	return command{name: "trace", args: "[--from POD] [-n NAMESPACE] [-H HOST] [--udp] URL|HOST[:PORT]", long: traceHelp,
		short: "Explain a connection: which name, Service, rule and endpoint, or why none.",
		run:   func(c *program.Context, args []string) int { return trace(c, t, args) }}
}

func trace(c *program.Context, t *Tracer, args []string) int {
	pod, namespace, target, header := "", "default", "", ""
	proto := network.TCP
	for i := 0; i < len(args); i++ {
		name, value, given := strings.Cut(args[i], "=")
		switch name {
		case "--from", "-n", "--namespace", "-H", "--host":
			if !given {
				if i++; i == len(args) {
					return fail(c, "%s needs a value", name)
				}
				value = args[i]
			}
			switch name {
			case "--from":
				pod = value
			case "-H", "--host":
				header = strings.TrimSpace(strings.TrimPrefix(value, "Host:"))
			default:
				namespace = value
			}
		case "--udp":
			proto = network.UDP
		default:
			if strings.HasPrefix(args[i], "-") {
				return fail(c, "unknown option %s; see kubonsai trace --help", args[i])
			}
			if target != "" {
				return fail(c, "one destination at a time: %s or %s", target, args[i])
			}
			target = args[i]
		}
	}
	host, port, path, err := destination(target)
	if err != "" {
		return fail(c, "%s", err)
	}
	rules := t.Proxy()
	if rules == nil {
		fmt.Fprintln(c.Stderr, "kubonsai: there is no cluster")
		return 1
	}
	from := t.Here(host, port)
	if pod != "" {
		pod = strings.TrimPrefix(pod, "pod/")
		if ns, name, ok := strings.Cut(pod, "/"); ok {
			namespace, pod = ns, name
		}
		if from = t.PodNet(namespace, pod); from == nil {
			fmt.Fprintf(c.Stderr, "kubonsai: no pod %s runs in namespace %s\n", pod, namespace)
			return 1
		}
		fmt.Fprintf(c.Stdout, "from pod %s/%s (%s)\n", namespace, pod, from.Addr())
	} else {
		fmt.Fprintf(c.Stdout, "from this machine (%s)\n", from.Addr())
	}
	at, number := host, port
	if node, to, of := t.Published(host, port); of != nil && pod == "" && proto == network.TCP {
		printSteps(c.Stdout, []proxy.Step{{Rule: "published", Result: fmt.Sprintf("port %d of this machine is %d of node %s", port, to.Port(), node)}})
		t, at, number = of, to.Addr().String(), to.Port()
		rules, from = t.Proxy(), t.Here(at, number)
	}
	x := rules.Trace(from, proto, at, number)
	printSteps(c.Stdout, x.Steps)
	if x.Connects {
		r := &network.Request{Method: "GET", Host: header, Path: path, TLS: port == 443}
		if header == "" {
			r.Host = host
		}
		x.Connects = t.ingress(c.Stdout, rules, x.Ends, r)
	}
	if !x.Connects {
		return 1
	}
	return 0
}

// ingress goes on with a request that has reached an ingress controller; it
// reports whether the request gets an answer of a backend, true when there is
// no such controller.
func (t *Tracer) ingress(w io.Writer, rules *proxy.Proxy, ends []proxy.Endpoint, r *network.Request) bool {
	for _, e := range ends {
		text, route, ok := t.Ingress(e.Pod, r)
		if !ok {
			continue
		}
		fmt.Fprintf(w, "%-10s %s\n", "ingress", text)
		connects := route.Status == 0
		namespace, pod, _ := strings.Cut(e.Pod, "/")
		for _, b := range route.Endpoints {
			x := rules.Trace(t.PodNet(namespace, pod), network.TCP, b.Addr().String(), b.Port())
			printSteps(w, x.Steps)
			connects = connects && x.Connects
		}
		return connects
	}
	return true
}

// destination reads a URL, or host and port; the port is the scheme's own when
// it is left out.
func destination(text string) (host string, port uint16, path, err string) {
	if text == "" {
		return "", 0, "", "what destination? See kubonsai trace --help"
	}
	port, path = 80, "/"
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		rest = text
	} else if scheme == "https" {
		port = 443
	} else if scheme != "http" && scheme != "tcp" {
		return "", 0, "", "unknown scheme " + scheme
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		if rest[i] == '/' {
			path, _, _ = strings.Cut(rest[i:], "#")
		}
		rest = rest[:i]
	}
	host, number, given := strings.Cut(rest[strings.LastIndexByte(rest, '@')+1:], ":")
	if given {
		n, e := strconv.ParseUint(number, 10, 16)
		if e != nil || n == 0 {
			return "", 0, "", "not a port: " + number
		}
		port = uint16(n)
	}
	if host == "" {
		return "", 0, "", "no host in " + text
	}
	return host, port, path, ""
}

func printSteps(w io.Writer, steps []proxy.Step) {
	for _, s := range steps {
		fmt.Fprintf(w, "%-10s %s\n", s.Rule, s.Result)
		for _, d := range s.Detail {
			fmt.Fprintf(w, "%-10s   %s\n", "", d)
		}
	}
}
