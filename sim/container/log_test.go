package container

import (
	"fmt"
	"io"
	"testing"
	"time"
)

// What is written late stands where and when it was due, whoever needs it first.
func TestLogSettles(t *testing.T) {
	start := time.Date(2026, 7, 1, 9, 0, 0, 0, time.UTC)
	want := "9:00:00 false one\n 9:00:00 true two\n 9:00:01 false three\n "
	late := func(stdout, stderr io.Writer) {
		fmt.Fprintln(stdout, "one")
		fmt.Fprintln(stderr, "two")
	}
	for name, early := range map[string]func(*Log){
		"a write":  func(*Log) {},
		"a reader": func(l *Log) { l.Lines(0) },
		"nothing":  func(l *Log) { l.write(start.Add(time.Second), false, nil) },
	} {
		l := &Log{limit: 1 << 20}
		l.later(start, late)
		if l.lines != nil {
			t.Errorf("%s: put down at once", name)
		}
		early(l)
		l.write(start.Add(time.Second), false, []byte("three\n"))
		l.close(start.Add(time.Hour))
		got := ""
		lines, next := l.Lines(0)
		for _, line := range lines {
			got += line.Time.Format("3:04:05 ") + fmt.Sprint(line.Stderr, " ", line.Text) + " "
		}
		if got != want || next != 3 {
			t.Errorf("%s: %q, then line %d; want %q", name, got, next, want)
		}
	}
	l := &Log{limit: 1 << 20}
	l.later(start, late)
	l.close(start)
	if lines, _ := l.Lines(0); len(lines) != 2 || !l.Closed() {
		t.Errorf("a closed log has %d lines", len(lines))
	}
}
