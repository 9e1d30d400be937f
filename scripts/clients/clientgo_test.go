package clients

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/pager"
	watchtools "k8s.io/client-go/tools/watch"
	"k8s.io/client-go/util/retry"
)

func typed(t *testing.T, cfg *rest.Config) *kubernetes.Clientset {
	t.Helper()
	cs, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return cs
}

// listable are the resources that can be listed and watched.
func listable(t *testing.T, cfg *rest.Config) []schema.GroupVersionResource {
	t.Helper()
	d, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	lists, err := d.ServerPreferredResources()
	if err != nil {
		t.Fatal(err)
	}
	var out []schema.GroupVersionResource
	for _, l := range lists {
		gv, err := schema.ParseGroupVersion(l.GroupVersion)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range l.APIResources {
			if slices.Contains(r.Verbs, "list") && slices.Contains(r.Verbs, "watch") {
				out = append(out, gv.WithResource(r.Name))
			}
		}
	}
	return out
}

// Informers of every served kind come into sync and see what happens.
func TestInformersOfEveryKind(t *testing.T) {
	ctx, cfg := serve(t, 1)
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	kinds := listable(t, cfg)
	if len(kinds) < 40 {
		t.Errorf("only %d kinds can be watched", len(kinds))
	}
	factory := dynamicinformer.NewDynamicSharedInformerFactory(client, 0)
	for _, k := range kinds {
		factory.ForResource(k).Informer()
	}
	factory.Start(ctx.Done())
	for k, ok := range factory.WaitForCacheSync(ctx.Done()) {
		if !ok {
			t.Errorf("%s did not sync", k)
		}
	}

	cs := typed(t, cfg)
	pods := informers.NewSharedInformerFactory(cs, 0)
	var ready atomic.Int32
	informer := pods.Core().V1().Pods().Informer()
	informer.AddEventHandler(cache.ResourceEventHandlerFuncs{UpdateFunc: func(_, o any) {
		p := o.(*corev1.Pod)
		if p.Namespace == "default" && p.Status.Phase == corev1.PodRunning && p.Status.ContainerStatuses[0].Ready {
			ready.Add(1)
		}
	}})
	pods.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		t.Fatal("the pods did not sync")
	}
	if _, err := cs.AppsV1().Deployments("default").Create(ctx, deployment("web", 3), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, ctx, "three ready pods", func() (bool, error) {
		list, err := pods.Core().V1().Pods().Lister().Pods("default").List(everything)
		return err == nil && len(list) == 3 && ready.Load() >= 3, err
	})
}

func deployment(name string, replicas int32) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: appsv1.DeploymentSpec{Replicas: &replicas,
		Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "nginx:1.25"}}}}}}
}

// A watch from a revision that is long gone ends with 410, and an informer
// behind it starts over by itself.
func TestExpiredRevisions(t *testing.T) {
	ctx, cfg := serve(t, 1)
	cs := typed(t, cfg)
	maps := cs.CoreV1().ConfigMaps("default")
	first, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "busy"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2500 { // more than twice what watches may lag by
		first.Data = map[string]string{"n": fmt.Sprint(i)}
		o := first.DeepCopy()
		o.ResourceVersion = ""
		if _, err := maps.Update(ctx, o, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	w, err := maps.Watch(ctx, metav1.ListOptions{ResourceVersion: "1"})
	if err == nil {
		select {
		case e := <-w.ResultChan():
			if err = apierrors.FromObject(e.Object); e.Type != watch.Error {
				t.Errorf("a watch of revision 1 gave %s", e.Type)
			}
		case <-ctx.Done():
			t.Fatal("no answer")
		}
	}
	if !apierrors.IsGone(err) && !apierrors.IsResourceExpired(err) {
		t.Errorf("revision 1: %v", err)
	}
	if _, err := maps.List(ctx, metav1.ListOptions{ResourceVersion: "1", ResourceVersionMatch: metav1.ResourceVersionMatchExact}); !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) {
		t.Errorf("an exact list of revision 1: %v", err)
	}
	if _, err := maps.List(ctx, metav1.ListOptions{ResourceVersion: "99999999"}); !apierrors.IsTimeout(err) && !apierrors.IsInvalid(err) && err == nil {
		t.Errorf("a future revision was listed")
	}
}

func TestPagination(t *testing.T) {
	ctx, cfg := serve(t, 1)
	cs := typed(t, cfg)
	for i := range 25 {
		if _, err := cs.CoreV1().Secrets("default").Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("s%02d", i)}}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	pages, names := 0, []string{}
	p := pager.New(pager.SimplePageFunc(func(o metav1.ListOptions) (r runtimeObject, err error) {
		pages++
		return cs.CoreV1().Secrets("default").List(ctx, o)
	}))
	p.PageSize = 10
	err := p.EachListItem(ctx, metav1.ListOptions{}, func(o runtimeObject) error {
		names = append(names, o.(*corev1.Secret).Name)
		return nil
	})
	if err != nil || pages != 3 || len(names) != 25 || !slices.IsSorted(names) {
		t.Errorf("%d pages, %v, %v", pages, names, err)
	}
	list, err := cs.CoreV1().Secrets("default").List(ctx, metav1.ListOptions{Limit: 10})
	if err != nil || list.Continue == "" || list.RemainingItemCount == nil || *list.RemainingItemCount != 15 {
		t.Errorf("first page: continue %q, remaining %v, %v", list.Continue, list.RemainingItemCount, err)
	}
	if _, err := cs.CoreV1().Secrets("default").List(ctx, metav1.ListOptions{Limit: 10, Continue: "nonsense"}); !apierrors.IsBadRequest(err) {
		t.Errorf("a bad continue token: %v", err)
	}
}

