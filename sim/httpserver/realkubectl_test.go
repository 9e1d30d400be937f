// The real kubectl as a program of the simulation: an operating system's process
// whose streams are the shell's, with a copy of the reader's files, that talks to
// the served API over loopback. It is built by make parity.

package httpserver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/kubonsai/kubonsai/sim"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/network"
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/transcript"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

const realKubectl = "../../dist/real-kubectl"

// realMachine is a machine whose kubectl is the real one. It moves a recording:
// while a kubectl runs the clock goes with the wall's, otherwise it jumps.
type realMachine struct {
	*Host
	t       *testing.T
	url     string     // of the served API
	dir     string     // where the copy of the reader's files is
	ip      netip.Addr // where forwarded ports are bound, so that tests do not share them
	running int        // kubectls under way; guarded by the host
}

var lastAddress atomic.Uint32

// newRealMachine makes a machine for the scenario.
func newRealMachine(t *testing.T, s *transcript.Scenario, opts sim.Options) *realMachine {
	n := lastAddress.Add(1)
	r := &realMachine{t: t, dir: t.TempDir(), ip: netip.AddrFrom4([4]byte{127, 7, byte(n >> 8), byte(n)})}
	binary, err := filepath.Abs(realKubectl)
	if err != nil {
		t.Fatal(err)
	}
	// kubectl reckons ages from its own clock, which may not be behind.
	opts.Start = time.Now().Add(-10 * time.Minute)
	opts.Programs = map[string]program.Program{"kubectl": func(c *program.Context, args []string) int {
		return r.kubectl(c, binary, args[1:])
	}}
	m, err := sim.New(s.Prepare(opts))
	if err != nil {
		t.Fatal(err)
	}
	// At a speed of exactly 1 it would catch up with the wall's clock.
	r.Host = NewHost(m, 1.0001, func(err error) { t.Error(err) })
	srv := httptest.NewServer(r.Host)
	r.url = srv.URL
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
		r.Host.Close()
	})
	return r
}

// stepLimit is how long one step may take, of the wall's time, before it is interrupted.
const stepLimit = 30 * time.Second

// Jump is transcript.Pace's.
func (r *realMachine) Jump(limit time.Time, done func() bool) bool {
	for began := time.Now(); ; {
		ended, late := false, false
		r.Do(func(m *sim.Machine) {
			if r.running == 0 {
				m.Jump(limit, func() bool { return done() || r.running > 0 })
				r.base, r.anchor = m.Now(), time.Now()
			}
			ended, late = done(), !m.Now().Before(limit)
		})
		if ended || late || time.Since(began) > stepLimit {
			return ended
		}
		time.Sleep(3 * time.Millisecond)
	}
}

// process is one run of the real kubectl.
type process struct {
	r     *realMachine
	c     *program.Context
	fs    *vfs.FS
	home  string            // the copy of the reader's home
	had   map[string]string // the files of that copy, as they were
	cmd   *exec.Cmd
	news  kernel.WaitQueue
	out   [2]bytes.Buffer // what has been printed and not been passed on
	open  int             // streams that may bring more
	code  int
	ended bool
	stdin chan []byte
	ports []*network.Listener
}

// kubectl runs the real kubectl as a program of the simulation.
func (r *realMachine) kubectl(c *program.Context, binary string, args []string) int {
	home, err := os.MkdirTemp(r.dir, "home")
	if err != nil {
		r.t.Error(err)
		return 1
	}
	p := &process{r: r, c: c, fs: c.FS, home: home, had: map[string]string{}, stdin: make(chan []byte, 1<<10)}
	p.mirror(sim.Home)
	if i := slices.IndexFunc(args, func(a string) bool { return !strings.HasPrefix(a, "-") }); i >= 0 && (args[i] == "port-forward" || args[i] == "proxy") {
		args = append(slices.Clone(args), "--address="+r.ip.String())
	}
	for i, a := range args {
		args[i] = strings.ReplaceAll(a, sim.Home, home)
	}
	p.cmd = exec.Command(binary, args...)
	p.cmd.Args[0] = "kubectl"
	p.cmd.Dir = filepath.Join(home, strings.TrimPrefix(c.Dir, sim.Home))
	for _, e := range c.Environ() {
		switch name, _, _ := strings.Cut(e, "="); name {
		case "PATH", "HOME", "PWD", "KUBECONFIG":
		default:
			p.cmd.Env = append(p.cmd.Env, e)
		}
	}
	config := filepath.Join(home, ".kube/config")
	if !slices.Contains(args, "config") {
		config = p.ways(config) + ":" + config
	}
	p.cmd.Env = append(p.cmd.Env, "PATH="+os.Getenv("PATH"), "HOME="+home, "TZ=UTC", "KUBECONFIG="+config, "KUBECACHEDIR="+filepath.Join(r.dir, "cache"))
	if err := p.start(); err != nil {
		r.t.Error(err)
		return 1
	}
	r.running++
	defer p.leave()
	for !p.ended || p.out[0].Len() > 0 || p.out[1].Len() > 0 {
		p.pass(0, c.Stdout)
		p.pass(1, c.Stderr)
		if !p.ended {
			if err := c.Proc.Wait(&p.news); err != nil {
				return 130
			}
		}
	}
	return p.code
}

