package clients

import (
	"context"
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

var widgetKind = schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Widget"}

func widget() *unstructured.Unstructured {
	w := &unstructured.Unstructured{}
	w.SetGroupVersionKind(widgetKind)
	return w
}

// widgets makes a ConfigMap of each Widget and writes its status.
type widgets struct{ client.Client }

func (r widgets) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	w := widget()
	if err := r.Get(ctx, req.NamespacedName, w); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	size, _, _ := unstructured.NestedInt64(w.Object, "spec", "size")
	cm := &corev1.ConfigMap{}
	cm.Name, cm.Namespace = w.GetName(), w.GetNamespace()
	if _, err := controllerutil.CreateOrUpdate(ctx, r.Client, cm, func() error {
		cm.Data = map[string]string{"made": "for a widget"}
		return controllerutil.SetControllerReference(w, cm, r.Scheme())
	}); err != nil {
		return reconcile.Result{}, err
	}
	if err := unstructured.SetNestedField(w.Object, size, "status", "observed"); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{}, r.Status().Update(ctx, w)
}

func TestControllerRuntime(t *testing.T) {
	log.SetLogger(logr.Discard())
	ctx, cfg := serve(t, 1)
	defineWidgets(t, ctx, cfg)
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{Metrics: server.Options{BindAddress: "0"}, LeaderElection: true,
		LeaderElectionID: "widgets.example.com", LeaderElectionNamespace: "default", LeaderElectionReleaseOnCancel: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := ctrl.NewControllerManagedBy(mgr).For(widget()).Owns(&corev1.ConfigMap{}).Complete(widgets{mgr.GetClient()}); err != nil {
		t.Fatal(err)
	}
	stopped := make(chan error, 1)
	run, stop := context.WithCancel(ctx)
	go func() { stopped <- mgr.Start(run) }()

	direct, err := client.New(cfg, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := widget()
	w.SetName("w")
	w.SetNamespace("default")
	unstructured.SetNestedField(w.Object, int64(3), "spec", "size")
	if err := direct.Create(ctx, w); err != nil {
		t.Fatal(err)
	}
	key := client.ObjectKeyFromObject(w)
	made := func() (bool, error) {
		cm := &corev1.ConfigMap{}
		err := direct.Get(ctx, key, cm)
		return err == nil && cm.Data["made"] != "" && len(cm.OwnerReferences) == 1, client.IgnoreNotFound(err)
	}
	eventually(t, ctx, "the widget's ConfigMap", made)
	eventually(t, ctx, "the widget's status", func() (bool, error) {
		err := direct.Get(ctx, key, w)
		n, _, _ := unstructured.NestedInt64(w.Object, "status", "observed")
		return n == 3, err
	})
	// What it owns comes back, and goes with it.
	if err := direct.Delete(ctx, &corev1.ConfigMap{ObjectMeta: metaOf(key)}); err != nil {
		t.Fatal(err)
	}
	eventually(t, ctx, "the ConfigMap comes back", made)
	if err := direct.Delete(ctx, w); err != nil {
		t.Fatal(err)
	}
	eventually(t, ctx, "the ConfigMap is collected", func() (bool, error) {
		err := direct.Get(ctx, key, &corev1.ConfigMap{})
		return err != nil, client.IgnoreNotFound(err)
	})
	stop()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
