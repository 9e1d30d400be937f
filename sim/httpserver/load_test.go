// Many clients at once: writers, lists, watchers and one who does not read.

package httpserver

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestManyClients(t *testing.T) {
	srv := serveWeb(t)
	before := runtime.NumGoroutine()
	maps := srv.URL + "/api/v1/namespaces/default/configmaps"
	const watchers, writers, writes = 8, 4, 40

	// One opens a watch and never reads it: nobody else waits for it.
	idle, err := http.Get(maps + "?watch=true")
	if err != nil {
		t.Fatal(err)
	}

	var seen sync.WaitGroup
	for range watchers {
		resp, err := http.Get(maps + "?watch=true&timeoutSeconds=60")
		if err != nil {
			t.Fatal(err)
		}
		seen.Add(1)
		go func() {
			defer seen.Done()
			defer resp.Body.Close()
			left := writers * writes
			lines := bufio.NewScanner(resp.Body)
			lines.Buffer(nil, 1<<20)
			for left > 0 && lines.Scan() {
				var e struct {
					Type   string
					Object struct{ Metadata struct{ Name string } }
				}
				if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
					t.Errorf("%v in %s", err, lines.Text())
				}
				if e.Type == "ADDED" && strings.HasPrefix(e.Object.Metadata.Name, "w") {
					left--
				}
			}
			if left > 0 {
				t.Errorf("a watcher missed %d objects", left)
			}
		}()
	}
	var done sync.WaitGroup
	for w := range writers {
		done.Add(1)
		go func() {
			defer done.Done()
			for i := range writes {
				body := fmt.Sprintf(`{"metadata":{"name":"w%d-%d"},"data":{"k":%q}}`, w, i, strings.Repeat("v", 5000))
				for _, call := range []func() (*http.Response, error){
					func() (*http.Response, error) { return http.Post(maps, "application/json", strings.NewReader(body)) },
					func() (*http.Response, error) { return http.Get(maps) },
					func() (*http.Response, error) { return http.Get(srv.URL + "/api/v1/pods") },
				} {
					resp, err := call()
					if err != nil {
						t.Error(err)
						return
					}
					if resp.StatusCode >= 300 {
						t.Errorf("%s", resp.Status)
					}
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
			}
		}()
	}
	done.Wait()
	seen.Wait()
	idle.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before+4; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}
