// The page of a pod, and the parts of it that other pages show for pod templates.

package describe

import (
	"fmt"
	"net"
	"net/url"
	"sort"
	"strconv"
	"strings"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/api/resource"
)

func init() { register("", "Pod", pod) }

func pod(p *page, o *corev1.Pod) error {
	p.head(&o.ObjectMeta)
	s := &o.Spec
	if s.Priority != nil {
		p.line(0, "Priority:\t%d", *s.Priority)
	}
	if s.PriorityClassName != "" {
		p.line(0, "Priority Class Name:\t%s", s.PriorityClassName)
	}
	if s.RuntimeClassName != nil && *s.RuntimeClassName != "" {
		p.line(0, "Runtime Class Name:\t%s", *s.RuntimeClassName)
	}
	if s.ServiceAccountName != "" {
		p.line(0, "Service Account:\t%s", s.ServiceAccountName)
	}
	if s.NodeName == "" {
		p.line(0, "Node:\t<none>")
	} else {
		p.line(0, "Node:\t%s/%s", s.NodeName, o.Status.HostIP)
	}
	if o.Status.StartTime != nil {
		p.line(0, "Start Time:\t%s", stamp(o.Status.StartTime.Time))
	}
	p.labels(0, "Labels", o.Labels)
	p.annotations(0, "Annotations", o.Annotations)
	if o.DeletionTimestamp != nil && o.Status.Phase != corev1.PodFailed && o.Status.Phase != corev1.PodSucceeded {
		p.line(0, "Status:\tTerminating (lasts %s)", p.since(o.DeletionTimestamp.Time))
		if o.DeletionGracePeriodSeconds != nil {
			p.line(0, "Termination Grace Period:\t%ds", *o.DeletionGracePeriodSeconds)
		}
	} else {
		p.line(0, "Status:\t%s", o.Status.Phase)
	}
	if o.Status.Reason != "" {
		p.line(0, "Reason:\t%s", o.Status.Reason)
	}
	if o.Status.Message != "" {
		p.line(0, "Message:\t%s", o.Status.Message)
	}
	if s.SecurityContext != nil {
		p.seccomp(0, s.SecurityContext.SeccompProfile, 0)
	}
	p.line(0, "IP:\t%s", o.Status.PodIP)
	if len(o.Status.PodIPs) == 0 {
		p.line(0, "IPs:\t<none>")
	} else {
		p.line(0, "IPs:")
		for _, ip := range o.Status.PodIPs {
			p.line(1, "IP:\t%s", ip.IP)
		}
	}
	p.controller(o)
	if o.Status.NominatedNodeName != "" {
		p.line(0, "NominatedNodeName:\t%s", o.Status.NominatedNodeName)
	}
	if s.Resources != nil {
		p.line(0, "Resources:")
		p.resources(1, s.Resources)
	}
	if len(s.InitContainers) > 0 {
		p.containers("", "Init Containers", s.InitContainers, o.Status.InitContainerStatuses, o)
	}
	p.containers("", "Containers", s.Containers, o.Status.ContainerStatuses, o)
	if len(s.EphemeralContainers) > 0 {
		var cs []corev1.Container
		for _, e := range s.EphemeralContainers {
			cs = append(cs, ephemeral(e))
		}
		p.containers("", "Ephemeral Containers", cs, o.Status.EphemeralContainerStatuses, o)
	}
	if len(s.ReadinessGates) > 0 {
		p.line(0, "Readiness Gates:")
		p.line(1, "Type\tStatus")
		for _, g := range s.ReadinessGates {
			status := "<none>"
			for _, c := range o.Status.Conditions {
				if c.Type == g.ConditionType {
					status = string(c.Status)
					break
				}
			}
			p.line(1, "%v \t%v ", g.ConditionType, status)
		}
	}
	if len(o.Status.Conditions) > 0 {
		p.line(0, "Conditions:")
		p.line(1, "Type\tStatus")
		for _, c := range o.Status.Conditions {
			p.line(1, "%v \t%v ", c.Type, c.Status)
		}
	}
	p.volumes("", s.Volumes)
	qos := o.Status.QOSClass
	if qos == "" {
		qos = "BestEffort"
	}
	p.line(0, "QoS Class:\t%s", qos)
	p.labels(0, "Node-Selectors", s.NodeSelector)
	p.tolerations("Tolerations", s.Tolerations)
	p.spread("", s.TopologySpreadConstraints)
	uid := o.UID
	if mirror, ok := o.Annotations["kubernetes.io/config.mirror"]; ok {
		uid = metav1.UID(mirror)
	}
	p.showEvents(p.eventsOf(o, "", uid))
	return nil
}

