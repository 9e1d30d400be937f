// Random rollouts, evictions and claims under quotas: what the API promises of
// them is looked at with every write.

package simtest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/kubonsai/kubonsai/sim"
	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/api/intstr"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/store"
)

func TestPromises(t *testing.T) {
	n := max(*seeds/5, 1)
	if testing.Short() {
		n = min(n, 10)
	}
	for i := range n {
		seed := *first + uint64(i)
		r := &promises{runner: runner{rnd: rand.New(rand.NewPCG(seed, 3)), stopped: map[string]bool{}},
			pods: map[string]*corev1.Pod{}, sets: map[string]*appsv1.ReplicaSet{}, claims: map[string]*corev1.PersistentVolumeClaim{}}
		if r.run(seed); r.broken != "" {
			t.Fatalf("seed %d: %s\nactions:\n  %s\nrun again with: go test ./sim/simtest -run TestPromises -seed %d -seeds 1",
				seed, r.broken, strings.Join(r.log, "\n  "), seed)
		}
	}
}

// quota is what the namespace may hold.
const quotaPods, quotaMilliCPU, quotaClaims = 14, 1600, 3

// budget is the least number of healthy pods of the Deployment guarded that
// evictions leave.
const budget = 2

// promises is one random run. It keeps the state as the writes tell it.
type promises struct {
	runner
	deployment *appsv1.Deployment
	pods       map[string]*corev1.Pod
	sets       map[string]*appsv1.ReplicaSet
	claims     map[string]*corev1.PersistentVolumeClaim
	evicting   bool
	rescaled   bool // web has another size since it was last at rest
}

func (r *promises) run(seed uint64) {
	c, err := sim.New(sim.Options{Seed: seed, Nodes: 3, ImagesPresent: true, Log: func(s string) { r.fail("%s", s) }})
	if err != nil {
		r.fail("%v", err)
		return
	}
	defer c.Close()
	r.c, r.api = c, client.New(c.Handler(), "simtest")
	r.shell(`kubectl create quota all --hard=pods=%d,requests.cpu=%dm,persistentvolumeclaims=%d
kubectl apply -f - <<X
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
      - name: c
        image: nginx:1.25
        resources: {requests: {cpu: 100m}}
        readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 1}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: guarded}
spec:
  replicas: 3
  selector: {matchLabels: {app: guarded}}
  template:
    metadata: {labels: {app: guarded}}
    spec:
      containers: [{name: c, image: "nginx:1.25", resources: {requests: {cpu: 100m}}}]
X
kubectl create pdb guarded --selector=app=guarded --min-available=%d
kubectl wait --for=condition=Available deployment --all`, quotaPods, quotaMilliCPU, quotaClaims, budget)
	for _, p := range list[*corev1.Pod](&r.runner, "default") {
		r.pods[p.Name] = p
	}
	for _, s := range list[*appsv1.ReplicaSet](&r.runner, "default") {
		r.sets[s.Name] = s
	}
	c.OnChange(r.see)
	for range 25 {
		r.step()
		if r.broken != "" {
			return
		}
	}
}

// see follows the state and checks what each write may not break.
func (r *promises) see(ch store.Change) {
	if ch.Key.Namespace != "default" {
		return
	}
	switch o := ch.Object.(type) {
	case *appsv1.Deployment:
		if o.Name == "web" {
			r.follow(o)
		}
	case *appsv1.ReplicaSet:
		before := r.size()
		r.sets[o.Name] = o
		if d := r.deployment; d != nil && r.size() > before {
			if most := *d.Spec.Replicas + scaled(d, true); r.size() > most {
				r.fail("ReplicaSets of web want %d pods, %d are allowed", r.size(), most)
			}
		}
	case *corev1.Pod:
		old := r.pods[o.Name]
		before := r.healthy(o.Labels["app"])
		r.pods[o.Name] = o
		if old == nil {
			r.withinQuota()
		}
		leaving := o.DeletionTimestamp != nil && (old == nil || old.DeletionTimestamp == nil)
		now := r.healthy(o.Labels["app"])
		if !leaving || now == before {
			break
		}
		switch d := r.deployment; {
		case r.evicting && o.Labels["app"] == "guarded" && now < budget:
			r.fail("an eviction left %d healthy pods of guarded", now)
		case d != nil && o.Labels["app"] == "web" && !r.evicting && !r.rescaled && now < *d.Spec.Replicas-scaled(d, false):
			r.fail("pod %s of web was deleted, which leaves %d ready of %d", o.Name, now, *d.Spec.Replicas)
		}
	case *corev1.PersistentVolumeClaim:
		r.claims[o.Name] = o
		r.withinQuota()
		for _, other := range r.claims {
			if other.Name != o.Name && o.Spec.VolumeName != "" && o.Spec.VolumeName == other.Spec.VolumeName {
				r.fail("claims %s and %s have the same volume", o.Name, other.Name)
			}
		}
	case nil:
		delete(r.pods, ch.Key.Name)
		if ch.Key.Resource == "persistentvolumeclaims" {
			delete(r.claims, ch.Key.Name)
		}
		if _, ok := ch.Prev.(*appsv1.ReplicaSet); ok {
			delete(r.sets, ch.Key.Name)
		}
	}
}

