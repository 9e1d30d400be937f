// awk, jq, yq and bc are not in the browser module: Options.TextTools brings them.

package sim

import (
	"errors"

	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/shell/guest/host"
)

func linkedTextTools() program.Program { return host.Remote(missing{}) }

type missing struct{}

func (missing) Open(done func(host.Instance, error)) (cancel func()) {
	done(nil, errors.New("this host has no module for it"))
	return func() {}
}