func TestServerSideApply(t *testing.T) {
	ctx, cfg := serve(t, 1)
	maps := typed(t, cfg).CoreV1().ConfigMaps("default")
	apply := func(manager, value string, force bool) (*corev1.ConfigMap, error) {
		return maps.Apply(ctx, applycorev1.ConfigMap("shared", "default").WithData(map[string]string{"key": value}),
			metav1.ApplyOptions{FieldManager: manager, Force: force})
	}
	if _, err := apply("one", "1", false); err != nil {
		t.Fatal(err)
	}
	_, err := apply("two", "2", false)
	if !apierrors.IsConflict(err) || !strings.Contains(err.Error(), `conflict with "one": .data.key`) {
		t.Errorf("conflict: %v", err)
	}
	got, err := apply("two", "2", true)
	if err != nil || got.Data["key"] != "2" || len(got.ManagedFields) == 0 {
		t.Fatalf("forced: %+v, %v", got, err)
	}
	if got.ManagedFields[len(got.ManagedFields)-1].Operation != metav1.ManagedFieldsOperationApply {
		t.Errorf("managed fields: %+v", got.ManagedFields)
	}
}

func TestConflictsAndPreconditions(t *testing.T) {
	ctx, cfg := serve(t, 1)
	maps := typed(t, cfg).CoreV1().ConfigMaps("default")
	cm, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "c"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	stale := cm.DeepCopy()
	if err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		cm.Labels = map[string]string{"a": "b"}
		cm, err = maps.Update(ctx, cm, metav1.UpdateOptions{})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := maps.Update(ctx, stale, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("stale update: %v", err)
	}
	other := stale.UID + "x"
	if err := maps.Delete(ctx, "c", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &other}}); !apierrors.IsConflict(err) {
		t.Errorf("wrong uid: %v", err)
	}
	if err := maps.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "a=b"}); err != nil {
		t.Error(err)
	}
	if _, err := maps.Get(ctx, "c", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("after deletecollection: %v", err)
	}
}

func TestLeaderElection(t *testing.T) {
	ctx, cfg := serve(t, 1)
	cs := typed(t, cfg)
	led := make(chan string, 10)
	run := func(ctx context.Context, id string) {
		leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
			Lock: &resourcelock.LeaseLock{LeaseMeta: metav1.ObjectMeta{Name: "lock", Namespace: "default"}, Client: cs.CoordinationV1(),
				LockConfig: resourcelock.ResourceLockConfig{Identity: id}},
			ReleaseOnCancel: true, LeaseDuration: 3 * time.Second, RenewDeadline: 2 * time.Second, RetryPeriod: 100 * time.Millisecond,
			Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: func(context.Context) { led <- id }, OnStoppedLeading: func() {}}})
	}
	one, stop := context.WithCancel(ctx)
	go run(one, "one")
	if got := <-led; got != "one" {
		t.Fatal(got)
	}
	go run(ctx, "two")
	select {
	case got := <-led:
		t.Fatalf("%s leads beside one", got)
	case <-time.After(500 * time.Millisecond):
	}
	stop()
	select {
	case got := <-led:
		if got != "two" {
			t.Fatal(got)
		}
	case <-ctx.Done():
		t.Fatal("two never leads")
	}
}

// Until is what kubectl wait and many controllers use: a list, then a watch.
func TestWatchUntil(t *testing.T) {
	ctx, cfg := serve(t, 1)
	cs := typed(t, cfg)
	if _, err := cs.AppsV1().Deployments("default").Create(ctx, deployment("web", 2), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	lw := cache.NewListWatchFromClient(cs.AppsV1().RESTClient(), "deployments", "default", nothingButName("web"))
	_, err := watchtools.UntilWithSync(ctx, lw, &appsv1.Deployment{}, nil, func(e watch.Event) (bool, error) {
		return e.Object.(*appsv1.Deployment).Status.AvailableReplicas == 2, nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Definitions of custom resources are served at once, and their objects can be
// watched like any other.
func TestCustomResources(t *testing.T) {
	ctx, cfg := serve(t, 1)
	defineWidgets(t, ctx, cfg)
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	widgets := client.Resource(schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "widgets"}).Namespace("default")
	w, err := widgets.Watch(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	object := func(size any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "example.com/v1", "kind": "Widget",
			"metadata": map[string]any{"name": "w"}, "spec": map[string]any{"size": size}}}
	}
	if _, err := widgets.Create(ctx, object("huge"), metav1.CreateOptions{}); !apierrors.IsInvalid(err) {
		t.Errorf("wrong type: %v", err)
	}
	if _, err := widgets.Create(ctx, object(int64(3)), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if e := <-w.ResultChan(); e.Type != watch.Added || e.Object.(*unstructured.Unstructured).GetName() != "w" {
		t.Errorf("first event: %+v", e)
	}
}
