// Many watchers of many pods, one of whom does not read.

package httpserver

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubonsai/kubonsai/sim"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// A hundred watchers see every pod come and change; the one who reads nothing
// meanwhile is told 410 when it goes on, and has cost the server no memory to
// speak of. With KUBONSAI_BENCH_LARGE there are 10,000 pods.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#410-gone-responses
func TestWatchersAtScale(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	pods, watchers := 300, 30
	if os.Getenv("KUBONSAI_BENCH_LARGE") != "" {
		pods, watchers = 10000, 100
	}
	m, err := sim.New(sim.Options{Seed: 1, Start: time.Now(), ImagesPresent: true, Nodes: pods/100 + 2})
	if err != nil {
		t.Fatal(err)
	}
	h := NewHost(m, 100, func(err error) { t.Error(err) })
	srv := httptest.NewServer(h)
	defer func() {
		srv.CloseClientConnections()
		srv.Close()
		h.Close()
	}()
	const path = "/api/v1/namespaces/default/pods?watch=true&resourceVersion=1"

	// The slow one.
	u, _ := url.Parse(srv.URL)
	slow, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	fmt.Fprintf(slow, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)

	type event struct {
		Type   string
		Object struct {
			Metadata struct{ Name string }
			Status   struct{ Phase string }
			Code     int
		}
	}
	var all sync.WaitGroup
	somePod := ""
	for i := range watchers {
		resp, err := http.Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		all.Add(1)
		go func() {
			defer all.Done()
			defer resp.Body.Close()
			lines := bufio.NewReaderSize(resp.Body, 1<<16)
			added, running := map[string]bool{}, map[string]bool{}
			for len(running) < pods {
				line, err := lines.ReadBytes('\n')
				if err != nil {
					t.Errorf("watcher %d has seen %d and %d running of %d: %v", i, len(added), len(running), pods, err)
					return
				}
				if i > 0 { // one reads with care, the others as fast as they can
					if bytes.Contains(line, []byte(`"phase":"Running"`)) {
						running[string(line[bytes.Index(line, []byte(`"name":"`)):][:40])] = true
					}
					if bytes.HasPrefix(line, []byte(`{"type":"ERROR"`)) {
						t.Errorf("watcher %d after %d: %s", i, len(running), line)
						return
					}
					continue
				}
				var e event
				if err := json.Unmarshal(line, &e); err != nil {
					t.Error(err)
					return
				}
				name := e.Object.Metadata.Name
				switch {
				case e.Type == "ADDED" && !added[name]:
					added[name] = true
					somePod = name
				case e.Type == "MODIFIED" && added[name]:
					if e.Object.Status.Phase == "Running" {
						running[name] = true
					}
				default:
					t.Errorf("%s %s %d", e.Type, name, e.Object.Code)
					return
				}
			}
		}()
	}
	fetch(t, "POST", srv.URL+"/apis/apps/v1/namespaces/default/deployments", "application/json", fmt.Sprintf(
		`{"metadata":{"name":"web"},"spec":{"replicas":%d,"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"nginx:1.27"}]}}}}`, pods))
	start := time.Now()
	all.Wait()
	var now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&now)
	t.Logf("%d pods were seen by %d watchers in %v; heap %d MB", pods, watchers, time.Since(start).Round(time.Millisecond), now.HeapAlloc>>20)
	if limit := uint64(150 + pods/20); now.HeapAlloc>>20 > limit {
		t.Errorf("the heap has %d MB, more than %d", now.HeapAlloc>>20, limit)
	}
	// The cluster goes on, beyond what a watcher may be behind.
	const window = 256
	long := strings.Repeat("x", 32<<10) // more than what the connection holds
	h.look(func() { m.SetWatchWindow(window) })
	for i := range 6 * window {
		h.look(func() {
			resp := m.Handler().Serve(&rest.Request{Method: "PATCH", Path: "/api/v1/namespaces/default/pods/" + somePod, Body: fmt.Appendf(nil, `{"metadata":{"annotations":{"n":"%d %s"}}}`, i, long),
				Header: rest.Header{"Content-Type": "application/merge-patch+json"}})
			if resp.Code != 200 {
				t.Error(resp.Code, resp.Object)
			}
		})
	}
	slow.SetReadDeadline(time.Now().Add(20 * time.Second))
	scanner := bufio.NewScanner(slow)
	scanner.Buffer(nil, 1<<20)
	gone := false
	for !gone && scanner.Scan() {
		gone = strings.Contains(scanner.Text(), `"type":"ERROR"`) && strings.Contains(scanner.Text(), `"code":410`)
	}
	if !gone {
		t.Errorf("the slow watcher was not told 410: %v", scanner.Err())
	}
}

