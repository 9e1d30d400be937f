package image_test

import (
	"testing"

	"github.com/kubonsai/kubonsai/sim/container/image"
)

func TestResolve(t *testing.T) {
	c := image.Default()
	for _, tt := range []struct{ in, name, version string }{
		{"nginx", "docker.io/library/nginx:latest", "1.29.3"},
		{"nginx:1.27", "docker.io/library/nginx:1.27", "1.27.5"},
		{"nginx:1.14.2", "docker.io/library/nginx:1.14.2", "1.14.2"},
		{"nginx:1.25-alpine", "docker.io/library/nginx:1.25-alpine", "1.25.5"},
		{"nginx:alpine", "docker.io/library/nginx:alpine", "1.29.3"},
		{"nginx:stable-perl", "docker.io/library/nginx:stable-perl", "1.28.0"},
		{"docker.io/nginx:1.25.3", "docker.io/library/nginx:1.25.3", "1.25.3"},
		{"docker.io/library/nginx:1.24.0", "docker.io/library/nginx:1.24.0", "1.24.0"},
		{"busybox:1.36", "docker.io/library/busybox:1.36", "1.36.1"},
		{"busybox:1.28", "docker.io/library/busybox:1.28", "1.28.4"},
		{"alpine:3", "docker.io/library/alpine:3", "3.22.1"},
		{"curlimages/curl:8.5.0", "docker.io/curlimages/curl:8.5.0", "8.5.0"},
		{"curlimages/curl", "docker.io/curlimages/curl:latest", "8.17.0"},
		{"blux2/hello-server:1.0", "docker.io/blux2/hello-server:1.0", "1.0"},
		{"blux2/hello-server:1.5", "docker.io/blux2/hello-server:1.5", "1.5"},
		{"perl:5.34.0", "docker.io/library/perl:5.34.0", "5.34.0"},
		{"gcr.io/google_samples/gb-frontend:v5", "gcr.io/google_samples/gb-frontend:v5", "v5"},
		{"us-docker.pkg.dev/google-samples/containers/gke/gb-frontend:v5", "us-docker.pkg.dev/google-samples/containers/gke/gb-frontend:v5", "v5"},
		{"registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10", "3.10"},
		{"registry.k8s.io/coredns/coredns:v1.13.1", "registry.k8s.io/coredns/coredns:v1.13.1", "v1.13.1"},
		{"k8s.gcr.io/redis:e2e", "k8s.gcr.io/redis:e2e", "2.8.23"},
		{"example.com/team/app:v1", "example.com/team/app:v1", ""},
	} {
		img, err := c.Resolve(tt.in)
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if img.Name != tt.name || img.Version != tt.version {
			t.Errorf("%s: got %s version %s, want %s %s", tt.in, img.Name, img.Version, tt.name, tt.version)
		}
		if len(img.Digest) != 71 || img.PullTime() <= 0 || len(img.Argv(nil, nil)) == 0 {
			t.Errorf("%s: incomplete: %+v", tt.in, img)
		}
	}
}

func TestErrors(t *testing.T) {
	c := image.Default()
	for in, want := range map[string]string{
		"nginx:no-such-tag":      `rpc error: code = NotFound desc = failed to pull and unpack image "docker.io/library/nginx:no-such-tag": failed to resolve image: docker.io/library/nginx:no-such-tag: not found`,
		"blux2/hello-server:1.3": `rpc error: code = NotFound desc = failed to pull and unpack image "docker.io/blux2/hello-server:1.3": failed to resolve image: docker.io/blux2/hello-server:1.3: not found`,
		"NGINX":                  "invalid reference format: repository name (library/NGINX) must be lowercase",
		"nginx:":                 "invalid reference format",
		"a//b":                   "invalid reference format",
		"nginx@sha256:12":        "invalid reference format",
	} {
		if _, err := c.Resolve(in); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", in, err, want)
		}
	}
}

func TestAdd(t *testing.T) {
	c := image.Default()
	if err := c.Add([]byte("unknown: fail\nimages:\n- {name: me/app, versions: ['1.0'], base: alpine, command: [/app], programs: {/app: {kind: http, port: 80, routes: [{path: /, body: hi}]}}}\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Resolve("me/app:1.0"); err != nil {
		t.Error(err)
	}
	if _, err := c.Resolve("nobody/knows"); err == nil {
		t.Error("an unknown repository resolves though the page says fail")
	}
	if _, err := image.Default().Resolve("nobody/knows"); err != nil {
		t.Error("one catalogue changes another: ", err)
	}
	for _, bad := range []string{"images: [{}]", "images: [{name: A/b}]", "nonsense: 1", "unknown: maybe", "images: [{name: a, versions: ['1.5..2']}]"} {
		if c.Add([]byte(bad)) == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}

// Every kind of program in the catalogue is one that the runtime knows.
func TestCatalogueIsComplete(t *testing.T) {
	kinds := map[string]bool{"entrypoint": true, "nginx": true, "httpd": true, "http": true, "tcp": true, "sleep": true, "stress": true, "exit": true, "agnhost": true, "liveness": true, "ingress": true}
	c := image.Default()
	for _, n := range c.Names() {
		img, err := c.Resolve(n)
		if err != nil {
			if _, missing := err.(*image.ErrNotFound); !missing {
				t.Errorf("%s: %v", n, err)
			}
			continue
		}
		for p, b := range img.Programs {
			if !kinds[b.Kind] {
				t.Errorf("%s: %s: unknown kind %q", n, p, b.Kind)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"nginx", "a/b:c", "x@sha256:", "localhost:5000/x", ":", "@", "docker.io/"} {
		f.Add(s)
	}
	c := image.Default()
	f.Fuzz(func(t *testing.T, s string) { _, _ = c.Resolve(s) })
}
