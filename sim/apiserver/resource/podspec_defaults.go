// This file fills in what a pod, or a template of pods, may leave out. What is
// given may be shared with others (a template's containers belong to all its
// pods), so whatever changes is copied first, and what is complete already is
// left where it is: the second pod of a template costs no copy.

package resource

import (
	"maps"
	"slices"
	"strings"

	"github.com/kubonsai/kubonsai/sim/api/resource"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
)

// Shared by all who leave the field out; nothing writes through them.
var (
	hour                 = new(int64(3600))
	mode0644             = new(int32(0o644))
	gracePeriod30        = new(int64(corev1.DefaultTerminationGracePeriodSeconds))
	yes, no              = new(true), new(false)
	emptyString          = new("")
	hostPathUnset        = new(corev1.HostPathType(""))
	emptySecurityContext = &corev1.PodSecurityContext{}
	filesystemVolumeMode = new(corev1.PersistentVolumeFilesystem)
	azureCacheReadWrite  = new(corev1.AzureDataDiskCachingMode("ReadWrite"))
	azureKindShared      = new(corev1.AzureDataDiskKind("Shared"))
	azureDiskFS          = new("ext4")
)

// mapped applies f to each element. It returns the list itself when f returned
// every pointer unchanged, else a copy with the elements that f replaced.
func mapped[T any](list []T, f func(*T) *T) []T {
	var out []T
	for i := range list {
		p := f(&list[i])
		if p == &list[i] {
			continue
		}
		if out == nil {
			out = slices.Clone(list)
		}
		out[i] = *p
	}
	if out == nil {
		return list
	}
	return out
}

// A draft is a value that is copied when it is first changed.
type draft[T any] struct {
	p      *T
	copied bool
}

func (d *draft[T]) edit() *T {
	if !d.copied {
		v := *d.p
		d.p, d.copied = &v, true
	}
	return d.p
}

// edited runs f on a draft of p and returns p or its changed copy; nil stays nil.
func edited[T any](p *T, f func(*draft[T])) *T {
	if p == nil {
		return nil
	}
	d := draft[T]{p: p}
	f(&d)
	return d.p
}

// defaultPod completes a pod. Templates do not get these on top of
// defaultPodSpec: requests from limits, service links, host ports.
func defaultPod(pod *corev1.Pod) {
	spec := &pod.Spec
	spec.Containers = mapped(spec.Containers, requestsFromLimits)
	spec.InitContainers = mapped(spec.InitContainers, requestsFromLimits)
	if spec.EnableServiceLinks == nil {
		spec.EnableServiceLinks = yes
	}
	if spec.Resources != nil {
		defaultPodLevelResources(spec)
	}
	if spec.HostNetwork {
		spec.Containers = mapped(spec.Containers, hostPorts)
		spec.InitContainers = mapped(spec.InitContainers, hostPorts)
	}
	defaultPodSpec(spec)
}

// defaultPodSpec completes the spec of a pod or a template; spec itself is the caller's own.
func defaultPodSpec(spec *corev1.PodSpec) {
	if spec.DNSPolicy == "" {
		spec.DNSPolicy = corev1.DNSClusterFirst
	}
	if spec.RestartPolicy == "" {
		spec.RestartPolicy = corev1.RestartPolicyAlways
	}
	if spec.SecurityContext == nil {
		spec.SecurityContext = emptySecurityContext
	}
	if spec.TerminationGracePeriodSeconds == nil {
		spec.TerminationGracePeriodSeconds = gracePeriod30
	}
	if spec.SchedulerName == "" {
		spec.SchedulerName = corev1.DefaultSchedulerName
	}
	// serviceAccount is the old name of serviceAccountName: both say the same.
	if spec.ServiceAccountName == "" {
		spec.ServiceAccountName = spec.DeprecatedServiceAccount
	}
	spec.DeprecatedServiceAccount = spec.ServiceAccountName
	spec.Volumes = mapped(spec.Volumes, defaultVolume)
	spec.InitContainers = mapped(spec.InitContainers, defaultContainer)
	spec.Containers = mapped(spec.Containers, defaultContainer)
	spec.EphemeralContainers = mapped(spec.EphemeralContainers, func(e *corev1.EphemeralContainer) *corev1.EphemeralContainer {
		in := (*corev1.Container)(&e.EphemeralContainerCommon)
		out := defaultContainer(in)
		if out == in {
			return e
		}
		return &corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon(*out), TargetContainerName: e.TargetContainerName}
	})
	spec.Overhead = roundedUp(spec.Overhead)
	if spec.Resources != nil {
		spec.Resources = edited(spec.Resources, defaultResources)
	}
}