// A client in the manner of k9s: for every kind at once it asks for a table and
// watches, as tables too, from there on.
func TestTablesOfEveryKind(t *testing.T) {
	srv := serveWeb(t)
	const asTable = "application/json;as=Table;v=v1;g=meta.k8s.io"
	get := func(path string) *http.Response {
		req, _ := http.NewRequest("GET", srv.URL+path, nil)
		req.Header.Set("Accept", asTable)
		resp, err := http.DefaultClient.Do(req)
		if err != nil || resp.StatusCode != 200 {
			t.Errorf("%s: %v %v", path, resp, err)
			return nil
		}
		return resp
	}
	var paths []string
	groups := []string{"/api/v1"}
	var list struct {
		Groups    []struct{ PreferredVersion struct{ GroupVersion string } }
		Resources []struct {
			Name  string
			Verbs []string
		}
	}
	read := func(path string) {
		resp, err := http.Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
			t.Fatal(err)
		}
	}
	read("/apis")
	for _, g := range list.Groups {
		groups = append(groups, "/apis/"+g.PreferredVersion.GroupVersion)
	}
	for _, g := range groups {
		list.Resources = nil
		read(g)
		for _, r := range list.Resources {
			if !strings.Contains(r.Name, "/") && slices.Contains(r.Verbs, "list") && slices.Contains(r.Verbs, "watch") {
				paths = append(paths, g+"/"+r.Name)
			}
		}
	}
	if len(paths) < 40 {
		t.Fatalf("only %d kinds: %v", len(paths), paths)
	}
	var all sync.WaitGroup
	opened := make(chan struct{}, len(paths))
	seen := make(chan string, len(paths))
	for _, path := range paths {
		all.Add(1)
		go func() {
			defer all.Done()
			resp := get(path)
			if resp == nil {
				opened <- struct{}{}
				return
			}
			var table struct {
				Kind              string
				Metadata          struct{ ResourceVersion string }
				ColumnDefinitions []struct{ Name string }
				Rows              []struct{ Cells []any }
			}
			err := json.NewDecoder(resp.Body).Decode(&table)
			resp.Body.Close()
			if err != nil || table.Kind != "Table" || len(table.ColumnDefinitions) < 2 {
				t.Errorf("%s: %v %+v", path, err, table)
			}
			for _, r := range table.Rows {
				if len(r.Cells) != len(table.ColumnDefinitions) {
					t.Errorf("%s: a row of %d cells under %d columns", path, len(r.Cells), len(table.ColumnDefinitions))
				}
			}
			w := get(path + "?watch=1&timeoutSeconds=5&resourceVersion=" + table.Metadata.ResourceVersion)
			opened <- struct{}{}
			if w == nil {
				return
			}
			defer w.Body.Close()
			for dec := json.NewDecoder(w.Body); ; {
				var e struct {
					Type   string
					Object struct {
						Kind string
						Rows []struct{ Cells []any }
					}
				}
				if dec.Decode(&e) != nil {
					return
				}
				if e.Object.Kind != "Table" || len(e.Object.Rows) != 1 {
					t.Errorf("%s: %+v", path, e)
					return
				}
				if fmt.Sprint(e.Object.Rows[0].Cells[0]) == "fresh" {
					seen <- path
				}
			}
		}()
	}
	for range paths {
		<-opened
	}
	for _, path := range []string{"configmaps", "serviceaccounts", "pods"} {
		body := `{"metadata":{"name":"fresh"},"spec":{"containers":[{"name":"c","image":"nginx:1.25"}]}}`
		if path != "pods" {
			body = `{"metadata":{"name":"fresh"}}`
		}
		fetch(t, "POST", srv.URL+"/api/v1/namespaces/default/"+path, "application/json", body)
	}
	got := map[string]bool{}
	for timeout := time.After(20 * time.Second); len(got) < 3; {
		select {
		case path := <-seen:
			got[path] = true
		case <-timeout:
			t.Fatalf("the new objects were seen by the watches of %v only", got)
		}
	}
	all.Wait()
}
