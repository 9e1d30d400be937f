// The same lines typed into the real kubectl and into ours, each against an API
// server of its own: what they print and their exit statuses must be equal. The
// real program is built by scripts/parity; without it the test is skipped.

package kubectl

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubonsai/kubonsai/sim/api"
	"github.com/kubonsai/kubonsai/sim/api/protobuf"
	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/apiserver/rbac"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/rest"
	"github.com/kubonsai/kubonsai/sim/store"
)

// serveHTTP puts the world's API on a real port, as far as kubectl needs it.
func serveHTTP(t *testing.T, w *world) string {
	var mu sync.Mutex
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		req := &rest.Request{Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(), Header: rest.Header{}, Body: body}
		for k := range r.Header {
			req.Header[k] = strings.Join(r.Header[k], ",")
		}
		if r.Header.Get("Content-Type") == protobuf.ContentType {
			if data, err := protobuf.Decode(body); err == nil {
				req.Body = data
				req.Header["Content-Type"] = "application/json"
			}
		}
		openapi := req.Header["Accept"] == protobuf.OpenAPIAccept
		if openapi {
			req.Header["Accept"] = "application/json"
		}
		mu.Lock()
		resp := w.server.Serve(req)
		mu.Unlock()
		if openapi && resp.Code == 200 {
			body, err := protobuf.EncodeOpenAPI(resp.Body)
			if err != nil {
				t.Error(err)
			}
			resp = &rest.Response{Code: resp.Code, ContentType: protobuf.OpenAPIContentType, Body: body}
		}
		for _, text := range resp.Warnings {
			rw.Header().Add("Warning", `299 - "`+strings.ReplaceAll(text, `"`, `\"`)+`"`)
		}
		if resp.Watch != nil {
			rw.Header().Set("Content-Type", "application/json")
			rw.WriteHeader(200)
			for i := 0; i < 50 && !resp.Watch.Done() && r.Context().Err() == nil; i++ {
				mu.Lock()
				for {
					e, ok := resp.Watch.Next()
					if !ok {
						break
					}
					line, err := apiserver.EncodeWatchEvent(e)
					if err == nil {
						rw.Write(line)
					}
				}
				mu.Unlock()
				rw.(http.Flusher).Flush()
				time.Sleep(20 * time.Millisecond)
			}
			return
		}
		contentType, data, err := apiserver.Encode(req, resp)
		if err != nil {
			http.Error(rw, err.Error(), 500)
			return
		}
		rw.Header().Set("Content-Type", contentType)
		rw.WriteHeader(resp.Code)
		rw.Write(data)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// differences are the lines whose answers are not equal, each with the reason.
var differences = map[string]string{
	"kubectl get -f list.yaml": "upstream loses the reason of an error inside an aggregate within an aggregate; ours are flat",
}

var chance = []struct {
	re   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "UID"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| \+0000|[+-]\d\d:\d\d)?`), "TIME"},
	{regexp.MustCompile(`resourceVersion(": "|: ")\d+`), "resourceVersion$1 N"},
	{regexp.MustCompile(`(?m)^I\d{4} \d\d:\d\d:\d\d.*\n`), ""}, // the client library's own traces, which depend on the moment
	{regexp.MustCompile(`[EWF]\d{4} \d\d:\d\d:\d\d\.\d+\s+\d+ \w+\.go:\d+\]`), "KLOG"},
	{regexp.MustCompile(`(LIVE|MERGED)-[a-z0-9]+`), "$1-X"},
	{regexp.MustCompile(`/tmp/[^ ]*(LIVE|MERGED)`), "/tmp/$1"},
	{regexp.MustCompile(`kubectl-edit-\d+`), "kubectl-edit-N"},
}

func plain(s string) string {
	for _, c := range chance {
		s = c.re.ReplaceAllString(s, c.with)
	}
	return s
}

func TestParity(t *testing.T) {
	if _, err := os.Stat(realKubectl); err != nil || testing.Short() {
		t.Skip("the real kubectl has not been built: make parity")
	}
	scripts, err := filepath.Glob("testdata/parity*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatal(err, len(scripts))
	}
	for _, script := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(script), ".txt"), func(t *testing.T) { parity(t, script) })
	}
}