func ephemeral(e corev1.EphemeralContainer) corev1.Container {
	return corev1.Container{
		Name: e.Name, Image: e.Image, Command: e.Command, Args: e.Args, WorkingDir: e.WorkingDir, Ports: e.Ports,
		EnvFrom: e.EnvFrom, Env: e.Env, Resources: e.Resources, VolumeMounts: e.VolumeMounts, VolumeDevices: e.VolumeDevices,
		LivenessProbe: e.LivenessProbe, ReadinessProbe: e.ReadinessProbe, StartupProbe: e.StartupProbe, SecurityContext: e.SecurityContext,
	}
}

func (p *page) seccomp(level int, s *corev1.SeccompProfile, deeper int) {
	if s == nil {
		return
	}
	p.line(level, "SeccompProfile:\t%s", s.Type)
	if s.Type == "Localhost" && s.LocalhostProfile != nil {
		p.line(level+deeper, "LocalhostProfile:\t%s", *s.LocalhostProfile)
	}
}

// containers lists containers; space is "  " within a pod template. status is nil there.
func (p *page) containers(space, label string, cs []corev1.Container, statuses []corev1.ContainerStatus, of *corev1.Pod) {
	none := ""
	if len(cs) == 0 {
		none = " <none>"
	}
	p.line(0, "%s%s:%s", space, label, none)
	for i := range cs {
		c := &cs[i]
		var st *corev1.ContainerStatus
		for j := range statuses {
			if statuses[j].Name == c.Name {
				st = &statuses[j]
			}
		}
		p.container(space, c, st, of)
	}
}

func nameIndent(space string) string {
	if space == "" {
		return ""
	}
	return " "
}

func (p *page) container(space string, c *corev1.Container, st *corev1.ContainerStatus, of *corev1.Pod) {
	p.line(1, "%s%v:", nameIndent(space), c.Name)
	if st != nil {
		p.line(2, "Container ID:\t%s", st.ContainerID)
	}
	p.line(2, "Image:\t%s", c.Image)
	if st != nil {
		p.line(2, "Image ID:\t%s", st.ImageID)
	}
	var ports, hostPorts []string
	for _, cp := range c.Ports {
		name := ""
		if cp.Name != "" {
			name = " (" + cp.Name + ")"
		}
		ports = append(ports, fmt.Sprintf("%d/%s%s", cp.ContainerPort, cp.Protocol, name))
		hostPorts = append(hostPorts, fmt.Sprintf("%d/%s%s", cp.HostPort, cp.Protocol, name))
	}
	plural := ""
	if len(ports) > 1 {
		plural = "s"
	}
	p.line(2, "Port%s:\t%s", plural, orNone(strings.Join(ports, ", ")))
	p.line(2, "Host Port%s:\t%s", plural, orNone(strings.Join(hostPorts, ", ")))
	if c.SecurityContext != nil {
		p.seccomp(2, c.SecurityContext.SeccompProfile, 1)
	}
	p.words(2, "Command", c.Command)
	p.words(2, "Args", c.Args)
	if st != nil {
		p.state("State", st.State)
		if st.LastTerminationState.Terminated != nil {
			p.state("Last State", st.LastTerminationState)
		}
		p.line(2, "Ready:\t%v", title(st.Ready))
		p.line(2, "Restart Count:\t%d", st.RestartCount)
	}
	p.resources(2, &c.Resources)
	if c.LivenessProbe != nil {
		p.line(2, "Liveness:\t%s", probe(c.LivenessProbe))
	}
	if c.ReadinessProbe != nil {
		p.line(2, "Readiness:\t%s", probe(c.ReadinessProbe))
	}
	if c.StartupProbe != nil {
		p.line(2, "Startup:\t%s", probe(c.StartupProbe))
	}
	p.environment(c, of)
	p.mounts(c)
}

