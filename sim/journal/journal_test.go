package journal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubonsai/kubonsai/sim/store"
)

func open(t *testing.T, dir string) *Dir {
	t.Helper()
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func contents(t *testing.T, d *Dir) map[string]string {
	t.Helper()
	records, err := d.Load()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, r := range records {
		out[r.Key] = string(r.Value)
	}
	return out
}

func logFile(t *testing.T, dir string) string {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(dir, "state-*.log"))
	if len(files) != 1 {
		t.Fatalf("logs: %v", files)
	}
	return files[0]
}

// A log cut off at any byte gives the batches that are whole, and takes new ones.
func TestTornWrites(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	var states []map[string]string
	var sizes []int64
	note := func() {
		states = append(states, contents(t, d))
		sizes = append(sizes, d.size)
	}
	note()
	for i := range 6 {
		batch := []store.Record{{Key: "a", Value: fmt.Append(nil, i)}, {Key: fmt.Sprint("k", i), Value: []byte(strings.Repeat("x", i*7))}}
		if i == 4 {
			batch = append(batch, store.Record{Key: "k1"})
		}
		if err := d.Append(batch); err != nil {
			t.Fatal(err)
		}
		note()
	}
	d.Close()
	whole, err := os.ReadFile(logFile(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	for cut := len(magic); cut <= len(whole); cut++ {
		torn := t.TempDir()
		os.WriteFile(filepath.Join(torn, "state-1.log"), whole[:cut], 0o600)
		want := 0
		for want+1 < len(sizes) && sizes[want+1] <= int64(cut) {
			want++
		}
		d := open(t, torn)
		if got := contents(t, d); fmt.Sprint(got) != fmt.Sprint(states[want]) {
			t.Fatalf("cut at %d: %v, want %v", cut, got, states[want])
		}
		if err := d.Append([]store.Record{{Key: "new", Value: []byte("n")}}); err != nil {
			t.Fatal(err)
		}
		d.Close()
		d = open(t, torn)
		if got := contents(t, d); got["new"] != "n" || len(got) != len(states[want])+1 {
			t.Fatalf("cut at %d, appended: %v", cut, got)
		}
		d.Close()
	}
}

func TestDamageIsSetAside(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	for i := range 5 {
		d.Append([]store.Record{{Key: fmt.Sprint(i), Value: bytes.Repeat([]byte("v"), 100)}})
	}
	d.Close()
	file := logFile(t, dir)
	data, _ := os.ReadFile(file)
	data[len(magic)+130] ^= 1 // in the second batch
	os.WriteFile(file, data, 0o600)
	d = open(t, dir)
	records, err := d.Load()
	if len(records) != 1 || err == nil || !strings.Contains(err.Error(), "kept as state-1.damaged") {
		t.Errorf("%d records, %v", len(records), err)
	}
	if kept, _ := os.ReadFile(filepath.Join(dir, "state-1.damaged")); !bytes.Equal(kept, data) {
		t.Error("the damaged log was not kept")
	}
	d.Close()
}

// A random run against a map, with reopening and compaction.
func TestRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	dir := t.TempDir()
	d := open(t, dir)
	want := map[string]string{}
	numbers := map[int]bool{}
	for step := range 3000 {
		var batch []store.Record
		for range r.IntN(4) {
			key := fmt.Sprint("key", r.IntN(40))
			if r.IntN(5) == 0 {
				batch = append(batch, store.Record{Key: key})
				delete(want, key)
				continue
			}
			value := strings.Repeat(fmt.Sprint(step%10), r.IntN(40_000))
			batch = append(batch, store.Record{Key: key, Value: []byte(value)})
			want[key] = value
		}
		if err := d.Append(batch); err != nil {
			t.Fatal(err)
		}
		numbers[d.number] = true
		if r.IntN(300) == 0 {
			d.Close()
			d = open(t, dir)
			if got := contents(t, d); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("step %d: states differ", step)
			}
		}
	}
	if len(numbers) < 2 {
		t.Error("the log was never written anew")
	}
	if err := d.Clear(); err != nil || len(contents(t, d)) != 0 {
		t.Errorf("after Clear: %v", err)
	}
	d.Close()
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	if _, err := Open(dir); !errors.Is(err, ErrInUse) {
		t.Errorf("second open: %v", err)
	}
	d.Close()
	os.WriteFile(filepath.Join(dir, "state-9.log"), []byte("kubonsai journal 2\n"), 0o600)
	if _, err := Open(dir); !errors.Is(err, ErrFuture) {
		t.Errorf("future: %v", err)
	}
	os.WriteFile(filepath.Join(dir, "state-9.log"), []byte("something else entirely"), 0o600)
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "not a journal") {
		t.Errorf("foreign: %v", err)
	}
}

func FuzzScan(f *testing.F) {
	f.Add([]byte{})
	f.Add(encode([]store.Record{{Key: "a", Value: []byte("b")}, {Key: "c"}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		os.WriteFile(filepath.Join(dir, "state-1.log"), append([]byte(magic), data...), 0o600)
		d, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		d.Load()
		if err := d.Append([]store.Record{{Key: "x", Value: []byte("y")}}); err != nil {
			t.Fatal(err)
		}
		d.Close()
	})
}
