package serviceaccount

import (
	"testing"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	ct "github.com/kubonsai/kubonsai/sim/controller/controllertest"
)

// Every namespace has its default account and the cluster's certificate, and gets them back.
func TestDefaults(t *testing.T) {
	c := ct.New(t)
	New(c.Client, c.Factory, "PEM")
	ct.Apply[*corev1.Namespace](c, "metadata: {name: team}")
	c.Run(time.Second)
	for _, ns := range []string{"default", "kube-system", "team"} {
		ct.Get[*corev1.ServiceAccount](c, ns, "default")
		if cm := ct.Get[*corev1.ConfigMap](c, ns, "kube-root-ca.crt"); cm.Data["ca.crt"] != "PEM" || cm.Annotations["kubernetes.io/description"] == "" {
			t.Errorf("%s: %+v", ns, cm)
		}
	}
	_ = client.Delete[*corev1.ServiceAccount](c.Client, "team", "default", client.DeleteOptions{})
	_ = client.Delete[*corev1.ConfigMap](c.Client, "team", "kube-root-ca.crt", client.DeleteOptions{})
	c.Run(time.Second)
	ct.Get[*corev1.ServiceAccount](c, "team", "default")
	ct.Get[*corev1.ConfigMap](c, "team", "kube-root-ca.crt")
	ct.Change(c, "team", "kube-root-ca.crt", func(cm *corev1.ConfigMap) { cm.Data["ca.crt"] = "x" })
	c.Run(time.Second)
	if cm := ct.Get[*corev1.ConfigMap](c, "team", "kube-root-ca.crt"); cm.Data["ca.crt"] != "PEM" {
		t.Errorf("changed for good: %+v", cm.Data)
	}
}