func (p *page) words(level int, label string, ws []string) {
	if len(ws) == 0 {
		return
	}
	p.line(level, "%s:", label)
	for _, w := range ws {
		for _, l := range strings.Split(w, "\n") {
			p.line(level+1, "%s", l)
		}
	}
}

func (p *page) state(label string, s corev1.ContainerState) {
	switch {
	case s.Running != nil:
		p.line(2, "%s:\tRunning", label)
		p.line(3, "Started:\t%v", stamp(s.Running.StartedAt.Time))
	case s.Terminated != nil:
		t := s.Terminated
		p.line(2, "%s:\tTerminated", label)
		if t.Reason != "" {
			p.line(3, "Reason:\t%s", t.Reason)
		}
		if t.Message != "" {
			p.line(3, "Message:\t%s", t.Message)
		}
		p.line(3, "Exit Code:\t%d", t.ExitCode)
		if t.Signal > 0 {
			p.line(3, "Signal:\t%d", t.Signal)
		}
		p.line(3, "Started:\t%s", stamp(t.StartedAt.Time))
		p.line(3, "Finished:\t%s", stamp(t.FinishedAt.Time))
	default:
		p.line(2, "%s:\tWaiting", label)
		if s.Waiting != nil && s.Waiting.Reason != "" {
			p.line(3, "Reason:\t%s", s.Waiting.Reason)
		}
	}
}

func resourceNames(l corev1.ResourceList) []corev1.ResourceName {
	names := make([]corev1.ResourceName, 0, len(l))
	for n := range l {
		names = append(names, n)
	}
	sort.Slice(names, func(i, j int) bool { return names[i] < names[j] })
	return names
}

func (p *page) resources(level int, r *corev1.ResourceRequirements) {
	for _, part := range []struct {
		label string
		list  corev1.ResourceList
	}{{"Limits", r.Limits}, {"Requests", r.Requests}} {
		if len(part.list) == 0 {
			continue
		}
		p.line(level, "%s:", part.label)
		for _, n := range resourceNames(part.list) {
			p.line(level+1, "%s:\t%s", n, quantity(part.list, n))
		}
	}
}

func quantity(l corev1.ResourceList, n corev1.ResourceName) string {
	q := l[n]
	return q.String()
}

func probe(b *corev1.Probe) string {
	tail := fmt.Sprintf("delay=%ds timeout=%ds period=%ds #success=%d #failure=%d",
		b.InitialDelaySeconds, b.TimeoutSeconds, b.PeriodSeconds, b.SuccessThreshold, b.FailureThreshold)
	switch {
	case b.Exec != nil:
		return fmt.Sprintf("exec %v %s", b.Exec.Command, tail)
	case b.HTTPGet != nil:
		u := url.URL{Scheme: strings.ToLower(string(b.HTTPGet.Scheme)), Host: b.HTTPGet.Host, Path: b.HTTPGet.Path}
		if port := b.HTTPGet.Port.String(); port != "" {
			u.Host = net.JoinHostPort(b.HTTPGet.Host, port)
		}
		return fmt.Sprintf("http-get %s %s", u.String(), tail)
	case b.TCPSocket != nil:
		return fmt.Sprintf("tcp-socket %s:%s %s", b.TCPSocket.Host, b.TCPSocket.Port.String(), tail)
	case b.GRPC != nil:
		service := ""
		if b.GRPC.Service != nil {
			service = *b.GRPC.Service
		}
		return fmt.Sprintf("grpc <pod>:%d %s %s", b.GRPC.Port, service, tail)
	}
	return "unknown " + tail
}

