package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestSeal(t *testing.T) {
	good := seal("a", []byte("value"))
	other := seal("b", []byte("value"))
	flipped := bytes.Clone(seal("c", []byte("value")))
	flipped[len(flipped)-1] ^= 1
	future := bytes.Clone(seal("d", nil))
	future[3] = 9
	records, bad := unseal([]row{{"x", other}, {"a", good}, {"c", flipped}, {"d", future}, {"e", nil}})
	if len(records) != 1 || records[0].Key != "a" || string(records[0].Value) != "value" {
		t.Errorf("good: %v", records)
	}
	if len(bad) != 4 || !bad[1].future {
		t.Fatalf("bad: %v", bad)
	}
	text := damaged(bad).Error()
	for _, want := range []string{`"c" does not agree`, `"d" was written by a newer version`, `"e" has no valid head`, `"x" does not agree`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s\nlacks %s", text, want)
		}
	}
}

func FuzzUnseal(f *testing.F) {
	f.Add("k", []byte("v"))
	f.Add("k", seal("k", []byte("v")))
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		unseal([]row{{key, bytes.Clone(value)}})
		good, bad := unseal([]row{{key, seal(key, value)}})
		if len(good) != 1 || len(bad) != 0 || !bytes.Equal(good[0].Value, value) {
			t.Fatalf("%q %q: %v %v", key, value, good, bad)
		}
	})
}
