// vi, nano and so on open the host's editor; less, more and man show text.

package tool

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/kubonsai/kubonsai/sim/vfs"
)

func init() {
	reg("", editor, "vi", "vim", "nvim", "nano", "emacs", "view", "pico")
	reg("less [file ...]", pager, "less", "more", "most")
	reg("man page", func(t *T) int {
		if len(t.args) == 0 {
			t.eprint("What manual page do you want?\nFor example, try 'man man'.\n")
			return 1
		}
		n := t.args[len(t.args)-1]
		if _, ok := all[n]; !ok && t.Lookup(n) == nil {
			t.eprint("No manual entry for " + n + "\n")
			return 16
		}
		t.printf("%s(1)\n\nThe manual pages are not installed here. Try: %s --help\n", strings.ToUpper(n), n)
		return 0
	}, "man")
}

func editor(t *T) int {
	name := ""
	for _, a := range t.args {
		if !strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "+") {
			name = a
		}
	}
	if len(t.args) > 0 && t.args[0] == "--version" {
		t.puts("VIM - Vi IMproved 9.0\n")
		return 0
	}
	if t.TTY == nil {
		switch t.name {
		case "nano", "pico":
			t.eprint("Standard input is not a terminal\n")
		case "emacs":
			t.eprint("emacs: standard input is not a tty\n")
		default:
			t.eprint("Vim: Warning: Output is not to a terminal\nVim: Warning: Input is not from a terminal\n")
		}
		return 1
	}
	text := ""
	mode := os.O_TRUNC
	if name != "" {
		p := t.Path(name)
		info, err := t.FS.Stat(p)
		if err == nil && info.IsDir() {
			t.eprint(fmt.Sprintf("\"%s\" is a directory\n", name))
			return 1
		}
		if err == nil {
			b, err := t.readAll(name)
			if err != nil {
				t.eprint(fmt.Sprintf("\"%s\" [%s]\n", name, vfs.Reason(err)))
				return 1
			}
			text = string(b)
		}
	}
	t.flush()
	shown := name
	if shown == "" {
		shown = "[No Name]"
	}
	edited, ok, err := t.TTY.Edit(t.Proc, shown, text)
	if err != nil {
		t.errorf("%s", err)
		return 1
	}
	if !ok || name == "" {
		return 0
	}
	if edited != "" && !strings.HasSuffix(edited, "\n") {
		edited += "\n"
	}
	if edited == text {
		return 0
	}
	w, err := t.create(name, mode)
	if err == nil {
		_, err = w.Write([]byte(edited))
	}
	if err != nil {
		t.eprint(fmt.Sprintf("\"%s\" E212: Can't open file for writing: %s\n", name, vfs.Reason(err)))
		return 1
	}
	return 0
}

func pager(t *T) int {
	var names []string
	for _, a := range t.args {
		if !strings.HasPrefix(a, "-") || a == "-" {
			names = append(names, a)
		}
	}
	for _, n := range names {
		if info, err := t.FS.Stat(t.Path(n)); err == nil && info.IsDir() {
			t.eprint(n + " is a directory\n")
			return 1
		}
	}
	if len(names) == 0 {
		names = []string{"-"}
	}
	for _, n := range names {
		r, err := t.open(n)
		if err != nil {
			t.eprint(n + ": " + vfs.Reason(err) + "\n")
			t.bad = 1
			continue
		}
		buf := make([]byte, 32<<10)
		for {
			k, err := r.Read(buf)
			t.write(buf[:k])
			t.Proc.Tick()
			if err == io.EOF || err != nil {
				break
			}
		}
	}
	return t.bad
}
