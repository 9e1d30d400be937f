// Package doctest runs the shell blocks of Markdown pages against simulated
// clusters and compares what they print with what the pages show beneath them.
// A page is read by Read, run by Page.Run; site/pages/doctest.md is the manual
// of what an author can say in comments and front matter.
package doctest

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// Page is a Markdown page taken apart.
type Page struct {
	Name     string
	Settings Settings
	Blocks   []*Block
}

// Block is a fenced block of a page, or a hidden one in a comment.
type Block struct {
	Line     int // of its first line of text, counted from 1
	Kind     Kind
	Language string
	Text     string
	File     string // for a file: its name in the reader's home
	URL      string // for a file: the address that finds it too
	Hidden   bool
	Options  Options
	// Output is what the page shows beneath the block, nil if nothing.
	Output *string
}

// Title is the block's first command, for a report.
func (b *Block) Title() string {
	for _, s := range ReadBlock(b.Text, b.Language) {
		for line := range strings.SplitSeq(s.Run, "\n") {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				return line
			}
		}
	}
	return strings.TrimSpace(firstLine(b.Text))
}

// outputs are the languages of fences that show output.
var outputs = map[string]bool{"": true, "text": true, "txt": true, "plaintext": true, "plain": true, "output": true, "none": true, "console": true, "log": true}

var (
	frontMatter = regexp.MustCompile(`\A---[ \t]*\n((?s:.*?)\n)?(?:---|\.\.\.)[ \t]*(?:\n|\z)`)
	comment     = regexp.MustCompile(`(?s)<!--(.*?)-->|\{/\*(.*?)\*/\}`)
	tag         = regexp.MustCompile(`(?s)<!--.*?-->|<(/?)(?i:div|section|article|aside|details|main|figure)\b([^>]*)>`)
)

// Read takes a page apart. languages are those whose blocks run on a page that
// neither names languages nor marks blocks.
func Read(name string, source []byte, languages []string) (*Page, error) {
	p := &Page{Name: name}
	src := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.TrimPrefix(string(source), "\ufeff"))
	if m := frontMatter.FindStringSubmatch(src); m != nil {
		if err := p.Settings.frontMatter(m[1]); err != nil {
			return nil, fmt.Errorf("front matter: %w", err)
		}
		src = strings.Repeat("\n", strings.Count(m[0], "\n")) + src[len(m[0]):]
	}
	r := &reader{page: p, src: []byte(src)}
	doc := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(r.src))
	if err := ast.Walk(doc, r.visit); err != nil {
		return nil, err
	}
	if r.pending != nil {
		return nil, fmt.Errorf("line %d: no block follows this comment", r.pendingLine)
	}
	r.choose(languages)
	return p, nil
}

// reader walks over a page.
type reader struct {
	page        *Page
	src         []byte
	found       []candidate
	around      []Mark // of the HTML elements that are open
	off         bool   // between "kubonsai off" and "kubonsai on"
	pending     *Options
	pendingLine int
}

// candidate is a block that has not been chosen yet.
type candidate struct {
	block  *Block
	info   Info
	mark   Mark
	node   ast.Node
	output bool // a comment says that it is output
}

func (r *reader) line(offset int) int { return 1 + strings.Count(string(r.src[:offset]), "\n") }

func (r *reader) visit(n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	switch n := n.(type) {
	case *ast.HTMLBlock:
		var b strings.Builder
		start := len(r.src)
		for i := range n.Lines().Len() {
			seg := n.Lines().At(i)
			start = min(start, seg.Start)
			b.Write(seg.Value(r.src))
		}
		if n.HasClosure() {
			start = min(start, n.ClosureLine.Start)
			b.Write(n.ClosureLine.Value(r.src))
		}
		return ast.WalkSkipChildren, r.html(b.String(), r.line(start))
	case *ast.RawHTML:
		if n.Segments.Len() > 0 {
			return ast.WalkContinue, r.html(string(n.Segments.Value(r.src)), r.line(n.Segments.At(0).Start))
		}
	case *ast.Paragraph:
		// MDX has comments of its own.
		if n.Lines().Len() > 0 {
			if s := string(n.Lines().Value(r.src)); strings.HasPrefix(s, "{/*") {
				return ast.WalkContinue, r.html(s, r.line(n.Lines().At(0).Start))
			}
		}
	case *ast.FencedCodeBlock:
		info, at := "", -1
		if n.Info != nil {
			info, at = string(n.Info.Value(r.src)), n.Info.Segment.Start
		}
		r.block(n, ParseInfo(info), at)
	case *ast.CodeBlock:
		r.block(n, ParseInfo(""), -1)
	}
	return ast.WalkContinue, nil
}

