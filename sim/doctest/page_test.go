package doctest

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

var all = []string{"bash", "sh", "shell", "zsh", "console"}

// summary is a page's blocks, one a line.
func summary(p *Page) string {
	var b strings.Builder
	for _, x := range p.Blocks {
		fmt.Fprintf(&b, "%d %s", x.Line, x.Kind)
		if x.Hidden {
			b.WriteString(" hidden")
		}
		if x.File != "" {
			b.WriteString(" " + x.File)
		}
		if x.URL != "" {
			b.WriteString(" <" + x.URL + ">")
		}
		if x.Options.Skip != "" {
			b.WriteString(" skip:" + x.Options.Skip)
		}
		if x.Options.Loose {
			b.WriteString(" example")
		}
		fmt.Fprintf(&b, " %q", x.Text)
		if x.Output != nil {
			fmt.Fprintf(&b, " -> %q", *x.Output)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// The dialects of Markdown that documentation is written in.
func TestRead(t *testing.T) {
	for name, c := range map[string]struct{ page, want string }{
		"a block and its output": {"# T\n\n```sh\nls\n```\n\n```\na\n```\n", "4 snippet \"ls\" -> \"a\"\n"},
		"output in two blocks":   {"```sh\nls\n```\n```text\na\n```\n```output\nb\n```\n", "2 snippet \"ls\" -> \"a\\nb\"\n"},
		"text between ends it":   {"```sh\nls\n```\nIt prints:\n```\na\n```\n", "2 snippet \"ls\"\n"},
		"a comment says that it is output": {"```sh\nls\n```\nIt prints:\n\n<!-- kubonsai output -->\n```yaml\na: 1\n```\n",
			"2 snippet \"ls\" -> \"a: 1\"\n"},
		"an example, said of the block or of the output": {"<!-- kubonsai example -->\n```sh\nls\n```\n```\na\n```\n```sh\nls\n```\n\n<!-- kubonsai example -->\n```\na\n```\n",
			"3 snippet example \"ls\" -> \"a\"\n9 snippet example \"ls\" -> \"a\"\n"},
		"a console with prompts is no output":            {"```console\n$ ls\n```\n```console\n$ pwd\n```\n", "2 snippet \"$ ls\"\n5 snippet \"$ pwd\"\n"},
		"a session is no output":                         {"```sh\nls\n```\n```\nann@box:~$ ls\na\n```\n", "2 snippet \"ls\"\n"},
		"curl -v's arrows are output":                    {"```sh\ncurl -v x\n```\n```\n> GET / HTTP/1.1\n```\n", "2 snippet \"curl -v x\" -> \"> GET / HTTP/1.1\"\n"},
		"a console without prompts is output":            {"```sh\nls\n```\n```console\na\n```\n", "2 snippet \"ls\" -> \"a\"\n"},
		"tildes, and backticks within":                   {"~~~~ sh\necho '```'\n~~~~\n", "2 snippet \"echo '```'\"\n"},
		"in a list":                                      {"1. One\n\n   ```bash\n   ls\n     -l\n   ```\n\n   ```\n   a\n   ```\n2. Two\n", "4 snippet \"ls\\n  -l\" -> \"a\"\n"},
		"an indented fence":                              {"  ```bash\n  ls\n  ```\n", "2 snippet \"ls\"\n"},
		"in a quote":                                     {"> ```bash\n> ls\n> ```\n", "2 snippet \"ls\"\n"},
		"CRLF":                                           {"```bash\r\nls\r\npwd\r\n```\r\n\r\n```text\r\na\r\n```\r\n", "2 snippet \"ls\\npwd\" -> \"a\"\n"},
		"an indented block is output":                    {"```bash\nls\n```\n\n    a\n", "2 snippet \"ls\" -> \"a\"\n"},
		"a file by its first line":                       {"```yaml\n# pod.yaml\nkind: Pod\n```\n", "2 file pod.yaml \"# pod.yaml\\nkind: Pod\"\n"},
		"a file by its title":                            {"```yaml title=\"k8s/pod.yaml\"\nkind: Pod\n```\n", "2 file k8s/pod.yaml \"kind: Pod\"\n"},
		"a file with an address":                         {"```yaml kubonsai file=a.yaml url=https://x/a.yaml\nk: v\n```\n", "2 file a.yaml <https://x/a.yaml> \"k: v\"\n"},
		"only marked blocks if one is marked":            {"```sh\nls\n```\n```sh kubonsai\npwd\n```\n", "5 snippet \"pwd\"\n"},
		"Pandoc":                                         {"```{.bash .no-kubonsai}\nls\n```\n```{.bash #x}\npwd\n```\n", "5 snippet \"pwd\"\n"},
		"mdBook":                                         {"```sh,ignore\nls\n```\n", "2 snippet skip:marked ignore \"ls\"\n"},
		"within a marked element":                        {"<div class=\"kubonsai\">\n\n```sh\nls\n```\n\n```python\nx\n```\n\n</div>\n\n```sh\npwd\n```\n", "4 snippet \"ls\"\n"},
		"within an element that is off":                  {"<div data-kubonsai=\"off\">\n\n```sh\nls\n```\n\n</div>\n\n```sh\npwd\n```\n", "10 snippet \"pwd\"\n"},
		"off and on":                                     {"<!-- kubonsai off -->\n```sh\nls\n```\n<!-- kubonsai on -->\n```sh\npwd\n```\n", "7 snippet \"pwd\"\n"},
		"skip with a reason":                             {"<!-- kubonsai skip=\"needs a cloud\" -->\n```sh\nls\n```\n", "3 snippet skip:needs a cloud \"ls\"\n"},
		"MDX comments":                                   {"{/* kubonsai skip=\"a b\" */}\n\n```sh\nls\n```\n", "4 snippet skip:a b \"ls\"\n"},
		"a name for a block":                             {"<!-- kubonsai file=x.yaml url=https://y -->\n```yaml\na: 1\n```\n", "3 file x.yaml <https://y> \"a: 1\"\n"},
		"hidden set-up":                                  {"<!-- kubonsai run\nkubectl create ns a\n\nls\n-->\n\n```sh\nls\n```\n", "2 snippet hidden \"kubectl create ns a\\n\\nls\"\n8 snippet \"ls\"\n"},
		"a hidden file":                                  {"<!-- kubonsai file=a/b.txt\nhello\n-->\n", "2 file hidden a/b.txt \"hello\"\n"},
		"front matter names languages":                   {"---\ntitle: x\nkubonsai:\n  languages: [fish]\n---\n```fish\nls\n```\n```sh\npwd\n```\n", "7 snippet \"ls\"\n"},
		"a comment of another sort":                      {"<!-- kubonsaixyz skip -->\n<!-- see kubonsai skip -->\n```sh\nls\n```\n", "4 snippet \"ls\"\n"},
		"shortcodes and tabs are left alone":             {"{{< tabs >}}\n{{% tab \"x\" %}}\n```sh\nls\n```\n{{% /tab %}}\n{{< /tabs >}}\n\n:::note\n```sh\npwd\n```\n:::\n", "4 snippet \"ls\"\n11 snippet \"pwd\"\n"},
		"a diagram after a paragraph is nobody's output": {"```sh\nls\n```\n\nThis is how:\n\n```text\n+--+\n```\n", "2 snippet \"ls\"\n"},
		"an empty page":                                  {"", ""},
	} {
		p, err := Read("p.md", []byte(c.page), all)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := summary(p); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, c.want)
		}
	}
}

func TestReadErrors(t *testing.T) {
	for page, want := range map[string]string{
		"<!-- kubonsai page nods=3 -->":                 `line 1: unknown page setting "nods"`,
		"x\n\n<!-- kubonsai page nodes=x -->":           `line 3: nodes=x: strconv.Atoi: parsing "x": invalid syntax`,
		"<!-- kubonsai page nodes=0 -->":                `line 1: nodes=0: want 1 to 100`,
		"<!-- kubonsai skp -->\n```sh\nls\n```":         `line 1: unknown option "skp"`,
		"<!-- kubonsai wait=1 -->\n```sh\nls\n```":      `line 1: wait=1: time: missing unit in duration "1"`,
		"<!-- kubonsai skip=\"x -->\n```sh\nls\n```":    `line 1: a quote is not closed: skip="x`,
		"<!-- kubonsai -->":                             `line 1: an empty kubonsai comment`,
		"<!-- kubonsai skip -->":                        `line 1: no block follows this comment`,
		"<!-- kubonsai fails\nls\n-->\n```sh\nls\n```":  `line 1: "fails" takes no text of its own (run, file=NAME and images do)`,
		"---\nkubonsai:\n  sed: 3\n---\n":               `front matter: unknown page setting "sed"`,
		"---\nkubonsai: [1\n---\n":                      `front matter: error converting YAML to JSON: yaml: line 1: did not find expected ',' or ']'`,
		"<!-- kubonsai until=later -->\n```sh\nls\n```": `line 1: until=later: want stop`,
	} {
		if _, err := Read("p.md", []byte(page), all); err == nil || err.Error() != want {
			t.Errorf("%q: got %v\nwant %s", page, err, want)
		}
	}
}

func TestSettings(t *testing.T) {
	for _, page := range []string{
		"---\nkubonsai:\n  nodes: 3\n  seed: 7\n  cluster: none\n  metrics-server: false\n  pause: 5s\n  languages: [sh, bash]\n  files: [a, b]\n---\n",
		"<!-- kubonsai page nodes=3 seed=7 cluster=none metrics-server=off pause=5s languages=sh,bash files=a,b -->\n",
	} {
		p, err := Read("p.md", []byte(page), nil)
		if err != nil {
			t.Fatal(err)
		}
		s := p.Settings
		if s.Nodes != 3 || s.Seed == nil || *s.Seed != 7 || !s.NoCluster || !s.NoMetrics || s.Pause != 5*time.Second || strings.Join(s.Languages, " ") != "sh bash" || strings.Join(s.Files, " ") != "a b" {
			t.Errorf("%+v", s)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("```sh\nls\n```\n```\na\n```\n")
	f.Add("<!-- kubonsai run\nx\n-->\n- ~~~{.sh a=\"b\"}\n  $ ls\n  ~~~\n")
	f.Add("---\nkubonsai: {nodes: 2}\n---\n<div class=kubonsai>\n\n    ls\n</div>")
	f.Add("{/* kubonsai skip */}\n\n> ```sh,ignore\n> x")
	f.Fuzz(func(t *testing.T, page string) {
		p, err := Read("p", []byte(page), all)
		if err != nil {
			return
		}
		lines := strings.Count(strings.ReplaceAll(page, "\r", "\n"), "\n") + 2
		for _, b := range p.Blocks {
			if b.Line < 0 || b.Line > lines {
				t.Errorf("line %d of %d", b.Line, lines)
			}
			if b.Kind == File && b.File == "" {
				t.Error("a file without a name")
			}
			b.Title()
			steps(b)
		}
	})
}
