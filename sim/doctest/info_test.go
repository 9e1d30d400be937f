package doctest

import (
	"encoding/json"
	"os"
	"reflect"
	"testing"
)

// The page's script and doctest choose alike.
func TestChoose(t *testing.T) {
	raw, err := os.ReadFile("../../site/test/fixtures/blocks.json")
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		Cases []struct {
			Name, Language, Text, Mark, Attribute, Title, Kind, File string
			Asked, Some                                              bool
		}
	}
	if err := json.Unmarshal(raw, &table); err != nil || len(table.Cases) == 0 {
		t.Fatal(err, len(table.Cases))
	}
	for _, c := range table.Cases {
		kind, file := Choose(Candidate{Language: c.Language, Text: c.Text, Mark: Mark(c.Mark), Asked: c.Asked, Some: c.Some, File: c.Attribute, Title: c.Title})
		if string(kind) != c.Kind || file != c.File {
			t.Errorf("%s: got %q %q, want %q %q", c.Name, kind, file, c.Kind, c.File)
		}
	}
}

func TestParseInfo(t *testing.T) {
	none := map[string]string{}
	for info, want := range map[string]Info{
		"":                            {Attrs: none},
		"Bash":                        {Language: "bash", Attrs: none},
		"sh kubonsai file=a.yaml":     {Language: "sh", Classes: []string{"kubonsai"}, Attrs: map[string]string{"file": "a.yaml"}},
		`bash title="two words"`:      {Language: "bash", Attrs: map[string]string{"title": "two words"}},
		"{.bash .kubonsai #id k='v'}": {Language: "bash", Classes: []string{"kubonsai"}, Attrs: map[string]string{"k": "v"}},
		`bash {class="kubonsai no" data-file=x,hl_lines=[1,"2-3"]}`: {Language: "bash", Classes: []string{"kubonsai", "no"}, Attrs: map[string]string{"file": "x", "hl_lines": `[1,"2-3"]`}},
		"sh,ignore":      {Language: "sh", Classes: []string{"ignore"}, Attrs: none},
		"bash {1,3-4}":   {Language: "bash", Classes: []string{"1", "3-4"}, Attrs: none},
		`sh title="open`: {Language: "sh", Attrs: map[string]string{"title": "open"}},
		"sh =x a=":       {Language: "sh", Attrs: map[string]string{"a": ""}},
	} {
		if got := ParseInfo(info); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v, want %+v", info, got, want)
		}
	}
}
