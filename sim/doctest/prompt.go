// What a block asks to be run. Documentation shows commands as they look in a
// terminal: with prompts, and often with output between them. The page's script
// (site/src/script.ts) reads blocks in the same way;
// site/test/fixtures/prompts.json is the table that both are held to.

package doctest

import (
	"regexp"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Shown is a command of a block, and what the block shows beneath it.
type Shown struct {
	Run   string
	Shows string
	// Line is where the command begins, counted from 0 in the block.
	Line int
}

// prompt is one form of prompt. Sure ones are prompts wherever a line begins
// with them; the others only if the first command of the block has one, because
// such a line may be output or a command as well.
type prompt struct {
	re   *regexp.Regexp
	sure bool
	host bool // the first group is user@host: other hosts' prompts are output
}

func rx(s string) *regexp.Regexp { return regexp.MustCompile(s) }

var prompts = []prompt{
	{re: rx(`^(?:\([\w.-]+\) )*\[?([\w.-]+@[\w.-]+)(?:[: ][^$#%>❯\n]*)?[$#%❯](?: |$)`), sure: true, host: true},
	{re: rx(`^(?:\([\w.-]+\) )*\$(?: |$)`), sure: true},
	{re: rx(`^[\w.-]+:[~/][^\s$#%]*(?: [\w-]+)?[$%](?: |$)`), sure: true},
	{re: rx(`^[\w.-]+:\S* [\w.-]+\$(?: |$)`), sure: true},
	{re: rx(`^(?:bash|sh|zsh)-\d[\d.]*[$#%](?: |$)`), sure: true},
	{re: rx(`^(?:[~/][^\s❯]*(?: [\w./-]+)?|[\w.-]+)? ?❯(?: |$)`), sure: true},
	{re: rx(`^➜(?:  \S+| ~\S*)?(?: git:\([^)]*\))?(?: ✗)?(?: +|$)`), sure: true},
	{re: rx(`^PS(?: [A-Z]:\\[^>\n]*| [/~][^>\n]*)?> ?`), sure: true},
	{re: rx(`^[A-Z]:\\[^>\n]*> ?`), sure: true},
	{re: rx(`^[~/][^\s$%]* [$%](?: |$)`), sure: true},
	{re: rx(`^λ(?: |$)`), sure: true},
	{re: rx(`^[a-z][\w.-]* \$(?: |$)`)},
	{re: rx(`^[/~][^\s#]* #(?: |$)`)},
	{re: rx(`^% `)},
	{re: rx(`^> (?:\S+\s+\S|[a-z][\w-]*\s*$)`)},
}

var (
	rootPrompt = rx(`^# (?:sudo|kubectl|kubeadm|k|docker|crictl|helm|kind|minikube|git|curl|wget|cat|ls|cd|echo|export|systemctl|journalctl|apt|apt-get|yum|dnf|ssh|vi|vim|nano|mkdir|cp|mv|rm|ps|openssl|etcdctl)(?: |$)`)
	consoles   = map[string]bool{"console": true, "shell-session": true, "shellsession": true, "bash-session": true, "terminal": true}
	// What shells begin a continued line with: "> ", zsh's "quote> ", PowerShell's ">> ".
	secondPrompt = rx(`^(?:(?:[a-z]+ ?)*>|>>)(?: |$)`)
	secondNamed  = rx(`^(?:(?:quote|dquote|bquote|heredoc|for|while|until|select|repeat|if|then|else|elif|case|do|pipe|cmdand|cmdor|cmdsubst|function|subsh|cursh|braceparam|mathsubst|array) ?)*>{1,2}(?: |$)`)
)

// match is the length of the prompt that line begins with, and its user@host.
func (p prompt) match(line string) (n int, host string) {
	m := p.re.FindStringSubmatchIndex(line)
	if m == nil {
		return 0, ""
	}
	if p.host {
		_, host, _ = strings.Cut(line[m[2]:m[3]], "@")
	}
	if strings.HasPrefix(line, "> ") { // the pattern looks ahead
		return len("> "), ""
	}
	return m[1], host
}

// waits is what a shell that has read text still waits for.
type waits int

const (
	whole   waits = iota
	more          // the rest of a command
	heredoc       // the end of a here-document
)

func open(text string) waits {
	// A backslash at the end waits for a line, whatever came before.
	if n := len(text) - len(strings.TrimRight(text, `\`)); n%2 == 1 {
		return more
	}
	_, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text+"\n"), "")
	switch {
	case err == nil:
	case strings.Contains(err.Error(), "unclosed here-document"):
		return heredoc
	case syntax.IsIncomplete(err):
		return more
	}
	return whole
}

var unprinted = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u00a0", " ", "\u200b", "", "\ufeff", "")

// ReadBlock takes a block apart. When lines begin with a prompt, only those are
// commands, with their continuations; the rest is what the author shows as
// output. Without prompts the block is one command as it stands, except that
// second prompts ("> ") of continued lines go.
func ReadBlock(text, language string) []Shown {
	all := strings.Split(strings.TrimRight(unprinted.Replace(text), "\n"), "\n")
	lines := dedent(all)
	at, match := firstPrompt(lines, strings.ToLower(language))
	if match == nil {
		if run := plain(all); strings.TrimSpace(run) != "" {
			return []Shown{{Run: run}}
		}
		return nil
	}
	var found []Shown
	state := whole
	for i, line := range lines[at:] {
		n := match(line)
		switch {
		case state != whole && (state == heredoc || n == 0 || secondNamed.MatchString(line)):
			last := &found[len(found)-1]
			last.Run += "\n" + secondNamed.ReplaceAllString(line, "")
			state = open(last.Run)
		case n > 0:
			run := strings.TrimLeft(line[n:], " \t")
			if run == "" {
				continue
			}
			found = append(found, Shown{Run: run, Line: at + i})
			state = open(run)
		case len(found) > 0:
			found[len(found)-1].Shows += line + "\n"
		}
	}
	for i := range found {
		found[i].Shows = strings.TrimLeft(strings.TrimRight(found[i].Shows, " \t\n"), "\n")
	}
	return found
}

// dedent takes away the indentation that all lines share.
func dedent(lines []string) []string {
	indent := -1
	for _, l := range lines {
		if strings.TrimSpace(l) != "" {
			if n := len(l) - len(strings.TrimLeft(l, " \t")); indent < 0 || n < indent {
				indent = n
			}
		}
	}
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = l[min(max(indent, 0), len(l)):]
	}
	return out
}

// firstPrompt is the line of the first prompt and a function that says how long
// the prompts of its shell are (0: none); nil if there are none.
func firstPrompt(lines []string, language string) (int, func(string) int) {
	before, sure := "", false
	for at, line := range lines {
		if before == "" || open(before) == whole {
			before = ""
			for _, p := range prompts {
				n, host := p.match(line)
				if n == 0 || !p.sure && sure || n == len(line) && (at+1 >= len(lines) || lines[at+1] == "") {
					continue
				}
				return at, func(l string) int {
					n, h := p.match(l)
					if h != host {
						return 0
					}
					return n
				}
			}
			if !sure && consoles[language] && rootPrompt.MatchString(line) && allRoot(lines) {
				return at, func(l string) int {
					if rootPrompt.MatchString(l) {
						return len("# ")
					}
					return 0
				}
			}
		}
		if strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "#") {
			sure = true
		}
		if before != "" {
			before += "\n"
		}
		before += line
	}
	return 0, nil
}

// surePrompt reports whether a line begins with a prompt that nothing else looks like.
func surePrompt(line string) bool {
	for _, p := range prompts {
		if n, _ := p.match(line); p.sure && n > 0 {
			return true
		}
	}
	return false
}

func allRoot(lines []string) bool {
	for _, l := range lines {
		if strings.HasPrefix(l, "# ") && !rootPrompt.MatchString(l) {
			return false
		}
	}
	return true
}

// plain is a block without prompts.
func plain(lines []string) string {
	var done, now string
	strip := false
	for at, line := range lines {
		state := whole
		if now != "" {
			state = open(now)
		}
		if state == whole {
			if now != "" {
				done += now + "\n"
			}
			now, strip = line, false
			continue
		}
		// In a heredoc only if its end has one too.
		if !strip {
			strip = secondPrompt.MatchString(line) && (state == more || endsStripped(now, lines[at:]))
		}
		if strip {
			line = secondPrompt.ReplaceAllString(line, "")
		}
		now += "\n" + line
	}
	return done + now
}

// endsStripped reports whether a heredoc that is open ends only when second
// prompts go.
func endsStripped(command string, lines []string) bool {
	if open(command+"\n"+strings.Join(lines, "\n")) != heredoc {
		return false
	}
	for _, l := range lines {
		command += "\n" + secondPrompt.ReplaceAllString(l, "")
		if open(command) != heredoc {
			return true
		}
	}
	return false
}
