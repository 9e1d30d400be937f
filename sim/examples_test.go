package sim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kubonsai/kubonsai/sim"
	"github.com/kubonsai/kubonsai/sim/examples"
)

// Every manifest of the documentation is taken as it is.
func TestDocumentationExamples(t *testing.T) {
	addresses := examples.Addresses()
	if len(addresses) < 40 {
		t.Fatalf("only %d examples", len(addresses))
	}
	m, err := sim.New(sim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	script := "kubectl create namespace mem-example; kubectl create namespace cpu-example; set -e\n"
	for _, a := range addresses {
		script += "kubectl apply --dry-run=server --validate=strict -f https://k8s.io/examples/" + a + "\n"
	}
	var out strings.Builder
	run := m.Terminal("1").Start(script, sim.RunOptions{OnOutput: func(_ int, b []byte) { out.Write(b) }})
	m.Jump(m.Now().Add(time.Hour), func() bool { _, done := run.Done(); return done })
	if code, done := run.Done(); code != 0 || !done || strings.Contains(strings.ToLower(out.String()), "warning") {
		t.Errorf("exit status %d, ended %v:\n%s", code, done, out.String())
	}
}
