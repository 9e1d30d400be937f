// Scripts that ours and the machine's bash must run alike: the same standard
// output, the same errors, the same status.

package shell_test

import (
	_ "embed"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
)

// testdata/bash.txt holds the scripts, separated by lines of "%%"; a line
// "%% reason" after a script says why it is not compared.
//
//go:embed testdata/bash.txt
var bashScripts string

// testdata/tools.txt has scripts about the tools, compared with those of the
// machine.
//
//go:embed testdata/tools.txt
var toolScripts string

func TestLikeBash(t *testing.T) { compareAll(t, bashScripts) }

func TestToolsLikeGNU(t *testing.T) { compareAll(t, toolScripts) }

func compareAll(t *testing.T, scripts string) {
	// Who runs the tests under nohup hands an ignored SIGHUP down; a caught one
	// is reset for bash.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	defer signal.Stop(caught)
	script := ""
	for _, line := range strings.SplitAfter(scripts, "\n") {
		if !strings.HasPrefix(line, "%%") {
			script += line
			continue
		}
		if s := strings.TrimSuffix(script, "\n"); s != "" {
			compare(t, s, strings.TrimSpace(line[2:]))
		}
		script = ""
	}
}
