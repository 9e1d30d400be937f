package clients

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1apply "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/kubonsai/kubonsai/sim"
	"github.com/kubonsai/kubonsai/sim/httpserver"
)

var (
	soakTime = flag.Duration("soak", 6*time.Second, "how long random clients work on the server")
	soakRate = flag.Int("soak-rate", 300, "how many requests a second they make together")
)

// Clients of all kinds do this and that at random, in rounds. After each round
// the server holds what it held before, the caches have what the server has, and
// no goroutine is left.
func TestSoak(t *testing.T) {
	m, err := sim.New(sim.Options{Seed: 1, Nodes: 3, Start: time.Now(), ImagesPresent: true, Log: func(s string) { t.Error(s) }})
	if err != nil {
		t.Fatal(err)
	}
	h := httpserver.NewHost(m, 5, func(err error) { t.Error(err) })
	srv := httptest.NewServer(h)
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
		h.Close()
	})
	const rounds = 6
	var heap, goroutines [rounds]uint64
	total := int64(0)
	for round := range rounds {
		total += soakRound(t, srv.URL, uint64(round), *soakTime/rounds)
		srv.CloseClientConnections()
		deadline := time.Now().Add(10 * time.Second)
		for { // connections take a moment to end
			goroutines[round] = uint64(runtime.NumGoroutine())
			if round == 0 || goroutines[round] <= goroutines[0]+2 || time.Now().After(deadline) {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		runtime.GC()
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		heap[round] = s.HeapAlloc >> 10
		if t.Failed() {
			return
		}
	}
	t.Logf("%d requests in %v; heap after each round %v KiB; goroutines %v", total, *soakTime, heap, goroutines)
	if last := goroutines[rounds-1]; last > goroutines[0]+4 {
		buf := make([]byte, 1<<18)
		t.Errorf("%d goroutines after the last round, %d after the first:\n%s", last, goroutines[0], buf[:runtime.Stack(buf, true)])
	}
	// What is remembered of encoded objects and of events (an hour) has bounds,
	// which the first half may not have reached.
	if first, last := max(heap[1], heap[2]), heap[rounds-1]; last > first+first/4+64<<10 {
		t.Errorf("the heap grew from %d to %d KiB", first, last)
	}
}

// soakRound lets clients work for a while, then takes everything away and
// returns how many requests there were.
func soakRound(t *testing.T, host string, seed uint64, d time.Duration) int64 {
	ctx, cancel := context.WithTimeout(context.Background(), d+time.Minute)
	defer cancel()
	cfg := &rest.Config{Host: host, QPS: float32(*soakRate), Burst: *soakRate}
	cs, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	const ns = "soak"
	if _, err := cs.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	factory := informers.NewSharedInformerFactoryWithOptions(cs, 0, informers.WithNamespace(ns))
	maps, pods := factory.Core().V1().ConfigMaps(), factory.Core().V1().Pods()
	maps.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{UpdateFunc: func(old, new any) {
		a, b := old.(*corev1.ConfigMap), new.(*corev1.ConfigMap)
		if a.UID == b.UID && len(a.ResourceVersion) == len(b.ResourceVersion) && a.ResourceVersion > b.ResourceVersion {
			t.Errorf("%s went back from %s to %s", a.Name, a.ResourceVersion, b.ResourceVersion)
		}
	}})
	pods.Informer()
	factory.Start(stop)
	factory.WaitForCacheSync(stop)

	var requests atomic.Int64
	tolerable := func(err error) bool {
		return err == nil || apierrors.IsNotFound(err) || apierrors.IsAlreadyExists(err) || apierrors.IsConflict(err) || apierrors.IsForbidden(err) && ctx.Err() != nil
	}
	var work sync.WaitGroup
	until := time.Now().Add(d)
	const workers = 8
	for w := range workers {
		work.Add(1)
		go func() {
			defer work.Done()
			r := rand.New(rand.NewPCG(seed, uint64(w)))
			for time.Now().Before(until) && !t.Failed() {
				name := fmt.Sprintf("m%d", r.IntN(20))
				var err error
				what := r.IntN(12)
				switch what {
				case 0, 1:
					_, err = cs.CoreV1().ConfigMaps(ns).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"w": fmt.Sprint(w)}},
						Data: map[string]string{"k": fmt.Sprint(r.Uint64())}}, metav1.CreateOptions{})
				case 2:
					err = cs.CoreV1().ConfigMaps(ns).Delete(ctx, name, metav1.DeleteOptions{})
				case 3, 4:
					_, err = cs.CoreV1().ConfigMaps(ns).Patch(ctx, name, types.MergePatchType, fmt.Appendf(nil, `{"data":{"p":"%d"}}`, r.IntN(9)), metav1.PatchOptions{})
				case 5:
					_, err = cs.CoreV1().ConfigMaps(ns).Apply(ctx, corev1apply.ConfigMap(name, ns).WithData(map[string]string{"a": fmt.Sprint(r.IntN(9))}), metav1.ApplyOptions{FieldManager: fmt.Sprintf("w%d", w), Force: true})
				case 6:
					var got *corev1.ConfigMap
					if got, err = cs.CoreV1().ConfigMaps(ns).Get(ctx, name, metav1.GetOptions{}); err == nil {
						got.Data = map[string]string{"u": fmt.Sprint(r.IntN(9))}
						_, err = cs.CoreV1().ConfigMaps(ns).Update(ctx, got, metav1.UpdateOptions{})
					}
				case 7:
					var list *corev1.PodList
					seen := map[types.UID]bool{}
					for o := (metav1.ListOptions{Limit: 3}); ; o.Continue = list.Continue {
						if list, err = cs.CoreV1().Pods(ns).List(ctx, o); err != nil {
							if apierrors.IsResourceExpired(err) {
								err = nil
							}
							break
						}
						for _, p := range list.Items {
							if seen[p.UID] {
								t.Errorf("pod %s is on two pages", p.Name)
							}
							seen[p.UID] = true
						}
						if list.Continue == "" {
							break
						}
					}
				case 8:
					n := int32(r.IntN(4))
					d := fmt.Sprintf("d%d", r.IntN(3))
					labels := map[string]string{"app": d}
					_, err = cs.AppsV1().Deployments(ns).Create(ctx, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: d}, Spec: appsv1.DeploymentSpec{Replicas: &n,
						Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels},
							Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "nginx:1.27"}}}}}}, metav1.CreateOptions{})
					if apierrors.IsAlreadyExists(err) {
						_, err = cs.AppsV1().Deployments(ns).Patch(ctx, d, types.MergePatchType, fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, n), metav1.PatchOptions{}, "scale")
					}
				case 9:
					watch, werr := cs.CoreV1().ConfigMaps(ns).Watch(ctx, metav1.ListOptions{})
					if err = werr; err == nil {
						for range r.IntN(5) {
							select {
							case <-watch.ResultChan():
							case <-time.After(20 * time.Millisecond):
							}
						}
						watch.Stop()
					}
				case 10:
					list, _ := pods.Lister().Pods(ns).List(everything)
					if len(list) > 0 {
						p := list[r.IntN(len(list))]
						short, done := context.WithTimeout(ctx, 50*time.Millisecond)
						if s, err := cs.CoreV1().Pods(ns).GetLogs(p.Name, &corev1.PodLogOptions{Follow: true}).Stream(short); err == nil {
							io.Copy(io.Discard, s)
							s.Close()
						}
						done()
					}
				case 11:
					err = cs.CoreV1().ConfigMaps(ns).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: fmt.Sprintf("w=%d", w)})
				}
				requests.Add(1)
				if !tolerable(err) {
					t.Errorf("action %d: %v", what, err)
					return
				}
			}
		}()
	}
	work.Wait()

	// The cache has what the server has.
	eventually(t, ctx, "the cache is up to date", func() (bool, error) {
		list, err := cs.CoreV1().ConfigMaps(ns).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		cached, _ := maps.Lister().ConfigMaps(ns).List(everything)
		if len(cached) != len(list.Items) {
			return false, nil
		}
		for _, c := range list.Items {
			if o, err := maps.Lister().ConfigMaps(ns).Get(c.Name); err != nil || o.ResourceVersion != c.ResourceVersion {
				return false, nil
			}
		}
		return true, nil
	})
	close(stop)
	factory.Shutdown()
	if err := cs.CoreV1().Namespaces().Delete(ctx, ns, metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	eventually(t, ctx, "the namespace is gone", func() (bool, error) {
		_, err := cs.CoreV1().Namespaces().Get(ctx, ns, metav1.GetOptions{})
		return apierrors.IsNotFound(err), nil
	})
	if left, err := cs.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{}); err != nil || len(left.Items) > 0 {
		t.Errorf("pods are left of the namespace: %v %v", left, err)
	}
	return requests.Load()
}
