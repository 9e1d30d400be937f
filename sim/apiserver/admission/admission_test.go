package admission

import (
	"bufio"
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"testing"
	"time"

	"github.com/kubonsai/kubonsai/sim/api"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	quantity "github.com/kubonsai/kubonsai/sim/api/resource"
	schedulingv1 "github.com/kubonsai/kubonsai/sim/api/scheduling/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/apiserver/resource"
)

// cluster is what the plugins see of the store.
type cluster map[string]metav1.Object

func (c cluster) put(resource string, obj metav1.Object) {
	m := obj.GetObjectMeta()
	c[resource+"/"+m.Namespace+"/"+m.Name] = obj
}

func newCluster() cluster {
	c := cluster{}
	for _, name := range []string{"default", "kube-system"} {
		c.put("namespaces", &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NamespaceStatus{Phase: corev1.NamespaceActive}})
		c.put("serviceaccounts", &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default", Namespace: name}})
	}
	return c
}

func (c cluster) context() *resource.Context {
	return &resource.Context{
		Now:    time.Unix(0, 0),
		Suffix: func(n int) string { return "abcde"[:n] },
		Get: func(resource, ns, name string) metav1.Object {
			if obj, ok := c[resource+"/"+ns+"/"+name]; ok {
				return obj
			}
			return nil
		},
		List: func(resource, ns string, visit func(metav1.Object)) {
			for k, obj := range c {
				m := obj.GetObjectMeta()
				if k == resource+"/"+m.Namespace+"/"+m.Name && (ns == "" || ns == m.Namespace) {
					visit(obj)
				}
			}
		},
	}
}

func (c cluster) attributes(operation, group, plural string, obj, old metav1.Object) *apiserver.Attributes {
	r := api.ByResource(group, plural)
	a := &apiserver.Attributes{Operation: operation, Kind: &apiserver.Kind{Resource: r, Key: r.GroupResource().String()}, Object: obj, Old: old, Context: c.context()}
	for _, o := range []metav1.Object{obj, old} {
		if o != nil {
			a.Name, a.Namespace = o.GetObjectMeta().Name, o.GetObjectMeta().Namespace
		}
	}
	if plural == "namespaces" {
		a.Namespace = a.Name
	}
	return a
}

func run(chain Chain, a *apiserver.Attributes) string {
	err := chain.Admit(a)
	if err == nil {
		err = chain.Validate(a)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

var tokenName = regexp.MustCompile(`kube-api-access-[a-z0-9]{5}`)

// Every first sight of a pod on a real server, from what was asked for.
func TestPodsOfARealServer(t *testing.T) {
	f, err := os.Open("testdata/pods.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	s := resource.For("pods")
	n := 0
	for lines.Scan() {
		n++
		var c struct {
			From        string
			Input, Want json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		pod := &corev1.Pod{}
		if err := json.Unmarshal(c.Input, pod); err != nil {
			t.Fatal(err)
		}
		pod.Namespace = "default"
		s.Default(pod)
		a := newCluster().attributes(apiserver.Create, "", "pods", pod, nil)
		if err := Default().Admit(a); err != nil {
			t.Errorf("%s %s: %v", c.From, pod.Name, err)
			continue
		}
		s.PrepareForCreate(a.Context, pod)
		if errs := s.Validate(a.Context, pod); len(errs) > 0 {
			t.Errorf("%s %s: %v", c.From, pod.Name, errs)
		}
		raw, _ := json.Marshal(pod)
		var got, want map[string]any
		json.Unmarshal(tokenName.ReplaceAll(raw, []byte("kube-api-access-x")), &got)
		json.Unmarshal(tokenName.ReplaceAll(c.Want, []byte("kube-api-access-x")), &want)
		for _, part := range []string{"spec", "status"} {
			if !reflect.DeepEqual(got[part], want[part]) {
				g, _ := json.MarshalIndent(got[part], "", " ")
				w, _ := json.MarshalIndent(want[part], "", " ")
				t.Errorf("%s: %s of %s:\n got %s\nwant %s", c.From, part, pod.Name, g, w)
			}
		}
	}
	if n == 0 {
		t.Fatal("no samples")
	}
}

func pod(ns, name string, change func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}}
	if change != nil {
		change(p)
	}
	return p
}

func TestRefusals(t *testing.T) {
	c := newCluster()
	c.put("namespaces", &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ending"}, Status: corev1.NamespaceStatus{Phase: corev1.NamespaceTerminating}})
	c.put("priorityclasses.scheduling.k8s.io", &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: "high"}, Value: 1000})
	for _, x := range []struct {
		name string
		a    *apiserver.Attributes
		want string
	}{
		{"fine", c.attributes(apiserver.Create, "", "pods", pod("default", "p", nil), nil), ""},
		{"missing namespace", c.attributes(apiserver.Create, "", "pods", pod("nowhere", "p", nil), nil), `namespaces "nowhere" not found`},
		{"ending namespace", c.attributes(apiserver.Create, "", "pods", pod("ending", "p", nil), nil),
			`pods "p" is forbidden: unable to create new content in namespace ending because it is being terminated`},
		{"default namespace", c.attributes(apiserver.Delete, "", "namespaces", nil, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "default"}}),
			`namespaces "default" is forbidden: this namespace may not be deleted`},
		{"no account", c.attributes(apiserver.Create, "", "pods", pod("default", "p", func(p *corev1.Pod) { p.Spec.ServiceAccountName = "x" }), nil),
			`pods "p" is forbidden: error looking up service account default/x: serviceaccount "x" not found`},
		{"no class", c.attributes(apiserver.Create, "", "pods", pod("default", "nopc", func(p *corev1.Pod) { p.Spec.PriorityClassName = "none" }), nil),
			`pods "nopc" is forbidden: no PriorityClass with name none was found`},
		{"priority given", c.attributes(apiserver.Create, "", "pods", pod("default", "p", func(p *corev1.Pod) { p.Spec.PriorityClassName, p.Spec.Priority = "high", new(int32(5)) }), nil),
			`pods "p" is forbidden: the integer value of priority (5) must not be provided in pod spec; priority admission controller computed 1000 from the given PriorityClass name`},
	} {
		if got := run(Default(), x.a); got != x.want {
			t.Errorf("%s:\n got %s\nwant %s", x.name, got, x.want)
		}
	}
}

