package doctest

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// The page's script and doctest read blocks alike.
func TestReadBlock(t *testing.T) {
	raw, err := os.ReadFile("../../site/test/fixtures/prompts.json")
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		Cases []struct {
			Name, Language, Block string
			Steps                 []struct{ Run, Shows string }
		}
	}
	if err := json.Unmarshal(raw, &table); err != nil || len(table.Cases) == 0 {
		t.Fatal(err, len(table.Cases))
	}
	for _, c := range table.Cases {
		t.Run(c.Name, func(t *testing.T) {
			got := ReadBlock(c.Block, c.Language)
			for i := range max(len(got), len(c.Steps)) {
				if i >= len(got) || i >= len(c.Steps) || got[i].Run != c.Steps[i].Run || got[i].Shows != c.Steps[i].Shows {
					t.Fatalf("got %+v\nwant %+v", got, c.Steps)
				}
			}
		})
	}
}

func FuzzReadBlock(f *testing.F) {
	f.Add("$ kubectl get pods\nNAME\n$ cat <<E\n> x\n> E", "console")
	f.Add("> a b\n\\", "zsh")
	f.Add("cat <<'E\n> E'", "")
	f.Fuzz(func(t *testing.T, text, language string) {
		for _, s := range ReadBlock(text, language) {
			if strings.TrimSpace(s.Run) == "" {
				t.Errorf("an empty command in %q", text)
			}
			if s.Line < 0 || s.Line > strings.Count(text, "\n")+strings.Count(text, "\r") {
				t.Errorf("line %d of %q", s.Line, text)
			}
		}
	})
}