// follow takes a new version of web. What it promises of ready pods holds for
// rollouts: scaling in the middle of one divides the pods among its ReplicaSets
// without regard to which are ready.
func (r *promises) follow(d *appsv1.Deployment) {
	if old := r.deployment; old != nil && (*old.Spec.Replicas != *d.Spec.Replicas || scaled(old, false) != scaled(d, false)) {
		r.rescaled = true
	}
	r.deployment = d
	if st := d.Status; st.ObservedGeneration == d.Generation && st.Replicas == *d.Spec.Replicas && st.UpdatedReplicas == st.Replicas && st.AvailableReplicas == st.Replicas {
		r.rescaled = false
	}
}

// size is how many pods the ReplicaSets of web want.
func (r *promises) size() (n int32) {
	for _, s := range r.sets {
		if s.Labels["app"] == "web" {
			n += *s.Spec.Replicas
		}
	}
	return n
}

// healthy is how many pods of an application are ready and stay.
func (r *promises) healthy(app string) (n int32) {
	for _, p := range r.pods {
		if p.Labels["app"] != app || p.DeletionTimestamp != nil {
			continue
		}
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
				n++
			}
		}
	}
	return n
}

func (r *promises) withinQuota() {
	pods, cpu := 0, int64(0)
	for _, p := range r.pods {
		if p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
			continue
		}
		pods++
		for _, c := range p.Spec.Containers {
			q := c.Resources.Requests["cpu"]
			cpu += q.MilliValue()
		}
	}
	if pods > quotaPods || cpu > quotaMilliCPU || len(r.claims) > quotaClaims {
		r.fail("the quota is exceeded: %d pods, %dm cpu, %d claims", pods, cpu, len(r.claims))
	}
}

// scaled is maxSurge (or maxUnavailable) in pods, rounded as the API says.
func scaled(d *appsv1.Deployment, surge bool) int32 {
	u := d.Spec.Strategy.RollingUpdate
	up, _ := intstr.GetScaledValueFromIntOrPercent(u.MaxSurge, int(*d.Spec.Replicas), true)
	down, _ := intstr.GetScaledValueFromIntOrPercent(u.MaxUnavailable, int(*d.Spec.Replicas), false)
	switch {
	case surge:
		return int32(up)
	case up == 0 && down == 0:
		return 1
	}
	return int32(down)
}

func (r *promises) step() {
	images := []string{"nginx:1.25", "nginx:1.26", "nginx:1.27", "nginx:no-such-tag"}
	switch r.rnd.IntN(11) {
	case 0, 1:
		r.shell("kubectl set image deployment/web c=%s", images[r.rnd.IntN(len(images))])
	case 2:
		r.shell("kubectl scale deployment web --replicas=%d", 1+r.rnd.IntN(7))
	case 3:
		r.shell("kubectl rollout undo deployment/web || true")
	case 4:
		r.shell("kubectl rollout restart deployment/web || true")
	case 5:
		r.shell(`kubectl patch deployment web -p '{"spec":{"strategy":{"rollingUpdate":{"maxSurge":"%d%%","maxUnavailable":"%d%%"}}}}'`, 25*(1+r.rnd.IntN(4)), 25*r.rnd.IntN(4))
	case 6:
		r.shell("kubectl rollout %s deployment/web || true", []string{"pause", "resume"}[r.rnd.IntN(2)])
	case 7:
		r.shell("kubectl create -f - <<X || true\n%s\nX", fmt.Sprintf(`{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"claim%d"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}}
---
{"apiVersion":"v1","kind":"Pod","metadata":{"name":"user%[1]d"},"spec":{"containers":[{"name":"c","image":"nginx:1.25","resources":{"requests":{"cpu":"200m"}},"volumeMounts":[{"name":"v","mountPath":"/v"}]}],"volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"claim%[1]d"}}]}}`, r.rnd.IntN(5)))
	case 8:
		r.shell("kubectl delete pod,pvc user%d claim%[1]d --ignore-not-found --wait=false || true", r.rnd.IntN(5))
	case 9:
		r.evicting = true
		node := []string{"kind-worker", "kind-worker2"}[r.rnd.IntN(2)]
		r.shell("kubectl drain %s --ignore-daemonsets --force --delete-emptydir-data --timeout=20s || true; kubectl uncordon %[1]s", node)
		r.evicting = false
	default:
		r.c.JumpTo(r.c.Now().Add(time.Duration(r.rnd.IntN(90)) * time.Second))
		r.note("some time passes")
	}
}