// leave tidies up when the process has ended, or the program was killed.
func (p *process) leave() {
	p.r.running--
	for _, l := range p.ports {
		l.Close()
	}
	if !p.ended {
		p.cmd.Process.Signal(syscall.SIGTERM)
	}
}

// start starts the process and the goroutines that serve its streams.
func (p *process) start() error {
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return err
	}
	var outs [2]io.ReadCloser
	if outs[0], err = p.cmd.StdoutPipe(); err != nil {
		return err
	}
	if outs[1], err = p.cmd.StderrPipe(); err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	p.open = len(outs)
	for i, r := range outs {
		go p.collect(i, r)
	}
	go func() {
		defer in.Close()
		for data := range p.stdin {
			if _, err := in.Write(data); err != nil {
				return
			}
		}
	}()
	feeder := p.c.Proc.Kernel().Spawn(p.c.Proc, "stdin", func(*kernel.Proc) int {
		for p.c.Stdin != nil {
			buf := make([]byte, 4<<10)
			n, err := p.c.Stdin.Read(buf)
			if n > 0 {
				p.stdin <- buf[:n]
			}
			if err != nil {
				break
			}
		}
		return 0
	})
	feeder.AtExit(func() { close(p.stdin) })
	p.c.Proc.AtExit(func() { feeder.Signal(kernel.SIGKILL) })
	return nil
}

func (p *process) collect(i int, r io.Reader) {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		last := false
		p.r.Do(func(*sim.Machine) {
			p.out[i].Write(buf[:n])
			if err != nil {
				p.open--
				last = p.open == 0
			}
			p.news.Wake()
		})
		if err == nil {
			continue
		}
		if last {
			err := p.cmd.Wait()
			p.r.Do(func(*sim.Machine) {
				p.code = p.cmd.ProcessState.ExitCode()
				var exit *exec.ExitError
				if err != nil && !errors.As(err, &exit) {
					p.r.t.Error(err)
				}
				p.adopt()
				p.ended = true
				p.news.Wake()
			})
		}
		return
	}
}

var (
	forwardingLine = regexp.MustCompile(`(?m)^Forwarding from 127\.7\.\d+\.\d+:(\d+) -> (\d+)\n`)
	servingLine    = regexp.MustCompile(`(?m)^Starting to serve on 127\.7\.\d+\.\d+:(\d+)\n`)
)

// pass writes what the process has printed, in the simulation's terms.
func (p *process) pass(i int, w io.Writer) {
	text := p.out[i].String()
	p.out[i].Reset()
	for _, re := range []*regexp.Regexp{forwardingLine, servingLine} {
		for _, m := range re.FindAllStringSubmatch(text, -1) {
			p.listen(m[1])
		}
	}
	// On localhost it would have bound both addresses.
	text = forwardingLine.ReplaceAllString(text, "Forwarding from 127.0.0.1:$1 -> $2\nForwarding from [::1]:$1 -> $2\n")
	text = servingLine.ReplaceAllString(text, "Starting to serve on 127.0.0.1:$1\n")
	text = strings.NewReplacer(p.home, sim.Home, p.r.url, "https://127.0.0.1:6443").Replace(text)
	if text != "" {
		io.WriteString(w, text)
	}
}

// listen gives the reader's machine the port that the process has bound.
func (p *process) listen(port string) {
	number, _ := strconv.Atoi(port)
	l, err := p.c.Net.Listen(number, true, func(proc *kernel.Proc, req *network.Request) *network.Response {
		var resp *network.Response
		var answered kernel.WaitQueue
		done := false
		go p.r.ask(port, req, func(got *network.Response) {
			resp, done = got, true
			answered.Wake()
		})
		for !done {
			if proc.Wait(&answered) != nil {
				return nil
			}
		}
		return resp
	})
	if err != nil {
		p.r.t.Error(err)
		return
	}
	p.ports = append(p.ports, l)
}

