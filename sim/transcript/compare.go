// Package transcript records scenarios (a script of commands and what a
// terminal shows of them) in the simulation and compares them with transcripts
// of a real cluster.
//
// A scenario is a folder with a script, the files it uses and, if it has been
// recorded, a transcript. One directive a line in the script: `$ CMD` runs and
// records a command, `& NAME CMD` starts CMD in a second terminal, `stop NAME`
// ends it and records what it printed, `wait N` lets N seconds pass, # is a
// comment. All share one shell and a working directory that begins as a copy
// of the folder.
package transcript

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

// Step is one recorded command.
type Step struct {
	N       int
	At      float64 // seconds since the start of the script
	Exit    string
	Command string
	Stdout  []string // lines
	Stderr  []string
}

// SecondTerminal ends the command of a step that went on beside the others
// until it was stopped: a watch, whose objects are compared one by one.
const SecondTerminal = "   # in a second terminal, until stopped"

// alphabet is what Kubernetes makes random names of.
const alphabet = "[bcdfghjklmnpqrstvwxz2456789]"

// rule replaces what depends on chance by a placeholder.
type rule struct {
	re *regexp.Regexp
	to string
	// keep, if set, is asked with the text and the match's bounds; false
	// leaves the match as it is. It stands in for look-ahead, which Go's
	// regular expressions do not have.
	keep func(s string, from, to int) bool
}

var rules = []rule{
	{re: rx(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), to: "<uid>"},
	{re: rx(`sha256:[0-9a-f]{64}`), to: "<digest>"},
	{re: rx(`containerd://[0-9a-f]{64}`), to: "<container>"},
	{re: rx(`\b[0-9a-f]{64}\b`), to: "<hex>"},
	{re: rx(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), to: "<time>"},
	{re: rx(`\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}`), to: "<time>"},
	{re: rx(`\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]`), to: "[<time>]"},
	{re: rx(`\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \w{3} +\d+ \d\d:\d\d:\d\d UTC \d{4}`), to: "<time>"},
	{re: rx(`(resourceVersion["']?: ?)"?\d+"?`), to: "${1}<rv>"},
	{re: rx(`"continue": ?"[^"]+"`), to: `"continue": "<token>"`},
	{re: rx(`\b\d{4}/\d\d/\d\d \d\d:\d\d:\d\d`), to: "<time>"},
	{re: rx(`worker process \d+`), to: "worker process <pid>"},
	{re: rx(`\b10\.244\.\d+\.\d+`), to: "<pod-ip>"},
	{re: rx(`\b10\.96\.\d+\.\d+`), to: "<svc-ip>", keep: notWellKnown},
	{re: rx(`(:|nodePort"?: |NodePort: .* )3[0-2]\d{3}\b`), to: "${1}<np>", keep: notBefore("/tcp")},
	{re: rx(`-` + alphabet + `{8,10}-` + alphabet + `{5}\b`), to: "-<hash>-<sfx>"},
	{re: rx(`([-=]|hash: |hash":")` + alphabet + `{8,10}\b`), to: "${1}<hash>"},
	{re: rx(`-` + alphabet + `{5}\b`), to: "-<sfx>"},
	{re: rx(`-\d{8}(-<sfx>)?\b`), to: "-<slot>${1}"},
	{re: rx(`\(x\d+ over [0-9smhdy]+\)`), to: ""},
	{re: rx(`\b\d+[smhdy](\d+[smhdy])?( ago)?`), to: "<age>", keep: atEndOfWord},
	{re: rx(`<invalid>`), to: "<age>"},
	{re: rx(`(version|Version)("?: ?"?)v1\.36\.\d+`), to: "${1}${2}v1.36"},
	{re: rx(`/tmp/[\w./-]+`), to: "<tmp>"},
}

func rx(s string) *regexp.Regexp { return regexp.MustCompile(s) }

var wellKnown = rx(`^10\.96\.0\.(1|10)\b`)

// notWellKnown leaves the addresses of the API server and the DNS as they are.
func notWellKnown(s string, from, _ int) bool { return !wellKnown.MatchString(s[from:]) }

