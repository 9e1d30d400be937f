// Who and where one is: id, hostname, uname, getent.

package tool

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func (t *T) user() string {
	if t.User != "" {
		return t.User
	}
	if t.UID == 0 {
		return "root"
	}
	return strconv.Itoa(t.UID)
}

func id(t *T) int {
	if !t.parse("ugGnrz", "user=u", "group=g", "groups=G", "name=n") {
		return 1
	}
	u := t.user()
	if len(t.args) > 0 && t.args[0] != u {
		t.errorf("‘%s’: no such user", t.args[0])
		return 1
	}
	// named is "0(root)", or the number alone where it has no name.
	named := func(id int, name string) string {
		if n := strconv.Itoa(id); name == "" || name == n {
			return n
		}
		return fmt.Sprintf("%d(%s)", id, name)
	}
	gids := t.FS.Groups()
	if len(gids) == 0 {
		gids = []int{t.UID}
	}
	group := func(id int) string {
		if id == t.UID && len(t.FS.Groups()) == 0 {
			return u
		}
		return t.groupName(id)
	}
	all := slices.Clone(gids)
	slices.Sort(all)
	word := func(id int, name string) string {
		if t.has("n") && name != "" {
			return name
		}
		return strconv.Itoa(id)
	}
	switch {
	case t.has("u"):
		t.puts(word(t.UID, u) + "\n")
	case t.has("g"):
		t.puts(word(gids[0], group(gids[0])) + "\n")
	default:
		var list []string
		for _, g := range all {
			if t.has("G") {
				list = append(list, word(g, group(g)))
			} else {
				list = append(list, named(g, group(g)))
			}
		}
		if t.has("G") {
			t.puts(strings.Join(list, " ") + "\n")
			break
		}
		t.printf("uid=%s gid=%s groups=%s\n", named(t.UID, u), named(gids[0], group(gids[0])), strings.Join(list, ","))
	}
	return 0
}

// canonicalName is the machine's full name, as /etc/hosts has it.
func (t *T) canonicalName() string {
	b, _ := t.FS.ReadFile("/etc/hosts")
	for _, l := range strings.Split(string(b), "\n") {
		if f := strings.Fields(l); len(f) > 1 && slices.Contains(f[1:], t.Host) {
			return f[1]
		}
	}
	return t.Host
}

func hostname(t *T) int {
	if len(t.args) > 0 {
		switch t.args[0] {
		case "-i", "-I":
			if t.Net != nil {
				var out []string
				for _, a := range t.Net.Addrs {
					out = append(out, a.String())
				}
				s := strings.Join(out, " ")
				if t.args[0] == "-I" {
					s += " "
				}
				t.puts(s + "\n")
			}
			return 0
		case "-s":
			h, _, _ := strings.Cut(t.Host, ".")
			t.puts(h + "\n")
			return 0
		case "-f", "-A", "-d":
			name := t.canonicalName()
			if t.args[0] == "-d" {
				_, name, _ = strings.Cut(name, ".")
			}
			t.puts(name + "\n")
			return 0
		default:
			t.eprint("hostname: you must be root to change the host name\n")
			return 1
		}
	}
	t.puts(t.Host + "\n")
	return 0
}

func uname(t *T) int {
	if !t.parse("asnrvmpio", "all=a", "kernel-name=s", "nodename=n", "kernel-release=r", "kernel-version=v", "machine=m", "processor=p", "operating-system=o") {
		return 1
	}
	if len(t.opts) == 0 {
		t.opts["s"] = ""
	}
	var out []string
	add := func(k, v string) {
		if t.has(k) || t.has("a") && k != "p" && k != "i" {
			out = append(out, v)
		}
	}
	add("s", "Linux")
	add("n", t.Host)
	add("r", "6.8.0-45-generic")
	add("v", "#45-Ubuntu SMP PREEMPT_DYNAMIC Fri Aug 30 12:02:04 UTC 2024")
	add("m", "x86_64")
	add("p", "x86_64")
	add("i", "x86_64")
	add("o", "GNU/Linux")
	t.puts(strings.Join(out, " ") + "\n")
	return 0
}

func getent(t *T) int {
	if len(t.args) == 0 {
		t.eprint("getent: wrong number of arguments\n")
		return 1
	}
	switch t.args[0] {
	case "hosts", "ahosts", "ahostsv4":
		if t.Net == nil || len(t.args) < 2 {
			return 2
		}
		for _, h := range t.args[1:] {
			as, err := t.Net.Lookup(h)
			if err != nil || len(as) == 0 {
				return 2
			}
			if t.args[0] != "hosts" {
				for _, a := range as {
					t.printf("%-15s STREAM %s\n%-15s DGRAM  \n%-15s RAW    \n", a, h, a, a)
				}
				continue
			}
			for _, a := range as {
				t.printf("%-15s %s\n", a, h)
			}
		}
	case "passwd", "group":
		b, err := t.FS.ReadFile("/etc/" + t.args[0])
		if err != nil {
			return 2
		}
		found := len(t.args) == 1
		for _, l := range strings.Split(strings.TrimSpace(string(b)), "\n") {
			f := strings.Split(l, ":")
			if len(t.args) == 1 || f[0] == t.args[1] || len(f) > 2 && f[2] == t.args[1] {
				t.puts(l + "\n")
				found = true
			}
		}
		if !found {
			return 2
		}
	default:
		t.eprint("Unknown database: " + t.args[0] + "\n")
		return 1
	}
	return 0
}
