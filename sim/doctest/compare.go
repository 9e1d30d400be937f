// The comparison of what a page shows with what was printed: transcript's
// rules, and two liberties that authors take, "..." and remarks with arrows.

package doctest

import (
	"regexp"
	"sort"
	"strings"

	"github.com/kubonsai/kubonsai/sim/transcript"
)

var (
	remark   = regexp.MustCompile(`[ \t]*[←↑→↓⇐⇒].*$`)
	ellipsis = regexp.MustCompile(`\.\.\.|…`)
)

// compare returns the lines that differ: "- " what only the page shows, "+ "
// what was printed instead. "..." in a shown line stands for any text, alone
// in a line for any lines; what follows an arrow (←) is the author's remark.
func compare(command, shows, printed string, watch bool) []string {
	if watch {
		command += transcript.SecondTerminal
	}
	var want []string
	more := false
	for _, line := range transcript.Lines(shows) {
		if remark.MatchString(line) && !strings.ContainsAny(printed, "←↑→↓⇐⇒") {
			if line = remark.ReplaceAllString(line, ""); line == "" {
				continue
			}
		}
		switch strings.Trim(line, " \t[]()") {
		case "...", "…":
			more = true
		default:
			want = append(want, line)
		}
	}
	// A page does not say whether the output ends in a newline.
	unfinished := func(lines []string) []string {
		out := lines[:0:0]
		for _, l := range lines {
			if l != "[no newline]" {
				out = append(out, l)
			}
		}
		return out
	}
	want = unfinished(want)
	got := unfinished(transcript.Lines(strings.ReplaceAll(printed, "\r\n", "\n")))
	_, diffs := transcript.Compare(
		[]transcript.Step{{N: 1, Exit: "0", Command: command, Stdout: want}},
		[]transcript.Step{{N: 1, Exit: "0", Command: command, Stdout: got}})
	if len(diffs) == 0 {
		return nil
	}
	var missing, extra []string
	for _, l := range diffs[0].Lines {
		if text, ok := strings.CutPrefix(l, "stdout - "); ok {
			missing = append(missing, text)
		} else if text, ok := strings.CutPrefix(l, "stdout + "); ok {
			extra = append(extra, text)
		}
	}
	// The longest patterns choose first.
	sort.SliceStable(missing, func(i, j int) bool { return len(missing[i]) > len(missing[j]) })
	var out []string
	for _, m := range missing {
		found := -1
		if ellipsis.MatchString(m) {
			re := pattern(m)
			for i, e := range extra {
				if re.MatchString(e) {
					found = i
					break
				}
			}
		}
		if found < 0 {
			out = append(out, "- "+m)
			continue
		}
		extra = append(extra[:found:found], extra[found+1:]...)
	}
	if !more {
		for _, e := range extra {
			out = append(out, "+ "+e)
		}
	}
	return out
}

// pattern is a shown line in which "..." stands for any text.
func pattern(line string) *regexp.Regexp {
	parts := ellipsis.Split(line, -1)
	for i := range parts {
		parts[i] = regexp.QuoteMeta(strings.TrimSpace(parts[i]))
	}
	return regexp.MustCompile(`^` + strings.Join(parts, `.*`) + `$`)
}
