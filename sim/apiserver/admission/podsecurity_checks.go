// The checks of the Pod Security Standards: each looks at a pod's spec and says
// what is wrong in the words that users see.

package admission

import (
	"fmt"
	"slices"
	"strings"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

type violation struct{ reason, detail string }

// checks are run in this order; until and from are the levels at which each
// applies (some baseline checks have a stricter twin).
var securityChecks = []struct {
	from, until int
	reason      string
	find        func(m *metav1.ObjectMeta, s *corev1.PodSpec) string
}{
	{1, 2, "forbidden AppArmor profile", appArmor},
	{1, 1, "non-default capabilities", func(_ *metav1.ObjectMeta, s *corev1.PodSpec) string { return addedCapabilities(s, defaultCapabilities) }},
	{1, 2, "host namespaces", hostNamespaces},
	{1, 1, "hostPath volumes", hostPaths},
	{1, 2, "hostPort", hostPorts},
	{1, 2, "privileged", func(_ *metav1.ObjectMeta, s *corev1.PodSpec) string {
		return blame(s, "must not set securityContext.privileged=true", func(c *corev1.SecurityContext) bool { return isTrue(c.Privileged) })
	}},
	{1, 2, "procMount", func(_ *metav1.ObjectMeta, s *corev1.PodSpec) string {
		return blame(s, `must not set securityContext.procMount to "Unmasked"`, func(c *corev1.SecurityContext) bool {
			return c.ProcMount != nil && *c.ProcMount != corev1.DefaultProcMount
		})
	}},
	{1, 1, "seccompProfile", func(_ *metav1.ObjectMeta, s *corev1.PodSpec) string { return seccomp(s, false) }},
	{1, 2, "seLinuxOptions", seLinux},
	{1, 2, "forbidden sysctls", sysctls},
	{1, 2, "hostProcess", hostProcess},
	{2, 2, "allowPrivilegeEscalation != false", func(_ *metav1.ObjectMeta, s *corev1.PodSpec) string {
		return blame(s, "must set securityContext.allowPrivilegeEscalation=false", func(c *corev1.SecurityContext) bool {
			return c.AllowPrivilegeEscalation == nil || *c.AllowPrivilegeEscalation
		})
	}},
	{2, 2, "unrestricted capabilities", func(_ *metav1.ObjectMeta, s *corev1.PodSpec) string {
		drop := blame(s, `must set securityContext.capabilities.drop=["ALL"]`, func(c *corev1.SecurityContext) bool {
			return c.Capabilities == nil || !slices.Contains(c.Capabilities.Drop, "ALL")
		})
		return joined("; ", drop, addedCapabilities(s, []string{"NET_BIND_SERVICE"}))
	}},
	{2, 2, "restricted volume types", restrictedVolumes},
	{2, 2, "runAsNonRoot != true", runAsNonRoot},
	{2, 2, "runAsUser=0", func(_ *metav1.ObjectMeta, s *corev1.PodSpec) string {
		pod := ""
		if s.SecurityContext != nil && s.SecurityContext.RunAsUser != nil && *s.SecurityContext.RunAsUser == 0 {
			pod = "pod must not set securityContext.runAsUser=0"
		}
		return joined("; ", pod, blame(s, "must not set securityContext.runAsUser=0", func(c *corev1.SecurityContext) bool {
			return c.RunAsUser != nil && *c.RunAsUser == 0
		}))
	}},
	{2, 2, "seccompProfile", func(_ *metav1.ObjectMeta, s *corev1.PodSpec) string { return seccomp(s, true) }},
}

// check returns what a pod violates of a level.
func check(level int, m *metav1.ObjectMeta, s *corev1.PodSpec) []violation {
	var out []violation
	for _, c := range securityChecks {
		if c.from > level || c.until < level {
			continue
		}
		if detail := c.find(m, s); detail != "" {
			out = append(out, violation{c.reason, detail})
		}
	}
	return out
}

func isTrue(b *bool) bool { return b != nil && *b }

func joined(sep string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), sep)
}

var noContext corev1.SecurityContext

// containers calls fn for each container of the spec, in the order in which
// they are looked at.
func containers(s *corev1.PodSpec, fn func(c *corev1.Container, sc *corev1.SecurityContext)) {
	visit := func(c *corev1.Container) {
		sc := c.SecurityContext
		if sc == nil {
			sc = &noContext
		}
		fn(c, sc)
	}
	for i := range s.InitContainers {
		visit(&s.InitContainers[i])
	}
	for i := range s.Containers {
		visit(&s.Containers[i])
	}
	for i := range s.EphemeralContainers {
		e := &s.EphemeralContainers[i]
		visit(&corev1.Container{Name: e.Name, SecurityContext: e.SecurityContext, Ports: e.Ports})
	}
}

