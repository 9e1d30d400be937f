// Keeping containers over a restart of the simulation. Servers of images go on
// as they were; a program that is a process of the kernel runs anew in the same
// container and gets through its past at once, without a restart being counted.

package container

import (
	"encoding/json"
	"time"
)

// Saved is what is kept of a container beside its Config.
type Saved struct {
	ID       string          `json:"id"`
	Name     string          `json:"name"`
	Attempt  int             `json:"attempt,omitempty"`
	Image    string          `json:"image"`
	Argv     []string        `json:"argv,omitempty"`
	Env      []string        `json:"env,omitempty"`
	State    State           `json:"state"`
	Created  time.Time       `json:"created"`
	Started  time.Time       `json:"started"`
	Finished time.Time       `json:"finished"`
	ExitCode int             `json:"exitCode,omitempty"`
	Reason   string          `json:"reason,omitempty"`
	Message  string          `json:"message,omitempty"`
	Log      []Line          `json:"log,omitempty"`
	Dropped  int             `json:"dropped,omitempty"`
	Written  int             `json:"written,omitempty"` // bytes, by the running program
	FS       json.RawMessage `json:"fs,omitempty"`
	NextPID  int             `json:"nextPID,omitempty"`
}

// Save returns what is to be kept of the container.
func (c *Container) Save() Saved {
	c.log.settle()
	s := Saved{ID: c.ID, Name: c.Name, Attempt: c.Attempt, Image: c.Image.Name, Argv: c.Argv, Env: c.Env, State: c.State, Created: c.Created, Started: c.Started, Finished: c.Finished,
		ExitCode: c.ExitCode, Reason: c.Reason, Message: c.Message, Log: c.log.lines, Dropped: c.log.dropped, Written: c.log.written, NextPID: c.nextPID}
	if c.root != nil {
		s.FS, _ = json.Marshal(c.root)
	}
	return s
}

// Restore brings a saved container back. cfg is as for Create.
func (s *Sandbox) Restore(cfg Config, v Saved) *Container {
	cfg.Attempt = v.Attempt
	if v.Argv != nil {
		cfg.Argv, cfg.Env = v.Argv, v.Env
	}
	c := s.create(cfg, v.ID)
	if len(v.FS) > 0 {
		c.root = c.rt.Root(c.Image)
		c.root.SetLimit(c.rt.FileLimit)
		_ = json.Unmarshal(v.FS, c.root)
		c.furnish()
	}
	c.log.lines, c.log.dropped = v.Log, v.Dropped
	for _, l := range v.Log {
		c.log.size += len(l.Text)
	}
	if v.State == Running {
		c.quiet = true
		_ = c.Start()
		c.quiet = false
		if c.State == Running {
			c.Started = v.Started
			c.repeat(v.Written)
		}
	} else {
		c.State, c.ExitCode, c.Reason, c.Message = v.State, v.ExitCode, v.Reason, v.Message
		c.Started, c.Finished = v.Started, v.Finished
		c.log.closed = v.State == Exited
	}
	c.Created = v.Created
	return c
}

// repeat lets the main program, which has just been started, get to where it
// was: what it slept then is not slept again, and what it wrote then is in the
// log. Files and connections are not held back: a program that is repeated
// writes and asks once more.
func (c *Container) repeat(written int) {
	p := c.main.proc
	if p == nil {
		return
	}
	c.main.started = c.Started
	c.log.written, c.log.skip = written, written
	p.Repeat(c.rt.Clock.Since(c.Started))
}

// RestoreSandbox is NewSandbox with the id it had.
func (r *Runtime) RestoreSandbox(cfg SandboxConfig, id string) *Sandbox { return r.newSandbox(cfg, id) }
