// What a container is given: its environment, user, volumes. The errors are
// the kubelet's own words.

package kubelet

import (
	"encoding/base64"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/api/resource"
	"github.com/kubonsai/kubonsai/sim/container"
	"github.com/kubonsai/kubonsai/sim/container/image"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

// config turns a container's spec into what the runtime needs.
func (k *Kubelet) config(p *pod, c *ctr, img *image.Image) (*container.Config, error) {
	spec := c.spec
	env, err := k.environment(p, spec)
	if err != nil {
		return nil, err
	}
	vars := map[string]string{}
	if expands(spec) {
		for _, kv := range env {
			n, v, _ := strings.Cut(kv, "=")
			vars[n] = v
		}
	}
	expand := func(list []string) []string {
		var out []string
		for _, s := range list {
			out = append(out, Expand(s, vars))
		}
		return out
	}
	cfg := &container.Config{Name: spec.Name, Image: img, Argv: img.Argv(expand(spec.Command), expand(spec.Args)), Env: env,
		Dir: spec.WorkingDir, UID: -1, GID: -1, Stdin: spec.Stdin, StdinOnce: spec.StdinOnce, TTY: spec.TTY, MessagePath: spec.TerminationMessagePath,
		MemoryLimit: spec.Resources.Limits.Memory().Value(), CPULimit: spec.Resources.Limits.Cpu().MilliValue()}
	if c.cur != nil {
		cfg.Attempt = c.cur.Attempt + 1
	}
	nonRoot := false
	if sc := p.obj.Spec.SecurityContext; sc != nil {
		if sc.RunAsUser != nil {
			cfg.UID = int(*sc.RunAsUser)
			cfg.GID = 0
		}
		if sc.RunAsGroup != nil {
			cfg.GID = int(*sc.RunAsGroup)
		}
		nonRoot = sc.RunAsNonRoot != nil && *sc.RunAsNonRoot
		if sc.FSGroup != nil {
			cfg.Groups = append(cfg.Groups, int(*sc.FSGroup))
		}
		for _, g := range sc.SupplementalGroups {
			cfg.Groups = append(cfg.Groups, int(g))
		}
	}
	if sc := spec.SecurityContext; sc != nil {
		if sc.RunAsUser != nil {
			cfg.UID = int(*sc.RunAsUser)
			cfg.GID = 0
		}
		if sc.RunAsGroup != nil {
			cfg.GID = int(*sc.RunAsGroup)
		}
		if sc.RunAsNonRoot != nil {
			nonRoot = *sc.RunAsNonRoot
		}
		cfg.ReadOnly = sc.ReadOnlyRootFilesystem != nil && *sc.ReadOnlyRootFilesystem
	}
	if nonRoot && (cfg.UID == 0 || cfg.UID < 0 && (img.User == "" || strings.HasPrefix(img.User, "0"))) {
		if cfg.UID == 0 {
			return nil, fmt.Errorf("container's runAsUser breaks non-root policy (pod: %q, container: %s)", p.obj.Name+"_"+p.obj.Namespace+"("+string(p.uid)+")", spec.Name)
		}
		return nil, fmt.Errorf("container has runAsNonRoot and image will run as root (pod: %q, container: %s)", p.obj.Name+"_"+p.obj.Namespace+"("+string(p.uid)+")", spec.Name)
	}
	for i := range spec.VolumeMounts {
		m := spec.VolumeMounts[i]
		v := p.volume(m.Name)
		if v == nil {
			continue
		}
		sub := m.SubPath
		if m.SubPathExpr != "" {
			sub = Expand(m.SubPathExpr, vars)
		}
		if v.base != "" {
			sub = strings.TrimSuffix(v.base+"/"+sub, "/")
		}
		cfg.Mounts = append(cfg.Mounts, container.Mount{Path: m.MountPath, SubPath: sub, ReadOnly: m.ReadOnly || v.readOnly, Source: func() *vfs.FS { return k.volumeFS(p, v) }})
	}
	slices.SortStableFunc(cfg.Mounts, func(a, b container.Mount) int { return len(a.Path) - len(b.Path) })
	if c.kind == ephemeralCtr {
		if t := p.ctr(p.obj.Spec.EphemeralContainers[c.index].TargetContainerName); t != nil {
			cfg.Target = t.cur
		}
	}
	return cfg, nil
}

// expands reports whether variables occur in what the container is given.
func expands(spec *corev1.Container) bool {
	dollar := func(s string) bool { return strings.Contains(s, "$") }
	return slices.ContainsFunc(spec.Command, dollar) || slices.ContainsFunc(spec.Args, dollar) ||
		slices.ContainsFunc(spec.VolumeMounts, func(m corev1.VolumeMount) bool { return m.SubPathExpr != "" })
}

// Expand replaces $(NAME) by the variable's value; unknown ones stay, and $$ is
// a dollar sign.
func Expand(s string, vars map[string]string) string {
	if !strings.Contains(s, "$") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '$' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		switch s[i+1] {
		case '$':
			b.WriteByte('$')
			i++
		case '(':
			j := strings.IndexByte(s[i:], ')')
			if j < 0 {
				b.WriteByte('$')
				continue
			}
			name := s[i+2 : i+j]
			if v, ok := vars[name]; ok {
				b.WriteString(v)
			} else {
				b.WriteString(s[i : i+j+1])
			}
			i += j
		default:
			b.WriteByte('$')
		}
	}
	return b.String()
}