// block notes a code block; fence is an offset in its first line, -1 if unknown.
func (r *reader) block(n ast.Node, info Info, fence int) {
	var b strings.Builder
	for i := range n.Lines().Len() {
		seg := n.Lines().At(i)
		b.Write(seg.Value(r.src))
	}
	c := candidate{info: info, node: n, block: &Block{Language: info.Language, Text: strings.TrimRight(b.String(), "\n"), URL: info.Attrs["url"]}}
	switch {
	case n.Lines().Len() > 0:
		c.block.Line = r.line(n.Lines().At(0).Start)
	case fence >= 0:
		c.block.Line = r.line(fence) + 1
	}
	around := Unmarked
	for _, m := range r.around {
		if m != Unmarked {
			around = m
		}
	}
	if r.off {
		around = Off
	}
	c.mark = info.mark(around)
	for _, class := range info.Classes {
		if class == "ignore" || class == "no_run" || class == "notest" {
			c.block.Options.Skip = "marked " + class
		}
	}
	if r.pending != nil {
		skip := c.block.Options.Skip
		c.block.Options = *r.pending
		if c.block.Options.Skip == "" {
			c.block.Options.Skip = skip
		}
		c.output = r.pending.output
		if r.pending.run || r.pending.file != "" {
			c.mark = Marked
		}
		if r.pending.file != "" {
			info.Attrs["file"] = r.pending.file
		}
		if r.pending.url != "" {
			c.block.URL = r.pending.url
		}
		r.pending = nil
	}
	r.found = append(r.found, c)
}

// html looks at HTML: comments that speak to us, and elements that mark what
// is in them.
func (r *reader) html(s string, line int) error {
	for _, m := range comment.FindAllStringSubmatchIndex(s, -1) {
		from, to := m[2], m[3]
		if from < 0 {
			from, to = m[4], m[5]
		}
		at := line + strings.Count(s[:m[0]], "\n")
		if err := r.comment(s[from:to], at); err != nil {
			return fmt.Errorf("line %d: %w", at, err)
		}
	}
	for _, m := range tag.FindAllStringSubmatchIndex(s, -1) {
		switch {
		case m[2] < 0: // a comment
		case m[3] > m[2]:
			if len(r.around) > 0 {
				r.around = r.around[:len(r.around)-1]
			}
		case !strings.HasSuffix(s[m[4]:m[5]], "/"):
			in := ParseInfo("html " + strings.ReplaceAll(s[m[4]:m[5]], "\n", " "))
			switch mark := in.mark(Unmarked); mark {
			case Marked:
				r.around = append(r.around, Within)
			default:
				r.around = append(r.around, mark)
			}
		}
	}
	return nil
}

