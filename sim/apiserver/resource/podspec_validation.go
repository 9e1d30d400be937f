// This file validates the spec of a pod, alone or in a template: containers,
// volumes, probes, resources, security, scheduling. Errors come in the API
// server's order with the API server's words.

package resource

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/kubonsai/kubonsai/sim/api/intstr"
	"github.com/kubonsai/kubonsai/sim/api/resource"
	"github.com/kubonsai/kubonsai/sim/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

// podValidator carries what the parts of one pod's validation need of each other.
type podValidator struct {
	validator
	spec    *corev1.PodSpec
	meta    *metav1.ObjectMeta // of the pod; nil for a template
	volumes map[string]*corev1.VolumeSource
	claims  map[string]bool
}

// validatePodSpec validates a pod's spec; meta is nil for a template's.
func validatePodSpec(spec *corev1.PodSpec, meta *metav1.ObjectMeta, p *field.Path) field.ErrorList {
	v := &podValidator{spec: spec, meta: meta}
	if spec.TerminationGracePeriodSeconds == nil {
		v.required(p.Child("terminationGracePeriodSeconds"), "")
	}
	v.allVolumes(p.Child("volumes"))
	v.resourceClaims(p)
	v.containers(p.Child("containers"))
	v.initContainers(p)
	v.ephemeralContainers(p)
	v.podResources(p)
	v.hostNetwork(p)
	if spec.RestartPolicy == "" {
		v.required(p.Child("restartPolicy"), "")
	} else {
		oneOf(&v.validator, p, "restartPolicy", spec.RestartPolicy, corev1.RestartPolicyAlways, corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever)
	}
	if spec.DNSPolicy == "" {
		v.required(p.Child("dnsPolicy"), "")
	} else {
		oneOf(&v.validator, p, "dnsPolicy", spec.DNSPolicy, corev1.DNSClusterFirstWithHostNet, corev1.DNSClusterFirst, corev1.DNSDefault, corev1.DNSNone)
	}
	v.add(validateLabels(spec.NodeSelector, p, "nodeSelector"))
	v.podSecurity(p)
	v.affinity(p)
	v.dns(p)
	for i, g := range spec.ReadinessGates {
		v.check(p.Child("readinessGates").Index(i), "conditionType", string(g.ConditionType), qualifiedName)
	}
	seen := map[string]bool{}
	for i, g := range spec.SchedulingGates {
		at := p.Child("schedulingGates").Index(i)
		for _, msg := range qualifiedName(g.Name) {
			v.invalid(at, g.Name, msg)
		}
		if seen[g.Name] {
			v.duplicate(at, g.Name)
		}
		seen[g.Name] = true
	}
	v.topologySpread(p)
	v.hostUsers(p)
	if h := spec.HostnameOverride; h != nil {
		if deref(spec.SetHostnameAsFQDN) {
			v.forbidden(p.Child("hostnameOverride"), "may not be specified when setHostnameAsFQDN is true")
		}
		if spec.HostNetwork {
			v.forbidden(p.Child("hostnameOverride"), "may not be specified when hostNetwork is true")
		}
		if len(*h) > 64 {
			v.errs = append(v.errs, field.TooLong(p.Child("hostnameOverride"), "", 64))
		}
		v.check(p, "hostnameOverride", *h, dnsSubdomain)
	}
	if spec.ServiceAccountName != "" {
		v.check(p, "serviceAccountName", spec.ServiceAccountName, dnsSubdomain)
	}
	if spec.NodeName != "" {
		v.check(p, "nodeName", spec.NodeName, dnsSubdomain)
	}
	if s := spec.ActiveDeadlineSeconds; s != nil && (*s < 1 || *s > math.MaxInt32) {
		v.invalid(p.Child("activeDeadlineSeconds"), *s, validation.InclusiveRangeError(1, math.MaxInt32))
	}
	if spec.Hostname != "" {
		v.check(p, "hostname", spec.Hostname, dnsLabel)
	}
	if spec.Subdomain != "" {
		v.check(p, "subdomain", spec.Subdomain, dnsLabel)
	}
	if len(spec.Tolerations) > 0 {
		v.add(validateTolerations(spec.Tolerations, p.Child("tolerations")))
	}
	for i, a := range spec.HostAliases {
		at := p.Child("hostAliases").Index(i)
		v.add(validateIP(a.IP, at.Child("ip")))
		for j, h := range a.Hostnames {
			for _, msg := range dnsSubdomain(h) {
				v.invalid(at.Child("hostnames").Index(j), h, msg)
			}
		}
	}
	if spec.PriorityClassName != "" {
		v.check(p, "priorityClassName", spec.PriorityClassName, dnsSubdomain)
	}
	if spec.RuntimeClassName != nil {
		v.check(p, "runtimeClassName", *spec.RuntimeClassName, dnsSubdomain)
	}
	if pp := spec.PreemptionPolicy; pp != nil {
		if *pp == "" {
			v.required(p.Child("preemptionPolicy"), "")
		} else {
			oneOf(&v.validator, p, "preemptionPolicy", *pp, corev1.PreemptLowerPriority, corev1.PreemptNever)
		}
	}
	if len(spec.Overhead) > 0 {
		v.resources(&corev1.ResourceRequirements{Limits: spec.Overhead}, p.Child("overhead"), false)
	}
	if spec.OS != nil {
		v.os(p)
	}
	v.fileKeyVolumes(p)
	return v.errs
}

// eachContainer visits all containers in the order init, regular, ephemeral.
func eachContainer(spec *corev1.PodSpec, p *field.Path, f func(c *corev1.Container, p *field.Path)) {
	for i := range spec.InitContainers {
		f(&spec.InitContainers[i], p.Child("initContainers").Index(i))
	}
	for i := range spec.Containers {
		f(&spec.Containers[i], p.Child("containers").Index(i))
	}
	for i := range spec.EphemeralContainers {
		f((*corev1.Container)(&spec.EphemeralContainers[i].EphemeralContainerCommon), p.Child("ephemeralContainers").Index(i))
	}
}

// Volumes.

func (v *podValidator) allVolumes(p *field.Path) {
	v.volumes = make(map[string]*corev1.VolumeSource, len(v.spec.Volumes))
	created := map[string]bool{}
	if v.meta != nil && v.meta.Name != "" {
		for i := range v.spec.Volumes {
			if vol := &v.spec.Volumes[i]; vol.Ephemeral != nil {
				created[v.meta.Name+"-"+vol.Name] = true
			}
		}
	}
	for i := range v.spec.Volumes {
		vol := &v.spec.Volumes[i]
		at := p.Index(i)
		before := len(v.errs)
		v.volumeSource(vol, at)
		if vol.Name == "" {
			v.required(at.Child("name"), "")
		} else {
			v.check(at, "name", vol.Name, dnsLabel)
		}
		if v.volumes[vol.Name] != nil {
			v.duplicate(at.Child("name"), vol.Name)
		}
		if len(v.errs) == before {
			v.volumes[vol.Name] = &vol.VolumeSource
		}
		if c := vol.PersistentVolumeClaim; c != nil && created[c.ClaimName] {
			v.invalid(at.Child("persistentVolumeClaim", "claimName"), c.ClaimName, "must not reference a PVC that gets created for an ephemeral volume")
		}
	}
}