func isTrue(b *bool) bool { return b != nil && *b }

func (p *page) environment(c *corev1.Container, of *corev1.Pod) {
	if len(c.EnvFrom) > 0 {
		p.line(2, "Environment Variables from:")
		for _, e := range c.EnvFrom {
			var name, kind string
			var optional bool
			switch {
			case e.ConfigMapRef != nil:
				name, kind, optional = e.ConfigMapRef.Name, "ConfigMap", isTrue(e.ConfigMapRef.Optional)
			case e.SecretRef != nil:
				name, kind, optional = e.SecretRef.Name, "Secret", isTrue(e.SecretRef.Optional)
			}
			if e.Prefix != "" {
				kind += " with prefix '" + e.Prefix + "'"
			}
			p.line(3, "%s\t%s\tOptional: %t", name, kind, optional)
		}
	}
	if len(c.Env) == 0 {
		p.line(2, "Environment:\t<none>")
		return
	}
	p.line(2, "Environment:")
	for _, e := range c.Env {
		f := e.ValueFrom
		switch {
		case f == nil:
			lines := strings.Split(e.Value, "\n")
			p.line(3, "%s:\t%s", e.Name, lines[0])
			for _, l := range lines[1:] {
				p.line(3, "\t%s", l)
			}
		case f.FieldRef != nil:
			value := ""
			if of != nil {
				value = fieldValue(of, f.FieldRef.FieldPath)
			}
			p.line(3, "%s:\t%s (%s:%s)", e.Name, value, f.FieldRef.APIVersion, f.FieldRef.FieldPath)
		case f.ResourceFieldRef != nil:
			value := resourceValue(c, f.ResourceFieldRef)
			if r := f.ResourceFieldRef.Resource; value == "0" && (r == "limits.cpu" || r == "limits.memory") {
				value = "node allocatable"
			}
			p.line(3, "%s:\t%s (%s)", e.Name, value, f.ResourceFieldRef.Resource)
		case f.SecretKeyRef != nil:
			p.line(3, "%s:\t<set to the key '%s' in secret '%s'>\tOptional: %t", e.Name, f.SecretKeyRef.Key, f.SecretKeyRef.Name, isTrue(f.SecretKeyRef.Optional))
		case f.ConfigMapKeyRef != nil:
			p.line(3, "%s:\t<set to the key '%s' of config map '%s'>\tOptional: %t", e.Name, f.ConfigMapKeyRef.Key, f.ConfigMapKeyRef.Name, isTrue(f.ConfigMapKeyRef.Optional))
		}
	}
}

// fieldValue is the pod's value of a downward API field.
func fieldValue(o *corev1.Pod, path string) string {
	if name, ok := strings.CutPrefix(path, "metadata.labels['"); ok {
		return o.Labels[strings.TrimSuffix(name, "']")]
	}
	if name, ok := strings.CutPrefix(path, "metadata.annotations['"); ok {
		return o.Annotations[strings.TrimSuffix(name, "']")]
	}
	switch path {
	case "metadata.name":
		return o.Name
	case "metadata.namespace":
		return o.Namespace
	case "metadata.uid":
		return string(o.UID)
	}
	return ""
}

func resourceValue(c *corev1.Container, r *corev1.ResourceFieldSelector) string {
	kind, name, _ := strings.Cut(r.Resource, ".")
	list := c.Resources.Limits
	if kind == "requests" {
		list = c.Resources.Requests
	}
	q := list[corev1.ResourceName(name)]
	divisor := r.Divisor
	if divisor.IsZero() {
		divisor = resource.MustParse("1")
	}
	if name == "cpu" {
		d := divisor.MilliValue()
		return strconv.FormatInt((q.MilliValue()+d-1)/d, 10)
	}
	d := divisor.Value()
	return strconv.FormatInt((q.Value()+d-1)/d, 10)
}

