// Package clusterroleaggregation keeps the rules of cluster roles that are the
// sum of others.
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles
package clusterroleaggregation

import (
	"reflect"
	"time"

	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	"github.com/kubonsai/kubonsai/sim/api/labels"
	rbacv1 "github.com/kubonsai/kubonsai/sim/api/rbac/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver/rbac"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/controller"
)

const latency = 5 * time.Millisecond

// Controller reconciles cluster roles.
type Controller struct {
	client *client.Client
	roles  *client.Informer[*rbacv1.ClusterRole]
	queue  *client.Queue
}

// New returns the controller.
func New(c *client.Client, f *client.Factory) *Controller {
	ac := &Controller{client: c, roles: client.InformerFor[*rbacv1.ClusterRole](f)}
	ac.queue = client.NewQueue(f.Clock(), "clusterrole-aggregation-controller", latency, ac.sync)
	ac.roles.OnChange(func(_, _ *rbacv1.ClusterRole) { // any role may be a part of any other
		for _, r := range ac.roles.List("", labels.Everything()) {
			if r.AggregationRule != nil {
				ac.queue.Add(r.Name)
			}
		}
	})
	return ac
}

func (c *Controller) sync(name string) error {
	role, ok := c.roles.Get("", name)
	if !ok || role.AggregationRule == nil {
		return nil
	}
	rules := rbac.Aggregate(role, c.roles.List("", labels.Everything()))
	if len(rules) == len(role.Rules) && (len(rules) == 0 || reflect.DeepEqual(rules, role.Rules)) {
		return nil
	}
	u := controller.Copy(role)
	u.Rules = rules
	if _, err := client.Update(c.client, u); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return nil
}