func (v *podValidator) volumeSource(vol *corev1.Volume, p *field.Path) {
	n := 0
	// source counts one kind of volume; check validates it when it is the first.
	source := func(set bool, name string, check func(p *field.Path)) {
		if !set {
			return
		}
		if n > 0 {
			v.forbidden(p.Child(name), "may not specify more than 1 volume type")
			return
		}
		n++
		if check != nil {
			check(p.Child(name))
		}
	}
	// needs is the check that fields have values: names and values by turns.
	needs := func(fields ...string) func(*field.Path) {
		return func(p *field.Path) {
			for i := 0; i < len(fields); i += 2 {
				if fields[i+1] == "" {
					v.required(p.Child(fields[i]), "")
				}
			}
		}
	}
	s := &vol.VolumeSource
	if s.EmptyDir != nil {
		n++
		if s.EmptyDir.SizeLimit != nil && s.EmptyDir.SizeLimit.Sign() < 0 {
			v.forbidden(p.Child("emptyDir", "sizeLimit"), "SizeLimit field must be a valid resource quantity")
		}
	}
	source(s.HostPath != nil, "hostPath", func(p *field.Path) { v.hostPath(s.HostPath, p) })
	source(s.GitRepo != nil, "gitRepo", func(p *field.Path) { needs("repository", s.GitRepo.Repository)(p) })
	source(s.GCEPersistentDisk != nil, "gcePersistentDisk", func(p *field.Path) { needs("pdName", s.GCEPersistentDisk.PDName)(p) })
	source(s.AWSElasticBlockStore != nil, "awsElasticBlockStore", func(p *field.Path) { needs("volumeID", s.AWSElasticBlockStore.VolumeID)(p) })
	source(s.Secret != nil, "secret", func(p *field.Path) {
		needs("secretName", s.Secret.SecretName)(p)
		v.fileMode(s.Secret.DefaultMode, p, "defaultMode")
		v.keysToPaths(s.Secret.Items, p)
	})
	source(s.NFS != nil, "nfs", func(p *field.Path) { v.nfs(s.NFS, p) })
	source(s.ISCSI != nil, "iscsi", func(p *field.Path) { needs("targetPortal", s.ISCSI.TargetPortal, "iqn", s.ISCSI.IQN)(p) })
	source(s.Glusterfs != nil, "glusterfs", func(p *field.Path) { needs("endpoints", s.Glusterfs.EndpointsName, "path", s.Glusterfs.Path)(p) })
	source(s.Flocker != nil, "flocker", nil)
	source(s.PersistentVolumeClaim != nil, "persistentVolumeClaim", func(p *field.Path) { needs("claimName", s.PersistentVolumeClaim.ClaimName)(p) })
	source(s.RBD != nil, "rbd", func(p *field.Path) {
		needs("monitors", strings.Join(s.RBD.CephMonitors, ","), "image", s.RBD.RBDImage)(p)
	})
	source(s.Cinder != nil, "cinder", func(p *field.Path) { needs("volumeID", s.Cinder.VolumeID)(p) })
	source(s.CephFS != nil, "cephFS", func(p *field.Path) { needs("monitors", strings.Join(s.CephFS.Monitors, ","))(p) })
	source(s.Quobyte != nil, "quobyte", nil)
	source(s.DownwardAPI != nil, "downwarAPI", func(*field.Path) {
		at := p.Child("downwardAPI")
		v.fileMode(s.DownwardAPI.DefaultMode, at, "defaultMode")
		for i := range s.DownwardAPI.Items {
			v.downwardFile(&s.DownwardAPI.Items[i], at)
		}
	})
	source(s.FC != nil, "fc", nil)
	source(s.FlexVolume != nil, "flexVolume", func(p *field.Path) { needs("driver", s.FlexVolume.Driver)(p) })
	source(s.ConfigMap != nil, "configMap", func(p *field.Path) {
		needs("name", s.ConfigMap.Name)(p)
		v.fileMode(s.ConfigMap.DefaultMode, p, "defaultMode")
		v.keysToPaths(s.ConfigMap.Items, p)
	})
	source(s.AzureFile != nil, "azureFile", func(p *field.Path) {
		needs("secretName", s.AzureFile.SecretName, "shareName", s.AzureFile.ShareName)(p)
	})
	source(s.VsphereVolume != nil, "vsphereVolume", func(p *field.Path) { needs("volumePath", s.VsphereVolume.VolumePath)(p) })
	source(s.PhotonPersistentDisk != nil, "photonPersistentDisk", func(p *field.Path) { needs("pdID", s.PhotonPersistentDisk.PdID)(p) })
	source(s.PortworxVolume != nil, "portworxVolume", func(p *field.Path) { needs("volumeID", s.PortworxVolume.VolumeID)(p) })
	source(s.AzureDisk != nil, "azureDisk", nil)
	source(s.StorageOS != nil, "storageos", nil)
	source(s.Projected != nil, "projected", func(p *field.Path) {
		v.fileMode(s.Projected.DefaultMode, p, "defaultMode")
		v.projection(s.Projected, p)
	})
	source(s.ScaleIO != nil, "scaleIO", nil)
	source(s.CSI != nil, "csi", func(p *field.Path) { needs("driver", s.CSI.Driver)(p) })
	source(s.Ephemeral != nil, "ephemeral", func(p *field.Path) {
		t := s.Ephemeral.VolumeClaimTemplate
		if t == nil {
			v.required(p.Child("volumeClaimTemplate"), "")
			return
		}
		at := p.Child("volumeClaimTemplate")
		v.add(validateLabels(t.Labels, at.Child("metadata"), "labels"))
		v.add(validateAnnotations(t.Annotations, at.Child("metadata")))
		v.add(validateClaimSpec(&t.Spec, at.Child("spec")))
	})
	if s.Ephemeral != nil && v.meta != nil && v.meta.Name != "" && vol.Name != "" {
		claim := v.meta.Name + "-" + vol.Name
		for _, msg := range dnsSubdomain(claim) {
			v.invalid(p.Child("name"), vol.Name, fmt.Sprintf("PVC name %q: %v", claim, msg))
		}
	}
	source(s.Image != nil, "image", func(p *field.Path) {
		if s.Image.Reference == "" && v.meta != nil {
			v.required(p.Child("reference"), "")
		}
		v.pullPolicy(s.Image.PullPolicy, p, "pullPolicy")
	})
	if n == 0 {
		v.required(p, "must specify a volume type")
	}
}

func (v *validator) hostPath(h *corev1.HostPathVolumeSource, p *field.Path) {
	if h.Path == "" {
		v.required(p.Child("path"), "")
		return
	}
	v.noBacksteps(h.Path, p.Child("path"))
	if h.Type != nil {
		oneOf(v, p, "type", *h.Type, "", corev1.HostPathBlockDev, corev1.HostPathCharDev, corev1.HostPathDirectory, corev1.HostPathDirectoryOrCreate,
			corev1.HostPathFile, corev1.HostPathFileOrCreate, corev1.HostPathSocket)
	}
}

func (v *validator) nfs(n *corev1.NFSVolumeSource, p *field.Path) {
	if n.Server == "" {
		v.required(p.Child("server"), "")
	}
	if n.Path == "" {
		v.required(p.Child("path"), "")
	}
	if !strings.HasPrefix(n.Path, "/") {
		v.invalid(p.Child("path"), n.Path, "must be an absolute path")
	}
}

func (v *podValidator) keysToPaths(items []corev1.KeyToPath, p *field.Path) {
	for i := range items {
		k := &items[i]
		at := p.Child("items").Index(i)
		if k.Key == "" {
			v.required(at.Child("key"), "")
		}
		if k.Path == "" {
			v.required(at.Child("path"), "")
		}
		v.nonReservedPath(k.Path, at.Child("path"))
		v.fileMode(k.Mode, at, "mode")
	}
}

func (v *podValidator) projection(s *corev1.ProjectedVolumeSource, p *field.Path) {
	paths := map[string]bool{}
	once := func(path string, value string) {
		if path == "" {
			return
		}
		if paths[path] {
			v.invalid(p, value, "conflicting duplicate paths")
		}
		paths[path] = true
	}
	for i := range s.Sources {
		src := &s.Sources[i]
		at := p.Child("sources").Index(i)
		n := 0
		if c := src.Secret; c != nil {
			n++
			if c.Name == "" {
				v.required(at.Child("secret", "name"), "")
			}
			v.keysToPaths(c.Items, at.Child("secret"))
			for _, k := range c.Items {
				once(k.Path, c.Name)
			}
		}
		if c := src.ConfigMap; c != nil {
			n++
			if c.Name == "" {
				v.required(at.Child("configMap", "name"), "")
			}
			v.keysToPaths(c.Items, at.Child("configMap"))
			for _, k := range c.Items {
				once(k.Path, c.Name)
			}
		}
		if d := src.DownwardAPI; d != nil {
			n++
			for j := range d.Items {
				v.downwardFile(&d.Items[j], at.Child("downwardAPI"))
				once(d.Items[j].Path, d.Items[j].Path)
			}
		}
		if t := src.ServiceAccountToken; t != nil {
			n++
			seconds := deref(t.ExpirationSeconds)
			if seconds < 600 {
				v.invalid(at.Child("serviceAccountToken", "expirationSeconds"), seconds, "may not specify a duration less than 10 minutes")
			}
			if seconds > 1<<32 {
				v.invalid(at.Child("serviceAccountToken", "expirationSeconds"), seconds, "may not specify a duration larger than 2^32 seconds")
			}
			if t.Path == "" {
				v.required(p.Child("path"), "")
			} else {
				v.nonReservedPath(t.Path, p.Child("path"))
			}
		}
		if src.ClusterTrustBundle != nil {
			n++
		}
		if src.PodCertificate != nil {
			n++
		}
		if n > 1 {
			v.forbidden(at, "may not specify more than 1 volume type per source")
		}
	}
}

var (
	envFieldPaths = []string{"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
		"status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"}
	volumeFieldPaths   = []string{"metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"}
	knownFieldPaths    = append([]string{"metadata.annotations", "metadata.labels", "spec.restartPolicy", "spec.schedulerName", "status.phase", "status.nominatedNodeName"}, envFieldPaths...)
	resourceFieldPaths = []string{"limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory"}
)