// environment is the container's environment; later values win. It may be
// shared and must not be changed.
func (k *Kubelet) environment(p *pod, spec *corev1.Container) ([]string, error) {
	ns := p.obj.Namespace
	services := k.serviceEnv(p)
	if len(spec.EnvFrom)+len(spec.Env) == 0 {
		return services, nil
	}
	vars := map[string]string{}
	var names []string
	set := func(n, v string) {
		if _, ok := vars[n]; !ok {
			names = append(names, n)
		}
		vars[n] = v
	}
	for _, kv := range services {
		n, v, _ := strings.Cut(kv, "=")
		set(n, v)
	}
	for _, f := range spec.EnvFrom {
		switch {
		case f.ConfigMapRef != nil:
			cm, ok := k.configs.Get(ns, f.ConfigMapRef.Name)
			if !ok {
				if f.ConfigMapRef.Optional != nil && *f.ConfigMapRef.Optional {
					continue
				}
				return nil, fmt.Errorf("configmap %q not found", f.ConfigMapRef.Name)
			}
			for _, n := range slices.Sorted(maps.Keys(cm.Data)) {
				set(f.Prefix+n, cm.Data[n])
			}
		case f.SecretRef != nil:
			s, ok := k.secrets.Get(ns, f.SecretRef.Name)
			if !ok {
				if f.SecretRef.Optional != nil && *f.SecretRef.Optional {
					continue
				}
				return nil, fmt.Errorf("secret %q not found", f.SecretRef.Name)
			}
			for _, n := range slices.Sorted(maps.Keys(s.Data)) {
				set(f.Prefix+n, string(s.Data[n]))
			}
		}
	}
	for i := range spec.Env {
		e := &spec.Env[i]
		if e.ValueFrom == nil {
			set(e.Name, Expand(e.Value, vars))
			continue
		}
		v, ok, err := k.envSource(p, spec, e.ValueFrom)
		if err != nil {
			return nil, err
		}
		if ok {
			set(e.Name, v)
		}
	}
	out := make([]string, 0, len(names))
	for _, n := range names {
		out = append(out, n+"="+vars[n])
	}
	return out, nil
}

