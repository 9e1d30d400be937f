// kubonsai serve --data is killed in the middle of writes, again and again.

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMain lets the test binary be kubonsai itself.
func TestMain(m *testing.M) {
	if os.Getenv("KUBONSAI_MAIN") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

var serverLine = regexp.MustCompile(`server: (\S+)`)

// startServe starts kubonsai serve and returns its process and URL.
func startServe(t *testing.T, dir string) (*exec.Cmd, string) {
	t.Helper()
	config := filepath.Join(dir, "kubeconfig")
	os.Remove(config)
	cmd := exec.Command(os.Args[0], "serve", "--addr", "127.0.0.1:0", "--data", filepath.Join(dir, "data"), "--kubeconfig", config)
	cmd.Env = append(os.Environ(), "KUBONSAI_MAIN=1")
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		data, _ := os.ReadFile(config)
		if m := serverLine.FindSubmatch(data); m != nil {
			if resp, err := http.Get(string(m[1]) + "/readyz"); err == nil {
				resp.Body.Close()
				return cmd, string(m[1])
			}
		}
	}
	t.Fatalf("kubonsai serve did not answer: %s", said.String())
	return nil, ""
}

func head(s string) string { return s[:min(len(s), 20)] }

func TestKilledAtAnyMoment(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	dir := t.TempDir()
	chance := rand.New(rand.NewPCG(3, 4))
	var mu sync.Mutex
	acknowledged := map[string]string{} // name → value; "" is deleted
	unsure := map[string]bool{}         // a request was under way when the server was killed
	lastRevision := 0
	for round := range 12 {
		cmd, url := startServe(t, dir)
		path := url + "/api/v1/namespaces/default/configmaps"

		var list struct {
			Metadata struct{ ResourceVersion json.Number }
			Items    []struct {
				Metadata struct{ Name, UID string }
				Data     map[string]string
			}
		}
		resp, err := http.Get(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		have := map[string]string{}
		for _, i := range list.Items {
			have[i.Metadata.Name] = i.Data["a"]
			if i.Metadata.UID == "" || i.Metadata.Name != "kube-root-ca.crt" && i.Data["a"] != i.Data["b"] {
				t.Errorf("round %d: half an object: %+v", round, i)
			}
		}
		for name, want := range acknowledged {
			if got, ok := have[name]; !unsure[name] && (got != want || ok != (want != "")) {
				t.Errorf("round %d: %s is %q, acknowledged was %q", round, name, head(got), head(want))
			}
		}
		var revision int
		fmt.Sscan(strings.Trim(list.Metadata.ResourceVersion.String(), `"`), &revision)
		if revision < lastRevision {
			t.Errorf("round %d: revision %d after %d", round, revision, lastRevision)
		}
		lastRevision = revision
		for name := range unsure {
			acknowledged[name] = have[name]
		}
		clear(unsure)

		var writers sync.WaitGroup
		for w := range 4 {
			r := rand.New(rand.NewPCG(chance.Uint64(), uint64(w)))
			writers.Add(1)
			go func() {
				defer writers.Done()
				for {
					name := fmt.Sprintf("w%d-%d", w, r.IntN(6))
					value := strings.Repeat(fmt.Sprint(r.IntN(1e6), "-"), 1+r.IntN(300))
					method, target, want := "PUT", path+"/"+name, value
					mu.Lock()
					known := acknowledged[name] != ""
					mu.Unlock()
					switch {
					case !known:
						method, target = "POST", path
					case r.IntN(5) == 0:
						method, want = "DELETE", ""
					}
					body := fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q},"data":{"a":%q,"b":%[2]q}}`, name, value)
					if method == "DELETE" {
						body = ""
					}
					req, _ := http.NewRequest(method, target, strings.NewReader(body))
					req.Header.Set("Content-Type", "application/json")
					resp, err := http.DefaultClient.Do(req)
					code := 0
					if err == nil {
						code = resp.StatusCode
						_, err = io.Copy(io.Discard, resp.Body)
						resp.Body.Close()
					}
					mu.Lock()
					switch {
					case err != nil && code == 0:
						unsure[name] = true
						mu.Unlock()
						return
					case code < 300:
						acknowledged[name] = want
					default:
						t.Errorf("%s %s: %d", method, name, code)
					}
					mu.Unlock()
					if err != nil {
						return
					}
				}
			}()
		}
		time.Sleep(time.Duration(20+chance.IntN(250)) * time.Millisecond)
		cmd.Process.Kill()
		cmd.Wait()
		writers.Wait()
	}
	if len(acknowledged) < 12 {
		t.Errorf("only %d objects were written", len(acknowledged))
	}
}
