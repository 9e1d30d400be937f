// xargs, and how it reads its input.

package tool

import (
	"io"
	"strconv"
	"strings"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

func xargs(t *T) int {
	if !t.parseOpts("0n:I:i:rP:td:L:s:xpa:", true, "null=0", "max-args=n", "replace=I", "no-run-if-empty=r", "max-procs=P", "verbose=t", "delimiter=d", "max-lines=L") {
		return 1
	}
	command := t.args
	if len(command) == 0 {
		command = []string{"echo"}
	}
	n, ok := t.number("n", 0)
	if !ok || t.has("n") && n < 1 {
		t.errorf("value %s for -n option should be >= 1", t.opts["n"])
		return 1
	}
	procs, _ := t.number("P", 1)
	if procs == 0 {
		procs = 1 << 10
	}
	repl, byLine := t.opts["I"]
	if v, has := t.opts["L"]; has {
		byLine = true
		repl = ""
		n, _ = strconv.Atoi(v)
	}
	in := io.Reader(stdin{t})
	if f, ok := t.opts["a"]; ok {
		r, err := t.open(f)
		if err != nil {
			t.errorf("Cannot open input file ‘%s’: %s", f, vfs.Reason(err))
			return 1
		}
		in = r
	}
	status := 0
	var running []*kernel.Proc
	reap := func(limit int) bool {
		for len(running) > limit {
			code := t.wait(running[0])
			running = running[1:]
			switch {
			case code == 255:
				t.errorf("%s: exited with status 255; aborting", command[0])
				status = 124
				return false
			case code > 128 && code < 160:
				t.errorf("%s: terminated by signal %d", command[0], code-128)
				status = 125
				return false
			case code != 0:
				status = 123
			}
		}
		return true
	}
	t.Proc.OnSignal = func(sig kernel.Signal) bool {
		if sig == kernel.SIGCHLD {
			return true
		}
		for _, p := range running {
			p.Signal(sig)
		}
		return false
	}
	start := func(args []string) bool {
		if t.has("t") {
			t.eprint(strings.Join(args, " ") + "\n")
		}
		p, code := t.spawn(args, strings.NewReader(""))
		if p == nil {
			reason := "No such file or directory"
			if code == 126 {
				reason = "Permission denied"
			}
			t.errorf("%s: %s", args[0], reason)
			status = code
			return false
		}
		running = append(running, p)
		return reap(procs - 1)
	}
	ran := false
	var batch []string
	size := 0
	flush := func() bool {
		if len(batch) == 0 {
			return true
		}
		ran = true
		args := append(append([]string(nil), command...), batch...)
		batch, size = nil, 0
		return start(args)
	}
	add := func(item string) bool {
		if t.has("I") {
			ran = true
			args := make([]string, len(command))
			for i, a := range command {
				args[i] = strings.ReplaceAll(a, repl, item)
			}
			return start(args)
		}
		batch = append(batch, item)
		size += len(item) + 1
		if n > 0 && len(batch) >= n || size > 128<<10 {
			return flush()
		}
		return true
	}
	more := true
	switch {
	case t.has("0") || t.has("d"):
		delim := byte(0)
		if v, ok := t.opts["d"]; ok {
			e, _ := Escapes(v, true)
			if e == "" {
				t.errorf("Invalid input delimiter specification %s", v)
				return 1
			}
			delim = e[0]
		}
		_ = t.records(in, delim, func(l []byte, _ bool) bool { more = add(string(l)); return more })
	case byLine && t.has("I"):
		_ = t.lines(in, func(l []byte, _ bool) bool {
			if s := strings.TrimLeft(string(l), " \t"); s != "" {
				w, bad := unquoteArgs(s, true)
				if bad != "" {
					t.errorf("%s", bad)
					status, more = 1, false
					return false
				}
				more = add(w[0])
			}
			return more
		})
	default:
		lines := 0
		_ = t.lines(in, func(l []byte, _ bool) bool {
			words, bad := unquoteArgs(string(l), false)
			if bad != "" {
				t.errorf("%s", bad)
				status, more = 1, false
				return false
			}
			for _, w := range words {
				if t.has("L") {
					batch = append(batch, w)
					continue
				}
				if more = add(w); !more {
					return false
				}
			}
			if t.has("L") && len(words) > 0 {
				if lines++; lines >= n {
					lines = 0
					more = flush()
				}
			}
			return more
		})
	}
	if more {
		more = flush()
	}
	if more && !ran && !t.has("r") && !t.has("I") {
		more = start(command)
	}
	reap(0)
	return status
}

// unquoteArgs splits a line as xargs does: quotes and backslashes protect.
func unquoteArgs(l string, whole bool) (words []string, bad string) {
	var b strings.Builder
	open := false
	for i := 0; i < len(l); i++ {
		switch c := l[i]; {
		case c == '\'' || c == '"':
			j := strings.IndexByte(l[i+1:], c)
			if j < 0 {
				kind := "single"
				if c == '"' {
					kind = "double"
				}
				return nil, "unmatched " + kind + " quote; by default quotes are special to xargs unless you use the -0 option"
			}
			b.WriteString(l[i+1 : i+1+j])
			i += j + 1
			open = true
		case c == '\\' && i+1 < len(l):
			i++
			b.WriteByte(l[i])
			open = true
		case (c == ' ' || c == '\t') && !whole:
			if open {
				words = append(words, b.String())
				b.Reset()
				open = false
			}
		default:
			b.WriteByte(c)
			open = true
		}
	}
	if open || whole {
		words = append(words, b.String())
	}
	return words, ""
}