// newWorldWithRoles makes a world with RBAC and the roles that every cluster
// has, without which an impersonated user may not even ask what kinds there are.
func newWorldWithRoles(t *testing.T) *world {
	st := store.New()
	w := newWorldWith(t, st, rbac.New(st))
	for _, obj := range rbac.Defaults() {
		if resp := w.server.Serve(&rest.Request{Method: "POST", Object: obj, Path: client.Path(api.Of(obj), "", "", "")}); resp.Code >= 300 {
			w.t.Fatalf("%d %v", resp.Code, resp.Object)
		}
	}
	return w
}

// parity types the lines of a script that begin with "$ "; the lines after
// "== NAME" are a file.
func parity(t *testing.T, script string) {
	ours, theirs := newWorldWithRoles(t), newWorldWithRoles(t)
	ours.env["EDITOR"] = "true"
	url := serveHTTP(t, theirs)
	dir := t.TempDir()
	config := regexp.MustCompile(`(?m)^ +(certificate-authority-data|client-\w+-data): .*\n`).ReplaceAllString(testKubeconfig, "")
	config = strings.ReplaceAll(config, "  user:\n", "  user: {}\n")
	ours.fs.WriteFile("/home/reader/.kube/config", []byte(config), 0o600)
	os.Mkdir(filepath.Join(dir, ".kube"), 0o755)
	os.WriteFile(filepath.Join(dir, ".kube/config"), []byte(strings.ReplaceAll(config, "https://127.0.0.1:6443", url)), 0o600)
	data, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	file := ""
	var content strings.Builder
	put := func() {
		if file != "" {
			os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o755)
			os.WriteFile(filepath.Join(dir, file), []byte(content.String()), 0o644)
			ours.fs.MkdirAll(filepath.Dir("/home/reader/"+file), 0o755)
			ours.fs.WriteFile("/home/reader/"+file, []byte(content.String()), 0o644)
		}
		file = ""
		content.Reset()
	}
	failures, known, lines := 0, 0, 0
	for _, line := range strings.Split(string(data), "\n") {
		if name, ok := strings.CutPrefix(line, "== "); ok {
			put()
			file = name
			continue
		}
		if !strings.HasPrefix(line, "$ ") {
			if file != "" {
				content.WriteString(line + "\n")
			}
			continue
		}
		put()
		lines++
		line, stdin, _ := strings.Cut(line[2:], " <<< ")
		c := exec.Command(realKubectl, fields(line)[1:]...)
		c.Args[0] = "kubectl"
		c.Dir = dir
		c.Env = []string{"HOME=" + dir, "TZ=UTC", "PATH=/usr/bin:/bin", "EDITOR=true"}
		c.WaitDelay = time.Second // a child left behind may not hold the test up
		c.Stdin = strings.NewReader(stdin)
		var out, errs bytes.Buffer
		c.Stdout, c.Stderr = &out, &errs
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		stop := time.AfterFunc(8*time.Second, func() { c.Process.Kill() })
		c.Wait()
		if !stop.Stop() {
			t.Logf("$ %s: the real kubectl was stopped", line)
		}
		code := c.ProcessState.ExitCode()
		gotOut, gotErr, gotCode := ours.do(line, stdin)
		clean := func(s string) string {
			return strings.NewReplacer(url, "https://127.0.0.1:6443", dir, "/home/reader").Replace(plain(s))
		}
		if clean(out.String()) != clean(gotOut) || clean(errs.String()) != clean(gotErr) || code != gotCode {
			if differences[line] != "" {
				known++
				continue
			}
			failures++
			t.Errorf("$ %s\n--- kubectl, exit %d\n%s%s--- ours, exit %d\n%s%s", line, code, clean(out.String()), clean(errs.String()), gotCode, clean(gotOut), clean(gotErr))
		} else if differences[line] != "" {
			t.Errorf("$ %s: equal now; take it off the list of differences", line)
		}
	}
	t.Logf("%d lines, %d differ, %d of them known", lines, failures+known, known)
}