func (k *Kubelet) envSource(p *pod, spec *corev1.Container, src *corev1.EnvVarSource) (value string, ok bool, err error) {
	ns := p.obj.Namespace
	optional := func(o *bool) bool { return o != nil && *o }
	switch {
	case src.FieldRef != nil:
		v, err := k.field(p, src.FieldRef.FieldPath)
		return v, true, err
	case src.ResourceFieldRef != nil:
		v, err := k.resourceField(p, spec, src.ResourceFieldRef)
		return v, true, err
	case src.ConfigMapKeyRef != nil:
		r := src.ConfigMapKeyRef
		cm, found := k.configs.Get(ns, r.Name)
		if !found {
			if optional(r.Optional) {
				return "", false, nil
			}
			return "", false, fmt.Errorf("configmap %q not found", r.Name)
		}
		v, found := cm.Data[r.Key]
		if !found {
			if optional(r.Optional) {
				return "", false, nil
			}
			return "", false, fmt.Errorf("couldn't find key %s in ConfigMap %s/%s", r.Key, ns, r.Name)
		}
		return v, true, nil
	case src.SecretKeyRef != nil:
		r := src.SecretKeyRef
		s, found := k.secrets.Get(ns, r.Name)
		if !found {
			if optional(r.Optional) {
				return "", false, nil
			}
			return "", false, fmt.Errorf("secret %q not found", r.Name)
		}
		v, found := s.Data[r.Key]
		if !found {
			if optional(r.Optional) {
				return "", false, nil
			}
			return "", false, fmt.Errorf("couldn't find key %s in Secret %s/%s", r.Key, ns, r.Name)
		}
		return string(v), true, nil
	}
	return "", false, nil
}

// field is a field of the pod that the downward API offers.
func (k *Kubelet) field(p *pod, path string) (string, error) {
	o := p.obj
	if name, key, ok := strings.Cut(path, "['"); ok {
		key = strings.TrimSuffix(key, "']")
		switch name {
		case "metadata.labels":
			return o.Labels[key], nil
		case "metadata.annotations":
			return o.Annotations[key], nil
		}
	}
	format := func(m map[string]string) string {
		var lines []string
		for _, n := range slices.Sorted(maps.Keys(m)) {
			lines = append(lines, n+"="+strconv.Quote(m[n]))
		}
		return strings.Join(lines, "\n")
	}
	switch path {
	case "metadata.name":
		return o.Name, nil
	case "metadata.namespace":
		return o.Namespace, nil
	case "metadata.uid":
		return string(o.UID), nil
	case "metadata.labels":
		return format(o.Labels), nil
	case "metadata.annotations":
		return format(o.Annotations), nil
	case "spec.nodeName":
		return o.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return o.Spec.ServiceAccountName, nil
	case "status.hostIP", "status.hostIPs":
		return p.node.addr.String(), nil
	case "status.podIP", "status.podIPs":
		return p.ip.String(), nil
	}
	return "", fmt.Errorf("unsupported fieldPath: %v", path)
}

func (k *Kubelet) resourceField(p *pod, spec *corev1.Container, ref *corev1.ResourceFieldSelector) (string, error) {
	if ref.ContainerName != "" && ref.ContainerName != spec.Name {
		if c := p.ctr(ref.ContainerName); c != nil {
			spec = c.spec
		}
	}
	kind, name, _ := strings.Cut(ref.Resource, ".")
	list := spec.Resources.Requests
	if kind == "limits" {
		list = spec.Resources.Limits
	}
	q, ok := list[corev1.ResourceName(name)]
	if !ok && kind == "limits" {
		if n, found := k.nodesInf.Get("", p.node.Name); found {
			q = n.Status.Allocatable[corev1.ResourceName(name)]
		}
	}
	div := ref.Divisor
	if div.IsZero() {
		div = resource.MustParse("1")
	}
	if name == "cpu" {
		return strconv.FormatInt(int64(math.Ceil(float64(q.MilliValue())/float64(div.MilliValue()))), 10), nil
	}
	return strconv.FormatInt(int64(math.Ceil(float64(q.Value())/float64(div.Value()))), 10), nil
}