// quoted is "a", "b".
func quoted(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = fmt.Sprintf("%q", n)
	}
	return strings.Join(out, ", ")
}

func plural(word string, n int) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

// named is: container "a", or: containers "a", "b"; "" for none.
func named(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return plural("container", len(names)) + " " + quoted(names)
}

// blame names the containers whose context is bad.
func blame(s *corev1.PodSpec, text string, bad func(*corev1.SecurityContext) bool) string {
	var names []string
	containers(s, func(c *corev1.Container, sc *corev1.SecurityContext) {
		if bad(sc) {
			names = append(names, c.Name)
		}
	})
	if len(names) == 0 {
		return ""
	}
	return named(names) + " " + text
}

var defaultCapabilities = []string{"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD",
	"NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"}

func addedCapabilities(s *corev1.PodSpec, allowed []string) string {
	var added []string
	who := blame(s, "must not include ", func(c *corev1.SecurityContext) bool {
		bad := false
		if c.Capabilities != nil {
			for _, name := range c.Capabilities.Add {
				if !slices.Contains(allowed, string(name)) {
					added = append(added, string(name))
					bad = true
				}
			}
		}
		return bad
	})
	if who == "" {
		return ""
	}
	slices.Sort(added)
	return who + quoted(slices.Compact(added)) + " in securityContext.capabilities.add"
}

func hostNamespaces(_ *metav1.ObjectMeta, s *corev1.PodSpec) string {
	var out []string
	for _, f := range []struct {
		set  bool
		name string
	}{{s.HostNetwork, "hostNetwork"}, {s.HostPID, "hostPID"}, {s.HostIPC, "hostIPC"}} {
		if f.set {
			out = append(out, f.name+"=true")
		}
	}
	return strings.Join(out, ", ")
}