func defaultContainer(c *corev1.Container) *corev1.Container {
	return edited(c, func(d *draft[corev1.Container]) {
		if d.p.ImagePullPolicy == "" {
			d.edit().ImagePullPolicy = pullPolicy(d.p.Image)
		}
		if d.p.TerminationMessagePath == "" {
			d.edit().TerminationMessagePath = corev1.TerminationMessagePathDefault
		}
		if d.p.TerminationMessagePolicy == "" {
			d.edit().TerminationMessagePolicy = corev1.TerminationMessageReadFile
		}
		if l := mapped(d.p.Ports, defaultContainerPort); replaced(l, d.p.Ports) {
			d.edit().Ports = l
		}
		if l := mapped(d.p.Env, defaultEnv); replaced(l, d.p.Env) {
			d.edit().Env = l
		}
		if r := edited(&d.p.Resources, defaultResources); r != &d.p.Resources {
			d.edit().Resources = *r
		}
		if p := edited(d.p.LivenessProbe, defaultProbe); p != d.p.LivenessProbe {
			d.edit().LivenessProbe = p
		}
		if p := edited(d.p.ReadinessProbe, defaultProbe); p != d.p.ReadinessProbe {
			d.edit().ReadinessProbe = p
		}
		if p := edited(d.p.StartupProbe, defaultProbe); p != d.p.StartupProbe {
			d.edit().StartupProbe = p
		}
		if p := edited(d.p.Lifecycle, defaultLifecycle); p != d.p.Lifecycle {
			d.edit().Lifecycle = p
		}
	})
}

// replaced reports whether mapped has made a copy.
func replaced[T any](a, b []T) bool { return len(a) > 0 && &a[0] != &b[0] }

// pullPolicy is Always for the tag latest, be it only implied; a digest counts as a tag.
func pullPolicy(image string) corev1.PullPolicy {
	if imageTag(image) == "latest" {
		return corev1.PullAlways
	}
	return corev1.PullIfNotPresent
}

// imageTag is the tag that an image reference names or implies; "" for a bare
// digest and for what is no reference at all.
func imageTag(image string) string {
	name, _, digest := strings.Cut(image, "@")
	tag := ""
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		name, tag = name[:i], name[i+1:]
	}
	path := name
	if host, rest, ok := strings.Cut(name, "/"); ok && (strings.ContainsAny(host, ".:") || host == "localhost" || strings.ToLower(host) != host) {
		path = rest
	}
	if path == "" || strings.ToLower(path) != path || strings.ContainsAny(name, " \t\n") {
		return ""
	}
	if tag == "" && !digest {
		return "latest"
	}
	return tag
}

func defaultContainerPort(p *corev1.ContainerPort) *corev1.ContainerPort {
	if p.Protocol != "" {
		return p
	}
	q := *p
	q.Protocol = corev1.ProtocolTCP
	return &q
}

func hostPorts(c *corev1.Container) *corev1.Container {
	ports := mapped(c.Ports, func(p *corev1.ContainerPort) *corev1.ContainerPort {
		if p.HostPort != 0 || p.ContainerPort == 0 {
			return p
		}
		q := *p
		q.HostPort = q.ContainerPort
		return &q
	})
	if !replaced(ports, c.Ports) {
		return c
	}
	d := *c
	d.Ports = ports
	return &d
}

func defaultEnv(e *corev1.EnvVar) *corev1.EnvVar {
	if e.ValueFrom == nil {
		return e
	}
	from := edited(e.ValueFrom, func(d *draft[corev1.EnvVarSource]) {
		if f := defaultFieldRef(d.p.FieldRef); f != d.p.FieldRef {
			d.edit().FieldRef = f
		}
		if k := d.p.FileKeyRef; k != nil && k.Optional == nil {
			c := *k
			c.Optional = no
			d.edit().FileKeyRef = &c
		}
	})
	if from == e.ValueFrom {
		return e
	}
	return &corev1.EnvVar{Name: e.Name, Value: e.Value, ValueFrom: from}
}

func defaultFieldRef(f *corev1.ObjectFieldSelector) *corev1.ObjectFieldSelector {
	if f == nil || f.APIVersion != "" {
		return f
	}
	return &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: f.FieldPath}
}

func defaultResources(d *draft[corev1.ResourceRequirements]) {
	if l := roundedUp(d.p.Limits); !sameMap(l, d.p.Limits) {
		d.edit().Limits = l
	}
	if l := roundedUp(d.p.Requests); !sameMap(l, d.p.Requests) {
		d.edit().Requests = l
	}
}