func notBefore(next string) func(string, int, int) bool {
	return func(s string, _, to int) bool { return !strings.HasPrefix(s[to:], next) }
}

var wordEnd = rx(`^(\s|\)|$)`)

func atEndOfWord(s string, _, to int) bool { return wordEnd.MatchString(s[to:]) }

// ageForms are the shorter readings of an age that backtracking would try.
var ageForms = []*regexp.Regexp{
	rx(`^\d+[smhdy]\d+[smhdy] ago`), rx(`^\d+[smhdy]\d+[smhdy]`), rx(`^\d+[smhdy] ago`), rx(`^\d+[smhdy]`),
}

func (r rule) apply(s string) string {
	if r.keep == nil {
		return r.re.ReplaceAllString(s, r.to)
	}
	var b strings.Builder
	last, from := 0, 0
	for from <= len(s) {
		m := r.re.FindStringSubmatchIndex(s[from:])
		if m == nil {
			break
		}
		for i := range m {
			if m[i] >= 0 {
				m[i] += from
			}
		}
		if r.to == "<age>" {
			m[1] = ageEnd(s, m[0])
		}
		if m[1] < 0 || !r.keep(s, m[0], m[1]) {
			from = m[0] + 1
			if m[1] > 0 && m[1] > from && r.to != "<age>" {
				from = m[1]
			}
			// A word boundary must be judged in the whole text.
			for from < len(s) && isWord(s[from-1]) && isWord(s[from]) {
				from++
			}
			continue
		}
		b.WriteString(s[last:m[0]])
		b.Write(r.re.ExpandString(nil, r.to, s, m))
		last, from = m[1], m[1]
		if m[1] == m[0] {
			from++
		}
	}
	b.WriteString(s[last:])
	return b.String()
}

// ageEnd is where the longest reading of an age at from that ends a word ends; -1 if none does.
func ageEnd(s string, from int) int {
	for _, re := range ageForms {
		if m := re.FindString(s[from:]); m != "" && atEndOfWord(s, from, from+len(m)) {
			return from + len(m)
		}
	}
	return -1
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

var gaps = rx(`\s{2,}|\t`)

// Normalize replaces everything in a line that depends on chance or on the host.
func Normalize(line string) string {
	for _, r := range rules {
		line = r.apply(line)
	}
	return gaps.ReplaceAllString(strings.TrimRight(line, " \t\r\n\v\f"), "  ")
}

var header = rx(`^=== (\d+) \+([\d.]+)s exit (\S+)$`)

// Parse reads a transcript.
func Parse(text string) []Step {
	var steps []Step
	var cur *Step
	section := ""
	for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if m := header.FindStringSubmatch(line); m != nil {
			n, _ := strconv.Atoi(m[1])
			at, _ := strconv.ParseFloat(m[2], 64)
			steps = append(steps, Step{N: n, At: at, Exit: m[3]})
			cur, section = &steps[len(steps)-1], ""
			continue
		}
		switch {
		case cur == nil:
		case strings.HasPrefix(line, "$ ") && section == "" && cur.Command == "":
			cur.Command = line[2:]
		case line == "--- stdout" || line == "--- stderr":
			section = line[4:]
		case section == "stdout":
			cur.Stdout = append(cur.Stdout, line)
		case section == "stderr":
			cur.Stderr = append(cur.Stderr, line)
		case cur.Command != "":
			cur.Command += "\n" + line
		}
	}
	return steps
}

// states are the sequences of distinct rows that each object of a watch showed.
func states(lines []string) []string {
	seq := map[string][]string{}
	var order []string
	for _, l := range lines {
		f := strings.Fields(Normalize(l))
		if len(f) == 0 || f[0] == "NAME" {
			continue
		}
		name := strings.Fields(l)[0]
		var rest []string
		for _, x := range f[1:] {
			if x != "<age>" {
				rest = append(rest, x)
			}
		}
		st := strings.Join(rest, " ")
		s, ok := seq[name]
		if !ok {
			order = append(order, name)
		}
		if len(s) == 0 || s[len(s)-1] != st {
			seq[name] = append(s, st)
		}
	}
	out := make([]string, 0, len(order))
	for _, n := range order {
		out = append(out, Normalize(n)+": "+strings.Join(seq[n], " > "))
	}
	sort.Strings(out)
	return out
}

