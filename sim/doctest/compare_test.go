package doctest

import (
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	for name, c := range map[string]struct {
		command, shows, printed string
		watch                   bool
		want                    string // the lines, joined by |
	}{
		"equal":                             {shows: "a\nb", printed: "a\nb\n"},
		"an unfinished line":                {shows: "a", printed: "a"},
		"another line":                      {shows: "a", printed: "b\n", want: "- a|+ b"},
		"names, ages and widths":            {shows: "web-5d6b77d8c4-x7k2m   1/1  Running  0   24h", printed: "web-797596b896-7bf7s   1/1     Running   0          10s\n"},
		"the order does not count":          {shows: "b\na", printed: "a\nb\n"},
		"a status counts":                   {shows: "x-abcde  0/1  Pending", printed: "x-bbbbb  1/1  Running\n", want: "- x-abcde  0/1  Pending|+ x-<sfx>  1/1  Running"},
		"dots in a line":                    {shows: "Image: nginx@...", printed: "Image: nginx@sha256\n"},
		"dots in a line that is another":    {shows: "Image: nginx@...", printed: "Name: nginx\n", want: "- Image: nginx@...|+ Name: nginx"},
		"dots alone":                        {shows: "a\n...\nz", printed: "a\nb\nc\nz\n"},
		"dots alone do not replace a line":  {shows: "a\n...\nz", printed: "a\nb\n", want: "- z"},
		"a remark":                          {shows: "web   5   ← new\n↑ five now", printed: "web   5\n"},
		"an arrow that was printed":         {shows: "a → b", printed: "a → b\n"},
		"kubectl's arrows are no remarks":   {shows: "Forwarding from 127.0.0.1:8080 -> 80", printed: "Forwarding from 127.0.0.1:8080 -> 81\n", want: "- Forwarding from 127.0.0.1:8080 -> 80|+ Forwarding from 127.0.0.1:8080 -> 81"},
		"how often a rollout reports":       {command: "kubectl rollout status deploy web", shows: "deployment \"web\" successfully rolled out", printed: "Waiting for deployment \"web\" rollout to finish: 0 of 1 updated replicas are available...\ndeployment \"web\" successfully rolled out\n"},
		"a watch, object by object":         {watch: true, shows: "NAME  READY\nx-bbbbb  0/1\ny-bbbbb  0/1\nx-bbbbb  1/1", printed: "NAME  READY\ny-ccccc  0/1\nx-ccccc  0/1\nx-ccccc  0/1\nx-ccccc  1/1\n"},
		"a watch that shows another status": {watch: true, shows: "x-bbbbb  0/1", printed: "x-ccccc  1/1\n", want: "- x-<sfx>: 0/1|+ x-<sfx>: 1/1"},
		"nothing shown, something printed":  {shows: "", printed: "a\n", want: "+ a"},
	} {
		if got := strings.Join(compare(c.command, c.shows, c.printed, c.watch), "|"); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, c.want)
		}
	}
}

// Output is equal to itself, whatever it is, and to "...".
func FuzzCompare(f *testing.F) {
	f.Add("NAME   READY\nweb-abcde  1/1  3s", true)
	f.Add("a → b\n...\n(x3 over 4m)", false)
	f.Fuzz(func(t *testing.T, s string, watch bool) {
		if d := compare("c", s, s, watch); len(d) > 0 {
			t.Errorf("%q differs from itself: %q", s, d)
		}
		if d := compare("c", "...", s, watch); len(d) > 0 {
			t.Errorf("%q differs from anything: %q", s, d)
		}
	})
}
