// What signals do to a shell: traps.

package shell

import (
	"github.com/kubonsai/kubonsai/sim/kernel"
)

// onSignal is asked by the kernel what a signal does.
func (s *Shell) onSignal(sig kernel.Signal) bool {
	if sig == kernel.SIGCHLD {
		return true
	}
	if cmd, ok := s.traps[sigName(sig)]; ok && cmd == "" {
		return true
	}
	if s.interactive && s.subshell == 0 && sig == kernel.SIGTERM {
		return true
	}
	if sig == kernel.SIGPIPE {
		return false
	}
	s.sigs = append(s.sigs, sig)
	if sig == kernel.SIGINT || sig == kernel.SIGQUIT {
		for _, p := range s.fg {
			p.Signal(sig)
		}
	}
	return true
}

// handleSignals runs the traps of the signals that have come, or ends the
// script.
func (s *Shell) handleSignals() {
	for len(s.sigs) > 0 {
		sig := s.sigs[0]
		s.sigs = s.sigs[1:]
		if cmd, ok := s.traps[sigName(sig)]; ok {
			s.runTrap(cmd)
			continue
		}
		s.status = 128 + int(sig)
		if s.interactive && s.subshell == 0 {
			s.flow = flowDiscard
		} else {
			s.flow = flowExit
		}
	}
}

func (s *Shell) runTrap(cmd string) {
	if s.inTrap && s.depth > maxDepth/2 {
		return
	}
	status, was, f, n := s.status, s.inTrap, s.flow, s.flowCount
	s.inTrap, s.flow = true, flowNone
	s.depth++
	s.sourcing++
	s.source(cmd)
	s.sourcing--
	s.depth--
	s.inTrap = was
	if s.flow == flowNone {
		s.status, s.flow, s.flowCount = status, f, n
	}
}

func (s *Shell) runExitTrap() {
	cmd, ok := s.traps["EXIT"]
	if !ok || s.exitRan || cmd == "" {
		return
	}
	s.exitRan = true
	status := s.status
	s.flow = flowNone
	s.sourcing++
	s.source(cmd)
	s.sourcing--
	if s.flow != flowExit {
		s.status = status
	}
	s.flow = flowExit
}
