// The roles that every cluster has from its first moment.

package rbac

import (
	"slices"
	"strings"

	"github.com/kubonsai/kubonsai/sim/api/labels"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	rbacv1 "github.com/kubonsai/kubonsai/sim/api/rbac/v1"
)

const (
	reads  = "get list watch"
	writes = "create delete deletecollection patch update"
	all    = "create delete deletecollection get list patch update watch"
)

// defaults lists the roles: a name, who is bound to it (a group), and the
// rules, one a line: verbs | API groups | resources, or verbs | paths. Those
// without rules are sums of others.
var defaults = []struct{ name, group, rules string }{
	{"cluster-admin", "system:masters", "*|*|*\n*|*"},
	{"system:basic-user", "system:authenticated",
		"create|authorization.k8s.io|selfsubjectaccessreviews selfsubjectrulesreviews\ncreate|authentication.k8s.io|selfsubjectreviews"},
	{"system:discovery", "system:authenticated",
		"get|/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/"},
	{"system:public-info-viewer", "system:authenticated system:unauthenticated", "get|/healthz /livez /readyz /version /version/"},
	{"system:service-account-issuer-discovery", "system:serviceaccounts",
		"get|/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/"},
	{"system:aggregate-to-view", "", reads + "||configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status\n" +
		reads + "||bindings limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas resourcequotas/status\n" +
		reads + "||namespaces\n" +
		reads + "|,events.k8s.io|events\n" +
		reads + "|discovery.k8s.io|endpointslices\n" +
		reads + "|apps|controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status\n" +
		reads + "|autoscaling|horizontalpodautoscalers horizontalpodautoscalers/status\n" +
		reads + "|batch|cronjobs cronjobs/status jobs jobs/status\n" +
		reads + "|extensions|daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses ingresses/status networkpolicies replicasets replicasets/scale replicasets/status replicationcontrollers/scale\n" +
		reads + "|policy|poddisruptionbudgets poddisruptionbudgets/status\n" +
		reads + "|networking.k8s.io|ingresses ingresses/status networkpolicies\n" +
		reads + "|resource.k8s.io|resourceclaims resourceclaims/status resourceclaimtemplates"},
	{"system:aggregate-to-edit", "", reads + "||pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy\n" +
		"impersonate||serviceaccounts\n" +
		writes + "||pods pods/attach pods/exec pods/portforward pods/proxy\n" +
		"create||pods/eviction\n" +
		writes + "||configmaps persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services services/proxy\n" +
		"create||serviceaccounts/token\n" +
		writes + "|,events.k8s.io|events\n" +
		writes + "|apps|daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale\n" +
		writes + "|autoscaling|horizontalpodautoscalers\n" +
		writes + "|batch|cronjobs jobs\n" +
		writes + "|extensions|daemonsets deployments deployments/rollback deployments/scale ingresses networkpolicies replicasets replicasets/scale replicationcontrollers/scale\n" +
		writes + "|policy|poddisruptionbudgets\n" +
		writes + "|networking.k8s.io|ingresses networkpolicies\n" +
		all + "|coordination.k8s.io|leases\n" +
		writes + "|resource.k8s.io|resourceclaims resourceclaimtemplates"},
	{"system:aggregate-to-admin", "", "create|authorization.k8s.io|localsubjectaccessreviews\n" + all + "|rbac.authorization.k8s.io|rolebindings roles"},
	{"view", "", ""},
	{"edit", "", ""},
	{"admin", "", ""},
}

// aggregateTo labels the roles that are a part of another, whose name follows.
const aggregateTo = "rbac.authorization.k8s.io/aggregate-to-"

// parts are, besides system:aggregate-to-*, those of the roles that are sums.
var parts = map[string]string{"view": "edit", "edit": "admin"}

// Aggregate is what the rules of a role that is a sum are: those of the
// selected roles, which all must be sorted by name, each once.
func Aggregate(role *rbacv1.ClusterRole, all []*rbacv1.ClusterRole) []rbacv1.PolicyRule {
	var out []rbacv1.PolicyRule
	known := map[string]bool{}
	for i := range role.AggregationRule.ClusterRoleSelectors {
		selector, err := metav1.LabelSelectorAsSelector(&role.AggregationRule.ClusterRoleSelectors[i])
		if err != nil {
			continue
		}
		for _, r := range all {
			if r.Name == role.Name || !selector.Matches(labels.Set(r.Labels)) {
				continue
			}
			for _, rule := range r.Rules {
				if k := ruleKey(rule); !known[k] {
					known[k] = true
					out = append(out, rule)
				}
			}
		}
	}
	return out
}

// ruleKey is the same for the same rules.
func ruleKey(r rbacv1.PolicyRule) string {
	var b strings.Builder
	for _, list := range [][]string{r.Verbs, r.APIGroups, r.Resources, r.ResourceNames, r.NonResourceURLs} {
		for _, s := range list {
			b.WriteString(s)
			b.WriteByte(0)
		}
		b.WriteByte(1)
	}
	return b.String()
}

// Defaults are the roles and bindings that a new cluster gets.
func Defaults() []metav1.Object {
	var out []metav1.Object
	meta := func(kind, name string) (metav1.TypeMeta, metav1.ObjectMeta) {
		return metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: kind}, metav1.ObjectMeta{Name: name,
			Labels:      map[string]string{"kubernetes.io/bootstrapping": "rbac-defaults"},
			Annotations: map[string]string{"rbac.authorization.kubernetes.io/autoupdate": "true"}}
	}
	bind := func(name, role, groups string) {
		b := &rbacv1.ClusterRoleBinding{RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}}
		b.TypeMeta, b.ObjectMeta = meta("ClusterRoleBinding", name)
		for g := range strings.FieldsSeq(groups) {
			b.Subjects = append(b.Subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "Group", Name: g})
		}
		out = append(out, b)
	}
	var roles []*rbacv1.ClusterRole
	for _, d := range defaults {
		r := &rbacv1.ClusterRole{}
		r.TypeMeta, r.ObjectMeta = meta("ClusterRole", d.name)
		to, isPart := strings.CutPrefix(d.name, "system:aggregate-to-")
		if !isPart {
			to, isPart = parts[d.name]
		}
		if isPart {
			r.Labels[aggregateTo+to] = "true"
		}
		if d.rules == "" {
			r.AggregationRule = &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{MatchLabels: map[string]string{aggregateTo + d.name: "true"}}}}
			r.Rules = Aggregate(r, slices.SortedFunc(slices.Values(roles), func(a, b *rbacv1.ClusterRole) int { return strings.Compare(a.Name, b.Name) }))
			roles = append(roles, r)
			out = append(out, r)
			continue
		}
		roles = append(roles, r)
		for line := range strings.SplitSeq(d.rules, "\n") {
			parts := strings.Split(line, "|")
			rule := rbacv1.PolicyRule{Verbs: strings.Fields(parts[0])}
			if len(parts) == 2 {
				rule.NonResourceURLs = strings.Fields(parts[1])
			} else {
				rule.APIGroups, rule.Resources = strings.Split(parts[1], ","), strings.Fields(parts[2])
			}
			r.Rules = append(r.Rules, rule)
		}
		out = append(out, r)
		if d.group != "" {
			bind(d.name, d.name, d.group)
		}
	}
	bind("kubeadm:cluster-admins", "cluster-admin", "kubeadm:cluster-admins")
	return out
}
