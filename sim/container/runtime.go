// Package container is the container runtime of all nodes: sandboxes (a pod's
// network namespace and shared files), containers with a layered file system,
// a process table, signals, memory and logs, and the programs of images. It
// knows nothing of the API; the kubelet tells it what to run.
//
// Servers of images are event-driven: their process is an entry in the table,
// their work happens in network handlers. Only shells and tools are processes
// of the kernel.
package container

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/container/image"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/network"
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/seed"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

// Options are what a runtime needs.
type Options struct {
	Clock   *clock.Clock
	Kernel  *kernel.Kernel
	Network *network.Network
	Seed    *seed.Source
	// Images is the registry; nil is the built-in catalogue.
	Images *image.Catalogue
	// Programs finds the shell and the tools by name ("sh", "cat"); nil or a
	// nil answer means that there is no such program.
	Programs func(name string) program.Program
	// LogLimit bounds one container's log, in bytes; 0 is 1 MiB.
	LogLimit int
	// FileLimit bounds what one container may write to its own files, in bytes;
	// 0 is the file system's own bound.
	FileLimit int64
	// Ingress is the ingress controller's view of the API; nil where there is none.
	Ingress IngressController
	// Changed is told of every container whose kept state has changed.
	Changed func(*Container)
}

// Runtime holds every sandbox of the cluster.
type Runtime struct {
	Options
	layers    map[string]*vfs.FS
	sandboxes map[string]*Sandbox
	ids       *seed.Stream
	random    *seed.Stream
	nginx     map[string][]*nginxServer
}

// New returns a runtime without sandboxes.
func New(o Options) *Runtime {
	if o.Images == nil {
		o.Images = image.Default()
	}
	if o.Programs == nil {
		o.Programs = func(string) program.Program { return nil }
	}
	if o.LogLimit == 0 {
		o.LogLimit = 1 << 20
	}
	return &Runtime{Options: o, layers: map[string]*vfs.FS{}, sandboxes: map[string]*Sandbox{}, nginx: map[string][]*nginxServer{},
		ids: o.Seed.Stream("container ids"), random: o.Seed.Stream("/dev/random")}
}

func (r *Runtime) changed(c *Container) {
	if r.Changed != nil {
		r.Changed(c)
	}
}

// SandboxConfig describes a pod's shared surroundings.
type SandboxConfig struct {
	UID, Namespace, Name string
	Hostname             string
	Node                 string
	Addr                 netip.Addr
	// Net is the node's namespace for pods with hostNetwork; nil makes a new one.
	Net        *network.Namespace
	DNS        network.DNSConfig
	Hosts      []HostAlias
	ManageHost bool // write /etc/hosts
	FQDN       string
}

// HostAlias is a further line of /etc/hosts.
type HostAlias struct {
	IP    string
	Names []string
}

// Sandbox is a running pod sandbox.
type Sandbox struct {
	SandboxConfig
	ID         string
	rt         *Runtime
	ns         *network.Namespace
	containers []*Container
	closed     bool
}

// NewSandbox makes a sandbox and puts it on the network.
func (r *Runtime) NewSandbox(cfg SandboxConfig) *Sandbox { return r.newSandbox(cfg, r.ids.Hex(32)) }

func (r *Runtime) newSandbox(cfg SandboxConfig, id string) *Sandbox {
	s := &Sandbox{SandboxConfig: cfg, ID: id, rt: r, ns: cfg.Net}
	if s.ns != nil {
		s.ns = s.ns.Share(cfg.DNS)
	} else {
		s.ns = r.Network.NewNamespace(cfg.Namespace+"/"+cfg.Name, cfg.Addr)
		s.ns.Pod, s.ns.DNS = s.ns.Name, cfg.DNS
		s.ns.Hostname = cfg.Hostname
		if cfg.FQDN != "" {
			s.ns.AddHost(cfg.FQDN, cfg.Addr)
		}
	}
	for _, h := range cfg.Hosts {
		if a, err := netip.ParseAddr(h.IP); err == nil {
			for _, n := range h.Names {
				s.ns.AddHost(n, a)
			}
		}
	}
	r.sandboxes[cfg.UID] = s
	return s
}

// Net is the sandbox's network namespace.
func (s *Sandbox) Net() *network.Namespace { return s.ns }

// Containers lists the sandbox's containers in order of creation, ended ones included.
func (s *Sandbox) Containers() []*Container { return s.containers }

// Close ends every container and takes the sandbox off the network.
func (s *Sandbox) Close() {
	if s.closed {
		return
	}
	s.closed = true
	for _, c := range s.containers {
		c.onExit = nil
		c.kill(137, "Error")
	}
	if s.SandboxConfig.Net == nil {
		s.ns.Close()
	}
	delete(s.rt.sandboxes, s.UID)
}

