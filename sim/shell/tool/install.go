// What tutorials prepare a machine with: envsubst of gettext, and the package
// managers, which find here what is here and nothing else.

package tool

import "strings"

func init() {
	reg("envsubst [OPTION] [SHELL-FORMAT]", envsubst, "envsubst")
	reg("", packages, "apt", "apt-get", "brew")
}

// envsubst replaces $NAME and ${NAME} by the environment's values; with an
// argument only the names in it.
func envsubst(t *T) int {
	if !t.parse("v", "variables=v") {
		return 1
	}
	var only map[string]bool
	if len(t.args) > 0 {
		only = map[string]bool{}
		variables(t.args[0], func(_, name string) string {
			only[name] = true
			if t.has("v") {
				t.puts(name + "\n")
			}
			return ""
		})
	}
	if t.has("v") {
		return 0
	}
	b, err := t.all(t.Stdin)
	if err != nil {
		t.errorf("error while reading \"standard input\"")
		return 1
	}
	t.puts(variables(string(b), func(text, name string) string {
		if only != nil && !only[name] {
			return text
		}
		return t.Env[name]
	}))
	return 0
}

// variables replaces every $NAME and ${NAME} of a text.
func variables(s string, value func(text, name string) string) string {
	var out strings.Builder
	letter := func(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 {
			out.WriteString(s)
			return out.String()
		}
		out.WriteString(s[:i])
		s = s[i:]
		from := 1
		if strings.HasPrefix(s, "${") {
			from = 2
		}
		end := from
		for end < len(s) && (letter(s[end]) || end > from && s[end] >= '0' && s[end] <= '9') {
			end++
		}
		name, closed := s[from:end], end
		if from == 2 && end < len(s) && s[end] == '}' {
			closed++
		}
		if name == "" || from == 2 && closed == end {
			out.WriteByte('$')
			s = s[1:]
			continue
		}
		out.WriteString(value(s[:closed], name))
		s = s[closed:]
	}
}

// packages is a package manager whose only packages are the programs that are
// installed already.
func packages(t *T) int {
	if t.busybox() { // images with busybox have none
		t.eprint("sh: " + t.name + ": not found\n")
		return 127
	}
	verb, names := "", []string{}
	for _, a := range t.args {
		switch {
		case strings.HasPrefix(a, "-"):
		case verb == "":
			verb = a
		default:
			names = append(names, a)
		}
	}
	if t.UID != 0 && t.name != "brew" && (verb == "update" || verb == "install" || verb == "upgrade") {
		t.eprint("E: Could not open lock file /var/lib/dpkg/lock-frontend - open (13: Permission denied)\nE: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), are you root?\n")
		return 100
	}
	switch {
	case verb == "install" && t.name == "brew":
		for _, n := range names {
			if t.Lookup(n) != nil {
				t.eprint("Warning: " + n + " is already installed and up-to-date.\n")
			} else {
				t.eprint("Error: No available formula with the name \"" + n + "\".\n")
				return 1
			}
		}
	case verb == "install":
		t.puts("Reading package lists... Done\nBuilding dependency tree... Done\nReading state information... Done\n")
		for _, n := range names {
			if t.Lookup(n) == nil {
				t.eprint("E: Unable to locate package " + n + "\n")
				return 100
			}
			t.puts(n + " is already the newest version.\n")
		}
		t.puts("0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.\n")
	case verb == "update" && t.name == "brew":
		t.puts("Already up-to-date.\n")
	case verb == "update", verb == "upgrade":
		t.puts("Reading package lists... Done\n")
	case t.name == "brew":
		t.eprint("Error: Unknown command: brew " + verb + "\n")
		return 1
	default:
		t.eprint("E: Invalid operation " + verb + "\n")
		return 100
	}
	return 0
}
