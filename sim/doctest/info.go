// What a fence's info string says: the block's language, classes and
// attributes, in the ways of the usual tools.

package doctest

import (
	"regexp"
	"strings"
)

// Info is an info string taken apart.
type Info struct {
	Language string // lower case
	Classes  []string
	Attrs    map[string]string
}

// ParseInfo reads an info string:
//
//	sh kubonsai file=a.yaml           words and pairs
//	bash title="a b"                  Docusaurus
//	bash {class="kubonsai" data-x=1}  Hugo
//	{.bash .kubonsai #id key="v"}     Pandoc, pymdownx
//	sh,kubonsai                       mdBook
func ParseInfo(s string) Info {
	in := Info{Attrs: map[string]string{}}
	word := func(w string) {
		switch {
		case strings.HasPrefix(w, "."):
			w = w[1:]
		case strings.HasPrefix(w, "#"):
			return
		}
		if w == "" {
			return
		}
		if in.Language == "" && len(in.Classes) == 0 {
			in.Language = strings.ToLower(w)
			return
		}
		in.Classes = append(in.Classes, w)
	}
	for i := 0; i < len(s); {
		if strings.IndexByte(" \t,{}", s[i]) >= 0 {
			i++
			continue
		}
		from := i
		for i < len(s) && strings.IndexByte(" \t,{}=", s[i]) < 0 {
			i++
		}
		name := s[from:i]
		if i >= len(s) || s[i] != '=' {
			word(name)
			continue
		}
		i++
		value := ""
		if i < len(s) && (s[i] == '"' || s[i] == '\'') {
			quote := s[i]
			end := strings.IndexByte(s[i+1:], quote)
			if end < 0 {
				end = len(s) - i - 1
			}
			value = s[i+1 : i+1+end]
			i = min(len(s), i+1+end+1)
		} else {
			from, depth := i, 0 // hl_lines=[1,2]
			for i < len(s) && (depth > 0 || strings.IndexByte(" \t,}", s[i]) < 0) {
				switch s[i] {
				case '[':
					depth++
				case ']':
					depth--
				}
				i++
			}
			value = s[from:i]
		}
		switch name {
		case "":
		case "class", "className":
			in.Classes = append(in.Classes, strings.Fields(value)...)
		default:
			in.Attrs[strings.TrimPrefix(name, "data-")] = value
		}
	}
	return in
}

// Mark is how a block, or what stands around it, is marked.
type Mark string

const (
	Unmarked Mark = ""
	Marked   Mark = "on"        // the block itself
	Within   Mark = "inherited" // something around it
	Off      Mark = "off"
)

// mark is what the info string says of the block, or else what stands around it.
func (in Info) mark(around Mark) Mark {
	for _, c := range in.Classes {
		switch c {
		case "kubonsai":
			return Marked
		case "no-kubonsai":
			return Off
		}
	}
	switch v, ok := in.Attrs["kubonsai"]; {
	case ok && v == "off":
		return Off
	case ok:
		return Marked
	}
	return around
}

// Kind is what a page's block is.
type Kind string

const (
	Other   Kind = ""
	Snippet Kind = "snippet" // a script that can be run
	File    Kind = "file"    // a file in the reader's home
)

var (
	shells = map[string]bool{"sh": true, "bash": true, "shell": true, "zsh": true, "console": true, "shell-session": true,
		"shellsession": true, "terminal": true, "kubectl": true, "bash-session": true}
	data      = map[string]bool{"yaml": true, "yml": true, "json": true}
	firstName = regexp.MustCompile(`(?i)^\s*(?:#|//|<!--)\s*((?:[\w.~-]+/)*[\w.-]+\.(?:ya?ml|json|sh|txt|conf|toml|env))\s*(?:-->)?\s*$`)
	titleName = regexp.MustCompile(`^[\w./-]+\.\w+$`)
)

// Candidate is what the choice of blocks looks at.
type Candidate struct {
	Language string
	Text     string
	Mark     Mark
	Asked    bool   // its language is one of those that the page names
	Some     bool   // the page names languages at all
	File     string // the attribute; "" is none
	Title    string
}

// Choose says what a block is, and the name of a file. The page's script
// (site/src/blocks.ts) chooses by the same rules; testdata/blocks.json is the
// table that both are held to.
func Choose(c Candidate) (Kind, string) {
	if c.Mark == Off {
		return Other, ""
	}
	on := c.Mark == Marked || c.Mark == Within
	file := c.File
	if file == "" && !shells[c.Language] {
		if titleName.MatchString(c.Title) {
			file = c.Title
		} else if m := firstName.FindStringSubmatch(firstLine(c.Text)); m != nil {
			file = m[1]
		}
	}
	switch {
	case file != "" && (on || c.Asked || c.Some && data[c.Language]):
		return File, file
	case data[c.Language]:
		return Other, ""
	case c.Mark == Marked, on && shells[c.Language], c.Asked:
		return Snippet, ""
	}
	return Other, ""
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