// ask sends a message of the simulation's network over the real one. It calls
// answer under the host's lock, with nil if there is none.
func (r *realMachine) ask(port string, req *network.Request, answer func(*network.Response)) {
	var resp *network.Response
	defer func() {
		if resp == nil {
			r.Do(func(*sim.Machine) { answer(nil) })
		}
	}()
	hr, err := http.NewRequest(req.Method, "http://"+net.JoinHostPort(r.ip.String(), port)+req.Path, bytes.NewReader(req.Body))
	if err != nil {
		return
	}
	hr.Host = req.Host
	for name, values := range req.Header {
		hr.Header[http.CanonicalHeaderKey(name)] = values
	}
	c := http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}
	got, err := c.Do(hr)
	if err != nil {
		return
	}
	defer got.Body.Close()
	resp = &network.Response{Status: got.StatusCode, Header: network.Header(got.Header)}
	if got.ContentLength >= 0 {
		resp.Body, _ = io.ReadAll(got.Body)
		r.Do(func(*sim.Machine) { answer(resp) })
		return
	}
	r.Do(func(m *sim.Machine) {
		resp.Stream = m.NewPipe()
		answer(resp)
	})
	buf := make([]byte, 32<<10)
	for err == nil {
		var n int
		n, err = got.Body.Read(buf)
		r.Do(func(*sim.Machine) {
			if _, werr := resp.Stream.Write(bytes.Clone(buf[:n])); werr != nil && err == nil {
				err = werr
			}
			if err != nil {
				resp.Stream.CloseWrite()
			}
		})
	}
}

// mirror copies the reader's files to where the process sees them.
func (p *process) mirror(dir string) {
	entries, err := p.fs.ReadDir(dir)
	if err != nil {
		p.r.t.Error(err)
	}
	os.MkdirAll(p.home+strings.TrimPrefix(dir, sim.Home), 0o755)
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if e.IsDir() {
			p.mirror(name)
			continue
		}
		data, err := p.fs.ReadFile(name)
		if err == nil {
			err = os.WriteFile(p.home+strings.TrimPrefix(name, sim.Home), data, 0o644)
			p.had[name] = string(data)
		}
		if err != nil {
			p.r.t.Error(err)
		}
	}
}

// adopt copies the files that the process has made or changed back.
func (p *process) adopt() {
	filepath.WalkDir(p.home, func(name string, d fs.DirEntry, err error) error {
		rel := strings.TrimPrefix(name, p.home)
		if err != nil || rel == "/.kube/ways" {
			return err
		}
		to := sim.Home + rel
		if d.IsDir() {
			return p.fs.MkdirAll(to, 0o755)
		}
		data, err := os.ReadFile(name)
		if had, ok := p.had[to]; err == nil && (!ok || had != string(data)) {
			err = p.fs.WriteFile(to, data, 0o644)
		}
		if err != nil {
			p.r.t.Error(err)
		}
		return nil
	})
}

// ways writes a kubeconfig that goes before the reader's, in which the clusters
// of that one are reached over loopback, without certificates.
func (p *process) ways(config string) string {
	var doc struct {
		Clusters, Users []struct {
			Name          string
			Cluster, User map[string]any
		}
	}
	data, err := os.ReadFile(config)
	if err == nil {
		err = yaml.Unmarshal(data, &doc)
	}
	var b strings.Builder
	b.WriteString("apiVersion: v1\nkind: Config\nclusters:\n")
	for _, c := range doc.Clusters {
		if c.Cluster["server"] == "https://127.0.0.1:6443" {
			fmt.Fprintf(&b, "- {name: %q, cluster: {server: %q}}\n", c.Name, p.r.url)
		}
	}
	b.WriteString("users:\n")
	for _, u := range doc.Users {
		if u.User["client-certificate-data"] != nil {
			fmt.Fprintf(&b, "- {name: %q, user: {}}\n", u.Name)
		}
	}
	name := filepath.Join(p.home, ".kube/ways")
	if err == nil {
		err = os.WriteFile(name, []byte(b.String()), 0o600)
	}
	if err != nil {
		p.r.t.Error(err)
	}
	return name
}
