package persistentvolume

import (
	"slices"
	"testing"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	storagev1 "github.com/kubonsai/kubonsai/sim/api/storage/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	ct "github.com/kubonsai/kubonsai/sim/controller/controllertest"
	"github.com/kubonsai/kubonsai/sim/scheduler/plugin"
)

func setUp(t *testing.T) *ct.Cluster {
	c := ct.New(t)
	New(c.Client, c.Factory)
	ct.Apply[*storagev1.StorageClass](c, "{metadata: {name: standard}, provisioner: rancher.io/local-path, reclaimPolicy: Delete, volumeBindingMode: WaitForFirstConsumer}")
	return c
}

// "WaitForFirstConsumer … will delay the binding and provisioning of a
// PersistentVolume until a Pod using the PersistentVolumeClaim is created."
func TestProvisions(t *testing.T) {
	c := setUp(t)
	ct.Apply[claim](c, "{metadata: {name: data}, spec: {storageClassName: standard, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}")
	c.Run(10 * time.Second)
	if p := ct.Get[claim](c, "default", "data"); p.Status.Phase != corev1.ClaimPending || !slices.Equal(c.Events("data"), []string{"Normal WaitForFirstConsumer waiting for first consumer to be created before binding"}) {
		t.Fatalf("%s %q", p.Status.Phase, c.Events("data"))
	}
	ct.Change(c, "default", "data", func(p claim) { p.Annotations = map[string]string{plugin.SelectedNodeAnnotation: "n1"} })
	c.Run(10 * time.Second)
	p := ct.Get[claim](c, "default", "data")
	pv := ct.Get[volume](c, "", "pvc-"+string(p.UID))
	if p.Status.Phase != corev1.ClaimBound || pv.Status.Phase != corev1.VolumeBound || pv.Spec.ClaimRef.UID != p.UID ||
		pv.Spec.NodeAffinity.Required.NodeSelectorTerms[0].MatchExpressions[0].Values[0] != "n1" {
		t.Errorf("%+v %+v", p.Status, pv.Spec)
	}
	if err := client.Delete[claim](c.Client, "default", "data", client.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	c.Run(20 * time.Second)
	if _, err := client.Get[volume](c.Client, "", pv.Name); err == nil {
		t.Error("the volume outlived its claim")
	}
}

func TestBindsTheSmallestThatFits(t *testing.T) {
	c := setUp(t)
	for name, size := range map[string]string{"small": "1Gi", "right": "5Gi", "large": "50Gi"} {
		ct.Apply[volume](c, "{metadata: {name: "+name+"}, spec: {capacity: {storage: "+size+"}, accessModes: [ReadWriteOnce], hostPath: {path: /tmp/x}, storageClassName: manual}}")
	}
	c.Run(time.Second)
	ct.Apply[claim](c, "{metadata: {name: data}, spec: {storageClassName: manual, accessModes: [ReadWriteOnce], resources: {requests: {storage: 3Gi}}}}")
	c.Run(time.Second)
	p := ct.Get[claim](c, "default", "data")
	if size := p.Status.Capacity[corev1.ResourceStorage]; p.Spec.VolumeName != "right" || size.String() != "5Gi" {
		t.Errorf("%s %s", p.Spec.VolumeName, p.Status.Phase)
	}
	if err := client.Delete[claim](c.Client, "default", "data", client.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	c.Run(5 * time.Second)
	if pv := ct.Get[volume](c, "", "right"); pv.Status.Phase != corev1.VolumeReleased {
		t.Errorf("retained: %s", pv.Status.Phase)
	}
}

// A claim that waits says so again and again, and for whom once a pod is there.
func TestTellsWhatAClaimWaitsFor(t *testing.T) {
	c := setUp(t)
	ct.Apply[claim](c, "{metadata: {name: data}, spec: {storageClassName: standard, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}")
	ct.Apply[*corev1.Pod](c, "{metadata: {name: p}, spec: {containers: [{name: c, image: x}], volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]}}")
	c.Run(10 * time.Second)
	want := []string{"Normal WaitForFirstConsumer waiting for first consumer to be created before binding"}
	if got := c.Events("data"); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	c.Run(10 * time.Second)
	want = append(want, "Normal WaitForPodScheduled waiting for pod p to be scheduled")
	if got := c.Events("data"); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	ct.Apply[*corev1.Pod](c, "{metadata: {name: q}, spec: {containers: [{name: c, image: x}], volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]}}")
	c.Run(20 * time.Second)
	want = append(want, "Normal WaitForPodScheduled waiting for pods p,q to be scheduled")
	if got := c.Events("data"); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