func (p *page) mounts(c *corev1.Container) {
	if len(c.VolumeMounts) == 0 {
		p.line(2, "Mounts:\t<none>")
	} else {
		p.line(2, "Mounts:")
	}
	ms := append([]corev1.VolumeMount(nil), c.VolumeMounts...)
	sort.SliceStable(ms, func(i, j int) bool { return ms[i].MountPath < ms[j].MountPath })
	for _, m := range ms {
		flags := "rw"
		if m.ReadOnly {
			flags = "ro"
		}
		if m.SubPath != "" {
			flags += fmt.Sprintf(",path=%q", m.SubPath)
		}
		p.line(3, "%s from %s (%s)", m.MountPath, m.Name, flags)
	}
	if len(c.VolumeDevices) > 0 {
		p.line(2, "Devices:")
		ds := append([]corev1.VolumeDevice(nil), c.VolumeDevices...)
		sort.SliceStable(ds, func(i, j int) bool { return ds[i].DevicePath < ds[j].DevicePath })
		for _, d := range ds {
			p.line(3, "%s from %s", d.DevicePath, d.Name)
		}
	}
}

func (p *page) volumes(space string, vs []corev1.Volume) {
	if len(vs) == 0 {
		p.line(0, "%sVolumes:\t<none>", space)
		return
	}
	p.line(0, "%sVolumes:", space)
	for i := range vs {
		p.line(1, "%s%v:", nameIndent(space), vs[i].Name)
		p.volume(&vs[i])
	}
}

func (p *page) volume(v *corev1.Volume) {
	kind := func(name, what string, fields ...any) {
		p.line(2, "Type:\t%s (%s)", name, what)
		for i := 0; i+1 < len(fields); i += 2 {
			p.line(2, "%s:\t%v", fields[i], fields[i+1])
		}
	}
	switch {
	case v.HostPath != nil:
		t := "<none>"
		if v.HostPath.Type != nil {
			t = string(*v.HostPath.Type)
		}
		kind("HostPath", "bare host directory volume", "Path", v.HostPath.Path, "HostPathType", t)
	case v.EmptyDir != nil:
		limit := "<unset>"
		if l := v.EmptyDir.SizeLimit; l != nil && !l.IsZero() {
			limit = l.String()
		}
		kind("EmptyDir", "a temporary directory that shares a pod's lifetime", "Medium", v.EmptyDir.Medium, "SizeLimit", limit)
	case v.Secret != nil:
		kind("Secret", "a volume populated by a Secret", "SecretName", v.Secret.SecretName, "Optional", isTrue(v.Secret.Optional))
	case v.ConfigMap != nil:
		kind("ConfigMap", "a volume populated by a ConfigMap", "Name", v.ConfigMap.Name, "Optional", isTrue(v.ConfigMap.Optional))
	case v.NFS != nil:
		kind("NFS", "an NFS mount that lasts the lifetime of a pod", "Server", v.NFS.Server, "Path", v.NFS.Path, "ReadOnly", v.NFS.ReadOnly)
	case v.PersistentVolumeClaim != nil:
		kind("PersistentVolumeClaim", "a reference to a PersistentVolumeClaim in the same namespace",
			"ClaimName", v.PersistentVolumeClaim.ClaimName, "ReadOnly", v.PersistentVolumeClaim.ReadOnly)
	case v.Ephemeral != nil:
		kind("EphemeralVolume", "an inline specification for a volume that gets created and deleted with the pod")
	case v.DownwardAPI != nil:
		kind("DownwardAPI", "a volume populated by information about the pod")
		p.line(2, "Items:")
		for _, i := range v.DownwardAPI.Items {
			if i.FieldRef != nil {
				p.line(3, "%v -> %v", i.FieldRef.FieldPath, i.Path)
			}
			if i.ResourceFieldRef != nil {
				p.line(3, "%v -> %v", i.ResourceFieldRef.Resource, i.Path)
			}
		}
	case v.CSI != nil:
		fs := ""
		if v.CSI.FSType != nil {
			fs = *v.CSI.FSType
		}
		kind("CSI", "a Container Storage Interface (CSI) volume source", "Driver", v.CSI.Driver, "FSType", fs, "ReadOnly", isTrue(v.CSI.ReadOnly))
	case v.Image != nil:
		kind("Image", "a container image or OCI artifact", "Reference", v.Image.Reference, "PullPolicy", v.Image.PullPolicy)
	case v.Projected != nil:
		kind("Projected", "a volume that contains injected data from multiple sources")
		for _, s := range v.Projected.Sources {
			switch {
			case s.Secret != nil:
				p.line(2, "SecretName:\t%v", s.Secret.Name)
				p.line(2, "Optional:\t%v", isTrue(s.Secret.Optional))
			case s.DownwardAPI != nil:
				p.line(2, "DownwardAPI:\ttrue")
			case s.ConfigMap != nil:
				p.line(2, "ConfigMapName:\t%v", s.ConfigMap.Name)
				p.line(2, "Optional:\t%v", isTrue(s.ConfigMap.Optional))
			case s.ServiceAccountToken != nil:
				seconds := int64(3600)
				if s.ServiceAccountToken.ExpirationSeconds != nil {
					seconds = *s.ServiceAccountToken.ExpirationSeconds
				}
				p.line(2, "TokenExpirationSeconds:\t%d", seconds)
			}
		}
	default:
		p.line(1, "<unknown>")
	}
}

