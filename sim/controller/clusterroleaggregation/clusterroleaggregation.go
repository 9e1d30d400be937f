// Package clusterroleaggregation fills in ClusterRoles that have an
// aggregationRule: their rules are those of all ClusterRoles that it selects.
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles
package clusterroleaggregation

import (
	"reflect"
	"slices"
	"time"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	rbacv1 "github.com/kubonsai/kubonsai/sim/api/rbac/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/controller"
)

const latency = 10 * time.Millisecond

// Controller reconciles ClusterRoles.
type Controller struct {
	client *client.Client
	roles  *client.Informer[*rbacv1.ClusterRole]
	queue  *client.Queue
}

// New returns the controller.
func New(c *client.Client, f *client.Factory) *Controller {
	rc := &Controller{client: c, roles: client.InformerFor[*rbacv1.ClusterRole](f)}
	rc.queue = client.NewQueue(f.Clock(), "ClusterRoleAggregator", latency, rc.sync)
	rc.roles.OnChange(func(_, _ *rbacv1.ClusterRole) {
		for _, r := range rc.roles.List("", nil) {
			if r.AggregationRule != nil {
				rc.queue.Add(r.Name)
			}
		}
	})
	return rc
}

func (c *Controller) sync(name string) error {
	role, ok := c.roles.Get("", name)
	if !ok || role.AggregationRule == nil {
		return nil
	}
	var rules []rbacv1.PolicyRule
	for i := range role.AggregationRule.ClusterRoleSelectors {
		sel, err := metav1.LabelSelectorAsSelector(&role.AggregationRule.ClusterRoleSelectors[i])
		if err != nil {
			return err
		}
		for _, r := range c.roles.List("", sel) {
			for _, rule := range r.Rules {
				if r.Name != name && !slices.ContainsFunc(rules, func(have rbacv1.PolicyRule) bool { return reflect.DeepEqual(have, rule) }) {
					rules = append(rules, rule)
				}
			}
		}
	}
	if len(rules) == len(role.Rules) && (len(rules) == 0 || reflect.DeepEqual(rules, role.Rules)) {
		return nil
	}
	u := controller.Copy(role)
	u.Rules = rules
	_, err := client.Update(c.client, u)
	return err
}