func TestSharedTemplatesAreNotChanged(t *testing.T) {
	template := []corev1.Container{{Name: "c", Image: "i"}}
	for range 2 {
		p := pod("default", "p", func(p *corev1.Pod) { p.Spec.Containers = template })
		if got := run(Default(), newCluster().attributes(apiserver.Create, "", "pods", p, nil)); got != "" {
			t.Fatal(got)
		}
		if len(p.Spec.Containers[0].VolumeMounts) != 1 || len(template[0].VolumeMounts) != 0 {
			t.Fatalf("mounts: %v, template's: %v", p.Spec.Containers[0].VolumeMounts, template[0].VolumeMounts)
		}
	}
}

func quantities(pairs ...string) corev1.ResourceList {
	l := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		l[corev1.ResourceName(pairs[i])] = quantity.MustParse(pairs[i+1])
	}
	return l
}

// The scenario of testdata/transcripts/policies.
func TestLimitsAndQuota(t *testing.T) {
	c := newCluster()
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name, Namespace: "default"} }
	c.put("limitranges", &corev1.LimitRange{ObjectMeta: meta("limits"), Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
		Type: corev1.LimitTypeContainer, Default: quantities("cpu", "200m", "memory", "128Mi"), DefaultRequest: quantities("cpu", "100m", "memory", "64Mi"),
		Max: quantities("cpu", "500m"), Min: quantities("cpu", "50m")}}}})
	c.put("resourcequotas", &corev1.ResourceQuota{ObjectMeta: meta("small"), Spec: corev1.ResourceQuotaSpec{
		Hard: quantities("pods", "3", "requests.cpu", "1", "requests.memory", "1Gi", "count/configmaps", "3", "services", "1")}})
	for _, name := range []string{"a", "b", "c"} {
		p := pod("default", name, nil)
		if got := run(Default(), c.attributes(apiserver.Create, "", "pods", p, nil)); got != "" {
			t.Fatal(got)
		}
		if got := p.Annotations[limitRangerAnnotation]; got != "LimitRanger plugin set: cpu, memory request for container c; cpu, memory limit for container c" {
			t.Error(got)
		}
		c.put("pods", p)
		c.put("configmaps", &corev1.ConfigMap{ObjectMeta: meta(name)})
	}
	c.put("services", &corev1.Service{ObjectMeta: meta("a")})
	for _, x := range []struct {
		a    *apiserver.Attributes
		want string
	}{
		{c.attributes(apiserver.Create, "", "pods", pod("default", "web", nil), nil),
			`pods "web" is forbidden: exceeded quota: small, requested: pods=1, used: pods=3, limited: pods=3`},
		{c.attributes(apiserver.Create, "", "configmaps", &corev1.ConfigMap{ObjectMeta: meta("three")}, nil),
			`configmaps "three" is forbidden: exceeded quota: small, requested: count/configmaps=1, used: count/configmaps=3, limited: count/configmaps=3`},
		{c.attributes(apiserver.Create, "", "services", &corev1.Service{ObjectMeta: meta("b")}, nil),
			`services "b" is forbidden: exceeded quota: small, requested: services=1, used: services=1, limited: services=1`},
		{c.attributes(apiserver.Create, "", "pods", pod("default", "big", func(p *corev1.Pod) { p.Spec.Containers[0].Resources.Limits = quantities("cpu", "600m") }), nil),
			`pods "big" is forbidden: maximum cpu usage per Container is 500m, but limit is 600m`},
	} {
		if got := run(Default(), x.a); got != x.want {
			t.Errorf("got %s\nwant %s", got, x.want)
		}
	}
}

// BenchmarkCreatePod is the hot path of a scale-up: a pod of a complete template.
func BenchmarkCreatePod(b *testing.B) {
	c := newCluster()
	template := pod("default", "p", func(p *corev1.Pod) { p.Labels = map[string]string{"app": "web", "pod-template-hash": "846fc94774"} })
	s, chain := resource.For("pods"), Default()
	s.Default(template)
	a := c.attributes(apiserver.Create, "", "pods", template, nil)
	b.ReportAllocs()
	for b.Loop() {
		p := *template
		a.Object = &p
		s.Default(&p)
		if err := chain.Admit(a); err != nil {
			b.Fatal(err)
		}
		s.PrepareForCreate(a.Context, &p)
		if errs := s.Validate(a.Context, &p); len(errs) > 0 {
			b.Fatal(errs)
		}
		if err := chain.Validate(a); err != nil {
			b.Fatal(err)
		}
	}
}
