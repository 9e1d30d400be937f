//go:build !js

// awk, jq, yq and bc, linked: the native binary has room for them.

package sim

import (
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/shell/guest/host"
	"github.com/kubonsai/kubonsai/sim/shell/texttool"
)

func linkedTextTools() program.Program { return host.Native(texttool.Run) }
