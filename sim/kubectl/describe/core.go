// The pages of the core group's other kinds: Namespace, Service, ServiceAccount,
// ConfigMap, Secret, ResourceQuota, LimitRange, PersistentVolumeClaim; and of
// PodDisruptionBudget, PriorityClass, CertificateSigningRequest, roles and
// their bindings.

package describe

import (
	"fmt"
	"net"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	certificatesv1 "github.com/kubonsai/kubonsai/sim/api/certificates/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	discoveryv1 "github.com/kubonsai/kubonsai/sim/api/discovery/v1"
	"github.com/kubonsai/kubonsai/sim/api/intstr"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	policyv1 "github.com/kubonsai/kubonsai/sim/api/policy/v1"
	rbacv1 "github.com/kubonsai/kubonsai/sim/api/rbac/v1"
	schedulingv1 "github.com/kubonsai/kubonsai/sim/api/scheduling/v1"
	"github.com/kubonsai/kubonsai/sim/pki"
)

func init() {
	register("", "Namespace", namespace)
	register("", "Service", service)
	register("", "ServiceAccount", serviceAccount)
	register("", "ConfigMap", configMap)
	register("", "Secret", secret)
	register("", "ResourceQuota", resourceQuota)
	register("", "LimitRange", limitRange)
	register("", "PersistentVolumeClaim", persistentVolumeClaim)
	register("policy", "PodDisruptionBudget", podDisruptionBudget)
	register("scheduling.k8s.io", "PriorityClass", priorityClass)
	register("certificates.k8s.io", "CertificateSigningRequest", signingRequest)
	register("rbac.authorization.k8s.io", "Role", func(p *page, o *rbacv1.Role) error { return p.role(o, o.Rules) })
	register("rbac.authorization.k8s.io", "ClusterRole", func(p *page, o *rbacv1.ClusterRole) error { return p.role(o, o.Rules) })
	register("rbac.authorization.k8s.io", "RoleBinding", func(p *page, o *rbacv1.RoleBinding) error { return p.binding(o, o.RoleRef, o.Subjects) })
	register("rbac.authorization.k8s.io", "ClusterRoleBinding", func(p *page, o *rbacv1.ClusterRoleBinding) error {
		return p.binding(o, o.RoleRef, o.Subjects)
	})
}

func namespace(p *page, o *corev1.Namespace) error {
	p.line(0, "Name:\t%s", o.Name)
	p.labels(0, "Labels", o.Labels)
	p.annotations(0, "Annotations", o.Annotations)
	p.line(0, "Status:\t%s", o.Status.Phase)
	if len(o.Status.Conditions) > 0 {
		p.line(0, "Conditions:")
		p.line(1, "Type\tStatus\tLastTransitionTime\tReason\tMessage")
		p.line(1, "----\t------\t------------------\t------\t-------")
		for _, c := range o.Status.Conditions {
			p.line(1, "%v\t%v\t%s\t%v\t%v", c.Type, c.Status, stamp(c.LastTransitionTime.Time), c.Reason, c.Message)
		}
	}
	quotas, err := p.List("", "resourcequotas", o.Name, nil)
	if err != nil {
		return err
	}
	p.line(0, "")
	if len(quotas) == 0 {
		p.line(0, "No resource quota.")
	} else {
		p.line(0, "Resource Quotas")
		sort.SliceStable(quotas, func(i, j int) bool { return quotas[i].GetObjectMeta().Name < quotas[j].GetObjectMeta().Name })
		for _, q := range quotas {
			if q, ok := q.(*corev1.ResourceQuota); ok {
				p.line(1, "Name:\t%s", q.Name)
				p.scopes(1, "* ", q)
				p.line(1, "Resource\tUsed\tHard")
				p.line(1, "--------\t---\t---")
				for _, n := range resourceNames(q.Status.Hard) {
					p.line(1, "%s\t%s\t%s", n, quantity(q.Status.Used, n), quantity(q.Status.Hard, n))
				}
			}
		}
	}
	limits, err := p.List("", "limitranges", o.Name, nil)
	if err != nil {
		return err
	}
	p.line(0, "")
	if len(limits) == 0 {
		p.line(0, "No LimitRange resource.")
		return nil
	}
	p.line(0, "Resource Limits")
	p.line(0, " Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio")
	p.line(0, " ----\t--------\t---\t---\t---------------\t-------------\t-----------------------")
	for _, l := range limits {
		if l, ok := l.(*corev1.LimitRange); ok {
			p.limits(" ", l.Spec.Limits)
		}
	}
	return nil
}