type view struct {
	exit           string
	stdout, stderr []string
}

func viewOf(s Step) view {
	if strings.HasSuffix(s.Command, SecondTerminal) {
		return view{exit: "0", stdout: states(s.Stdout)}
	}
	lines := func(in []string) []string {
		var out []string
		for _, l := range in {
			l = Normalize(l)
			if l == "" || strings.Contains(s.Command, "rollout status") && strings.HasPrefix(l, "Waiting for ") {
				continue
			}
			out = append(out, l)
		}
		sort.Strings(out)
		return out
	}
	return view{exit: s.Exit, stdout: lines(s.Stdout), stderr: lines(s.Stderr)}
}

// Differences are the steps of a collection of transcripts that the simulation
// cannot repeat, each by "scenario step" and with the reason.
type Differences struct {
	Never  map[string]string
	Chance map[string]string // with some seeds only, for chance decided in the recording too
}

// Has reports whether the step is listed.
func (d *Differences) Has(key string) bool { return d.Never[key] != "" || d.Chance[key] != "" }

// LoadDifferences reads differences.yaml.
func LoadDifferences(fsys fs.FS) (*Differences, error) {
	data, err := fs.ReadFile(fsys, "differences.yaml")
	if err != nil {
		return nil, err
	}
	d := &Differences{}
	return d, yaml.UnmarshalStrict(data, d)
}

// Difference says how one step differs; Lines begin with "stdout - " for what
// is missing and "stdout + " for what is too much.
type Difference struct {
	N       int
	Command string
	Lines   []string
}

// Compare compares the steps of want with those of got and returns how many
// are equal, and the differences of the others.
func Compare(want, got []Step) (equal int, diffs []Difference) {
	byN := map[int]Step{}
	for _, s := range got {
		byN[s.N] = s
	}
	for _, w := range want {
		g, ok := byN[w.N]
		d := Difference{N: w.N, Command: w.Command}
		if !ok {
			d.Lines = []string{"missing"}
			diffs = append(diffs, d)
			continue
		}
		x, y := viewOf(w), viewOf(g)
		if x.exit == y.exit && slices.Equal(x.stdout, y.stdout) && slices.Equal(x.stderr, y.stderr) {
			equal++
			continue
		}
		if x.exit != y.exit {
			d.Lines = append(d.Lines, fmt.Sprintf("exit: want %s got %s", x.exit, y.exit))
		}
		d.Lines = append(d.Lines, missing("stdout", x.stdout, y.stdout)...)
		d.Lines = append(d.Lines, missing("stderr", x.stderr, y.stderr)...)
		diffs = append(diffs, d)
	}
	return equal, diffs
}

func missing(name string, want, got []string) []string {
	count := func(in []string) map[string]int {
		m := map[string]int{}
		for _, l := range in {
			m[l]++
		}
		return m
	}
	cw, cg := count(want), count(got)
	var out []string
	for _, l := range want {
		if cw[l] > cg[l] {
			out = append(out, name+" - "+l)
		}
	}
	for _, l := range got {
		if cg[l] > cw[l] {
			out = append(out, name+" + "+l)
		}
	}
	return out
}

// Format writes steps in the form of a transcript.
func Format(comments []string, steps []Step) string {
	var b strings.Builder
	for _, c := range comments {
		b.WriteString(c + "\n")
	}
	for _, s := range steps {
		fmt.Fprintf(&b, "=== %d +%.1fs exit %s\n$ %s\n", s.N, s.At, s.Exit, s.Command)
		block := func(name string, lines []string) {
			if len(lines) > 0 {
				b.WriteString("--- " + name + "\n" + strings.Join(lines, "\n") + "\n")
			}
		}
		block("stdout", s.Stdout)
		block("stderr", s.Stderr)
	}
	return b.String()
}

// Lines splits output into lines; "[no newline]" follows an unfinished last one.
func Lines(out string) []string {
	if out == "" {
		return nil
	}
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if !strings.HasSuffix(out, "\n") {
		lines = append(lines, "[no newline]")
	}
	return lines
}
