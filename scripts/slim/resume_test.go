package main

import "testing"

// TestPCTable reads tables of pc values back.
func TestPCTable(t *testing.T) {
	for _, values := range [][]int{{0}, {-1}, {0, 0}, {0, 48}, {-1, 3, 3, 3, 0, -1, 7}, {5, 5, 4, 4, 100000}} {
		table := newPCTable(values)
		if n := pcTableSize(append(table, 1, 2, 3)); n != len(table) {
			t.Errorf("%v: ends after %d of %d bytes", values, n, len(table))
		}
		for place, want := range values {
			if got := table.at(place); got != want {
				t.Errorf("%v: place %d is %d", values, place, got)
			}
		}
		if got := table.at(len(values) + 1000); got != values[len(values)-1] {
			t.Errorf("%v: behind its end is %d", values, got)
		}
	}
	if got := (pcTable{}).at(0); got != pcUnknown {
		t.Errorf("an empty table has %d", got)
	}
	if got := (pcTable{4, 2, 0}).at(2); got != pcUnknown { // 1 at places 0 and 1
		t.Errorf("behind a table's end is %d", got)
	}
}
