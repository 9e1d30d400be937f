// The small language in which a page's author speaks to doctest: settings of
// the page (front matter, or a comment "kubonsai page …") and options of a
// block (a comment "kubonsai …" before it).

package doctest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// Settings are a page's own.
type Settings struct {
	Nodes     int           // 0 is the host's choice
	Seed      *uint64       // nil is the host's choice
	Start     time.Time     // zero is sim.DefaultStart
	NoMetrics bool          // a cluster without a metrics server
	NoCluster bool          // no cluster yet: the page creates one
	Pause     time.Duration // what a reader takes before each block; 0 is DefaultPause
	Languages []string      // nil if the page names none
	Files     []string      // folders and files that are copied into the reader's home
	Images    []string      // files with more catalogues of images

	catalogues [][]byte // from comments
}

// DefaultPause is what a reader takes between two blocks.
const DefaultPause = 10 * time.Second

// frontMatter reads the kubonsai part of a page's YAML front matter.
func (s *Settings) frontMatter(text string) error {
	var doc struct {
		Kubonsai map[string]any `json:"kubonsai"`
	}
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		if !strings.Contains(text, "kubonsai") {
			return nil // not YAML, and none of our business
		}
		return err
	}
	keys := make([]string, 0, len(doc.Kubonsai))
	for k := range doc.Kubonsai {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		var values []string
		switch v := doc.Kubonsai[k].(type) {
		case []any:
			for _, e := range v {
				values = append(values, fmt.Sprint(e))
			}
		case bool:
			values = []string{map[bool]string{true: "on", false: "off"}[v]}
		default:
			values = []string{fmt.Sprint(v)}
		}
		if err := s.set(k, strings.Join(values, ",")); err != nil {
			return err
		}
	}
	return nil
}

func (s *Settings) set(key, value string) (err error) {
	list := strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
	switch key {
	case "nodes":
		s.Nodes, err = strconv.Atoi(value)
		if err == nil && (s.Nodes < 1 || s.Nodes > 100) {
			return fmt.Errorf("nodes=%d: want 1 to 100", s.Nodes)
		}
	case "seed":
		var n uint64
		n, err = strconv.ParseUint(value, 10, 64)
		s.Seed = &n
	case "start":
		s.Start, err = time.Parse(time.RFC3339, value)
	case "metrics-server":
		s.NoMetrics, err = isOff(value)
	case "cluster":
		s.NoCluster, err = isOff(value)
	case "pause":
		s.Pause, err = duration(value)
	case "languages":
		s.Languages = append([]string{}, list...)
	case "files":
		s.Files = append(s.Files, list...)
	case "images":
		s.Images = append(s.Images, list...)
	default:
		return fmt.Errorf("unknown page setting %q", key)
	}
	if err != nil {
		return fmt.Errorf("%s=%s: %w", key, value, err)
	}
	return nil
}

func isOff(value string) (bool, error) {
	switch value {
	case "off", "none", "false":
		return true, nil
	case "on", "", "true":
		return false, nil
	}
	return false, fmt.Errorf("want on or off")
}

func duration(value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err == nil && (d < 0 || d > 30*24*time.Hour) {
		err = fmt.Errorf("want up to 30 days")
	}
	return d, err
}

// Options are a block's own.
type Options struct {
	Skip     string        // why the block is not run; "" runs it
	Fails    bool          // a command of it fails, and that is right
	Exit     *int          // the status that its last command ends with
	Terminal string        // "" is 1
	For      time.Duration // how long a command that never ends goes on before the next; 0 is DefaultFor
	UntilEnd bool          // what such a command prints is compared when it is stopped
	Wait     time.Duration // what passes before the block, instead of the pause
	HasWait  bool
	Loose    bool   // the output that the page shows is an example: it is not compared
	Input    string // what is typed while the block runs
	Editor   string // what a reader does in an editor: a script for sed

	run, output, stop bool
	file, url         string
}

// DefaultFor is how long a command that never ends goes on before the page does.
const DefaultFor = 3 * time.Second

func (o *Options) parse(words []string) (err error) {
	for _, w := range words {
		key, value, has := strings.Cut(w, "=")
		switch key {
		case "skip":
			if o.Skip = value; value == "" {
				o.Skip = "the page says so"
			}
		case "fails":
			o.Fails = true
		case "exit":
			var n int
			n, err = strconv.Atoi(value)
			o.Exit = &n
		case "terminal":
			if o.Terminal = value; value == "" {
				err = fmt.Errorf("want a name")
			}
		case "for":
			o.For, err = duration(value)
		case "until":
			if o.UntilEnd = value == "stop"; !o.UntilEnd {
				err = fmt.Errorf("want stop")
			}
		case "wait":
			o.Wait, err = duration(value)
			o.HasWait = true
		case "example":
			o.Loose = true
		case "input":
			o.Input = strings.NewReplacer(`\n`, "\n", `\\`, `\`).Replace(value)
		case "editor":
			o.Editor = value
		case "run":
			o.run = true
		case "output":
			o.output = true
		case "stop":
			o.stop = true
		case "file":
			if o.file = value; value == "" {
				err = fmt.Errorf("want a name")
			}
		case "url":
			o.url = value
		default:
			return fmt.Errorf("unknown option %q", key)
		}
		if err != nil {
			if !has {
				return fmt.Errorf("%s: %w", key, err)
			}
			return fmt.Errorf("%s=%s: %w", key, value, err)
		}
	}
	return nil
}

// split takes a comment's words apart; quotes keep blanks together.
func split(s string) ([]string, error) {
	var words []string
	var w strings.Builder
	inside, quote := false, byte(0)
	for i := range len(s) {
		switch c := s[i]; {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, inside = c, true
		case quote == 0 && (c == ' ' || c == '\t' || c == '\n'):
			if inside {
				words = append(words, w.String())
				w.Reset()
				inside = false
			}
		default:
			w.WriteByte(c)
			inside = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote is not closed: %s", s)
	}
	if inside {
		words = append(words, w.String())
	}
	return words, nil
}