// hostsFile is /etc/hosts as the kubelet writes it.
func (s *Sandbox) hostsFile() []byte {
	var b strings.Builder
	b.WriteString("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n")
	names := s.Hostname
	if s.FQDN != "" {
		names = s.FQDN + "\t" + s.Hostname
	}
	fmt.Fprintf(&b, "%s\t%s\n", s.ns.Addr(), names)
	if len(s.Hosts) > 0 {
		b.WriteString("\n# Entries added by HostAliases.\n")
		for _, h := range s.Hosts {
			fmt.Fprintf(&b, "%s\t%s\n", h.IP, strings.Join(h.Names, "\t"))
		}
	}
	return []byte(b.String())
}

func (s *Sandbox) resolvConf() []byte {
	d := s.ns.DNS
	var b strings.Builder
	if len(d.Search) > 0 {
		b.WriteString("search " + strings.Join(d.Search, " ") + "\n")
	}
	for _, n := range d.Nameservers {
		b.WriteString("nameserver " + n + "\n")
	}
	if len(d.Options) > 0 {
		b.WriteString("options " + strings.Join(d.Options, " ") + "\n")
	}
	return []byte(b.String())
}

// Root is a tree of an image's files, whose changes are its own.
func (r *Runtime) Root(img *image.Image) *vfs.FS { return vfs.Overlay(r.Clock.Now, r.layer(img)) }

// layer is the shared lower tree of an image.
func (r *Runtime) layer(img *image.Image) *vfs.FS {
	if f := r.layers[img.Name]; f != nil {
		return f
	}
	epoch := time.Date(2026, 10, 1, 8, 0, 0, 0, time.UTC)
	f := vfs.New(func() time.Time { return epoch })
	for _, d := range []string{"/bin", "/dev", "/etc", "/home", "/proc", "/root", "/run", "/sbin", "/sys", "/tmp", "/usr/bin", "/usr/local/bin", "/usr/sbin", "/var/log", "/var/run"} {
		_ = f.MkdirAll(d, 0o755)
	}
	if img.Base == "debian" || img.Base == "alpine" {
		for _, d := range []string{"/boot", "/lib", "/media", "/mnt", "/opt", "/srv", "/usr/lib", "/usr/share", "/var/cache", "/var/lib", "/var/tmp"} {
			_ = f.MkdirAll(d, 0o755)
		}
	}
	_ = f.Chmod("/tmp", 0o777|vfsSticky)
	_ = f.Chmod("/root", 0o700)
	f.AddDevices(r.randomReader())
	if img.Base == "busybox" || img.Base == "alpine" {
		binary := "\x7fELF"
		if img.LibcLookup {
			binary += program.LibcLookup
		}
		_ = f.WriteFile("/bin/busybox", []byte(binary), 0o755) // by this the tools know whose words to use
	}
	stub := []byte("\x7fELF\x02\x01\x01\x00")
	for _, t := range r.Images.Toolset(img.Tools) {
		if r.Programs(t) == nil {
			continue
		}
		dir := "/usr/bin/"
		if img.Base == "busybox" || img.Base == "alpine" || t == "sh" || t == "bash" {
			dir = "/bin/"
		}
		_ = f.WriteFile(dir+t, stub, 0o755)
	}
	for p := range img.Programs {
		if strings.HasPrefix(p, "/") {
			_ = f.MkdirAll(p[:strings.LastIndex(p, "/")+1], 0o755)
			_ = f.WriteFile(p, stub, 0o755)
		} else if !strings.Contains(p, "/") {
			_ = f.WriteFile("/usr/local/bin/"+p, stub, 0o755)
		}
	}
	for _, file := range img.Files {
		if i := strings.LastIndex(file.Path, "/"); i > 0 {
			_ = f.MkdirAll(file.Path[:i], 0o755)
		}
		switch {
		case file.Dir:
			_ = f.MkdirAll(file.Path, 0o755)
		case file.Link != "":
			_ = f.Symlink(file.Link, file.Path)
		default:
			mode := file.Mode
			if mode == 0 {
				mode = 0o644
			}
			_ = f.WriteFile(file.Path, []byte(file.Text), vfsMode(mode))
		}
	}
	if img.WorkDir != "" {
		_ = f.MkdirAll(img.WorkDir, 0o755)
		if uid, gid := userOf(img.User); uid != 0 {
			_ = f.Chown(img.WorkDir, uid, gid)
		}
	}
	f.SetFunc("/proc/cpuinfo", func() []byte {
		return []byte("processor\t: 0\nmodel name\t: Simulated CPU\ncpu MHz\t\t: 2500.000\n\nprocessor\t: 1\nmodel name\t: Simulated CPU\ncpu MHz\t\t: 2500.000\n\n")
	})
	f.SetFunc("/proc/version", func() []byte { return []byte("Linux version 6.18.44 (kubonsai) #1 SMP\n") })
	r.layers[img.Name] = f
	return f
}

// randomReader feeds /dev/random from the seed.
func (r *Runtime) randomReader() io.Reader { return randomReader{r.random} }

type randomReader struct{ s *seed.Stream }

func (r randomReader) Read(b []byte) (int, error) {
	for i := 0; i < len(b); i += 8 {
		v := r.s.Uint64()
		for j := i; j < min(i+8, len(b)); j++ {
			b[j] = byte(v)
			v >>= 8
		}
	}
	return len(b), nil
}
