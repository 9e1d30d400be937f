// What a container can run: its image's programs, tools, scripts.

package container

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/kubonsai/kubonsai/sim/container/image"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

// target is what a command line runs.
type target struct {
	args      []string
	behaviour *image.Behaviour
	program   program.Program
	via       bool // through the image's entrypoint
}

// resolve finds the program of a command line. The error's text is runc's.
func (c *Container) resolve(argv []string, dir string) (*target, error) {
	via := false
	for depth := 0; ; depth++ {
		name := argv[0]
		if b := c.behaviour(name); b != nil {
			b = mode(b, argv)
			if p := c.command(b); p != nil {
				return &target{args: argv, program: p}, nil
			}
			if b.Kind != "entrypoint" {
				return &target{args: argv, behaviour: b, via: via}, nil
			}
			via = true
			if len(argv) == 1 || depth > 8 {
				return &target{args: argv, program: func(*program.Context, []string) int { return 0 }}, nil
			}
			argv = argv[1:]
			// An entrypoint script hands flags to the image's own program.
			if strings.HasPrefix(argv[0], "-") && len(c.Image.Command) > 0 {
				argv = append([]string{c.Image.Command[0]}, argv...)
			}
			continue
		}
		if p := c.find(name, dir); p != nil {
			return &target{args: argv, program: p}, nil
		}
		if c.Image.Generic {
			zero := 0
			return &target{args: argv, behaviour: &image.Behaviour{Kind: "sleep", Term: &zero}}, nil
		}
		if !strings.Contains(name, "/") {
			return nil, fmt.Errorf("exec: %q: executable file not found in $PATH", name)
		}
		st, err := c.FS().Stat(vfs.Join(dir, name))
		switch {
		case err != nil:
			return nil, fmt.Errorf("exec: %q: stat %s: no such file or directory", name, name)
		case st.IsDir():
			return nil, fmt.Errorf("exec: %q: is a directory", name)
		case st.Mode().Perm()&0o111 == 0:
			return nil, fmt.Errorf("exec: %q: permission denied", name)
		}
		return nil, fmt.Errorf("exec %s: exec format error", name)
	}
}

func (c *Container) behaviour(name string) *image.Behaviour {
	if b := c.Image.Programs[name]; b != nil {
		return b
	}
	base := path.Base(name)
	for k, b := range c.Image.Programs {
		if strings.Contains(name, "/") {
			if k == base || strings.HasPrefix(name, "./") && path.Base(k) == base {
				return b
			}
		} else if path.Base(k) == name && strings.HasPrefix(k, "/") {
			return b
		}
	}
	return nil
}

// find looks for a tool or a script.
func (c *Container) find(name, dir string) program.Program {
	if p := c.rt.Tool(c.Image, name); p != nil {
		return p
	}
	var files []string
	if strings.Contains(name, "/") {
		files = []string{vfs.Join(dir, name)}
	} else {
		for _, d := range strings.Split(c.getenv("PATH"), ":") {
			files = append(files, d+"/"+name)
		}
	}
	for _, f := range files {
		st, err := c.FS().Stat(f)
		if err != nil || !st.Mode().IsRegular() || st.Mode().Perm()&0o111 == 0 || st.Size() > 1<<20 {
			continue
		}
		data, err := c.FS().ReadFile(f)
		if err != nil || !strings.HasPrefix(string(data), "#!") {
			continue
		}
		line, _, _ := strings.Cut(string(data[2:]), "\n")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if path.Base(words[0]) == "env" && len(words) > 1 {
			words = words[1:]
		}
		p := c.find(words[0], "/")
		if p == nil {
			continue
		}
		return func(ctx *program.Context, args []string) int {
			return p(ctx, append(append(words, f), args[1:]...))
		}
	}
	return nil
}

// Tool is a tool that an image has, named with or without its directory, or nil.
func (r *Runtime) Tool(img *image.Image, name string) program.Program {
	base := path.Base(name)
	switch d := path.Dir(name); {
	case strings.Contains(name, "/") && d != "/bin" && d != "/usr/bin" && d != "/sbin" && d != "/usr/sbin" && d != "/usr/local/bin":
	case slices.Contains(r.Images.Toolset(img.Tools), base):
		return r.Programs(base)
	}
	return nil
}

// Lookup finds a program for the shell: tools, the image's own programs,
// scripts.
func (c *Container) Lookup(name string) program.Program {
	if b := c.behaviour(name); b != nil {
		return c.asProgram(b)
	}
	return c.find(name, c.Dir)
}

// asProgram runs an event-driven server as a process of the kernel: a shell
// may have started it.
func (c *Container) asProgram(b *image.Behaviour) program.Program {
	return func(ctx *program.Context, args []string) int {
		b := mode(b, args)
		if p := c.command(b); p != nil {
			return p(ctx, args)
		}
		if b.Kind == "entrypoint" {
			t, err := c.resolve(args, ctx.Dir)
			if err != nil {
				fmt.Fprintf(ctx.Stderr, "%s: %s\n", args[0], err)
				return 127
			}
			if t.behaviour != nil {
				return c.asProgram(t.behaviour)(ctx, t.args)
			}
			return t.program(ctx, t.args)
		}
		if b.Kind == "nginx" {
			if code, done := nginxCommand(c, ctx, args); done {
				return code
			}
		}
		var wait kernel.WaitQueue
		ended, code := false, 0
		s := &server{c: c, b: b, args: args, env: ctx.Env, pid: max(c.PID(ctx.Proc), 1), stdout: ctx.Stdout, stderr: ctx.Stderr}
		s.done = func(n int) { ended, code = true, n; wait.Wake() }
		old := ctx.Proc.OnSignal
		ctx.Proc.OnSignal = func(sig kernel.Signal) bool { return s.signal(sig) }
		defer func() { ctx.Proc.OnSignal = old; s.close() }()
		s.start()
		for !ended {
			_ = ctx.Proc.Wait(&wait)
		}
		return code
	}
}
