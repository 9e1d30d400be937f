// Probes and hooks. A probe whose answer cannot change by itself (a server of
// the catalogue that keeps passing) does not tick: its worker rests until
// something happens in the container, and what its requests would have left in
// the access log is not written. Failing probes and commands tick.

package kubelet

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/api/intstr"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/container"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/network"
)

func fsMode(m int32) fs.FileMode { return fs.FileMode(m) & fs.ModePerm }

type probeKind string

const (
	startup   probeKind = "Startup"
	liveness  probeKind = "Liveness"
	readiness probeKind = "Readiness"
)

// prober is one probe of one running container.
type prober struct {
	p       *pod
	c       *ctr
	cur     *container.Container
	kind    probeKind
	spec    *corev1.Probe
	timer   *clock.Timer
	origin  time.Time // ticks are at origin + n periods
	passing bool
	run     int // successes or failures in a row
	last    bool
	any     bool
	resting bool
	stopped bool
}

func (p *pod) stopProbes() {
	for _, c := range p.ctrs {
		c.stopProbes()
	}
}

func (c *ctr) stopProbes() {
	for _, w := range c.probes {
		w.stopped = true
		w.timer.Stop()
	}
	c.probes = nil
}

// startProbes begins the probes of a container that has just started.
func (k *Kubelet) startProbes(p *pod, c *ctr) {
	c.stopProbes()
	c.started = c.spec.StartupProbe == nil
	c.ready = c.started && c.spec.ReadinessProbe == nil
	if c.kind == initCtr || c.kind == ephemeralCtr {
		c.started, c.ready = true, false
		return
	}
	if c.spec.StartupProbe != nil {
		k.addProbe(p, c, startup, c.spec.StartupProbe)
		return
	}
	k.startedProbes(p, c)
}

// startedProbes begins those that wait for the startup probe.
func (k *Kubelet) startedProbes(p *pod, c *ctr) {
	if c.spec.ReadinessProbe != nil {
		k.addProbe(p, c, readiness, c.spec.ReadinessProbe)
	}
	if c.spec.LivenessProbe != nil {
		k.addProbe(p, c, liveness, c.spec.LivenessProbe)
	}
}

func (w *prober) period() time.Duration {
	if w.spec.PeriodSeconds > 0 {
		return time.Duration(w.spec.PeriodSeconds) * time.Second
	}
	return 10 * time.Second
}

func (w *prober) timeout() time.Duration {
	return time.Duration(max(w.spec.TimeoutSeconds, 1)) * time.Second
}

func (k *Kubelet) addProbe(p *pod, c *ctr, kind probeKind, spec *corev1.Probe) {
	w := &prober{p: p, c: c, cur: c.cur, kind: kind, spec: spec, passing: kind == liveness}
	now := k.Clock.Now()
	// A worker ticks from when the pod came to the node, whatever its containers
	// do; a readiness probe from the status that said that its container runs.
	w.origin = p.since
	if kind == readiness {
		w.origin = now.Add(time.Duration(k.rand.IntN(150)+60) * time.Millisecond)
	}
	// The delay counts from the whole second in which the container started.
	first := w.origin
	due := c.cur.Started.Truncate(time.Second).Add(time.Duration(spec.InitialDelaySeconds) * time.Second)
	if due.Before(now) {
		due = now
	}
	if late := due.Sub(first); late > 0 {
		first = first.Add((late + w.period() - 1) / w.period() * w.period())
	}
	c.probes = append(c.probes, w)
	w.timer = k.Clock.At(first, "probe "+p.key, func() { k.probe(w) })
}

// next arms the timer for the next tick.
func (w *prober) next() {
	if w.stopped {
		return
	}
	now := w.p.k.Clock.Now()
	n := now.Sub(w.origin)/w.period() + 1
	w.timer.Stop()
	w.timer = w.p.k.Clock.At(w.origin.Add(n*w.period()), "probe "+w.p.key, func() { w.p.k.probe(w) })
}

// probeEvent wakes resting probes: what they see may have changed.
func (p *pod) probeEvent(c *ctr) {
	for _, w := range c.probes {
		if w.resting {
			w.resting = false
			w.next()
		}
	}
}