var scopeHelp = map[corev1.ResourceQuotaScope]string{
	"Terminating":    "Matches all pods that have an active deadline. These pods have a limited lifespan on a node before being actively terminated by the system.",
	"NotTerminating": "Matches all pods that do not have an active deadline. These pods usually include long running pods whose container command is not expected to terminate.",
	"BestEffort":     "Matches all pods that do not have resource requirements set. These pods have a best effort quality of service.",
	"NotBestEffort":  "Matches all pods that have at least one resource requirement set. These pods have a burstable or guaranteed quality of service.",
}

func (p *page) scopes(level int, bullet string, q *corev1.ResourceQuota) {
	if len(q.Spec.Scopes) == 0 {
		return
	}
	var names []string
	for _, s := range q.Spec.Scopes {
		names = append(names, string(s))
	}
	sort.Strings(names)
	p.line(level, "Scopes:\t%s", strings.Join(names, ", "))
	for _, n := range names {
		if help := scopeHelp[corev1.ResourceQuotaScope(n)]; help != "" {
			p.line(level, "%s%s", bullet, help)
		}
	}
}

func resourceQuota(p *page, o *corev1.ResourceQuota) error {
	p.head(&o.ObjectMeta)
	p.scopes(0, " * ", o)
	p.line(0, "Resource\tUsed\tHard")
	p.line(0, "--------\t----\t----")
	for _, n := range resourceNames(o.Status.Hard) {
		hard, used := o.Status.Hard[n], o.Status.Used[n]
		if used.Format != hard.Format {
			used = used.DeepCopy()
			used.Format = hard.Format
		}
		p.line(0, "%v\t%v\t%v", n, used.String(), hard.String())
	}
	return nil
}

func (p *page) limits(prefix string, items []corev1.LimitRangeItem) {
	for _, it := range items {
		all := corev1.ResourceList{}
		columns := []corev1.ResourceList{it.Min, it.Max, it.DefaultRequest, it.Default, it.MaxLimitRequestRatio}
		for _, c := range columns {
			for n, q := range c {
				all[n] = q
			}
		}
		for _, n := range resourceNames(all) {
			cells := []string{prefix + string(it.Type), string(n)}
			for _, c := range columns {
				text := "-"
				if q, ok := c[n]; ok {
					text = q.String()
				}
				cells = append(cells, text)
			}
			p.line(0, "%s", strings.Join(cells, "\t"))
		}
	}
}

func limitRange(p *page, o *corev1.LimitRange) error {
	p.head(&o.ObjectMeta)
	p.line(0, "Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio")
	p.line(0, "----\t--------\t---\t---\t---------------\t-------------\t-----------------------")
	p.limits("", o.Spec.Limits)
	return nil
}

