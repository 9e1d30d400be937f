// The roles that every cluster has from its first moment.

package rbac

import (
	"strings"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	rbacv1 "github.com/kubonsai/kubonsai/sim/api/rbac/v1"
)

const (
	reads  = "get list watch"
	writes = "create delete deletecollection patch update"
)

// defaults lists the roles: a name, who is bound to it (groups), and the
// rules, one a line: verbs | API groups | resources, or verbs | paths.
var defaults = []struct{ name, groups, rules string }{
	{"cluster-admin", "system:masters", "*|*|*\n*|*"},
	{"system:basic-user", "system:authenticated",
		"create|authorization.k8s.io|selfsubjectaccessreviews selfsubjectrulesreviews\ncreate|authentication.k8s.io|selfsubjectreviews"},
	{"system:discovery", "system:authenticated",
		"get|/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/"},
	{"system:public-info-viewer", "system:authenticated system:unauthenticated", "get|/healthz /livez /readyz /version /version/"},
}

// aggregated are the roles for people, each with what it adds to the one
// before: admin holds the rules of edit, which holds those of view.
var aggregated = []struct{ name, rules string }{
	{"view", workloads(reads) + "\n" +
		reads + "||endpoints events limitranges namespaces namespaces/status persistentvolumeclaims/status pods/log pods/status replicationcontrollers/status resourcequotas resourcequotas/status services/status\n" +
		reads + "|discovery.k8s.io|endpointslices\n" +
		reads + "|apps|controllerrevisions daemonsets/status deployments/status replicasets/status statefulsets/status"},
	{"edit", workloads(writes) + "\n" +
		reads + "||pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy\n" +
		writes + "||pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy\nimpersonate||serviceaccounts\ncreate||pods/eviction serviceaccounts/token"},
	{"admin", "create|authorization.k8s.io|localsubjectaccessreviews\n" + reads + " " + writes + "|rbac.authorization.k8s.io|roles rolebindings"},
}

// workloads are the objects of a namespace, but for its secrets.
func workloads(verbs string) string {
	return verbs + "||configmaps persistentvolumeclaims pods replicationcontrollers replicationcontrollers/scale serviceaccounts services\n" +
		verbs + "|apps|daemonsets deployments deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale\n" +
		verbs + "|autoscaling|horizontalpodautoscalers\n" +
		verbs + "|batch|cronjobs jobs\n" +
		verbs + "|policy|poddisruptionbudgets\n" +
		verbs + "|networking.k8s.io|ingresses networkpolicies"
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
	role := func(name, rules string) *rbacv1.ClusterRole {
		r := &rbacv1.ClusterRole{}
		r.TypeMeta, r.ObjectMeta = meta("ClusterRole", name)
		for line := range strings.SplitSeq(rules, "\n") {
			parts := strings.Split(line, "|")
			rule := rbacv1.PolicyRule{Verbs: strings.Fields(parts[0])}
			if len(parts) == 2 {
				rule.NonResourceURLs = strings.Fields(parts[1])
			} else {
				rule.APIGroups, rule.Resources = []string{parts[1]}, strings.Fields(parts[2])
			}
			r.Rules = append(r.Rules, rule)
		}
		out = append(out, r)
		return r
	}
	for _, d := range defaults {
		role(d.name, d.rules)
		if d.groups != "" {
			bind(d.name, d.name, d.groups)
		}
	}
	rules := ""
	for i, d := range aggregated {
		const label = "rbac.authorization.k8s.io/aggregate-to-"
		role("system:aggregate-to-"+d.name, d.rules).Labels[label+d.name] = "true"
		// with the rules that the controller finds, in its order, so that it has nothing to do at first
		switch {
		case i == 0:
			rules = d.rules
		case aggregated[i-1].name < "system:":
			rules += "\n" + d.rules
		default:
			rules = d.rules + "\n" + rules
		}
		r := role(d.name, rules)
		r.AggregationRule = &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{MatchLabels: map[string]string{label + d.name: "true"}}}}
		if i+1 < len(aggregated) {
			r.Labels[label+aggregated[i+1].name] = "true"
		}
	}
	bind("kubeadm:cluster-admins", "cluster-admin", "kubeadm:cluster-admins")
	return out
}
