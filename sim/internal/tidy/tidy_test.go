// Package tidy tests the repository's own habits. Each failure names what to
// do instead.
package tidy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/kubonsai/kubonsai/"

// layers is the road of ARCHITECTURE.md from top to bottom: a package imports
// packages of its own layer's folder and of the layers below only.
var layers = [][]string{
	{"wasm/browser", "wasm/texttool", "wasm/worker", "sim/cmd/kubonsai"},
	{"wasm/internal", "sim/doctest"},
	{"wasm/bridge", "sim/transcript", "sim/simtest", "sim/httpserver", "sim/journal"},
	{"sim"},
	{"sim/examples"},
	{"sim/docker", "sim/kind", "sim/minikube"},
	{"sim/shell"},
	{"sim/kubectl", "sim/simctl"},
	{"sim/kubelet", "sim/scheduler", "sim/controller", "sim/network/proxy"},
	{"sim/container"},
	{"sim/apiserver"},
	{"sim/client"},
	{"sim/store"},
	{"sim/provision"},
	{"sim/rest"},
	{"sim/program"},
	{"sim/network"},
	{"sim/api"},
	{"sim/kernel", "sim/vfs", "sim/pki"},
	{"sim/clock", "sim/seed"},
	{"sim/internal"},
}

// hosts may use the operating system, goroutines and the wall clock.
var hosts = []string{"wasm/", "sim/cmd/", "sim/httpserver", "sim/journal", "scripts/", "sim/internal/"}

func layerOf(pkg string) int {
	best, depth := -1, -1
	for i, l := range layers {
		for _, p := range l {
			if (pkg == p || strings.HasPrefix(pkg, p+"/")) && len(p) > depth {
				if p == "sim" && pkg != "sim" {
					continue
				}
				best, depth = i, len(p)
			}
		}
	}
	return best
}

type source struct {
	path, pkg string // relative to the repository
	file      *ast.File
	fset      *token.FileSet
}

func sources(t *testing.T, tests bool) []source {
	root := filepath.Join("..", "..", "..")
	var out []source
	for _, top := range []string{"sim", "wasm"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && (d.Name() == "testdata" || d.Name() == "node_modules") {
				return filepath.SkipDir
			}
			if !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") != tests {
				return nil
			}
			rel, _ := filepath.Rel(root, p)
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, p, nil, parser.ParseComments)
			if err != nil {
				return err
			}
			out = append(out, source{filepath.ToSlash(rel), filepath.ToSlash(filepath.Dir(rel)), f, fset})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func isHost(path string) bool {
	return slices.ContainsFunc(hosts, func(h string) bool { return strings.HasPrefix(path, h) })
}

// "Imports go down this list only" (ARCHITECTURE.md).
func TestImportsGoOneWay(t *testing.T) {
	for _, s := range sources(t, false) {
		from := layerOf(s.pkg)
		if from < 0 {
			if !strings.HasPrefix(s.pkg, "sim/internal/") {
				t.Errorf("%s: package %s has no place on the road: add it to layers in this test and to sim/ARCHITECTURE.md", s.path, s.pkg)
			}
			continue
		}
		for _, im := range s.file.Imports {
			p, _ := strconv.Unquote(im.Path.Value)
			rel, ours := strings.CutPrefix(p, module)
			if !ours {
				continue
			}
			if to := layerOf(rel); to < from || to < 0 {
				t.Errorf("%s imports %s, which is above it: pass what it needs in by an interface or a function", s.path, rel)
			}
		}
	}
}

// forbidden are the imports that the core may not have, with what to use.
var forbidden = map[string]string{
	"net/http":                             "package rest or network (an adapter in a host speaks HTTP)",
	"os":                                   "package vfs for files, program.Context for the environment",
	"os/exec":                              "program.Program",
	"sync":                                 "nothing: only one goroutine runs at a time",
	"sync/atomic":                          "nothing: only one goroutine runs at a time",
	"math/rand":                            "package seed",
	"math/rand/v2":                         "package seed",
	"crypto/rand":                          "package seed",
	"context":                              "kernel.Proc (signals end a program)",
	"k8s.io/apimachinery/pkg/apis/meta/v1": "sim/api/meta/v1",
	"k8s.io/apimachinery/pkg/runtime":      "sim/api",
}