// serviceEnv are the variables for the services that exist now, by name.
func (k *Kubelet) serviceEnv(p *pod) []string {
	namespace := p.obj.Namespace
	if links := p.obj.Spec.EnableServiceLinks; links != nil && !*links {
		namespace = "" // none but the API server's
	}
	if v := k.services.Version(); v != k.serviceVersion {
		k.serviceVersion = v
		clear(k.serviceVars)
	}
	vars, ok := k.serviceVars[namespace]
	if !ok {
		all := k.serviceVariables(namespace)
		vars = make([]string, 0, len(all))
		for _, n := range slices.Sorted(maps.Keys(all)) {
			vars = append(vars, n+"="+all[n])
		}
		k.serviceVars[namespace] = vars
	}
	return vars
}

func (k *Kubelet) serviceVariables(namespace string) map[string]string {
	out := map[string]string{}
	add := func(s *corev1.Service) {
		if s.Spec.ClusterIP == "" || s.Spec.ClusterIP == "None" || len(s.Spec.Ports) == 0 {
			return
		}
		n := strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_"))
		ip := s.Spec.ClusterIP
		out[n+"_SERVICE_HOST"] = ip
		out[n+"_SERVICE_PORT"] = fmt.Sprint(s.Spec.Ports[0].Port)
		for i, sp := range s.Spec.Ports {
			if sp.Name != "" {
				out[n+"_SERVICE_PORT_"+strings.ToUpper(strings.ReplaceAll(sp.Name, "-", "_"))] = fmt.Sprint(sp.Port)
			}
			proto := strings.ToLower(string(sp.Protocol))
			url := fmt.Sprintf("%s://%s:%d", proto, ip, sp.Port)
			if i == 0 {
				out[n+"_PORT"] = url
			}
			pre := fmt.Sprintf("%s_PORT_%d_%s", n, sp.Port, strings.ToUpper(proto))
			out[pre], out[pre+"_PROTO"], out[pre+"_PORT"], out[pre+"_ADDR"] = url, proto, fmt.Sprint(sp.Port), ip
		}
	}
	if namespace != "" {
		k.services.Scan(namespace, func(s *corev1.Service) bool { add(s); return true })
	}
	if s, ok := k.services.Get("default", "kubernetes"); ok {
		add(s)
	}
	return out
}

// ── volumes ─────────────────────────────────────────────────────────────────

// volume is one volume of a pod; its tree is made when it is first looked at.
type volume struct {
	spec     *corev1.Volume
	fs       *vfs.FS
	base     string // a directory of the tree that is the volume's root
	readOnly bool
	stale    bool
}

type file struct {
	path string
	data []byte
	mode int32
}

// mountVolumes reports whether everything that the volumes need is there; if
// not it tries again later.
func (k *Kubelet) mountVolumes(p *pod) bool {
	for i := range p.obj.Spec.Volumes {
		spec := &p.obj.Spec.Volumes[i]
		if p.volume(spec.Name) != nil {
			continue
		}
		v := &volume{spec: spec}
		if err := k.checkVolume(p, v); err != nil {
			k.event(p, nil, 0, "Warning", "FailedMount", fmt.Sprintf("MountVolume.SetUp failed for volume %q : %s", spec.Name, err))
			p.mountTries++
			p.wake(min(500*time.Millisecond<<min(p.mountTries-1, 10), 122*time.Second))
			return false
		}
		p.vols = append(p.vols, v)
	}
	p.mounted = true
	return true
}