func (k *Kubelet) probe(w *prober) {
	if w.stopped || w.cur != w.c.cur || w.cur.State != container.Running || w.p.terminating || w.p.node.stopped {
		return
	}
	k.handle(w.p, w.c, &w.spec.ProbeHandler, w.timeout(), func(err string) { k.probed(w, err) })
}

// errored begins the text of a probe that could not be made at all.
const errored = "errored and resulted in unknown state: "

// wordless begins what is said of a command that failed and printed nothing.
const wordless = "\x00"

// probed takes one result; err is "" when the probe passed.
func (k *Kubelet) probed(w *prober, err string) {
	if w.stopped || w.cur.State != container.Running {
		return
	}
	if strings.HasPrefix(err, errored) { // no result
		k.event(w.p, w.c.spec, w.c.kind, "Warning", "Unhealthy", string(w.kind)+" probe "+err)
		w.next()
		return
	}
	ok := err == ""
	if w.any && w.last == ok {
		w.run++
	} else {
		w.run = 1
	}
	w.any, w.last = true, ok
	if !ok {
		what := "failed: " + err
		if strings.HasPrefix(err, wordless) {
			what = "failed: "
		}
		k.event(w.p, w.c.spec, w.c.kind, "Warning", "Unhealthy", string(w.kind)+" probe "+what)
	}
	threshold := max(w.spec.SuccessThreshold, 1)
	if !ok {
		threshold = w.spec.FailureThreshold
		if threshold < 1 {
			threshold = 3
		}
	}
	if w.run >= int(threshold) {
		switch w.kind {
		case readiness:
			if w.c.ready != ok {
				w.c.ready = ok
				w.p.wake(2 * time.Millisecond)
			}
		case startup:
			if ok {
				w.stopped = true
				w.c.started = true
				w.c.ready = w.c.spec.ReadinessProbe == nil
				w.c.probes = nil
				k.startedProbes(w.p, w.c)
				w.p.wake(2 * time.Millisecond)
				return
			}
		}
		if !ok && w.kind != readiness {
			w.stopped = true
			grace := gracePeriod(w.p.obj)
			if s := w.spec.TerminationGracePeriodSeconds; s != nil {
				grace = time.Duration(*s) * time.Second
			}
			name := "liveness"
			if w.kind == startup {
				name = "startup"
			}
			w.c.restart = true
			k.stopContainer(w.p, w.c, grace, fmt.Sprintf("Container %s failed %s probe, will be restarted", w.c.spec.Name, name))
			return
		}
	}
	settled := w.run >= int(threshold)
	if ok && settled && w.spec.Exec == nil && w.cur.Steady() {
		w.resting = true
		return
	}
	w.next()
}

// handle does what a probe or hook says; then gets "" or what went wrong.
func (k *Kubelet) handle(p *pod, c *ctr, h *corev1.ProbeHandler, timeout time.Duration, then func(err string)) {
	switch {
	case h.Exec != nil:
		k.runCommand(c.cur, h.Exec.Command, timeout, then)
	case h.HTTPGet != nil:
		then(k.httpGet(p, c, h.HTTPGet))
	case h.TCPSocket != nil:
		host := p.ip
		if a, err := netip.ParseAddr(h.TCPSocket.Host); err == nil {
			host = a
		}
		port, err := portNumber(c.spec, h.TCPSocket.Port)
		if err == "" {
			err = k.dial(p, host, port)
		}
		then(err)
	case h.GRPC != nil:
		if err := k.dial(p, p.ip, int(h.GRPC.Port)); err != "" {
			then(fmt.Sprintf("timeout: failed to connect service %q within %s: context deadline exceeded", fmt.Sprintf("%s:%d", p.ip, h.GRPC.Port), timeout))
			return
		}
		then("")
	default:
		then("")
	}
}

// portNumber is a port by its number or name, or why there is none.
func portNumber(c *corev1.Container, port intstr.IntOrString) (n int, problem string) {
	if port.Type == intstr.Int {
		return int(port.IntVal), ""
	}
	for _, cp := range c.Ports {
		if cp.Name == port.StrVal {
			return int(cp.ContainerPort), ""
		}
	}
	n, err := strconv.Atoi(port.StrVal)
	if err != nil {
		return 0, errored + err.Error()
	}
	return n, ""
}