// allowed are the exceptions, with the reason.
var allowed = map[string]string{
	"sim/seed/seed.go math/rand/v2":     "seed wraps the generator",
	"sim/api/api.go sync":               "a table built on first use, shared by all clusters of a process",
	"sim/api/copy.go sync":              "as above",
	"sim/api/tree.go sync":              "as above",
	"sim/api/schema/schema.go sync":     "as above",
	"sim/api/protobuf/protobuf.go sync": "as above",
	"sim/container/image/image.go sync": "as above",
	"sim/internal/lazy/lazy.go sync":    "as above",
}

// "no time.Now, no global rand, no goroutine in the control plane".
func TestCoreIsDeterministic(t *testing.T) {
	for _, s := range sources(t, false) {
		if isHost(s.path) {
			continue
		}
		for _, im := range s.file.Imports {
			p, _ := strconv.Unquote(im.Path.Value)
			if p == "os" && onlyOpenFlags(s.file) {
				continue
			}
			if instead, bad := forbidden[p]; bad && allowed[s.path+" "+p] == "" {
				t.Errorf("%s imports %s: use %s", s.path, p, instead)
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				if s.path != "sim/kernel/kernel.go" {
					t.Errorf("%s: go statement: use kernel.Spawn", s.fset.Position(n.Pos()))
				}
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" {
					switch n.Sel.Name {
					case "Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker":
						t.Errorf("%s: time.%s: use package clock, or kernel.Proc.Sleep", s.fset.Position(n.Pos()), n.Sel.Name)
					}
				}
			}
			return true
		})
	}
}

// onlyOpenFlags reports whether a file uses package os for the flags of open(2) alone.
func onlyOpenFlags(f *ast.File) bool {
	only := true
	ast.Inspect(f, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "os" && !strings.HasPrefix(sel.Sel.Name, "O_") {
				only = false
			}
		}
		return true
	})
	return only
}

// "A file says what it is for in its first comment."
func TestFilesSayWhatTheyAreFor(t *testing.T) {
	for _, s := range sources(t, false) {
		if len(s.file.Comments) == 0 || s.file.Comments[0].Pos() > s.file.Name.End()+200 {
			t.Errorf("%s: the first comment should say what the file is for", s.path)
		}
	}
}

