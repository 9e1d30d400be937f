package doctest

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// unknown is what a shell or a program says of what it has not.
var unknown = regexp.MustCompile(`command not found|unknown command|unknown flag|unknown shorthand|error: unknown|No such file or directory`)

// "Every command line in the five documents runs": testdata/documents has them.
func TestDocuments(t *testing.T) {
	const dir = "../testdata/documents"
	raw, err := os.ReadFile(dir + "/commands.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var documents []struct {
		Document  string `json:"document"`
		CoveredBy string `json:"covered-by"`
		Commands  []struct {
			Line                                    int
			Run, Before, Typed, Editor, Want, Lacks string
			Status                                  int
		}
	}
	if err := yaml.UnmarshalStrict(raw, &documents); err != nil {
		t.Fatal(err)
	}
	if len(documents) != 5 {
		t.Errorf("%d documents", len(documents))
	}
	for _, d := range documents {
		number := d.Document[:3]
		t.Run(number, func(t *testing.T) {
			if d.CoveredBy != "sim/doctest "+t.Name() {
				t.Errorf("covered by %s, not by %s", d.CoveredBy, t.Name())
			}
			p := &Page{Settings: Settings{Files: []string{number}}}
			for _, c := range d.Commands {
				if c.Before != "" {
					p.Blocks = append(p.Blocks, &Block{Line: c.Line, Kind: Snippet, Text: c.Before, Hidden: true})
				}
				b := &Block{Line: c.Line, Kind: Snippet, Text: c.Run, Options: Options{Editor: c.Editor, HasWait: true}}
				if c.Typed != "" {
					b.Text = c.Typed
				}
				p.Blocks = append(p.Blocks, b)
			}
			results, err := p.Run(Host{Seed: 1, Load: func(name string) (map[string][]byte, error) { return folder(os.DirFS(dir + "/" + name)) }})
			if err != nil {
				t.Fatal(err)
			}
			i := -1
			for _, r := range results {
				if r.Hidden {
					if unknown.MatchString(r.Printed) {
						t.Errorf("line %d, before it: %s", r.Line, strings.Join(r.Detail, "\n"))
					}
					continue
				}
				i++
				c := d.Commands[i]
				complain := func(format string, args ...any) {
					t.Helper()
					t.Errorf("line %d: %s: "+format+"\n%s", append(append([]any{c.Line, c.Run}, args...), strings.Join(append(r.Detail, r.Printed), "\n"))...)
				}
				if lacking := unknown.MatchString(r.Printed); lacking || c.Lacks != "" {
					if lacking && c.Lacks == "" {
						complain("is not known")
					} else if !lacking {
						complain("lacks %s no more: take that out of commands.yaml", c.Lacks)
					}
					continue
				}
				status := 0
				if m := regexp.MustCompile(`exit status (\d+)`).FindStringSubmatch(strings.Join(r.Detail, "\n")); m != nil {
					for _, digit := range m[1] {
						status = status*10 + int(digit-'0')
					}
				}
				if status != c.Status || r.Status == Failed && status == 0 {
					complain("exit status %d, want %d", status, c.Status)
				}
				if c.Want != "" && !regexp.MustCompile("(?m)"+c.Want).MatchString(r.Printed) {
					complain("does not print %s", c.Want)
				}
			}
			if i+1 != len(d.Commands) {
				t.Errorf("%d of %d commands ran", i+1, len(d.Commands))
			}
		})
	}
}

// folder reads all files of a folder; one that is not there is empty.
func folder(f fs.FS) (map[string][]byte, error) {
	files := map[string][]byte{}
	err := fs.WalkDir(f, ".", func(name string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) && name == "." {
			return fs.SkipAll
		}
		if err != nil || d.IsDir() {
			return err
		}
		files[name], err = fs.ReadFile(f, name)
		return err
	})
	return files, err
}