func service(p *page, o *corev1.Service) error {
	s := &o.Spec
	p.head(&o.ObjectMeta)
	p.labels(0, "Labels", o.Labels)
	p.annotations(0, "Annotations", o.Annotations)
	p.line(0, "Selector:\t%s", formatLabels(s.Selector))
	p.line(0, "Type:\t%s", s.Type)
	if s.IPFamilyPolicy != nil {
		p.line(0, "IP Family Policy:\t%s", *s.IPFamilyPolicy)
	}
	var families []string
	for _, f := range s.IPFamilies {
		families = append(families, string(f))
	}
	p.line(0, "IP Families:\t%s", orNone(strings.Join(families, ",")))
	p.line(0, "IP:\t%s", s.ClusterIP)
	p.line(0, "IPs:\t%s", orNone(strings.Join(s.ClusterIPs, ",")))
	if len(s.ExternalIPs) > 0 {
		p.line(0, "External IPs:\t%v", strings.Join(s.ExternalIPs, ","))
	}
	if s.LoadBalancerIP != "" {
		p.line(0, "Desired LoadBalancer IP:\t%s", s.LoadBalancerIP)
	}
	if s.ExternalName != "" {
		p.line(0, "External Name:\t%s", s.ExternalName)
	}
	if in := o.Status.LoadBalancer.Ingress; len(in) > 0 {
		var at []string
		for _, i := range in {
			text := i.IP
			if text == "" {
				text = i.Hostname
			}
			if i.IPMode != nil {
				text += fmt.Sprintf(" (%s)", *i.IPMode)
			}
			at = append(at, text)
		}
		p.line(0, "LoadBalancer Ingress:\t%s", strings.Join(at, ", "))
	}
	slices, err := p.List("discovery.k8s.io", "endpointslices", o.Namespace, url.Values{"labelSelector": {"kubernetes.io/service-name=" + o.Name}})
	if err != nil {
		slices = nil
	}
	for _, sp := range s.Ports {
		name := sp.Name
		if name == "" {
			name = "<unset>"
		}
		p.line(0, "Port:\t%s\t%d/%s", name, sp.Port, sp.Protocol)
		if sp.TargetPort.Type == intstr.Int {
			p.line(0, "TargetPort:\t%d/%s", sp.TargetPort.IntVal, sp.Protocol)
		} else {
			p.line(0, "TargetPort:\t%s/%s", sp.TargetPort.StrVal, sp.Protocol)
		}
		if sp.AppProtocol != nil {
			p.line(0, "AppProtocol:\t%s", *sp.AppProtocol)
		}
		if sp.NodePort != 0 {
			p.line(0, "NodePort:\t%s\t%d/%s", name, sp.NodePort, sp.Protocol)
		}
		p.line(0, "Endpoints:\t%s", endpoints(slices, sp.Name))
	}
	p.line(0, "Session Affinity:\t%s", s.SessionAffinity)
	if s.ExternalTrafficPolicy != "" {
		p.line(0, "External Traffic Policy:\t%s", s.ExternalTrafficPolicy)
	}
	if s.InternalTrafficPolicy != nil {
		p.line(0, "Internal Traffic Policy:\t%s", *s.InternalTrafficPolicy)
	}
	if s.HealthCheckNodePort != 0 {
		p.line(0, "HealthCheck NodePort:\t%d", s.HealthCheckNodePort)
	}
	if len(s.LoadBalancerSourceRanges) > 0 {
		p.line(0, "LoadBalancer Source Ranges:\t%v", strings.Join(s.LoadBalancerSourceRanges, ","))
	}
	if s.TrafficDistribution != nil {
		p.line(0, "Traffic Distribution:\t%s", *s.TrafficDistribution)
	}
	p.showEvents(p.eventsOf(o, "Service"))
	return nil
}

// endpoints lists the ready addresses behind a port, three of them at most.
func endpoints(slices []metav1.Object, port string) string {
	if len(slices) == 0 {
		return "<none>"
	}
	var all []string
	ready := func(e *discoveryv1.Endpoint) bool { return e.Conditions.Ready == nil || *e.Conditions.Ready }
	for _, o := range slices {
		s, ok := o.(*discoveryv1.EndpointSlice)
		if !ok {
			continue
		}
		if len(s.Ports) == 0 {
			for i := range s.Endpoints {
				if ready(&s.Endpoints[i]) && len(s.Endpoints[i].Addresses) > 0 {
					all = append(all, s.Endpoints[i].Addresses[0])
				}
			}
		}
		for _, sp := range s.Ports {
			name := ""
			if sp.Name != nil {
				name = *sp.Name
			}
			if name != port || sp.Port == nil {
				continue
			}
			for i := range s.Endpoints {
				if ready(&s.Endpoints[i]) && len(s.Endpoints[i].Addresses) > 0 {
					all = append(all, net.JoinHostPort(s.Endpoints[i].Addresses[0], strconv.Itoa(int(*sp.Port))))
				}
			}
		}
	}
	if len(all) > 3 {
		return fmt.Sprintf("%s + %d more...", strings.Join(all[:3], ","), len(all)-3)
	}
	return strings.Join(all, ",")
}

