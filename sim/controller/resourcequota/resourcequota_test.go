package resourcequota

import (
	"testing"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	ct "github.com/kubonsai/kubonsai/sim/controller/controllertest"
)

func TestStatus(t *testing.T) {
	c := ct.New(t)
	New(c.Client, c.Factory, nil)
	ct.Apply[*corev1.ResourceQuota](c, `{metadata: {name: q}, spec: {hard: {pods: "2", requests.cpu: "1", count/configmaps: "5"}}}`)
	ct.Apply[*corev1.Pod](c, `{metadata: {name: p}, spec: {containers: [{name: a, image: b, resources: {requests: {cpu: 250m}}}]}}`)
	c.Run(time.Second)
	used := func() string {
		l := ct.Get[*corev1.ResourceQuota](c, "default", "q").Status.Used
		out := ""
		for _, name := range []corev1.ResourceName{"pods", "requests.cpu", "count/configmaps"} {
			q := l[name]
			out += q.String() + " "
		}
		return out
	}
	if got := used(); got != "1 250m 0 " {
		t.Errorf("%s", got)
	}
	ct.Apply[*corev1.ConfigMap](c, `{metadata: {name: m}}`)
	if err := client.Delete[*corev1.Pod](c.Client, "default", "p", client.DeleteOptions{GracePeriodSeconds: new(int64(0))}); err != nil {
		t.Fatal(err)
	}
	c.Run(time.Second)
	if got := used(); got != "0 0 1 " {
		t.Errorf("after: %s", got)
	}
}
