package record

import (
	"bytes"
	"strings"
	"testing"
)

func TestSeal(t *testing.T) {
	good := Seal("a", []byte("value"))
	other := Seal("b", []byte("value"))
	flipped := bytes.Clone(Seal("c", []byte("value")))
	flipped[len(flipped)-1] ^= 1
	future := bytes.Clone(Seal("d", nil))
	future[3] = 9
	records, bad := Unseal([]Row{{"x", other}, {"a", good}, {"c", flipped}, {"d", future}, {"e", nil}})
	if len(records) != 1 || records[0].Key != "a" || string(records[0].Value) != "value" {
		t.Errorf("good: %v", records)
	}
	if len(bad) != 4 || !bad[1].Future {
		t.Fatalf("bad: %v", bad)
	}
	text := Damaged(bad).Error()
	for _, want := range []string{`"c" does not agree`, `"d" was written by a newer version`, `"e" has no valid head`, `"x" does not agree`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s\nlacks %s", text, want)
		}
	}
}

func FuzzUnseal(f *testing.F) {
	f.Add("k", []byte("v"))
	f.Add("k", Seal("k", []byte("v")))
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		Unseal([]Row{{key, bytes.Clone(value)}})
		good, bad := Unseal([]Row{{key, Seal(key, value)}})
		if len(good) != 1 || len(bad) != 0 || !bytes.Equal(good[0].Value, value) {
			t.Fatalf("%q %q: %v %v", key, value, good, bad)
		}
	})
}