func serviceAccount(p *page, o *corev1.ServiceAccount) error {
	p.head(&o.ObjectMeta)
	p.labels(0, "Labels", o.Labels)
	p.annotations(0, "Annotations", o.Annotations)
	head := "Image pull secrets:"
	if len(o.ImagePullSecrets) == 0 {
		p.line(0, "%s\t<none>", head)
	}
	for _, s := range o.ImagePullSecrets {
		p.line(0, "%s\t%s", head, s.Name)
		head = strings.Repeat(" ", len(head))
	}
	p.showEvents(p.eventsOf(o, "ServiceAccount"))
	return nil
}

func configMap(p *page, o *corev1.ConfigMap) error {
	p.head(&o.ObjectMeta)
	p.labels(0, "Labels", o.Labels)
	p.annotations(0, "Annotations", o.Annotations)
	p.text(0, "\nData\n====\n")
	for _, k := range sorted(o.Data) {
		p.text(0, "%s:\n----\n%s\n\n", k, o.Data[k])
	}
	p.text(0, "\nBinaryData\n====\n")
	keys := make([]string, 0, len(o.BinaryData))
	for k := range o.BinaryData {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		p.line(0, "%s: %d bytes", k, len(o.BinaryData[k]))
	}
	p.line(0, "")
	p.showEvents(p.eventsOf(o, "ConfigMap"))
	return nil
}

func secret(p *page, o *corev1.Secret) error {
	p.head(&o.ObjectMeta)
	p.labels(0, "Labels", o.Labels)
	p.annotations(0, "Annotations", o.Annotations)
	p.text(0, "\nType:\t%s\n", o.Type)
	p.text(0, "\nData\n====\n")
	keys := make([]string, 0, len(o.Data))
	for k := range o.Data {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		if k == "token" && o.Type == "kubernetes.io/service-account-token" {
			p.line(0, "%s:\t%s", k, o.Data[k])
		} else {
			p.line(0, "%s:\t%d bytes", k, len(o.Data[k]))
		}
	}
	return nil
}