// roundedUp rounds quantities up to a thousandth, the finest step that is stored.
func roundedUp(list corev1.ResourceList) corev1.ResourceList {
	var out corev1.ResourceList
	for name, q := range list {
		r := q.DeepCopy()
		if r.RoundUp(resource.Milli) {
			continue
		}
		if out == nil {
			out = maps.Clone(list)
		}
		out[name] = r
	}
	if out == nil {
		return list
	}
	return out
}

func sameMap(a, b corev1.ResourceList) bool { return maps.EqualFunc(a, b, sameQuantity) }

func sameQuantity(a, b resource.Quantity) bool { return a.Cmp(b) == 0 }

func requestsFromLimits(c *corev1.Container) *corev1.Container {
	missing := c.Resources.Limits != nil && c.Resources.Requests == nil
	for name := range c.Resources.Limits {
		if _, ok := c.Resources.Requests[name]; !ok {
			missing = true
		}
	}
	if !missing {
		return c
	}
	d := *c
	d.Resources.Requests = withDefaults(c.Resources.Requests, c.Resources.Limits)
	return &d
}

// withDefaults adds what have lacks.
func withDefaults(have, defaults corev1.ResourceList) corev1.ResourceList {
	out := make(corev1.ResourceList, len(have)+len(defaults))
	maps.Copy(out, defaults)
	maps.Copy(out, have)
	return out
}

// defaultPodLevelResources gives a pod that has limits of its own its requests:
// what the containers ask for, else the limits.
func defaultPodLevelResources(spec *corev1.PodSpec) {
	if len(spec.Resources.Limits) == 0 {
		return
	}
	requests := maps.Clone(spec.Resources.Requests)
	if requests == nil {
		requests = corev1.ResourceList{}
	}
	for name, q := range containerRequests(spec) {
		if _, ok := requests[name]; !ok && (name == corev1.ResourceCPU || name == corev1.ResourceMemory) {
			requests[name] = q
		}
	}
	for name, q := range spec.Resources.Limits {
		if _, ok := requests[name]; !ok && (name == corev1.ResourceCPU || name == corev1.ResourceMemory || isHugePages(name)) {
			requests[name] = q
		}
	}
	if len(requests) > 0 {
		r := *spec.Resources
		r.Requests = requests
		spec.Resources = &r
	}
}

// containerRequests is what a pod's containers ask for together: the larger of
// all regular and restartable containers and of each step of initialization.
func containerRequests(spec *corev1.PodSpec) corev1.ResourceList {
	sum, sidecars, peak := corev1.ResourceList{}, corev1.ResourceList{}, corev1.ResourceList{}
	add := func(to, list corev1.ResourceList) {
		for name, q := range list {
			total := to[name].DeepCopy()
			total.Add(q)
			to[name] = total
		}
	}
	raise := func(to, list corev1.ResourceList) {
		for name, q := range list {
			if have, ok := to[name]; !ok || q.Cmp(have) > 0 {
				to[name] = q.DeepCopy()
			}
		}
	}
	for i := range spec.Containers {
		add(sum, spec.Containers[i].Resources.Requests)
	}
	for i := range spec.InitContainers {
		c := &spec.InitContainers[i]
		if isSidecar(c) {
			add(sum, c.Resources.Requests)
			add(sidecars, c.Resources.Requests)
			raise(peak, sidecars)
			continue
		}
		step := maps.Clone(c.Resources.Requests)
		if step == nil {
			step = corev1.ResourceList{}
		}
		add(step, sidecars)
		raise(peak, step)
	}
	raise(sum, peak)
	return sum
}

