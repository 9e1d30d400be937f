// What requests cost over HTTP, with 1,000 and 10,000 pods in the cluster.

package httpserver

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/kubonsai/kubonsai/sim"
	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// serveMany serves a cluster with so many running pods.
func serveMany(t testing.TB, pods int) *httptest.Server {
	t.Helper()
	m, err := sim.New(sim.Options{Seed: 1, Start: time.Now(), ImagesPresent: true, Nodes: pods/100 + 2})
	if err != nil {
		t.Fatal(err)
	}
	run := m.Terminal("t").Start(fmt.Sprintf("kubectl create deployment web --image=nginx:1.27 --replicas=%d", pods), sim.RunOptions{})
	ready := 0
	m.Jump(m.Now().Add(time.Hour), func() bool {
		if _, done := run.Done(); !done {
			return false
		}
		resp := m.Handler().Serve(&rest.Request{Method: "GET", Path: "/apis/apps/v1/namespaces/default/deployments/web"})
		if d, ok := resp.Object.(*appsv1.Deployment); ok {
			ready = int(d.Status.ReadyReplicas)
		}
		return ready >= pods
	})
	if ready < pods {
		t.Fatalf("%d of %d pods are ready", ready, pods)
	}
	h := NewHost(m, 1, func(err error) { t.Error(err) })
	srv := httptest.NewServer(h)
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
		h.Close()
	})
	return srv
}

func fetch(t testing.TB, method, url, contentType, body string) int64 {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("User-Agent", "bench")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil || resp.StatusCode > 299 {
		t.Fatal(resp.Status, err)
	}
	return n
}

// BenchmarkHTTP tells what one request costs its client and the server together,
// and for a list what the server allocates.
func BenchmarkHTTP(b *testing.B) {
	for _, pods := range []int{1000, 10000} {
		b.Run(fmt.Sprintf("pods=%d", pods), func(b *testing.B) {
			start := time.Now()
			srv := serveMany(b, pods)
			took := time.Since(start)
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			b.Logf("%d pods: heap %d MB, ready after %.1f s", pods, m.HeapAlloc>>20, took.Seconds())
			const maps = "/api/v1/namespaces/default/configmaps"
			fetch(b, "POST", srv.URL+maps, "application/json", `{"metadata":{"name":"a"}}`)
			n := 0
			for _, x := range []struct {
				name string
				do   func()
			}{
				{"get", func() { fetch(b, "GET", srv.URL+maps+"/a", "", "") }},
				{"create", func() {
					n++
					fetch(b, "POST", srv.URL+maps, "application/json", fmt.Sprintf(`{"metadata":{"name":"c%d"},"data":{"a":"b"}}`, n))
				}},
				{"patch", func() {
					n++
					fetch(b, "PATCH", srv.URL+maps+"/a", "application/merge-patch+json", fmt.Sprintf(`{"data":{"n":"%d"}}`, n))
				}},
				{"apply", func() {
					n++
					fetch(b, "PATCH", srv.URL+maps+"/a?fieldManager=bench&force=true", "application/apply-patch+yaml", fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"n":"%d"}}`, n))
				}},
				{"list page of 500", func() { fetch(b, "GET", srv.URL+"/api/v1/pods?limit=500", "", "") }},
				{"list", func() { b.SetBytes(fetch(b, "GET", srv.URL+"/api/v1/pods", "", "")) }},
			} {
				b.Run(x.name, func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						x.do()
					}
				})
			}
			b.Run("watch fan-out, 100 watchers", func(b *testing.B) { fanOut(b, srv.URL+maps, 100) })
		})
	}
}

// fanOut changes an object and waits until all watchers have seen it.
func fanOut(b *testing.B, maps string, watchers int) {
	fetch(b, "PATCH", maps+"/a", "application/merge-patch+json", `{"data":{"f":"start"}}`)
	seen := make(chan struct{}, watchers)
	for range watchers {
		resp, err := http.Get(maps + "?watch=true&fieldSelector=metadata.name%3Da")
		if err != nil {
			b.Fatal(err)
		}
		defer resp.Body.Close()
		lines := bufio.NewReader(resp.Body)
		go func() {
			for {
				if _, err := lines.ReadSlice('\n'); err != nil {
					return
				}
				seen <- struct{}{}
			}
		}()
	}
	for range watchers { // the object as it is
		<-seen
	}
	n := 0
	for b.Loop() {
		n++
		fetch(b, "PATCH", maps+"/a", "application/merge-patch+json", fmt.Sprintf(`{"data":{"f":"%d"}}`, n))
		for range watchers {
			<-seen
		}
	}
	b.ReportMetric(float64(watchers), "events/op")
}