func (k *Kubelet) dial(p *pod, host netip.Addr, port int) string {
	if _, _, err := p.node.ns.Find(netip.AddrPortFrom(host, uint16(port))); err != nil {
		return err.Error()
	}
	return ""
}

func (k *Kubelet) httpGet(p *pod, c *ctr, g *corev1.HTTPGetAction) string {
	port, problem := portNumber(c.spec, g.Port)
	if problem != "" {
		return problem
	}
	host := p.ip.String()
	if g.Host != "" {
		host = g.Host
	}
	path := g.Path
	if path == "" {
		path = "/"
	}
	if path[0] != '/' {
		path = "/" + path
	}
	scheme := "http"
	if g.Scheme == "HTTPS" {
		scheme = "https"
	}
	req := &network.Request{Method: "GET", Host: fmt.Sprintf("%s:%d", host, port), Path: path, TLS: scheme == "https",
		Header: network.Header{"User-Agent": {"kube-probe/1.36"}, "Accept": {"*/*"}, "Connection": {"close"}}}
	for _, h := range g.HTTPHeaders {
		if h.Name == "Host" {
			req.Host = h.Value
			continue
		}
		req.Header[h.Name] = append(req.Header[h.Name], h.Value)
	}
	url := fmt.Sprintf("%s://%s:%d%s", scheme, host, port, path)
	resp, err := p.node.ns.Do(k.Kernel.Current(), host, port, req)
	if err != nil {
		var ne *network.Error
		if errors.As(err, &ne) && ne.Kind == network.Timeout {
			return fmt.Sprintf("Get %q: context deadline exceeded (Client.Timeout exceeded while awaiting headers)", url)
		}
		return fmt.Sprintf("Get %q: %s", url, err)
	}
	if resp.Status < 200 || resp.Status >= 400 {
		return fmt.Sprintf("HTTP probe failed with statuscode: %d", resp.Status)
	}
	return ""
}

// runCommand runs a command in a container; then gets "" for status 0, else
// what it printed.
func (k *Kubelet) runCommand(cur *container.Container, argv []string, timeout time.Duration, then func(err string)) {
	var out bytes.Buffer
	proc, err := cur.Exec(argv, container.IO{Stdout: &out, Stderr: &out})
	if err != nil {
		then(errored + "rpc error: code = Unknown desc = " + err.Error())
		return
	}
	over := false
	timer := k.Clock.After(timeout, "command times out", func() {
		if !over {
			over = true
			proc.Signal(kernel.SIGKILL)
			then(fmt.Sprintf("command timed out: %q timed out after %s", joinArgs(argv), timeout))
		}
	})
	proc.AtExit(func() {
		if over {
			return
		}
		over = true
		timer.Stop()
		code, _ := proc.Done()
		k.Clock.After(0, "command ended", func() {
			switch text := out.String(); {
			case code == 0:
				then("")
			case text == "":
				then(wordless + fmt.Sprintf("command %q exited with %d", joinArgs(argv), code))
			default:
				then(text)
			}
		})
	})
}

func joinArgs(argv []string) string {
	s := ""
	for i, a := range argv {
		if i > 0 {
			s += " "
		}
		s += a
	}
	return s
}

// runHook runs a lifecycle hook.
func (k *Kubelet) runHook(p *pod, c *ctr, h *corev1.LifecycleHandler, then func(err string)) {
	switch {
	case h.Sleep != nil:
		k.Clock.After(time.Duration(h.Sleep.Seconds)*time.Second, "hook sleeps", func() { then("") })
	case h.Exec != nil:
		k.runCommand(c.cur, h.Exec.Command, 24*time.Hour, func(err string) {
			then(strings.TrimPrefix(strings.TrimPrefix(err, errored), wordless))
		})
	case h.HTTPGet != nil:
		then(k.httpGet(p, c, h.HTTPGet))
	default:
		then("")
	}
}
