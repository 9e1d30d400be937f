package disruption

import (
	"testing"
	"time"

	"github.com/kubonsai/kubonsai/sim/api"
	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	policyv1 "github.com/kubonsai/kubonsai/sim/api/policy/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	ct "github.com/kubonsai/kubonsai/sim/controller/controllertest"
	"github.com/kubonsai/kubonsai/sim/controller/replicaset"
)

func TestStatusAndEviction(t *testing.T) {
	c := ct.New(t)
	New(c.Client, c.Factory)
	replicaset.New(c.Client, c.Factory)
	k := c.StartKubelet(100 * time.Millisecond)
	k.AnyPod = true
	ct.Apply[*policyv1.PodDisruptionBudget](c, "metadata: {name: web}\nspec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}")
	c.Run(time.Second)
	if e := c.Events("web"); len(e) != 1 || e[0] != "Normal NoPods No matching pods found" {
		t.Errorf("%q", e)
	}
	ct.Apply[*appsv1.ReplicaSet](c, `
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: nginx}]}
`)
	c.Run(2 * time.Second)
	s := ct.Get[*policyv1.PodDisruptionBudget](c, "default", "web").Status
	if s.ExpectedPods != 3 || s.CurrentHealthy != 3 || s.DesiredHealthy != 2 || s.DisruptionsAllowed != 1 || s.Conditions[0].Reason != "SufficientPods" {
		t.Errorf("%+v", s)
	}
	k.Hold = func(*corev1.Pod) bool { return true } // replacements do not get ready
	evict := func(p *corev1.Pod) error {
		e := &policyv1.Eviction{}
		e.APIVersion, e.Kind, e.Namespace, e.Name = "policy/v1", "Eviction", p.Namespace, p.Name
		_, err := client.Post(c.Client, api.ByResource("", "pods"), p.Namespace, p.Name, "eviction", e)
		return err
	}
	pods := ct.List[*corev1.Pod](c, "")
	if err := evict(pods[0]); err != nil {
		t.Fatal(err)
	}
	c.Run(2 * time.Second)
	if err := evict(pods[1]); !apierrors.IsTooManyRequests(err) || err.Error() != "Cannot evict pod as it would violate the pod's disruption budget." {
		t.Errorf("%v", err)
	}
}