func (p *page) tolerations(label string, ts []corev1.Toleration) {
	ts = append([]corev1.Toleration(nil), ts...)
	sort.SliceStable(ts, func(i, j int) bool { return ts[i].Key < ts[j].Key })
	var rows []string
	for _, t := range ts {
		s := t.Key
		if t.Value != "" {
			s += "=" + t.Value
		}
		if t.Effect != "" {
			s += ":" + string(t.Effect)
		}
		if t.Operator == "Exists" && t.Value == "" {
			if s != "" {
				s += " "
			}
			s += "op=Exists"
		}
		if t.TolerationSeconds != nil {
			s += fmt.Sprintf(" for %ds", *t.TolerationSeconds)
		}
		rows = append(rows, s)
	}
	p.rows(0, label, rows)
}

func (p *page) spread(space string, cs []corev1.TopologySpreadConstraint) {
	if len(cs) == 0 {
		return
	}
	cs = append([]corev1.TopologySpreadConstraint(nil), cs...)
	sort.SliceStable(cs, func(i, j int) bool { return cs[i].TopologyKey < cs[j].TopologyKey })
	for i, c := range cs {
		lead := space + "Topology Spread Constraints:"
		if i > 0 {
			lead = space
		}
		tail := ""
		if c.LabelSelector != nil {
			tail = " for selector " + metav1.FormatLabelSelector(c.LabelSelector)
		}
		p.line(0, "%s\t%s:%v when max skew %d is exceeded%s", lead, c.TopologyKey, c.WhenUnsatisfiable, c.MaxSkew, tail)
	}
}

// template describes the pods that a controller makes.
func (p *page) template(t *corev1.PodTemplateSpec) {
	p.line(0, "Pod Template:")
	if t == nil {
		p.text(1, "<unset>")
		return
	}
	p.labels(0, "  Labels", t.Labels)
	if len(t.Annotations) > 0 {
		p.annotations(0, "  Annotations", t.Annotations)
	}
	if t.Spec.ServiceAccountName != "" {
		p.line(1, "Service Account:\t%s", t.Spec.ServiceAccountName)
	}
	if len(t.Spec.InitContainers) > 0 {
		p.containers("  ", "Init Containers", t.Spec.InitContainers, nil, nil)
	}
	p.containers("  ", "Containers", t.Spec.Containers, nil, nil)
	p.volumes("  ", t.Spec.Volumes)
	p.spread("  ", t.Spec.TopologySpreadConstraints)
	if t.Spec.PriorityClassName != "" {
		p.line(1, "Priority Class Name:\t%s", t.Spec.PriorityClassName)
	}
	p.labels(0, "  Node-Selectors", t.Spec.NodeSelector)
	p.tolerations("  Tolerations", t.Spec.Tolerations)
}