func (k *Kubelet) checkVolume(p *pod, v *volume) error {
	switch s := v.spec; {
	case s.ConfigMap != nil, s.Secret != nil, s.Projected != nil, s.DownwardAPI != nil:
		v.readOnly = true
		_, err := k.volumeFiles(p, v.spec, false)
		return err
	case s.HostPath != nil:
		v.base = s.HostPath.Path
		v.fs = k.hostFS(p.node)
		if t := s.HostPath.Type; t != nil && (*t == "Directory" || *t == "File" || *t == "Socket") {
			if _, err := v.fs.Stat(s.HostPath.Path); err != nil {
				return fmt.Errorf("hostPath type check failed: %s is not a %s", s.HostPath.Path, strings.ToLower(string(*t)))
			}
		}
	case s.PersistentVolumeClaim != nil, s.Ephemeral != nil:
		name := v.spec.Name
		if s.PersistentVolumeClaim != nil {
			name = s.PersistentVolumeClaim.ClaimName
			v.readOnly = s.PersistentVolumeClaim.ReadOnly
		} else {
			name = p.obj.Name + "-" + name
		}
		claim, ok := k.claims.Get(p.obj.Namespace, name)
		if !ok {
			return fmt.Errorf("persistentvolumeclaim %q not found", name)
		}
		if claim.Spec.VolumeName == "" {
			return fmt.Errorf("persistentvolumeclaim %q is not bound", name)
		}
		if dir := k.nodeDirOf(claim.Spec.VolumeName); dir != "" {
			v.fs, v.base = k.hostFS(p.node), dir
			return nil
		}
		v.fs = k.persistent(claim.Spec.VolumeName)
		p.ownVolume(v)
	}
	return nil
}

func (k *Kubelet) persistent(name string) *vfs.FS {
	f := k.volumes[name]
	if f == nil {
		if strings.HasPrefix(name, hostPrefix) {
			f = k.nodeRoot()
		} else {
			f = vfs.New(k.Clock.Now)
			_ = f.Chmod("/", 0o777)
		}
		f.SetLimit(k.Runtime.FileLimit)
		k.volumes[name] = f
	}
	return f
}

func (k *Kubelet) volumeFS(p *pod, v *volume) *vfs.FS {
	if v.fs != nil {
		return v.fs
	}
	v.fs = vfs.New(k.Clock.Now)
	v.fs.SetLimit(k.Runtime.FileLimit)
	_ = v.fs.Chmod("/", 0o777)
	if e := v.spec.EmptyDir; e != nil && e.Medium == "Memory" && e.SizeLimit != nil {
		v.fs.SetLimit(e.SizeLimit.Value())
		if most := k.Runtime.FileLimit; most > 0 && most < v.fs.Limit() {
			v.fs.SetLimit(most)
		}
	}
	if v.spec.EmptyDir != nil {
		v.fs.OnGrow(func(delta int64) error { p.emptyDirGrew(v, delta); return nil })
	}
	p.ownVolume(v)
	k.fill(p, v)
	return v.fs
}

// fsGroup is the group that owns the pod's volumes.
func (p *pod) fsGroup() *int64 {
	if sc := p.obj.Spec.SecurityContext; sc != nil {
		return sc.FSGroup
	}
	return nil
}

// ownVolume gives a volume to the pod's fsGroup; what is made in it follows.
// https://kubernetes.io/docs/tasks/configure-pod-container/security-context/
func (p *pod) ownVolume(v *volume) {
	if g := p.fsGroup(); g != nil {
		_ = v.fs.Chmod("/", 0o777|fs.ModeSetgid)
		_ = v.fs.Chown("/", -1, int(*g))
	}
}

// fill writes a projected volume's files as the kubelet does: a dated directory
// behind a link, so that all of them change at once.
func (k *Kubelet) fill(p *pod, v *volume) {
	files, err := k.volumeFiles(p, v.spec, true)
	if err != nil || files == nil {
		return
	}
	f := v.fs
	old, _ := f.Readlink("/..data")
	dir := k.Clock.Now().Format("..2006_01_02_15_04_05.") + strconv.Itoa(k.Clock.Now().Nanosecond()/10)
	if dir == old {
		dir += "1"
	}
	tops := map[string]bool{}
	for _, x := range files {
		full := "/" + dir + "/" + x.path
		_ = f.MkdirAll(full[:strings.LastIndex(full, "/")], 0o755)
		_ = f.WriteFile(full, x.data, 0o600)
		if p.fsGroup() != nil {
			x.mode |= 0o440
		}
		_ = f.Chmod(full, fsMode(x.mode))
		top, _, _ := strings.Cut(x.path, "/")
		tops[top] = true
	}
	_ = f.Remove("/..data")
	_ = f.Symlink(dir, "/..data")
	for _, t := range slices.Sorted(maps.Keys(tops)) {
		if _, err := f.Readlink("/" + t); err != nil {
			_ = f.Symlink("..data/"+t, "/"+t)
		}
	}
	if list, err := f.ReadDir("/"); err == nil {
		for _, e := range list {
			if !tops[e.Name()] && !strings.HasPrefix(e.Name(), "..") {
				_ = f.Remove("/" + e.Name())
			}
		}
	}
	if old != "" {
		_ = f.RemoveAll("/" + old)
	}
}

