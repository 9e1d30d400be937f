package namespace

import (
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	"github.com/kubonsai/kubonsai/sim/client"
	ct "github.com/kubonsai/kubonsai/sim/controller/controllertest"
)

func conditions(ns *corev1.Namespace) []string {
	var out []string
	for _, c := range ns.Status.Conditions {
		out = append(out, fmt.Sprintf("%s %s %s: %s", c.Type, c.Status, c.Reason, c.Message))
	}
	return out
}

// A deleted namespace takes its content along; a finalizer on something in it holds it up, and its conditions say so.
func TestDelete(t *testing.T) {
	c := ct.New(t)
	New(c.Client, c.Factory, nil)
	ct.Apply[*corev1.Namespace](c, "metadata: {name: team}")
	ct.Apply[*corev1.ConfigMap](c, "metadata: {name: plain, namespace: team}")
	ct.Apply[*corev1.ConfigMap](c, "metadata: {name: held, namespace: team, finalizers: [example.com/hold]}")
	if err := client.Delete[*corev1.Namespace](c.Client, "", "team", client.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	c.Run(6 * time.Second)
	want := []string{
		"NamespaceDeletionDiscoveryFailure False ResourcesDiscovered: All resources successfully discovered",
		"NamespaceDeletionGroupVersionParsingFailure False ParsedGroupVersions: All legacy kube types successfully parsed",
		"NamespaceDeletionContentFailure False ContentDeleted: All content successfully deleted, may be waiting on finalization",
		"NamespaceContentRemaining True SomeResourcesRemain: Some resources are remaining: configmaps. has 1 resource instances",
		"NamespaceFinalizersRemaining True SomeFinalizersRemain: Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
	}
	if got := conditions(ct.Get[*corev1.Namespace](c, "", "team")); !slices.Equal(got, want) {
		t.Errorf("conditions:\n%q\nwant\n%q", got, want)
	}
	ct.Change(c, "team", "held", func(cm *corev1.ConfigMap) { cm.Finalizers = nil })
	c.Run(20 * time.Second)
	if _, err := client.Get[*corev1.Namespace](c.Client, "", "team"); !apierrors.IsNotFound(err) {
		t.Errorf("still there: %v", err)
	}
}