func accessModes(ms []corev1.PersistentVolumeAccessMode) string {
	short := map[corev1.PersistentVolumeAccessMode]string{"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
	var out []string
	for _, m := range []corev1.PersistentVolumeAccessMode{"ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"} {
		for _, has := range ms {
			if has == m {
				out = append(out, short[m])
				break
			}
		}
	}
	return strings.Join(out, ",")
}

func persistentVolumeClaim(p *page, o *corev1.PersistentVolumeClaim) error {
	p.head(&o.ObjectMeta)
	class := o.Annotations["volume.beta.kubernetes.io/storage-class"]
	if class == "" && o.Spec.StorageClassName != nil {
		class = *o.Spec.StorageClassName
	}
	p.line(0, "StorageClass:\t%s", class)
	if o.DeletionTimestamp != nil {
		p.line(0, "Status:\tTerminating (lasts %s)", p.since(o.DeletionTimestamp.Time))
	} else {
		p.line(0, "Status:\t%v", o.Status.Phase)
	}
	p.line(0, "Volume:\t%s", o.Spec.VolumeName)
	p.labels(0, "Labels", o.Labels)
	p.annotations(0, "Annotations", o.Annotations)
	p.line(0, "Finalizers:\t%v", o.Finalizers)
	capacity, modes := "", ""
	if o.Spec.VolumeName != "" {
		capacity, modes = quantity(o.Status.Capacity, "storage"), accessModes(o.Status.AccessModes)
	}
	p.line(0, "Capacity:\t%s", capacity)
	p.line(0, "Access Modes:\t%s", modes)
	if o.Spec.VolumeMode != nil {
		p.line(0, "VolumeMode:\t%v", *o.Spec.VolumeMode)
	}
	if d := o.Spec.DataSource; d != nil {
		p.line(0, "DataSource:")
		if d.APIGroup != nil {
			p.line(1, "APIGroup:\t%v", *d.APIGroup)
		}
		p.line(1, "Kind:\t%v", d.Kind)
		p.line(1, "Name:\t%v", d.Name)
	}
	var users []string
	pods, _ := p.List("", "pods", o.Namespace, nil)
	for _, x := range pods {
		pod, ok := x.(*corev1.Pod)
		if !ok {
			continue
		}
		for _, v := range pod.Spec.Volumes {
			if v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName == o.Name {
				users = append(users, pod.Name)
				break
			}
		}
	}
	sort.Strings(users)
	p.rows(0, "Used By", users)
	p.showEvents(p.eventsOf(o, "PersistentVolumeClaim"))
	return nil
}

func podDisruptionBudget(p *page, o *policyv1.PodDisruptionBudget) error {
	p.head(&o.ObjectMeta)
	if o.Spec.MinAvailable != nil {
		p.line(0, "Min available:\t%s", o.Spec.MinAvailable.String())
	} else if o.Spec.MaxUnavailable != nil {
		p.line(0, "Max unavailable:\t%s", o.Spec.MaxUnavailable.String())
	}
	selector := "<unset>"
	if o.Spec.Selector != nil {
		selector = metav1.FormatLabelSelector(o.Spec.Selector)
	}
	p.line(0, "Selector:\t%s", selector)
	p.line(0, "Status:")
	p.line(2, "Allowed disruptions:\t%d", o.Status.DisruptionsAllowed)
	p.line(2, "Current:\t%d", o.Status.CurrentHealthy)
	p.line(2, "Desired:\t%d", o.Status.DesiredHealthy)
	p.line(2, "Total:\t%d", o.Status.ExpectedPods)
	p.showEvents(p.eventsOf(o, "PodDisruptionBudget"))
	return nil
}

func priorityClass(p *page, o *schedulingv1.PriorityClass) error {
	policy := "PreemptLowerPriority"
	if o.PreemptionPolicy != nil {
		policy = string(*o.PreemptionPolicy)
	}
	p.line(0, "Name:\t%s", o.Name)
	p.line(0, "Value:\t%v", o.Value)
	p.line(0, "GlobalDefault:\t%v", o.GlobalDefault)
	p.line(0, "PreemptionPolicy:\t%s", policy)
	p.line(0, "Description:\t%s", o.Description)
	p.line(0, "Annotations:\t%s", formatLabels(o.Annotations))
	p.showEvents(p.eventsOf(o, "PriorityClass"))
	return nil
}

func signingRequest(p *page, o *certificatesv1.CertificateSigningRequest) error {
	request, err := pki.ParseRequest(o.Spec.Request)
	if err != nil {
		return fmt.Errorf("Error parsing CSR: %v", err)
	}
	status := ""
	for _, c := range o.Status.Conditions {
		if c.Type == certificatesv1.CertificateDenied || c.Type == certificatesv1.CertificateApproved && status == "" {
			status = string(c.Type)
		}
	}
	if status == "" {
		status = "Pending"
	}
	for _, c := range o.Status.Conditions {
		if c.Type == certificatesv1.CertificateFailed {
			status += ",Failed"
		}
	}
	if len(o.Status.Certificate) > 0 {
		status += ",Issued"
	}
	p.line(0, "Name:\t%s", o.Name)
	p.line(0, "Labels:\t%s", formatLabels(o.Labels))
	p.line(0, "Annotations:\t%s", formatLabels(o.Annotations))
	p.line(0, "CreationTimestamp:\t%s", stamp(o.CreationTimestamp.Time))
	p.line(0, "Requesting User:\t%s", o.Spec.Username)
	if o.Spec.SignerName != "" {
		p.line(0, "Signer:\t%s", o.Spec.SignerName)
	}
	if s := o.Spec.ExpirationSeconds; s != nil {
		p.line(0, "Requested Duration:\t%s", duration.HumanDuration(time.Duration(*s)*time.Second))
	}
	p.line(0, "Status:\t%s", status)
	list := func(name string, values []string) {
		if len(values) > 0 {
			p.line(0, "\t%s:\t%s", name, strings.Join(values, "\n\t\t"))
		}
	}
	common, _ := request.Name()
	p.line(0, "Subject:")
	p.line(0, "\tCommon Name:\t%s", common)
	p.line(0, "\tSerial Number:\t")
	for _, part := range [][2]string{{"Organization", "O"}, {"Organizational Unit", "OU"}, {"Country", "C"}, {"Locality", "L"}, {"Province", "ST"}} {
		list(part[0], request.NameParts(part[1]))
	}
	if n := request.Names; len(n.Texts()) > 0 {
		p.line(0, "Subject Alternative Names:")
		list("DNS Names", n.DNS)
		list("Email Addresses", n.Emails)
		list("URIs", n.URIs)
		var addresses []string
		for _, a := range n.Addresses {
			addresses = append(addresses, a.String())
		}
		list("IP Addresses", addresses)
	}
	p.showEvents(p.eventsOf(o, "CertificateSigningRequest"))
	return nil
}

// role lists what a role allows, a row for each resource.
func (p *page) role(o metav1.Object, rules []rbacv1.PolicyRule) error {
	m := o.GetObjectMeta()
	p.line(0, "Name:\t%s", m.Name)
	p.labels(0, "Labels", m.Labels)
	p.annotations(0, "Annotations", m.Annotations)
	p.line(0, "PolicyRule:")
	p.line(1, "Resources\tNon-Resource URLs\tResource Names\tVerbs")
	p.line(1, "---------\t-----------------\t--------------\t-----")
	for _, r := range SplitRules(rules) {
		p.line(1, "%s\t%v\t%v\t%v", r.Resource, r.URLs, r.Names, r.Verbs)
	}
	return nil
}

// Rule is what is allowed on one resource, or on some URLs.
type Rule struct {
	Resource           string // pods, deployments.apps, *.*
	URLs, Names, Verbs []string

	group, base string
}

// order is what rules are sorted by: verbs first, as the real one's text of a rule has them.
func (r *Rule) order() string {
	group, base := []string{r.group}, []string{r.base}
	if r.Resource == "" {
		group, base = nil, nil
	}
	return fmt.Sprintf("Verbs:%v,APIGroups:%v,Resources:%v,ResourceNames:%v,NonResourceURLs:%v", r.Verbs, group, base, r.Names, r.URLs)
}

// SplitRules makes a row of each resource of the rules, joins rows that differ
// in their verbs only and sorts them.
func SplitRules(rules []rbacv1.PolicyRule) []Rule {
	var out []Rule
	at := map[string]int{}
	add := func(r Rule) {
		key := fmt.Sprint(r.Resource, r.URLs, r.Names)
		if i, ok := at[key]; ok {
			for _, v := range r.Verbs {
				dup := false
				for _, have := range out[i].Verbs {
					dup = dup || have == v
				}
				if !dup {
					out[i].Verbs = append(out[i].Verbs, v)
				}
			}
			return
		}
		at[key] = len(out)
		r.Verbs = append([]string{}, r.Verbs...)
		out = append(out, r)
	}
	for _, r := range rules {
		for _, g := range r.APIGroups {
			for _, res := range r.Resources {
				name := res
				if g != "" {
					base, sub, has := strings.Cut(res, "/")
					if name = base + "." + g; has {
						name += "/" + sub
					}
				}
				if len(r.ResourceNames) == 0 {
					add(Rule{Resource: name, Verbs: r.Verbs, group: g, base: res})
				}
				for _, n := range r.ResourceNames {
					add(Rule{Resource: name, Names: []string{n}, Verbs: r.Verbs, group: g, base: res})
				}
			}
		}
		for _, u := range r.NonResourceURLs {
			for _, v := range r.Verbs { // these are not joined
				out = append(out, Rule{URLs: []string{u}, Verbs: []string{v}})
			}
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].order() < out[j].order() })
	return out
}

func (p *page) binding(o metav1.Object, ref rbacv1.RoleRef, subjects []rbacv1.Subject) error {
	m := o.GetObjectMeta()
	p.line(0, "Name:\t%s", m.Name)
	p.labels(0, "Labels", m.Labels)
	p.annotations(0, "Annotations", m.Annotations)
	p.line(0, "Role:")
	p.line(1, "Kind:\t%s", ref.Kind)
	p.line(1, "Name:\t%s", ref.Name)
	p.line(0, "Subjects:")
	p.line(1, "Kind\tName\tNamespace")
	p.line(1, "----\t----\t---------")
	for _, s := range subjects {
		p.line(1, "%s\t%s\t%s", s.Kind, s.Name, s.Namespace)
	}
	return nil
}