// volumeFiles are the files of a volume that the API's objects give; nil for
// other volumes. Tokens are signed only if they are wanted: few pods look at theirs.
func (k *Kubelet) volumeFiles(p *pod, spec *corev1.Volume, tokens bool) ([]file, error) {
	mode := func(m *int32) int32 {
		if m != nil {
			return *m
		}
		return 0o644
	}
	var out []file
	var err error
	switch {
	case spec.ConfigMap != nil:
		s := spec.ConfigMap
		out, err = k.configFiles(p, s.Name, s.Items, s.Optional, mode(s.DefaultMode))
	case spec.Secret != nil:
		s := spec.Secret
		out, err = k.secretFiles(p, s.SecretName, s.Items, s.Optional, mode(s.DefaultMode))
	case spec.DownwardAPI != nil:
		out, err = k.downwardFiles(p, spec.DownwardAPI.Items, mode(spec.DownwardAPI.DefaultMode))
	case spec.Projected != nil:
		m := mode(spec.Projected.DefaultMode)
		for _, src := range spec.Projected.Sources {
			var part []file
			switch {
			case src.ConfigMap != nil:
				part, err = k.configFiles(p, src.ConfigMap.Name, src.ConfigMap.Items, src.ConfigMap.Optional, m)
			case src.Secret != nil:
				part, err = k.secretFiles(p, src.Secret.Name, src.Secret.Items, src.Secret.Optional, m)
			case src.DownwardAPI != nil:
				part, err = k.downwardFiles(p, src.DownwardAPI.Items, m)
			case src.ServiceAccountToken != nil:
				part = []file{{path: src.ServiceAccountToken.Path, mode: m}}
				if tokens {
					part[0].data = []byte(k.token(p, src.ServiceAccountToken))
				}
			}
			if err != nil {
				return nil, err
			}
			out = append(out, part...)
		}
	default:
		return nil, nil
	}
	if out == nil {
		out = []file{}
	}
	return out, err
}

func (k *Kubelet) token(p *pod, projection *corev1.ServiceAccountTokenProjection) string {
	if k.Token != nil {
		return k.Token(p.obj, projection)
	}
	e := base64.RawURLEncoding.EncodeToString
	return e([]byte(`{"alg":"RS256","kid":"kubonsai"}`)) + "." + e([]byte(`{"sub":"system:serviceaccount:`+p.obj.Namespace+":"+p.obj.Spec.ServiceAccountName+`"}`)) + "." + e([]byte("not a signature"))
}

func pick(data map[string][]byte, items []corev1.KeyToPath, optional bool, m int32) ([]file, error) {
	out := []file{}
	if len(items) == 0 {
		for n, d := range data {
			out = append(out, file{n, d, m})
		}
		sort.Slice(out, func(i, j int) bool { return out[i].path < out[j].path })
		return out, nil
	}
	for _, it := range items {
		d, ok := data[it.Key]
		if !ok {
			if optional {
				continue
			}
			return nil, fmt.Errorf("references non-existent config key: %s", it.Key)
		}
		f := file{it.Path, d, m}
		if it.Mode != nil {
			f.mode = *it.Mode
		}
		out = append(out, f)
	}
	return out, nil
}

func (k *Kubelet) configFiles(p *pod, name string, items []corev1.KeyToPath, optional *bool, m int32) ([]file, error) {
	opt := optional != nil && *optional
	cm, ok := k.configs.Get(p.obj.Namespace, name)
	if !ok {
		if opt {
			return []file{}, nil
		}
		return nil, fmt.Errorf("configmap %q not found", name)
	}
	data := map[string][]byte{}
	for n, v := range cm.Data {
		data[n] = []byte(v)
	}
	maps.Copy(data, cm.BinaryData)
	out, err := pick(data, items, opt, m)
	if err != nil {
		err = fmt.Errorf("configmap %s", err)
	}
	return out, err
}