func isSidecar(c *corev1.Container) bool {
	return c != nil && c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

func isHugePages(name corev1.ResourceName) bool { return strings.HasPrefix(string(name), "hugepages-") }

func defaultProbe(d *draft[corev1.Probe]) {
	if d.p.TimeoutSeconds == 0 {
		d.edit().TimeoutSeconds = 1
	}
	if d.p.PeriodSeconds == 0 {
		d.edit().PeriodSeconds = 10
	}
	if d.p.SuccessThreshold == 0 {
		d.edit().SuccessThreshold = 1
	}
	if d.p.FailureThreshold == 0 {
		d.edit().FailureThreshold = 3
	}
	if h := edited(d.p.HTTPGet, defaultHTTPGet); h != d.p.HTTPGet {
		d.edit().HTTPGet = h
	}
	if g := d.p.GRPC; g != nil && g.Service == nil {
		d.edit().GRPC = &corev1.GRPCAction{Port: g.Port, Service: emptyString}
	}
}

func defaultHTTPGet(d *draft[corev1.HTTPGetAction]) {
	if d.p.Path == "" {
		d.edit().Path = "/"
	}
	if d.p.Scheme == "" {
		d.edit().Scheme = corev1.URISchemeHTTP
	}
}

func defaultLifecycle(d *draft[corev1.Lifecycle]) {
	handler := func(d *draft[corev1.LifecycleHandler]) {
		if h := edited(d.p.HTTPGet, defaultHTTPGet); h != d.p.HTTPGet {
			d.edit().HTTPGet = h
		}
	}
	if h := edited(d.p.PostStart, handler); h != d.p.PostStart {
		d.edit().PostStart = h
	}
	if h := edited(d.p.PreStop, handler); h != d.p.PreStop {
		d.edit().PreStop = h
	}
	if d.p.StopSignal != nil { // the feature is off by default
		d.edit().StopSignal = nil
	}
}

func defaultVolume(v *corev1.Volume) *corev1.Volume {
	return edited(v, func(d *draft[corev1.Volume]) {
		if d.p.VolumeSource == (corev1.VolumeSource{}) {
			d.edit().EmptyDir = &corev1.EmptyDirVolumeSource{}
		}
		if p := edited(d.p.HostPath, func(d *draft[corev1.HostPathVolumeSource]) {
			if d.p.Type == nil {
				d.edit().Type = hostPathUnset
			}
		}); p != d.p.HostPath {
			d.edit().HostPath = p
		}
		if p := edited(d.p.Secret, func(d *draft[corev1.SecretVolumeSource]) {
			if d.p.DefaultMode == nil {
				d.edit().DefaultMode = mode0644
			}
		}); p != d.p.Secret {
			d.edit().Secret = p
		}
		if p := edited(d.p.ConfigMap, func(d *draft[corev1.ConfigMapVolumeSource]) {
			if d.p.DefaultMode == nil {
				d.edit().DefaultMode = mode0644
			}
		}); p != d.p.ConfigMap {
			d.edit().ConfigMap = p
		}
		if p := edited(d.p.DownwardAPI, func(d *draft[corev1.DownwardAPIVolumeSource]) {
			if d.p.DefaultMode == nil {
				d.edit().DefaultMode = mode0644
			}
			if l := mapped(d.p.Items, defaultDownwardFile); replaced(l, d.p.Items) {
				d.edit().Items = l
			}
		}); p != d.p.DownwardAPI {
			d.edit().DownwardAPI = p
		}
		if p := edited(d.p.Projected, func(d *draft[corev1.ProjectedVolumeSource]) {
			if d.p.DefaultMode == nil {
				d.edit().DefaultMode = mode0644
			}
			if l := mapped(d.p.Sources, defaultProjection); replaced(l, d.p.Sources) {
				d.edit().Sources = l
			}
		}); p != d.p.Projected {
			d.edit().Projected = p
		}
		if p := edited(d.p.Image, func(d *draft[corev1.ImageVolumeSource]) {
			if d.p.PullPolicy == "" {
				d.edit().PullPolicy = pullPolicy(d.p.Reference)
			}
		}); p != d.p.Image {
			d.edit().Image = p
		}
		if e := d.p.Ephemeral; e != nil && e.VolumeClaimTemplate != nil {
			if t := edited(e.VolumeClaimTemplate, func(d *draft[corev1.PersistentVolumeClaimTemplate]) {
				if s := edited(&d.p.Spec, defaultClaimSpec); s != &d.p.Spec {
					d.edit().Spec = *s
				}
			}); t != e.VolumeClaimTemplate {
				d.edit().Ephemeral = &corev1.EphemeralVolumeSource{VolumeClaimTemplate: t}
			}
		}
		if p := edited(d.p.ISCSI, func(d *draft[corev1.ISCSIVolumeSource]) {
			if d.p.ISCSIInterface == "" {
				d.edit().ISCSIInterface = "default"
			}
		}); p != d.p.ISCSI {
			d.edit().ISCSI = p
		}
		if p := edited(d.p.RBD, func(d *draft[corev1.RBDVolumeSource]) {
			if d.p.RBDPool == "" {
				d.edit().RBDPool = "rbd"
			}
			if d.p.RadosUser == "" {
				d.edit().RadosUser = "admin"
			}
			if d.p.Keyring == "" {
				d.edit().Keyring = "/etc/ceph/keyring"
			}
		}); p != d.p.RBD {
			d.edit().RBD = p
		}
		if p := edited(d.p.AzureDisk, func(d *draft[corev1.AzureDiskVolumeSource]) {
			if d.p.CachingMode == nil {
				d.edit().CachingMode = azureCacheReadWrite
			}
			if d.p.Kind == nil {
				d.edit().Kind = azureKindShared
			}
			if d.p.FSType == nil {
				d.edit().FSType = azureDiskFS
			}
			if d.p.ReadOnly == nil {
				d.edit().ReadOnly = no
			}
		}); p != d.p.AzureDisk {
			d.edit().AzureDisk = p
		}
		if p := edited(d.p.ScaleIO, func(d *draft[corev1.ScaleIOVolumeSource]) {
			if d.p.StorageMode == "" {
				d.edit().StorageMode = "ThinProvisioned"
			}
			if d.p.FSType == "" {
				d.edit().FSType = "xfs"
			}
		}); p != d.p.ScaleIO {
			d.edit().ScaleIO = p
		}
	})
}

func defaultDownwardFile(f *corev1.DownwardAPIVolumeFile) *corev1.DownwardAPIVolumeFile {
	ref := defaultFieldRef(f.FieldRef)
	if ref == f.FieldRef {
		return f
	}
	g := *f
	g.FieldRef = ref
	return &g
}

func defaultProjection(v *corev1.VolumeProjection) *corev1.VolumeProjection {
	return edited(v, func(d *draft[corev1.VolumeProjection]) {
		if t := d.p.ServiceAccountToken; t != nil && t.ExpirationSeconds == nil {
			c := *t
			c.ExpirationSeconds = hour
			d.edit().ServiceAccountToken = &c
		}
		if a := d.p.DownwardAPI; a != nil {
			if l := mapped(a.Items, defaultDownwardFile); replaced(l, a.Items) {
				d.edit().DownwardAPI = &corev1.DownwardAPIProjection{Items: l}
			}
		}
	})
}

// defaultClaimSpec completes the spec of a volume claim.
func defaultClaimSpec(d *draft[corev1.PersistentVolumeClaimSpec]) {
	if d.p.VolumeMode == nil {
		d.edit().VolumeMode = filesystemVolumeMode
	}
	if s := d.p.DataSource; s != nil && !(s.Kind == "PersistentVolumeClaim" && deref(s.APIGroup) == "") &&
		!(s.Kind == "VolumeSnapshot" && deref(s.APIGroup) == "snapshot.storage.k8s.io") {
		d.edit().DataSource = nil
	}
	// dataSource and dataSourceRef follow each other where they can say the same
	if d.p.DataSource != nil && d.p.DataSourceRef == nil {
		s := d.p.DataSource
		d.edit().DataSourceRef = &corev1.TypedObjectReference{APIGroup: s.APIGroup, Kind: s.Kind, Name: s.Name}
	} else if r := d.p.DataSourceRef; r != nil && d.p.DataSource == nil && deref(r.Namespace) == "" {
		d.edit().DataSource = &corev1.TypedLocalObjectReference{APIGroup: r.APIGroup, Kind: r.Kind, Name: r.Name}
	}
}

// qosClass is the pod's quality of service: Guaranteed when every container has
// limits for cpu and memory that equal its requests, BestEffort when none has any.
func qosClass(spec *corev1.PodSpec) corev1.PodQOSClass {
	if spec.Resources != nil && (len(spec.Resources.Requests) > 0 || len(spec.Resources.Limits) > 0) {
		any, guaranteed := qosOf(spec.Resources)
		return qosName(any, guaranteed)
	}
	any, guaranteed := false, true
	for _, list := range [][]corev1.Container{spec.Containers, spec.InitContainers} {
		for i := range list {
			a, g := qosOf(&list[i].Resources)
			any, guaranteed = any || a, guaranteed && g
		}
	}
	return qosName(any, guaranteed)
}

func qosName(any, guaranteed bool) corev1.PodQOSClass {
	switch {
	case !any:
		return corev1.PodQOSBestEffort
	case guaranteed:
		return corev1.PodQOSGuaranteed
	}
	return corev1.PodQOSBurstable
}

func qosOf(r *corev1.ResourceRequirements) (any, guaranteed bool) {
	guaranteed = true
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		request, limit := r.Requests[name], r.Limits[name]
		any = any || request.Sign() > 0 || limit.Sign() > 0
		if limit.Sign() <= 0 || request.Cmp(limit) != 0 {
			guaranteed = false
		}
	}
	return any, guaranteed
}