// comment reads what a comment says to us, if it does.
func (r *reader) comment(s string, line int) error {
	rest, ours := strings.CutPrefix(strings.TrimLeft(s, " \t\n"), "kubonsai")
	if !ours || rest != "" && strings.IndexByte(" \t\n", rest[0]) < 0 {
		return nil
	}
	line += strings.Count(s[:len(s)-len(rest)], "\n")
	head, body, multi := strings.Cut(strings.TrimLeft(rest, " \t"), "\n")
	words, err := split(strings.TrimSpace(head))
	if err != nil {
		return err
	}
	if len(words) == 0 && strings.TrimSpace(body) != "" { // options on lines of their own
		if words, err = split(strings.ReplaceAll(body, "\n", " ")); err != nil {
			return err
		}
		multi = false
	}
	if len(words) == 0 {
		return fmt.Errorf("an empty kubonsai comment")
	}
	hidden := func(kind Kind) *Block {
		b := &Block{Line: line + 1, Kind: kind, Language: "sh", Text: strings.TrimRight(body, " \t\n"), Hidden: true}
		r.found = append(r.found, candidate{block: b})
		return b
	}
	multi = multi && strings.TrimSpace(body) != ""
	name, value, _ := strings.Cut(words[0], "=")
	switch {
	case name == "page":
		for _, w := range words[1:] {
			k, v, _ := strings.Cut(w, "=")
			if err := r.page.Settings.set(k, v); err != nil {
				return err
			}
		}
	case name == "off" || name == "on":
		r.off = name == "off"
	case name == "images" && multi:
		r.page.Settings.catalogues = append(r.page.Settings.catalogues, []byte(body))
	case name == "file" && multi:
		hidden(File).File = value
	case name == "run" && multi:
		return hidden(Snippet).Options.parse(words[1:])
	default:
		if multi {
			return fmt.Errorf("%q takes no text of its own (run, file=NAME and images do)", words[0])
		}
		if r.pending == nil {
			r.pending, r.pendingLine = &Options{}, line
		}
		if err := r.pending.parse(words); err != nil {
			return err
		}
		if r.pending.stop && len(words) == 1 { // needs no block
			r.pending = nil
			hidden(Snippet).Options.stop = true
		}
	}
	return nil
}

// choose decides what each block is, now that the whole page is known.
func (r *reader) choose(languages []string) {
	if r.page.Settings.Languages != nil {
		languages = r.page.Settings.Languages
	} else {
		for _, c := range r.found {
			if !c.block.Hidden && (c.mark == Marked || c.mark == Within) {
				languages = nil
			}
		}
	}
	named := map[string]bool{}
	for _, l := range languages {
		named[strings.ToLower(l)] = true
	}
	var last *candidate // the snippet or output that this block may follow
	for i := range r.found {
		c := &r.found[i]
		b := c.block
		if !b.Hidden {
			b.Kind, b.File = Choose(Candidate{Language: b.Language, Text: b.Text, Mark: c.mark, Asked: named[b.Language],
				Some: len(named) > 0, File: c.info.Attrs["file"], Title: c.info.Attrs["title"]})
			if last != nil && last.block.Kind == Snippet && r.isOutput(c, last) {
				if last.block.Output == nil {
					last.block.Output = new(string)
				} else {
					*last.block.Output += "\n"
				}
				*last.block.Output += b.Text
				last.block.Options.Loose = last.block.Options.Loose || b.Options.Loose
				last = &candidate{block: last.block, node: c.node}
				continue
			}
			last = c
		}
		if b.Kind != Other {
			r.page.Blocks = append(r.page.Blocks, b)
		}
	}
}

// isOutput reports whether a block shows what the snippet before it prints: a
// comment says so, or it follows directly and has an output's language.
func (r *reader) isOutput(c, before *candidate) bool {
	if c.output {
		return true
	}
	if c.mark == Marked || c.mark == Off || !outputs[c.block.Language] || c.block.Kind == File {
		return false
	}
	// What begins with a prompt is a session of its own; a console's may have
	// output first.
	lines := dedent(strings.Split(c.block.Text, "\n"))
	if at, match := firstPrompt(lines, c.block.Language); match != nil && (shells[c.block.Language] || at == 0 && surePrompt(lines[0])) {
		return false
	}
	prev := c.node.PreviousSibling()
	for prev != nil && prev.Kind() == ast.KindHTMLBlock && isComment(prev, r.src) {
		prev = prev.PreviousSibling()
	}
	return prev != nil && prev == before.node
}

func isComment(n ast.Node, src []byte) bool {
	return n.Lines().Len() > 0 && strings.HasPrefix(strings.TrimSpace(string(n.Lines().Value(src))), "<!--")
}