func (k *Kubelet) secretFiles(p *pod, name string, items []corev1.KeyToPath, optional *bool, m int32) ([]file, error) {
	opt := optional != nil && *optional
	s, ok := k.secrets.Get(p.obj.Namespace, name)
	if !ok {
		if opt {
			return []file{}, nil
		}
		return nil, fmt.Errorf("secret %q not found", name)
	}
	out, err := pick(s.Data, items, opt, m)
	if err != nil {
		err = fmt.Errorf("%s", strings.Replace(err.Error(), "config key", "secret key", 1))
	}
	return out, err
}

func (k *Kubelet) downwardFiles(p *pod, items []corev1.DownwardAPIVolumeFile, m int32) ([]file, error) {
	out := []file{}
	for i := range items {
		it := &items[i]
		f := file{path: it.Path, mode: m}
		if it.Mode != nil {
			f.mode = *it.Mode
		}
		switch {
		case it.FieldRef != nil:
			v, err := k.field(p, it.FieldRef.FieldPath)
			if err != nil {
				return nil, err
			}
			f.data = []byte(v)
		case it.ResourceFieldRef != nil:
			v, err := k.resourceField(p, &p.obj.Spec.Containers[0], it.ResourceFieldRef)
			if err != nil {
				return nil, err
			}
			f.data = []byte(v)
		}
		out = append(out, f)
	}
	return out, nil
}

// sourceChanged brings mounted files up to date after the kubelet's sync delay.
func (k *Kubelet) sourceChanged(kind, namespace, name string) {
	var keys []string // of the pods concerned, which are few
	look := func(key string, p *pod) {
		if p == nil || p.obj.Namespace != namespace || p.finished {
			return
		}
		for _, v := range p.vols {
			if v.fs != nil && !v.stale && refersTo(p, v.spec, kind, name) {
				keys = append(keys, key)
				return
			}
		}
	}
	if kind == "pod" {
		key := namespace + "/" + name
		look(key, k.byKey[key])
	} else {
		for key, p := range k.byKey {
			look(key, p)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		p := k.byKey[key]
		byName := func(a, b *volume) int { return strings.Compare(a.spec.Name, b.spec.Name) }
		for _, v := range slices.SortedFunc(slices.Values(p.vols), byName) {
			if v.fs == nil || v.stale || !refersTo(p, v.spec, kind, name) {
				continue
			}
			v.stale = true
			k.Clock.After(10*time.Second+k.jitter(0, 0)+time.Duration(k.rand.IntN(60))*time.Second, "volume sync "+key, func() {
				v.stale = false
				if p.removed || p.finished {
					return
				}
				k.fill(p, v)
				for _, c := range p.all() {
					p.probeEvent(c)
				}
			})
		}
	}
}

func refersTo(p *pod, s *corev1.Volume, kind, name string) bool {
	if kind == "pod" {
		return p.obj.Name == name && (s.DownwardAPI != nil || s.Projected != nil && slices.ContainsFunc(s.Projected.Sources, func(x corev1.VolumeProjection) bool { return x.DownwardAPI != nil && len(x.DownwardAPI.Items) > 1 }))
	}
	if kind == "configmap" {
		return s.ConfigMap != nil && s.ConfigMap.Name == name || s.Projected != nil && slices.ContainsFunc(s.Projected.Sources, func(x corev1.VolumeProjection) bool {
			return x.ConfigMap != nil && x.ConfigMap.Name == name
		})
	}
	return s.Secret != nil && s.Secret.SecretName == name || s.Projected != nil && slices.ContainsFunc(s.Projected.Sources, func(x corev1.VolumeProjection) bool {
		return x.Secret != nil && x.Secret.Name == name
	})
}