func (v *podValidator) downwardFile(f *corev1.DownwardAPIVolumeFile, p *field.Path) {
	if f.Path == "" {
		v.required(p.Child("path"), "")
	}
	v.nonReservedPath(f.Path, p.Child("path"))
	switch {
	case f.FieldRef != nil:
		v.fieldRef(f.FieldRef, volumeFieldPaths, p.Child("fieldRef"))
		if f.ResourceFieldRef != nil {
			v.invalid(p, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
		}
	case f.ResourceFieldRef != nil:
		v.resourceFieldRef(f.ResourceFieldRef, true, p.Child("resourceFieldRef"))
	default:
		v.required(p, "one of fieldRef and resourceFieldRef is required")
	}
	v.fileMode(f.Mode, p, "mode")
}

func (v *podValidator) fieldRef(f *corev1.ObjectFieldSelector, allowed []string, p *field.Path) {
	if f.APIVersion == "" {
		v.required(p.Child("apiVersion"), "")
		return
	}
	if f.FieldPath == "" {
		v.required(p.Child("fieldPath"), "")
		return
	}
	if f.APIVersion != "v1" {
		v.invalid(p.Child("fieldPath"), f.FieldPath, "error converting fieldPath: unsupported pod version: "+f.APIVersion)
		return
	}
	path, subscript, subscripted := splitSubscript(f.FieldPath)
	known := slices.Contains(knownFieldPaths, path)
	if subscripted {
		known = path == "metadata.annotations" || path == "metadata.labels"
	}
	switch {
	case !known:
		v.invalid(p.Child("fieldPath"), f.FieldPath, "error converting fieldPath: field label not supported: "+f.FieldPath)
	case subscripted:
		if path == "metadata.annotations" {
			subscript = strings.ToLower(subscript)
		}
		for _, msg := range qualifiedName(subscript) {
			v.invalid(p, subscript, msg)
		}
	case !slices.Contains(allowed, path):
		v.errs = append(v.errs, field.NotSupported(p.Child("fieldPath"), path, allowed))
	}
}

// splitSubscript takes metadata.labels['app'] apart.
func splitSubscript(path string) (string, string, bool) {
	body, ok := strings.CutSuffix(path, "']")
	if !ok {
		return path, "", false
	}
	name, subscript, ok := strings.Cut(body, "['")
	if !ok || name == "" {
		return path, "", false
	}
	return name, subscript, true
}

func (v *podValidator) resourceFieldRef(r *corev1.ResourceFieldSelector, volume bool, p *field.Path) {
	hugepages := strings.HasPrefix(r.Resource, "requests.hugepages-") || strings.HasPrefix(r.Resource, "limits.hugepages-")
	switch {
	case volume && r.ContainerName == "":
		v.required(p.Child("containerName"), "")
	case r.Resource == "":
		v.required(p.Child("resource"), "")
	case !slices.Contains(resourceFieldPaths, r.Resource) && !hugepages:
		v.errs = append(v.errs, field.NotSupported(p.Child("resource"), r.Resource, resourceFieldPaths))
	}
	if r.Divisor.IsZero() {
		return
	}
	divisor := r.Divisor
	text := divisor.String()
	units := "1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei"
	what := ""
	switch _, name, _ := strings.Cut(r.Resource, "."); {
	case name == "cpu":
		if text != "1" && text != "1m" {
			v.invalid(p.Child("divisor"), r.Resource, "only divisor's values 1m and 1 are supported with the cpu resource")
		}
		return
	case name == "memory":
		what = "memory"
	case name == "ephemeral-storage":
		what = "local ephemeral storage"
	case hugepages:
		what = "hugepages"
	default:
		return
	}
	if !slices.Contains(strings.Split(units, ", "), text) {
		v.invalid(p.Child("divisor"), r.Resource, "only divisor's values "+units+" are supported with the "+what+" resource")
	}
}

// Claims of devices.

func (v *podValidator) resourceClaims(p *field.Path) {
	if len(v.spec.ResourceClaims) == 0 {
		return
	}
	v.claims = map[string]bool{}
	for i, c := range v.spec.ResourceClaims {
		at := p.Child("resourceClaims").Index(i)
		switch {
		case c.Name == "":
			v.required(at.Child("name"), "")
		case v.claims[c.Name]:
			v.duplicate(at.Child("name"), c.Name)
		default:
			v.check(at, "name", c.Name, dnsLabel)
			v.claims[c.Name] = true
		}
		if c.ResourceClaimName != nil && c.ResourceClaimTemplateName != nil {
			v.invalid(at, internal{c}, "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified")
		}
		if c.ResourceClaimName == nil && c.ResourceClaimTemplateName == nil {
			v.invalid(at, internal{c}, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`")
		}
		if c.ResourceClaimName != nil {
			v.check(at, "resourceClaimName", *c.ResourceClaimName, dnsSubdomain)
		}
		if c.ResourceClaimTemplateName != nil {
			v.check(at, "resourceClaimTemplateName", *c.ResourceClaimTemplateName, dnsSubdomain)
		}
	}
}

// Containers.

func (v *podValidator) containers(p *field.Path) {
	list := v.spec.Containers
	if len(list) == 0 {
		v.required(p, "")
		return
	}
	for i := range list {
		c := &list[i]
		at := p.Index(i)
		v.container(c, at)
		for j := range i {
			if list[j].Name == c.Name {
				v.duplicate(at.Child("name"), c.Name)
				break
			}
		}
		v.lifecycle(c.Lifecycle, at)
		v.probes(c, at)
		v.restartRules(c, at)
	}
	v.hostPortConflicts(list, p)
}

func (v *podValidator) initContainers(p *field.Path) {
	if len(v.spec.InitContainers) == 0 {
		return
	}
	p = p.Child("initContainers")
	names := map[string]bool{}
	for i := range v.spec.Containers {
		names[v.spec.Containers[i].Name] = true
	}
	for i := range v.spec.InitContainers {
		c := &v.spec.InitContainers[i]
		at := p.Index(i)
		v.container(c, at)
		v.restartRules(c, at)
		if names[c.Name] {
			v.duplicate(at.Child("name"), c.Name)
		} else if c.Name != "" {
			names[c.Name] = true
		}
		v.hostPortConflicts(v.spec.InitContainers[i:i+1], p)
		if isSidecar(c) {
			v.lifecycle(c.Lifecycle, at)
			v.probes(c, at)
			continue
		}
		const only = "may not be set for init containers without restartPolicy=Always"
		if c.Lifecycle != nil {
			v.forbidden(at.Child("lifecycle"), only)
		}
		if c.LivenessProbe != nil {
			v.forbidden(at.Child("livenessProbe"), only)
		}
		if c.ReadinessProbe != nil {
			v.forbidden(at.Child("readinessProbe"), only)
		}
		if c.StartupProbe != nil {
			v.forbidden(at.Child("startupProbe"), only)
		}
		for j, r := range c.ResizePolicy {
			if r.RestartPolicy == corev1.RestartContainer {
				v.invalid(at.Child("resizePolicy").Index(j).Child("restartPolicy"), r.RestartPolicy, "must not be set to 'RestartContainer' for non-sidecar initContainers")
			}
		}
	}
}

func (v *podValidator) ephemeralContainers(p *field.Path) {
	if len(v.spec.EphemeralContainers) == 0 {
		return
	}
	p = p.Child("ephemeralContainers")
	others, names := map[string]bool{}, map[string]bool{}
	for _, list := range [][]corev1.Container{v.spec.Containers, v.spec.InitContainers} {
		for i := range list {
			others[list[i].Name], names[list[i].Name] = true, true
		}
	}
	for i := range v.spec.EphemeralContainers {
		e := &v.spec.EphemeralContainers[i]
		c := (*corev1.Container)(&e.EphemeralContainerCommon)
		at := p.Index(i)
		v.container(c, at)
		v.trimmedImage(c, at)
		if names[e.Name] {
			v.duplicate(at.Child("name"), e.Name)
		}
		names[e.Name] = true
		if e.TargetContainerName != "" && !others[e.TargetContainerName] {
			v.notFound(at.Child("targetContainerName"), e.TargetContainerName)
		}
		const never = "cannot be set for an Ephemeral Container"
		for _, f := range []struct {
			set  bool
			name string
		}{
			{c.Ports != nil, "ports"},
			{c.Resources.Limits != nil || c.Resources.Requests != nil || c.Resources.Claims != nil, "resources"},
			{c.ResizePolicy != nil, "resizePolicy"}, {c.RestartPolicy != nil, "restartPolicy"}, {c.RestartPolicyRules != nil, "restartPolicyRules"},
			{c.LivenessProbe != nil, "livenessProbe"}, {c.ReadinessProbe != nil, "readinessProbe"}, {c.StartupProbe != nil, "startupProbe"},
			{c.Lifecycle != nil, "lifecycle"},
		} {
			if f.set {
				v.forbidden(at.Child(f.name), never)
			}
		}
		for j, m := range e.VolumeMounts {
			if m.SubPath != "" {
				v.forbidden(at.Child("volumeMounts").Index(j).Child("subPath"), never)
			}
			if m.SubPathExpr != "" {
				v.forbidden(at.Child("volumeMounts").Index(j).Child("subPathExpr"), never)
			}
		}
	}
}

func (v *validator) trimmedImage(c *corev1.Container, p *field.Path) {
	if strings.TrimSpace(c.Image) != c.Image {
		v.invalid(p.Child("image"), c.Image, "must not have leading or trailing whitespace")
	}
}

func (v *podValidator) container(c *corev1.Container, p *field.Path) {
	if c.Name == "" {
		v.required(p.Child("name"), "")
	} else {
		v.check(p, "name", c.Name, dnsLabel)
	}
	if c.Image == "" {
		v.required(p.Child("image"), "")
	}
	if c.TerminationMessagePolicy == "" {
		v.required(p.Child("terminationMessagePolicy"), "")
	} else {
		oneOf(&v.validator, p, "terminationMessagePolicy", c.TerminationMessagePolicy, corev1.TerminationMessageReadFile, corev1.TerminationMessageFallbackToLogsOnError)
	}
	v.ports(c.Ports, p)
	v.env(c, p)
	v.mounts(c, p)
	v.devices(c, p)
	v.pullPolicy(c.ImagePullPolicy, p, "imagePullPolicy")
	if len(c.Resources.Limits)+len(c.Resources.Requests)+len(c.Resources.Claims) > 0 {
		v.resources(&c.Resources, p.Child("resources"), false)
	}
	v.resizePolicy(c, p)
	v.containerSecurity(c.SecurityContext, p)
}

func (v *validator) pullPolicy(policy corev1.PullPolicy, p *field.Path, child string) {
	if policy == "" {
		v.required(p.Child(child), "")
		return
	}
	oneOf(v, p, child, policy, corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever)
}

func (v *podValidator) ports(ports []corev1.ContainerPort, p *field.Path) {
	var names map[string]bool
	for i := range ports {
		port := &ports[i]
		at := p.Child("ports").Index(i)
		if port.Name != "" {
			if msgs := validation.IsValidPortName(port.Name); len(msgs) > 0 {
				for _, msg := range msgs {
					v.invalid(at.Child("name"), port.Name, msg)
				}
			} else if names[port.Name] {
				v.duplicate(at.Child("name"), port.Name)
			} else {
				if names == nil {
					names = map[string]bool{}
				}
				names[port.Name] = true
			}
		}
		if port.ContainerPort == 0 {
			v.required(at.Child("containerPort"), "")
		} else {
			v.port(port.ContainerPort, at, "containerPort")
		}
		if port.HostPort != 0 {
			v.port(port.HostPort, at, "hostPort")
		}
		if port.Protocol == "" {
			v.required(at.Child("protocol"), "")
		} else {
			oneOf(&v.validator, at, "protocol", port.Protocol, corev1.ProtocolSCTP, corev1.ProtocolTCP, corev1.ProtocolUDP)
		}
	}
}

func (v *podValidator) hostPortConflicts(list []corev1.Container, p *field.Path) {
	var taken map[string]bool
	for i := range list {
		for j := range list[i].Ports {
			port := &list[i].Ports[j]
			if port.HostPort == 0 {
				continue
			}
			key := string(port.Protocol) + "/" + port.HostIP + "/" + strconv.Itoa(int(port.HostPort))
			if taken[key] {
				v.duplicate(p.Index(i).Child("ports").Index(j).Child("hostPort"), key)
			}
			if taken == nil {
				taken = map[string]bool{}
			}
			taken[key] = true
		}
	}
}

func (v *podValidator) env(c *corev1.Container, p *field.Path) {
	for i := range c.Env {
		e := &c.Env[i]
		if e.Name == "" {
			v.required(p.Child("env").Index(i).Child("name"), "")
		} else if msgs := validation.IsRelaxedEnvVarName(e.Name); len(msgs) > 0 {
			v.check(p.Child("env").Index(i), "name", e.Name, validation.IsRelaxedEnvVarName)
		}
		if e.ValueFrom != nil {
			v.envSource(e, p.Child("env").Index(i).Child("valueFrom"))
		}
	}
	for i := range c.EnvFrom {
		e := &c.EnvFrom[i]
		at := p.Child("envFrom").Index(i)
		if e.Prefix != "" {
			v.check(at, "prefix", e.Prefix, validation.IsRelaxedEnvVarName)
		}
		n := 0
		for _, s := range []struct {
			set   bool
			child string
			name  func() string
		}{
			{e.ConfigMapRef != nil, "configMapRef", func() string { return e.ConfigMapRef.Name }},
			{e.SecretRef != nil, "secretRef", func() string { return e.SecretRef.Name }},
		} {
			if !s.set {
				continue
			}
			n++
			if name := s.name(); name == "" {
				v.required(at.Child(s.child, "name"), "")
			} else {
				v.check(at.Child(s.child), "name", name, dnsSubdomain)
			}
		}
		if n == 0 {
			v.invalid(p.Child("envFrom"), "", "must specify one of: `configMapRef` or `secretRef`")
		} else if n > 1 {
			v.invalid(p.Child("envFrom"), "", "may not have more than one field specified at a time")
		}
	}
}

func (v *podValidator) envSource(e *corev1.EnvVar, p *field.Path) {
	n := 0
	s := e.ValueFrom
	if s.FieldRef != nil {
		n++
		v.fieldRef(s.FieldRef, envFieldPaths, p.Child("fieldRef"))
	}
	if s.ResourceFieldRef != nil {
		n++
		v.resourceFieldRef(s.ResourceFieldRef, false, p.Child("resourceFieldRef"))
	}
	keyRef := func(name, key string, p *field.Path) {
		n++
		v.check(p, "name", name, dnsSubdomain)
		if key == "" {
			v.required(p.Child("key"), "")
		} else {
			v.check(p, "key", key, validation.IsConfigMapKey)
		}
	}
	if r := s.ConfigMapKeyRef; r != nil {
		keyRef(r.Name, r.Key, p.Child("configMapKeyRef"))
	}
	if r := s.SecretKeyRef; r != nil {
		keyRef(r.Name, r.Key, p.Child("secretKeyRef"))
	}
	if r := s.FileKeyRef; r != nil {
		n++
		at := p.Child("fileKeyRef")
		if r.Key == "" {
			v.required(at.Child("key"), "")
		} else {
			v.check(at, "key", r.Key, validation.IsRelaxedEnvVarName)
		}
		if r.VolumeName == "" {
			v.required(at.Child("volumeName"), "")
		} else {
			v.check(at, "volumeName", r.VolumeName, dnsLabel)
		}
		if r.Path == "" {
			v.required(at.Child("path"), "")
		} else {
			v.noBacksteps(r.Path, at.Child("path"))
		}
	}
	switch {
	case n == 0:
		v.invalid(p, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`")
	case e.Value != "":
		v.invalid(p, "", "may not be specified when `value` is not empty")
	case n > 1:
		v.invalid(p, "", "may not have more than one field specified at a time")
	}
}

// fileKeyVolumes requires emptyDir volumes where variables come from files.
func (v *podValidator) fileKeyVolumes(p *field.Path) {
	eachVariable := func(c *corev1.Container, at func() *field.Path) {
		for j := range c.Env {
			if c.Env[j].ValueFrom == nil || c.Env[j].ValueFrom.FileKeyRef == nil {
				continue
			}
			name := c.Env[j].ValueFrom.FileKeyRef.VolumeName
			path := at().Child("env").Index(j).Child("valueFrom", "fileKeyRef", "volumeName")
			i := slices.IndexFunc(v.spec.Volumes, func(vol corev1.Volume) bool { return vol.Name == name })
			if i < 0 {
				v.notFound(path, name)
			} else if v.spec.Volumes[i].EmptyDir == nil {
				v.invalid(path, name, "referenced volume must be of type emptyDir")
			}
		}
	}
	for i := range v.spec.InitContainers {
		eachVariable(&v.spec.InitContainers[i], func() *field.Path { return p.Child("initContainers").Index(i) })
	}
	for i := range v.spec.Containers {
		eachVariable(&v.spec.Containers[i], func() *field.Path { return p.Child("containers").Index(i) })
	}
}

func (v *podValidator) mounts(c *corev1.Container, p *field.Path) {
	for i := range c.VolumeMounts {
		m := &c.VolumeMounts[i]
		at := func() *field.Path { return p.Child("volumeMounts").Index(i) }
		if m.Name == "" {
			v.required(at().Child("name"), "")
		}
		if v.volumes[m.Name] == nil {
			v.notFound(at().Child("name"), m.Name)
		}
		if m.MountPath == "" {
			v.required(at().Child("mountPath"), "")
		}
		for j := range i {
			if c.VolumeMounts[j].MountPath == m.MountPath {
				v.invalid(at().Child("mountPath"), m.MountPath, "must be unique")
				break
			}
		}
		for _, d := range c.VolumeDevices {
			if d.Name == m.Name {
				v.invalid(at().Child("name"), m.Name, "must not already exist in volumeDevices")
			}
			if d.DevicePath == m.MountPath {
				v.invalid(at().Child("mountPath"), m.MountPath, "must not already exist as a path in volumeDevices")
			}
		}
		if m.SubPath != "" {
			v.descendingPath(m.SubPath, p.Child("volumeMounts", "subPath"))
		}
		if m.SubPathExpr != "" {
			if m.SubPath != "" {
				v.invalid(at().Child("subPathExpr"), m.SubPathExpr, "subPathExpr and subPath are mutually exclusive")
			}
			v.descendingPath(m.SubPathExpr, p.Child("volumeMounts", "subPathExpr"))
		}
		if m.MountPropagation != nil {
			oneOf(&v.validator, p.Child("volumeMounts"), "mountPropagation", *m.MountPropagation,
				corev1.MountPropagationBidirectional, corev1.MountPropagationHostToContainer, corev1.MountPropagationNone)
			privileged := c.SecurityContext != nil && deref(c.SecurityContext.Privileged)
			if *m.MountPropagation == corev1.MountPropagationBidirectional && !privileged {
				v.forbidden(p.Child("volumeMounts", "mountPropagation"), "Bidirectional mount propagation is available only to privileged containers")
			}
		}
		if r := m.RecursiveReadOnly; r != nil {
			path := p.Child("volumeMounts", "recursiveReadOnly")
			switch *r {
			case corev1.RecursiveReadOnlyDisabled:
			case corev1.RecursiveReadOnlyEnabled, corev1.RecursiveReadOnlyIfPossible:
				if !m.ReadOnly {
					v.forbidden(path, "may only be specified when readOnly is true")
				}
				if m.MountPropagation != nil && *m.MountPropagation != corev1.MountPropagationNone {
					v.forbidden(path, "may only be specified when mountPropagation is None or not specified")
				}
			default:
				v.errs = append(v.errs, field.NotSupported(path, *r, []corev1.RecursiveReadOnlyMode{
					corev1.RecursiveReadOnlyDisabled, corev1.RecursiveReadOnlyIfPossible, corev1.RecursiveReadOnlyEnabled}))
			}
		}
	}
}

func (v *podValidator) devices(c *corev1.Container, p *field.Path) {
	for i, d := range c.VolumeDevices {
		at := p.Child("volumeDevices").Index(i)
		if d.Name == "" {
			v.required(at.Child("name"), "")
		}
		earlier := func(same func(corev1.VolumeDevice) bool) bool { return slices.ContainsFunc(c.VolumeDevices[:i], same) }
		if earlier(func(o corev1.VolumeDevice) bool { return o.Name == d.Name && d.Name != "" }) {
			v.invalid(at.Child("name"), d.Name, "must be unique")
		}
		if s := v.volumes[d.Name]; s == nil {
			v.notFound(at.Child("name"), d.Name)
		} else if s.PersistentVolumeClaim == nil && s.Ephemeral == nil {
			v.invalid(at.Child("name"), d.Name, "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode")
		}
		if d.DevicePath == "" {
			v.required(at.Child("devicePath"), "")
		}
		if earlier(func(o corev1.VolumeDevice) bool { return o.DevicePath == d.DevicePath }) {
			v.invalid(at.Child("devicePath"), d.DevicePath, "must be unique")
		}
		if slices.Contains(strings.Split(d.DevicePath, "/"), "..") {
			v.invalid(at.Child("devicePath"), d.DevicePath, "can not contain backsteps ('..')")
		}
		for _, m := range c.VolumeMounts {
			if m.Name == d.Name {
				v.invalid(at.Child("name"), d.Name, "must not already exist in volumeMounts")
			}
			if m.MountPath == d.DevicePath {
				v.invalid(at.Child("devicePath"), d.DevicePath, "must not already exist as a path in volumeMounts")
			}
		}
	}
}

// resources validates requests and limits of a container, or of a whole pod.
func (v *podValidator) resources(r *corev1.ResourceRequirements, p *field.Path, pod bool) {
	name := func(n corev1.ResourceName, p *field.Path) {
		if !pod {
			v.containerResourceName(n, p)
		} else if v.resourceName(n, p) && n != "cpu" && n != "memory" && !isHugePages(n) {
			v.errs = append(v.errs, field.NotSupported(p, n, []corev1.ResourceName{"cpu", "hugepages-", "memory"}))
		}
	}
	basic, huge := false, false
	one := func(n corev1.ResourceName, q resource.Quantity, p *field.Path) {
		name(n, p)
		v.quantity(n, q, p)
		if isHugePages(n) {
			huge = true
			v.hugePages(n, q, p)
		}
		basic = basic || n == "cpu" || n == "memory"
	}
	for _, n := range sortedKeys(r.Limits) {
		one(n, r.Limits[n], p.Child("limits").Key(string(n)))
	}
	for _, n := range sortedKeys(r.Requests) {
		q := r.Requests[n]
		name(n, p.Child("requests").Key(string(n)))
		v.quantity(n, q, p.Child("requests").Key(string(n)))
		if limit, ok := r.Limits[n]; !ok {
			if !canOvercommit(n) {
				v.required(p.Child("limits"), "Limit must be set for non overcommitable resources")
			}
		} else if cmp := q.Cmp(limit); cmp != 0 && !canOvercommit(n) {
			v.invalid(p.Child("requests"), q.String(), fmt.Sprintf("must be equal to %s limit of %s", n, limit.String()))
		} else if cmp > 0 {
			v.invalid(p.Child("requests"), q.String(), fmt.Sprintf("must be less than or equal to %s limit of %s", n, limit.String()))
		}
		if isHugePages(n) {
			huge = true
			v.hugePages(n, q, p.Child("requests").Key(string(n)))
		}
		basic = basic || n == "cpu" || n == "memory"
	}
	if huge && !basic {
		v.forbidden(p, "HugePages require cpu or memory")
	}
	names := map[string]bool{}
	for i, c := range r.Claims {
		at := p.Child("claims").Index(i)
		if c.Name == "" {
			v.required(at, "")
			continue
		}
		key := c.Name
		if c.Request != "" {
			v.check(at, "request", c.Request, dnsLabel)
			key += "/" + c.Request
		}
		if names[key] || names[c.Name] {
			v.duplicate(at, key)
		}
		names[key] = true
		if !v.claims[c.Name] {
			err := field.NotFound(at, c.Name)
			err.Detail = "must be one of the names in pod.spec.resourceClaims"
			if len(v.claims) == 0 {
				err.Detail += " which is empty"
			} else {
				err.Detail += ": " + strings.Join(sortedKeys(v.claims), ", ")
			}
			v.errs = append(v.errs, err)
		}
	}
}

func (v *podValidator) hugePages(n corev1.ResourceName, q resource.Quantity, p *field.Path) {
	size, err := resource.ParseQuantity(strings.TrimPrefix(string(n), "hugepages-"))
	if err != nil || size.Value() <= 0 || q.Value()%size.Value() != 0 {
		v.invalid(p, q.String(), fmt.Sprintf("%s is not positive integer multiple of %s", q.String(), n))
	}
}

func (v *podValidator) podResources(p *field.Path) {
	r := v.spec.Resources
	if r == nil {
		return
	}
	p = p.Child("resources")
	if v.spec.OS != nil && v.spec.OS.Name == corev1.Windows {
		v.forbidden(p, "may not be set for a windows pod")
		return
	}
	if r.Claims != nil {
		v.forbidden(p.Child("claims"), "claims may not be set for Resources at pod-level")
	}
	v.resources(r, p, true)
	sum := containerRequests(v.spec)
	for _, n := range sortedKeys(sum) {
		if have, ok := r.Requests[n]; ok {
			if want := sum[n]; want.Cmp(have) > 0 {
				v.invalid(p.Child("requests").Key(string(n)), have.String(), "must be greater than or equal to aggregate container requests of "+want.String())
			}
		}
	}
	for i := range v.spec.Containers {
		limits := v.spec.Containers[i].Resources.Limits
		for _, n := range sortedKeys(limits) {
			if most, ok := r.Limits[n]; ok {
				if limit := limits[n]; limit.Cmp(most) > 0 {
					v.invalid(p.Child("containers").Index(i).Key(string(n)).Child("limits"), limit.String(), "must be less than or equal to pod limits of "+most.String())
				}
			}
		}
	}
}

func (v *podValidator) resizePolicy(c *corev1.Container, p *field.Path) {
	seen := map[corev1.ResourceName]bool{}
	for i, r := range c.ResizePolicy {
		at := p.Child("resizePolicy")
		if seen[r.ResourceName] {
			v.duplicate(at.Index(i), r.ResourceName)
		}
		seen[r.ResourceName] = true
		if r.ResourceName == "" {
			v.required(at, "")
		} else {
			oneOf(&v.validator, p, "resizePolicy", r.ResourceName, corev1.ResourceCPU, corev1.ResourceMemory)
		}
		if r.RestartPolicy == "" {
			v.required(at, "")
		} else {
			oneOf(&v.validator, p, "resizePolicy", r.RestartPolicy, corev1.NotRequired, corev1.RestartContainer)
		}
		if v.spec.RestartPolicy == corev1.RestartPolicyNever && r.RestartPolicy != corev1.NotRequired {
			v.invalid(at, r.RestartPolicy, "must be 'NotRequired' when pod `restartPolicy` is 'Never'")
		}
	}
}

func (v *podValidator) restartRules(c *corev1.Container, p *field.Path) {
	if c.RestartPolicy == nil {
		if len(c.RestartPolicyRules) == 0 {
			return
		}
		v.required(p.Child("restartPolicy"), "must specify restartPolicy when restart rules are used")
	} else {
		oneOf(&v.validator, p, "restartPolicy", *c.RestartPolicy, corev1.ContainerRestartPolicyAlways, corev1.ContainerRestartPolicyNever, corev1.ContainerRestartPolicyOnFailure)
	}
	if len(c.RestartPolicyRules) > 20 {
		v.errs = append(v.errs, field.TooMany(p.Child("restartPolicyRules"), len(c.RestartPolicyRules), 20))
	}
	for i, r := range c.RestartPolicyRules {
		at := p.Child("restartPolicyRules").Index(i)
		oneOf(&v.validator, at, "action", r.Action, corev1.ContainerRestartRuleActionRestart, corev1.ContainerRestartRuleActionRestartAllContainers)
		if r.ExitCodes == nil {
			v.required(at.Child("exitCodes"), "must be specified")
			continue
		}
		oneOf(&v.validator, at.Child("exitCodes"), "operator", r.ExitCodes.Operator, corev1.ContainerRestartRuleOnExitCodesOpIn, corev1.ContainerRestartRuleOnExitCodesOpNotIn)
		if len(r.ExitCodes.Values) > 255 {
			v.errs = append(v.errs, field.TooMany(at.Child("exitCodes", "values"), len(r.ExitCodes.Values), 255))
		}
	}
}

// Probes and lifecycle.

func (v *podValidator) probes(c *corev1.Container, p *field.Path) {
	if q := c.LivenessProbe; q != nil {
		at := p.Child("livenessProbe")
		v.probe(q, at)
		if q.SuccessThreshold != 1 {
			v.invalid(at.Child("successThreshold"), q.SuccessThreshold, "must be 1")
		}
	}
	if q := c.ReadinessProbe; q != nil {
		at := p.Child("readinessProbe")
		v.probe(q, at)
		if q.TerminationGracePeriodSeconds != nil {
			v.invalid(at.Child("terminationGracePeriodSeconds"), q.TerminationGracePeriodSeconds, "must not be set for readinessProbes")
		}
	}
	if q := c.StartupProbe; q != nil {
		at := p.Child("startupProbe")
		v.probe(q, at)
		if q.SuccessThreshold != 1 {
			v.invalid(at.Child("successThreshold"), q.SuccessThreshold, "must be 1")
		}
	}
}

func (v *podValidator) probe(q *corev1.Probe, p *field.Path) {
	v.handler(q.Exec, q.HTTPGet, q.TCPSocket, q.GRPC, nil, p)
	v.nonnegative(int64(q.InitialDelaySeconds), p, "initialDelaySeconds")
	v.nonnegative(int64(q.TimeoutSeconds), p, "timeoutSeconds")
	v.nonnegative(int64(q.PeriodSeconds), p, "periodSeconds")
	v.nonnegative(int64(q.SuccessThreshold), p, "successThreshold")
	v.nonnegative(int64(q.FailureThreshold), p, "failureThreshold")
	if s := q.TerminationGracePeriodSeconds; s != nil && *s <= 0 {
		v.invalid(p.Child("terminationGracePeriodSeconds"), *s, "must be greater than 0")
	}
}

func (v *podValidator) handler(exec *corev1.ExecAction, get *corev1.HTTPGetAction, tcp *corev1.TCPSocketAction, grpc *corev1.GRPCAction, sleep *corev1.SleepAction, p *field.Path) {
	n := 0
	one := func(name string, check func(p *field.Path)) {
		if n > 0 {
			v.forbidden(p.Child(name), "may not specify more than 1 handler type")
			return
		}
		n++
		check(p.Child(name))
	}
	if exec != nil {
		one("exec", func(p *field.Path) {
			if len(exec.Command) == 0 {
				v.required(p.Child("command"), "")
			}
		})
	}
	if get != nil {
		one("httpGet", func(p *field.Path) {
			if get.Path == "" {
				v.required(p.Child("path"), "")
			}
			v.portOrName(get.Port, p, "port")
			oneOf(&v.validator, p, "scheme", get.Scheme, corev1.URISchemeHTTP, corev1.URISchemeHTTPS)
			for _, h := range get.HTTPHeaders {
				v.check(p, "httpHeaders", h.Name, validation.IsHTTPHeaderName)
			}
		})
	}
	if tcp != nil {
		one("tcpSocket", func(p *field.Path) { v.portOrName(tcp.Port, p, "port") })
	}
	if grpc != nil {
		one("grpc", func(p *field.Path) { v.portOrName(intstr.FromInt32(grpc.Port), p, "port") })
	}
	if sleep != nil {
		one("sleep", func(p *field.Path) {
			if g := v.spec.TerminationGracePeriodSeconds; g != nil && (sleep.Seconds < 0 || sleep.Seconds > *g) {
				v.invalid(p, sleep.Seconds, fmt.Sprintf("must be non-negative and less than terminationGracePeriodSeconds (%d)", *g))
			}
		})
	}
	if n == 0 {
		v.required(p, "must specify a handler type")
	}
}

func (v *podValidator) lifecycle(l *corev1.Lifecycle, p *field.Path) {
	if l == nil {
		return
	}
	p = p.Child("lifecycle")
	if h := l.PostStart; h != nil {
		v.handler(h.Exec, h.HTTPGet, h.TCPSocket, nil, h.Sleep, p.Child("postStart"))
	}
	if h := l.PreStop; h != nil {
		v.handler(h.Exec, h.HTTPGet, h.TCPSocket, nil, h.Sleep, p.Child("preStop"))
	}
}

// Security.

func (v *podValidator) podSecurity(p *field.Path) {
	sc := v.spec.SecurityContext
	if sc == nil || sc == emptySecurityContext && v.spec.ShareProcessNamespace == nil {
		return
	}
	p = p.Child("securityContext")
	if sc.FSGroup != nil {
		v.id(*sc.FSGroup, p.Child("fsGroup"), validation.IsValidGroupID)
	}
	if sc.RunAsUser != nil {
		v.id(*sc.RunAsUser, p.Child("runAsUser"), validation.IsValidUserID)
	}
	if sc.RunAsGroup != nil {
		v.id(*sc.RunAsGroup, p.Child("runAsGroup"), validation.IsValidGroupID)
	}
	for i, gid := range sc.SupplementalGroups {
		v.id(gid, p.Child("supplementalGroups").Index(i), validation.IsValidGroupID)
	}
	if deref(v.spec.ShareProcessNamespace) && v.spec.HostPID {
		v.invalid(p.Child("shareProcessNamespace"), true, "ShareProcessNamespace and HostPID cannot both be enabled")
	}
	seen := map[string]bool{}
	for i, s := range sc.Sysctls {
		at := p.Child("sysctls").Index(i).Child("name")
		switch {
		case s.Name == "":
			v.required(at, "")
		case !validSysctl(s.Name):
			v.invalid(at, s.Name, "must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$")
		case seen[s.Name]:
			v.duplicate(at, s.Name)
		}
		seen[s.Name] = true
	}
	if f := sc.FSGroupChangePolicy; f != nil {
		oneOf(&v.validator, p, "fsGroupChangePolicy", *f, corev1.FSGroupChangeAlways, corev1.FSGroupChangeOnRootMismatch)
	}
	v.profiles(sc.SeccompProfile, sc.AppArmorProfile, p)
	if s := sc.SupplementalGroupsPolicy; s != nil {
		oneOf(&v.validator, p, "supplementalGroupsPolicy", *s, corev1.SupplementalGroupsPolicyMerge, corev1.SupplementalGroupsPolicyStrict)
	}
	if s := sc.SELinuxChangePolicy; s != nil {
		oneOf(&v.validator, p, "seLinuxChangePolicy", *s, corev1.SELinuxChangePolicyMountOption, corev1.SELinuxChangePolicyRecursive)
	}
}

func validSysctl(name string) bool {
	if len(name) > 253 {
		return false
	}
	for seg := range strings.SplitSeq(strings.ReplaceAll(name, "/", "."), ".") {
		if seg == "" {
			return false
		}
		for i := range len(seg) {
			c := seg[i]
			alnum := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
			if !alnum && (i == 0 || i == len(seg)-1 || c != '-' && c != '_') {
				return false
			}
		}
	}
	return true
}

func (v *validator) id(n int64, p *field.Path, f func(int64) []string) {
	for _, msg := range f(n) {
		v.invalid(p, n, msg)
	}
}

func (v *podValidator) profiles(sp *corev1.SeccompProfile, ap *corev1.AppArmorProfile, p *field.Path) {
	if sp != nil {
		at := p.Child("seccompProfile")
		if sp.Type == "" {
			v.required(at.Child("type"), "type is required when seccompProfile is set")
		} else {
			oneOf(&v.validator, at, "type", sp.Type, corev1.SeccompProfileTypeLocalhost, corev1.SeccompProfileTypeRuntimeDefault, corev1.SeccompProfileTypeUnconfined)
		}
		if sp.Type != corev1.SeccompProfileTypeLocalhost {
			if sp.LocalhostProfile != nil {
				v.invalid(at.Child("localhostProfile"), internal{sp}, "can only be set when seccomp type is Localhost")
			}
		} else if sp.LocalhostProfile == nil {
			v.required(at.Child("localhostProfile"), "must be set when seccomp type is Localhost")
		} else {
			v.descendingPath(*sp.LocalhostProfile, at.Child("localhostProfile"))
		}
	}
	if ap != nil {
		at := p.Child("appArmorProfile")
		switch ap.Type {
		case corev1.AppArmorProfileTypeLocalhost:
			switch profile := deref(ap.LocalhostProfile); {
			case ap.LocalhostProfile == nil || profile == "":
				v.required(at.Child("localhostProfile"), "must be set when AppArmor type is Localhost")
			case strings.TrimSpace(profile) != profile:
				v.invalid(at.Child("localhostProfile"), profile, "must not be padded with whitespace")
			}
		case corev1.AppArmorProfileTypeRuntimeDefault, corev1.AppArmorProfileTypeUnconfined:
			if ap.LocalhostProfile != nil {
				v.invalid(at.Child("localhostProfile"), ap.LocalhostProfile, "can only be set when AppArmor type is Localhost")
			}
		case "":
			v.required(at.Child("type"), "type is required when appArmorProfile is set")
		default:
			oneOf(&v.validator, at, "type", ap.Type, corev1.AppArmorProfileTypeLocalhost, corev1.AppArmorProfileTypeRuntimeDefault, corev1.AppArmorProfileTypeUnconfined)
		}
	}
}

func (v *podValidator) containerSecurity(sc *corev1.SecurityContext, p *field.Path) {
	if sc == nil {
		return
	}
	p = p.Child("securityContext")
	if sc.RunAsUser != nil {
		v.id(*sc.RunAsUser, p.Child("runAsUser"), validation.IsValidUserID)
	}
	if sc.RunAsGroup != nil {
		v.id(*sc.RunAsGroup, p.Child("runAsGroup"), validation.IsValidGroupID)
	}
	if m := sc.ProcMount; m != nil {
		oneOf(&v.validator, p, "procMount", *m, corev1.DefaultProcMount, corev1.UnmaskedProcMount)
		if *m == corev1.UnmaskedProcMount && (v.spec.HostUsers == nil || *v.spec.HostUsers) {
			v.invalid(p.Child("procMount"), m, "`hostUsers` must be false to use `Unmasked`")
		}
	}
	v.profiles(sc.SeccompProfile, nil, p)
	if sc.AllowPrivilegeEscalation != nil && !*sc.AllowPrivilegeEscalation {
		if deref(sc.Privileged) {
			v.invalid(p, internal{sc}, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true")
		}
		if sc.Capabilities != nil && slices.Contains(sc.Capabilities.Add, "CAP_SYS_ADMIN") {
			v.invalid(p, internal{sc}, "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN")
		}
	}
	v.profiles(nil, sc.AppArmorProfile, p)
}

func (v *podValidator) hostUsers(p *field.Path) {
	if v.spec.SecurityContext == nil || v.spec.HostUsers == nil || *v.spec.HostUsers {
		return
	}
	const message = "when `hostUsers` is false"
	if v.spec.HostNetwork {
		v.forbidden(p.Child("hostNetwork"), message)
	}
	if v.spec.HostPID {
		v.forbidden(p.Child("HostPID"), message)
	}
	if v.spec.HostIPC {
		v.forbidden(p.Child("HostIPC"), message)
	}
	eachContainer(v.spec, p, func(c *corev1.Container, p *field.Path) {
		if len(c.VolumeDevices) > 0 {
			v.forbidden(p.Child("volumeDevices"), message)
		}
	})
}

func (v *podValidator) os(p *field.Path) {
	switch v.spec.OS.Name {
	case "":
		v.required(p.Child("os", "name"), "cannot be empty")
	case corev1.Linux:
		eachContainer(v.spec, p, func(c *corev1.Container, p *field.Path) {
			if c.SecurityContext != nil && c.SecurityContext.WindowsOptions != nil {
				v.forbidden(p.Child("securityContext", "windowsOptions"), "windows options cannot be set for a linux pod")
			}
		})
	case corev1.Windows:
	default:
		oneOf(&v.validator, p, "os", v.spec.OS.Name, corev1.Linux, corev1.Windows)
	}
}

// Network and scheduling.

func (v *podValidator) hostNetwork(p *field.Path) {
	if !v.spec.HostNetwork {
		return
	}
	for i := range v.spec.Containers {
		for j, port := range v.spec.Containers[i].Ports {
			if (v.meta != nil || port.HostPort != 0) && port.HostPort != port.ContainerPort {
				v.invalid(p.Child("containers").Index(i).Child("ports").Index(j).Child("hostPort"), port.HostPort, "must match `containerPort` when `hostNetwork` is true")
			}
		}
	}
}

func (v *podValidator) dns(p *field.Path) {
	c := v.spec.DNSConfig
	p = p.Child("dnsConfig")
	if v.spec.DNSPolicy == corev1.DNSNone {
		if c == nil {
			v.required(p, "must provide `dnsConfig` when `dnsPolicy` is None")
			return
		}
		if len(c.Nameservers) == 0 {
			v.required(p.Child("nameservers"), "must provide at least one DNS nameserver when `dnsPolicy` is None")
			return
		}
	}
	if c == nil {
		return
	}
	if len(c.Nameservers) > 3 {
		v.invalid(p.Child("nameservers"), c.Nameservers, "must not have more than 3 nameservers")
	}
	for i, ip := range c.Nameservers {
		v.add(validateIP(ip, p.Child("nameservers").Index(i)))
	}
	if len(c.Searches) > 32 {
		v.invalid(p.Child("searches"), c.Searches, "must not have more than 32 search paths")
	}
	if len(strings.Join(c.Searches, " ")) > 2048 {
		v.invalid(p.Child("searches"), c.Searches, "must not have more than 2048 characters (including spaces) in the search list")
	}
	for i, s := range c.Searches {
		if s == "." {
			continue
		}
		s = strings.TrimSuffix(s, ".")
		for _, msg := range validation.IsDNS1123SubdomainWithUnderscore(s) {
			v.invalid(p.Child("searches").Index(i), s, msg)
		}
	}
	for i, o := range c.Options {
		if o.Name == "" {
			v.required(p.Child("options").Index(i), "must not be empty")
		}
	}
}

// validateTolerations is also what added tolerations of a running pod go through.
func validateTolerations(list []corev1.Toleration, p *field.Path) field.ErrorList {
	var v validator
	for i := range list {
		t := &list[i]
		at := func() *field.Path { return p.Index(i) }
		if t.Key != "" {
			if msgs := qualifiedName(t.Key); len(msgs) > 0 {
				v.check(at(), "key", t.Key, qualifiedName)
			}
		} else if t.Operator != corev1.TolerationOpExists {
			v.invalid(at().Child("operator"), t.Operator, "operator must be Exists when `key` is empty, which means \"match all values and all keys\"")
		}
		if t.TolerationSeconds != nil && t.Effect != corev1.TaintEffectNoExecute {
			v.invalid(at().Child("effect"), t.Effect, "effect must be 'NoExecute' when `tolerationSeconds` is set")
		}
		switch t.Operator {
		case corev1.TolerationOpEqual, "":
			if msgs := labelValue(t.Value); len(msgs) > 0 {
				v.invalid(at().Child("operator"), t.Value, strings.Join(msgs, ";"))
			}
		case corev1.TolerationOpExists:
			if t.Value != "" {
				v.invalid(at().Child("operator"), t.Value, "value must be empty when `operator` is 'Exists'")
			}
		case corev1.TolerationOpLt, corev1.TolerationOpGt:
			v.errs = append(v.errs, field.NotSupported(at().Child("operator"), t.Operator, []corev1.TolerationOperator{
				corev1.TolerationOpEqual, corev1.TolerationOpExists, corev1.TolerationOpLt, corev1.TolerationOpGt}))
		default:
			oneOf(&v, at(), "operator", t.Operator, corev1.TolerationOpEqual, corev1.TolerationOpExists)
		}
		switch t.Effect {
		case "", corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute:
		default:
			v.taintEffect(t.Effect, at())
		}
	}
	return v.errs
}

func (v *validator) taintEffect(e corev1.TaintEffect, p *field.Path) {
	if e == "" {
		v.required(p.Child("effect"), "")
		return
	}
	oneOf(v, p, "effect", e, corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute)
}

const (
	requiredDuringScheduling  = "requiredDuringSchedulingIgnoredDuringExecution"
	preferredDuringScheduling = "preferredDuringSchedulingIgnoredDuringExecution"
)

func (v *podValidator) affinity(p *field.Path) {
	a := v.spec.Affinity
	if a == nil {
		return
	}
	p = p.Child("affinity")
	if n := a.NodeAffinity; n != nil {
		at := p.Child("nodeAffinity")
		if n.RequiredDuringSchedulingIgnoredDuringExecution != nil {
			v.nodeSelector(n.RequiredDuringSchedulingIgnoredDuringExecution, at.Child(requiredDuringScheduling))
		}
		for i := range n.PreferredDuringSchedulingIgnoredDuringExecution {
			t := &n.PreferredDuringSchedulingIgnoredDuringExecution[i]
			at := at.Child(preferredDuringScheduling).Index(i)
			v.weight(t.Weight, at)
			v.nodeTerm(&t.Preference, false, at.Child("preference"))
		}
	}
	if n := a.PodAffinity; n != nil {
		v.podTerms(n.RequiredDuringSchedulingIgnoredDuringExecution, n.PreferredDuringSchedulingIgnoredDuringExecution, p.Child("podAffinity"))
	}
	if n := a.PodAntiAffinity; n != nil {
		v.podTerms(n.RequiredDuringSchedulingIgnoredDuringExecution, n.PreferredDuringSchedulingIgnoredDuringExecution, p.Child("podAntiAffinity"))
	}
}

func (v *validator) weight(w int32, p *field.Path) {
	if w <= 0 || w > 100 {
		v.invalid(p.Child("weight"), w, "must be in the range 1-100")
	}
}

func (v *validator) nodeSelector(s *corev1.NodeSelector, p *field.Path) {
	p = p.Child("nodeSelectorTerms")
	if len(s.NodeSelectorTerms) == 0 {
		v.required(p, "must have at least one node selector term")
	}
	for i := range s.NodeSelectorTerms {
		v.nodeTerm(&s.NodeSelectorTerms[i], true, p.Index(i))
	}
}

func (v *validator) nodeTerm(t *corev1.NodeSelectorTerm, values bool, p *field.Path) {
	for i, r := range t.MatchExpressions {
		at := p.Child("matchExpressions").Index(i)
		switch r.Operator {
		case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
			if len(r.Values) == 0 {
				v.required(at.Child("values"), "must be specified when `operator` is 'In' or 'NotIn'")
			}
		case corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist:
			if len(r.Values) > 0 {
				v.forbidden(at.Child("values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
			}
		case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
			if len(r.Values) != 1 {
				v.required(at.Child("values"), "must be specified single value when `operator` is 'Lt' or 'Gt'")
			}
		default:
			v.invalid(at.Child("operator"), r.Operator, "not a valid selector operator")
		}
		v.check(at, "key", r.Key, qualifiedName)
		if !values {
			continue
		}
		for j, value := range r.Values {
			for _, msg := range labelValue(value) {
				v.invalid(at.Child("values").Index(j), value, msg)
			}
		}
	}
	for i, r := range t.MatchFields {
		at := p.Child("matchFields").Index(i)
		switch r.Operator {
		case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
			if len(r.Values) != 1 {
				v.required(at.Child("values"), "must be only one value when `operator` is 'In' or 'NotIn' for node field selector")
			}
		default:
			v.invalid(at.Child("operator"), r.Operator, "not a valid selector operator")
		}
		if r.Key != metav1.ObjectNameField {
			v.invalid(at.Child("key"), r.Key, "not a valid field selector key")
			continue
		}
		for j, value := range r.Values {
			for _, msg := range dnsSubdomain(value) {
				v.invalid(at.Child("values").Index(j), value, msg)
			}
		}
	}
}

func (v *podValidator) podTerms(required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm, p *field.Path) {
	for i := range required {
		v.podTerm(&required[i], p.Child(requiredDuringScheduling).Index(i))
	}
	for i := range preferred {
		at := p.Child(preferredDuringScheduling).Index(i)
		v.weight(preferred[i].Weight, at)
		v.podTerm(&preferred[i].PodAffinityTerm, at.Child("podAffinityTerm"))
	}
}

func (v *podValidator) podTerm(t *corev1.PodAffinityTerm, p *field.Path) {
	v.add(validateSelector(t.LabelSelector, p.Child("labelSelector")))
	v.add(validateSelector(t.NamespaceSelector, p.Child("namespaceSelector")))
	for _, ns := range t.Namespaces {
		v.check(p, "namespace", ns, dnsLabel)
	}
	if t.TopologyKey == "" {
		v.required(p.Child("topologyKey"), "can not be empty")
	}
	v.check(p, "topologyKey", t.TopologyKey, qualifiedName)
}

func (v *podValidator) topologySpread(p *field.Path) {
	list := v.spec.TopologySpreadConstraints
	for i := range list {
		c := &list[i]
		at := p.Child("topologySpreadConstraints").Index(i)
		if c.MaxSkew <= 0 {
			v.invalid(at.Child("maxSkew"), int64(c.MaxSkew), notPositiveMessage)
		}
		if c.TopologyKey == "" {
			v.required(at.Child("topologyKey"), "can not be empty")
		}
		oneOf(&v.validator, at, "whenUnsatisfiable", c.WhenUnsatisfiable, corev1.DoNotSchedule, corev1.ScheduleAnyway)
		for j := i + 1; j < len(list); j++ {
			if list[j].TopologyKey == c.TopologyKey && list[j].WhenUnsatisfiable == c.WhenUnsatisfiable {
				v.duplicate(at.Child("{topologyKey, whenUnsatisfiable}"), fmt.Sprintf("{%v, %v}", c.TopologyKey, c.WhenUnsatisfiable))
				break
			}
		}
		if c.MinDomains != nil {
			if *c.MinDomains <= 0 {
				v.invalid(at.Child("minDomains"), int64(*c.MinDomains), notPositiveMessage)
			}
			if c.WhenUnsatisfiable != corev1.DoNotSchedule {
				v.invalid(at.Child("minDomains"), c.MinDomains, fmt.Sprintf("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not %s", c.WhenUnsatisfiable))
			}
		}
		if c.NodeAffinityPolicy != nil {
			oneOf(&v.validator, at, "nodeAffinityPolicy", *c.NodeAffinityPolicy, corev1.NodeInclusionPolicyHonor, corev1.NodeInclusionPolicyIgnore)
		}
		if c.NodeTaintsPolicy != nil {
			oneOf(&v.validator, at, "nodeTaintsPolicy", *c.NodeTaintsPolicy, corev1.NodeInclusionPolicyHonor, corev1.NodeInclusionPolicyIgnore)
		}
		v.add(validateSelector(c.LabelSelector, at.Child("labelSelector")))
	}
}
