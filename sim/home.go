// The reader's machine: a home directory, a kubeconfig, and the programs that
// run in the reader's terminals with their surroundings.

package sim

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"time"

	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/docker"
	"github.com/kubonsai/kubonsai/sim/examples"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/kind"
	"github.com/kubonsai/kubonsai/sim/kubectl"
	"github.com/kubonsai/kubonsai/sim/minikube"
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/provision"
	"github.com/kubonsai/kubonsai/sim/seed"
	"github.com/kubonsai/kubonsai/sim/shell"
	"github.com/kubonsai/kubonsai/sim/shell/guest/host"
	"github.com/kubonsai/kubonsai/sim/shell/repo"
	"github.com/kubonsai/kubonsai/sim/shell/tool"
	"github.com/kubonsai/kubonsai/sim/simctl"
)

// readerUID is the reader's user id.
const readerUID = 1000

// homeSize is how much the reader's files may hold: all of them are kept in
// one record, which a browser has to save while its page waits.
const homeSize = 8 << 20

// makeHome fills the reader's file system: anew, or from the kept state.
func (m *Machine) makeHome(state *kept) error {
	f := m.files
	f.SetLimit(homeSize)
	if state != nil && state.files != nil {
		if err := json.Unmarshal(state.files, f); err != nil {
			return fmt.Errorf("the saved files cannot be read: %w", err)
		}
		f.AddDevices(randomReader{m.seed.Stream("/dev/random")})
		f.SetOwner(readerUID)
		m.dirty.files = f.Generation()
		return nil
	}
	for _, dir := range []string{path.Dir(Home), "/tmp", "/etc", "/usr/bin", "/usr/local/bin", "/bin", "/var/tmp", "/dev"} {
		if err := f.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for _, dir := range []string{"/tmp", "/var/tmp"} {
		if err := f.Chmod(dir, 0o777|fs.ModeSticky); err != nil {
			return err
		}
	}
	write := func(name string, data []byte, perm fs.FileMode) error { return f.WriteFile(name, data, perm) }
	system := map[string]string{
		"/etc/hosts":      "127.0.0.1\tlocalhost\n172.18.0.2\tkind-control-plane\n",
		"/etc/hostname":   "kubonsai\n",
		"/etc/os-release": "PRETTY_NAME=\"kubonsai\"\nNAME=\"kubonsai\"\nID=kubonsai\n",
		"/etc/passwd":     "root:x:0:0:root:/root:/bin/bash\nreader:x:1000:1000::" + Home + ":/bin/bash\n",
	}
	for _, name := range sortedKeys(system) {
		if err := write(name, []byte(system[name]), 0o644); err != nil {
			return err
		}
	}
	f.AddDevices(randomReader{m.seed.Stream("/dev/random")})
	// Everything else on this machine is the reader's own.
	f.SetOwner(readerUID)
	if m.opts.Nodes > 0 {
		if err := f.MkdirAll(Home+"/.kube", 0o755); err != nil {
			return err
		}
		kubeconfig, err := provision.KindEntry(defaultSpec(m.opts), false).Document()
		if err == nil {
			err = write(Home+"/.kube/config", kubeconfig, 0o600)
		}
		if err != nil {
			return err
		}
	}
	for _, name := range sortedKeys(m.opts.Files) {
		p := Home + "/" + path.Clean("/" + name)[1:]
		if err := f.MkdirAll(path.Dir(p), 0o755); err != nil {
			return err
		}
		if err := write(p, m.opts.Files[name], 0o644); err != nil {
			return fmt.Errorf("file %s: %w", name, err)
		}
		repo.Track(f, p, m.opts.Files[name], m.clock.Now())
	}
	return nil
}

// readerContext is what a program in one of the reader's terminals has.
func (m *Machine) readerContext(p *kernel.Proc) *program.Context {
	return &program.Context{
		Proc: p, FS: m.files, Dir: Home, Net: m.net, Lookup: m.lookupProgram,
		User: "reader", UID: readerUID, Host: "kubonsai",
		Env: map[string]string{
			"HOME": Home, "USER": "reader", "LOGNAME": "reader", "SHELL": "/bin/bash", "TERM": "xterm-256color",
			"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOSTNAME": "kubonsai", "PWD": Home,
		},
	}
}

// fetchURL answers the addresses that the page or the built-in examples know.
func (m *Machine) fetchURL(url string) ([]byte, bool) {
	if m.opts.URLs != nil {
		if data, ok := m.opts.URLs(url); ok {
			return data, true
		}
	}
	if data, ok := download(url); ok {
		return data, true
	}
	return examples.Fetch(url)
}

// randomReader is /dev/urandom.
type randomReader struct{ s *seed.Stream }

func (r randomReader) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(r.s.Uint64())
	}
	return len(b), nil
}

func (m *Machine) shellRandom() uint64 { return m.seed.Stream("$RANDOM").Uint64() }

// readerPrograms are what can be started by name in the reader's terminals.
func (m *Machine) readerPrograms() map[string]program.Program {
	all := tool.All()
	texts := linkedTextTools()
	if m.opts.TextTools != nil {
		texts = host.Remote(m.opts.TextTools)
	}
	for _, name := range []string{"awk", "gawk", "mawk", "jq", "yq", "bc"} {
		all[name] = texts
	}
	for name, p := range shell.Programs(shell.Bash) {
		all[name] = p
	}
	all["kubectl"] = kubectl.New(kubectl.Options{
		Connect: m.connect,
		Startup: 90 * time.Millisecond, RoundTrip: 20 * time.Millisecond,
		Encode: apiserver.Encode, EncodeEvent: apiserver.EncodeWatchEvent,
		FetchURL: func(url string) ([]byte, error) {
			if data, ok := m.fetchURL(url); ok {
				return data, nil
			}
			return nil, fmt.Errorf("unable to read URL %q, server reported 404 Not Found, status code=404", url)
		},
	})
	all["k"] = all["kubectl"]
	all["kind"] = kind.New(kind.Options{Machine: m, Random: m.seed.Stream("kind").Uint64})
	all["minikube"] = minikube.New(minikube.Options{Machine: m, Kubectl: all["kubectl"]})
	all["docker"] = docker.New(m)
	all["kubonsai"] = simctl.New(simctl.Options{Trace: m.tracer(), Nodes: m})
	maps.Copy(all, m.opts.Programs)
	return all
}

func (m *Machine) lookupProgram(name string) program.Program { return m.programs[name] }