func hostPaths(_ *metav1.ObjectMeta, s *corev1.PodSpec) string {
	var names []string
	for _, v := range s.Volumes {
		if v.HostPath != nil {
			names = append(names, v.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return plural("volume", len(names)) + " " + quoted(names)
}

func hostPorts(_ *metav1.ObjectMeta, s *corev1.PodSpec) string {
	var names, ports []string
	containers(s, func(c *corev1.Container, _ *corev1.SecurityContext) {
		bad := false
		for _, p := range c.Ports {
			if p.HostPort != 0 {
				ports = append(ports, fmt.Sprint(p.HostPort))
				bad = true
			}
		}
		if bad {
			names = append(names, c.Name)
		}
	})
	if len(names) == 0 {
		return ""
	}
	verb := "uses "
	if len(names) > 1 {
		verb = "use "
	}
	slices.Sort(ports)
	ports = slices.Compact(ports)
	return named(names) + " " + verb + plural("hostPort", len(ports)) + " " + strings.Join(ports, ", ")
}

func appArmor(m *metav1.ObjectMeta, s *corev1.PodSpec) string {
	pod := ""
	if sc := s.SecurityContext; sc != nil && sc.AppArmorProfile != nil && sc.AppArmorProfile.Type == corev1.AppArmorProfileTypeUnconfined {
		pod = `pod must not set AppArmor profile type to "Unconfined"`
	}
	return joined("; ", pod, blame(s, `must not set AppArmor profile type to "Unconfined"`, func(c *corev1.SecurityContext) bool {
		return c.AppArmorProfile != nil && c.AppArmorProfile.Type == corev1.AppArmorProfileTypeUnconfined
	}))
}

// seccomp looks for profiles that are forbidden and, when one is required, for
// containers without.
func seccomp(s *corev1.PodSpec, required bool) string {
	bad := func(p *corev1.SeccompProfile) bool { return p != nil && p.Type == corev1.SeccompProfileTypeUnconfined }
	var own *corev1.SeccompProfile
	if s.SecurityContext != nil {
		own = s.SecurityContext.SeccompProfile
	}
	const unconfined = ` must not set securityContext.seccompProfile.type to "Unconfined"`
	var parts []string
	if bad(own) {
		parts = append(parts, "pod"+unconfined)
	}
	var explicit, implicit []string
	containers(s, func(c *corev1.Container, sc *corev1.SecurityContext) {
		switch {
		case bad(sc.SeccompProfile):
			explicit = append(explicit, c.Name)
		case sc.SeccompProfile == nil && own == nil:
			implicit = append(implicit, c.Name)
		}
	})
	if len(explicit) > 0 {
		parts = append(parts, named(explicit)+unconfined)
	}
	if required && len(implicit) > 0 {
		parts = append(parts, "pod or "+named(implicit)+` must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`)
	}
	return strings.Join(parts, "; ")
}

func seLinux(_ *metav1.ObjectMeta, s *corev1.PodSpec) string {
	types := []string{"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
	var what []string
	bad := func(o *corev1.SELinuxOptions) bool {
		if o == nil {
			return false
		}
		n := len(what)
		if !slices.Contains(types, o.Type) {
			what = append(what, fmt.Sprintf("type %q", o.Type))
		}
		if o.User != "" {
			what = append(what, "user may not be set")
		}
		if o.Role != "" {
			what = append(what, "role may not be set")
		}
		return len(what) > n
	}
	var who []string
	if s.SecurityContext != nil && bad(s.SecurityContext.SELinuxOptions) {
		who = append(who, "pod")
	}
	if c := blame(s, "", func(c *corev1.SecurityContext) bool { return bad(c.SELinuxOptions) }); c != "" {
		who = append(who, strings.TrimSpace(c))
	}
	if len(who) == 0 {
		return ""
	}
	slices.Sort(what)
	return strings.Join(who, " and ") + " set forbidden securityContext.seLinuxOptions: " + strings.Join(slices.Compact(what), "; ")
}

var safeSysctls = []string{"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range",
	"net.ipv4.ip_unprivileged_port_start", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout",
	"net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"}

func sysctls(_ *metav1.ObjectMeta, s *corev1.PodSpec) string {
	var bad []string
	if s.SecurityContext != nil {
		for _, c := range s.SecurityContext.Sysctls {
			if !slices.Contains(safeSysctls, c.Name) {
				bad = append(bad, c.Name)
			}
		}
	}
	return strings.Join(bad, ", ")
}

func hostProcess(_ *metav1.ObjectMeta, s *corev1.PodSpec) string {
	const text = "must not set securityContext.windowsOptions.hostProcess=true"
	pod := ""
	if sc := s.SecurityContext; sc != nil && sc.WindowsOptions != nil && isTrue(sc.WindowsOptions.HostProcess) {
		pod = "pod " + text
	}
	return joined("; ", pod, blame(s, text, func(c *corev1.SecurityContext) bool {
		return c.WindowsOptions != nil && isTrue(c.WindowsOptions.HostProcess)
	}))
}

func restrictedVolumes(_ *metav1.ObjectMeta, s *corev1.PodSpec) string {
	var names, types []string
	for i := range s.Volumes {
		v := &s.Volumes[i]
		if v.ConfigMap != nil || v.CSI != nil || v.DownwardAPI != nil || v.EmptyDir != nil || v.Ephemeral != nil ||
			v.PersistentVolumeClaim != nil || v.Projected != nil || v.Secret != nil || v.Image != nil {
			continue
		}
		names = append(names, v.Name)
		types = append(types, volumeType(v))
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(types)
	types = slices.Compact(types)
	verb := " uses restricted volume type "
	if len(names) > 1 {
		verb = " use restricted volume type "
	}
	if len(types) > 1 {
		verb = strings.TrimSuffix(verb, " ") + "s "
	}
	return plural("volume", len(names)) + " " + quoted(names) + verb + quoted(types)
}

func volumeType(v *corev1.Volume) string {
	for _, t := range []struct {
		set  bool
		name string
	}{{v.HostPath != nil, "hostPath"}, {v.NFS != nil, "nfs"}, {v.ISCSI != nil, "iscsi"}, {v.FC != nil, "fc"}, {v.CephFS != nil, "cephfs"},
		{v.RBD != nil, "rbd"}, {v.GitRepo != nil, "gitRepo"}, {v.GCEPersistentDisk != nil, "gcePersistentDisk"},
		{v.AWSElasticBlockStore != nil, "awsElasticBlockStore"}, {v.Glusterfs != nil, "glusterfs"}, {v.AzureDisk != nil, "azureDisk"},
		{v.AzureFile != nil, "azureFile"}, {v.VsphereVolume != nil, "vsphereVolume"}} {
		if t.set {
			return t.name
		}
	}
	return "unknown"
}

func runAsNonRoot(_ *metav1.ObjectMeta, s *corev1.PodSpec) string {
	var own *bool
	if s.SecurityContext != nil {
		own = s.SecurityContext.RunAsNonRoot
	}
	var explicit, implicit []string
	containers(s, func(c *corev1.Container, sc *corev1.SecurityContext) {
		switch {
		case sc.RunAsNonRoot != nil && !*sc.RunAsNonRoot:
			explicit = append(explicit, c.Name)
		case sc.RunAsNonRoot == nil && own == nil:
			implicit = append(implicit, c.Name)
		}
	})
	const text = "must not set securityContext.runAsNonRoot=false"
	var parts []string
	if own != nil && !*own {
		parts = append(parts, "pod "+text)
	}
	if len(explicit) > 0 {
		parts = append(parts, named(explicit)+" "+text)
	}
	if len(implicit) > 0 {
		parts = append(parts, "pod or "+named(implicit)+" must set securityContext.runAsNonRoot=true")
	}
	return strings.Join(parts, "; ")
}