// linked is what may be linked into the wasm modules beside the standard
// library and this module, each with the reason. A package that joins must be
// announced here, with what it costs.
var linked = map[string]map[string]string{
	"wasm/texttool": {
		"github.com/benhoyt/goawk":      "awk",
		"github.com/itchyny/gojq":       "jq",
		"github.com/itchyny/timefmt-go": "strftime",
		"go.yaml.in/yaml/v3":            "yq",
	},
	"wasm/browser": {
		"github.com/hack-pad/go-indexeddb": "IndexedDB",
		"github.com/hack-pad/safejs":       "needed by go-indexeddb",
		"github.com/spf13/pflag":           "kubectl's flags",
		"github.com/tidwall/btree":         "ordered maps with snapshots",
		"mvdan.cc/sh/v3":                   "the shell's grammar and expansion",
		"k8s.io/apimachinery":              "leaf packages: selectors, quantities, names, intstr",
		"k8s.io/client-go/util/jsonpath":   "kubectl -o jsonpath",
		"k8s.io/client-go/third_party":     "needed by jsonpath",
		"k8s.io/klog/v2":                   "needed by apimachinery/pkg/labels",
		"k8s.io/utils":                     "needed by apimachinery",
		"k8s.io/kube-openapi":              "needed by apimachinery/api/resource",
		"sigs.k8s.io/yaml":                 "manifests",
		"sigs.k8s.io/json":                 "strict decoding with upstream's messages",
		"sigs.k8s.io/randfill":             "needed by apimachinery/api/resource",
		"go.yaml.in/yaml":                  "needed by sigs.k8s.io/yaml",
		"gopkg.in/inf.v0":                  "quantities",
		"github.com/go-logr/logr":          "needed by klog",
		"github.com/fxamacker/cbor/v2":     "needed by apimachinery/api/resource",
		"github.com/x448/float16":          "needed by cbor",
		"golang.org/x/sys":                 "needed by mvdan.cc/sh",
		"golang.org/x/term":                "needed by mvdan.cc/sh",
		"golang.org/x/text":                "unicode widths",
		"golang.org/x/net":                 "needed by apimachinery",
	},
	"wasm/worker": {
		"github.com/syumai/workers":        "requests and responses of the platform",
		"k8s.io/streaming":                 "exec, attach and port-forward",
		"github.com/moby/spdystream":       "needed by streaming: port-forward is SPDY inside a WebSocket",
		"github.com/google/gnostic-models": "OpenAPI v2 in protobuf, for clients that read no other",
		"google.golang.org/protobuf":       "needed by gnostic-models",
		"go.yaml.in/yaml":                  "manifests; needed by gnostic-models",
		"golang.org/x/net":                 "WebSocket frames",
		"github.com/spf13/pflag":           "kubectl's flags",
		"github.com/tidwall/btree":         "ordered maps with snapshots",
		"mvdan.cc/sh/v3":                   "the shell's grammar and expansion",
		"k8s.io/apimachinery":              "leaf packages: selectors, quantities, names, intstr",
		"k8s.io/client-go/util/jsonpath":   "kubectl -o jsonpath",
		"k8s.io/client-go/third_party":     "needed by jsonpath",
		"k8s.io/klog/v2":                   "needed by apimachinery/pkg/labels and streaming",
		"k8s.io/utils":                     "needed by apimachinery",
		"sigs.k8s.io/yaml":                 "manifests",
		"sigs.k8s.io/json":                 "strict decoding with upstream's messages",
		"github.com/go-logr/logr":          "needed by klog",
	},
}

// tolerated are unwanted packages that a module cannot do without.
var tolerated = map[string][]string{
	"wasm/texttool": {"os/exec"},                           // goawk's, which never comes to start anything
	"wasm/worker":   {"net/http", "crypto/tls", "os/exec"}, // clients bring HTTP, and no reader downloads this module
}

// unwanted standard packages cost much in the browser module.
var unwanted = map[string]string{
	"net/http":   "1.75 MB; package rest has the shapes",
	"crypto/tls": "comes with net/http",
	"os/exec":    "there are no programs to run in a browser",
}

func TestModulesLinkNothingUnannounced(t *testing.T) {
	for program, known := range linked {
		cmd := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{else}}std:{{.ImportPath}}{{end}}", module+program)
		cmd.Env = append(cmd.Environ(), "GOOS=js", "GOARCH=wasm")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		for _, p := range strings.Fields(string(out)) {
			if std, ok := strings.CutPrefix(p, "std:"); ok {
				if why, bad := unwanted[std]; bad && !slices.Contains(tolerated[program], std) {
					t.Errorf("%s links %s: %s", program, std, why)
				}
				continue
			}
			if strings.HasPrefix(p, module) {
				continue
			}
			announced := false
			for prefix := range known {
				announced = announced || p == prefix || strings.HasPrefix(p, prefix+"/")
			}
			if !announced {
				t.Errorf("%s links %s unannounced: add it to linked with its reason and its cost, or do without", program, p)
			}
		}
	}
}

// The languages of the second module know nothing of the simulation.
func TestTextToolsStandAlone(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", module+"wasm/texttool")
	cmd.Env = append(cmd.Environ(), "GOOS=js", "GOARCH=wasm")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for _, p := range strings.Fields(string(out)) {
		switch rel, ours := strings.CutPrefix(p, module); {
		case !ours, rel == "wasm/texttool", rel == "sim/shell/texttool", rel == "sim/shell/guest":
		default:
			t.Errorf("wasm/texttool links %s: what it needs of the simulation are calls of guest.System", p)
		}
	}
}
