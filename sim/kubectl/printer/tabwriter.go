// This file aligns columns as kubectl's tables do: cells are separated by tabs,
// a column is at least 6 wide and 3 wider than its widest cell, the last cell
// of a line is never padded, and widths are remembered from one flush to the
// next so that the lines of a watch stay under each other.

package printer

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"
)

const (
	minWidth = 6
	padding  = 3
)

// TabWriter collects lines and writes them aligned when flushed.
type TabWriter struct {
	out        io.Writer
	text       bytes.Buffer
	remembered []int
}

// NewTabWriter returns a writer that aligns to out.
func NewTabWriter(out io.Writer) *TabWriter { return &TabWriter{out: out} }

// Write collects text.
func (t *TabWriter) Write(p []byte) (int, error) { return t.text.Write(p) }

// Forget forgets the widths of earlier flushes.
func (t *TabWriter) Forget() { t.remembered = nil }

// Flush writes what was collected.
func (t *TabWriter) Flush() error {
	if t.text.Len() == 0 {
		return nil
	}
	text := t.text.String()
	t.text.Reset()
	open := !strings.HasSuffix(text, "\n")
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	cells := make([][]string, len(lines))
	for i, l := range lines {
		cells[i] = strings.Split(l, "\t")
	}
	widths := make([][]int, len(lines)) // of each cell that is padded
	for i := range cells {
		widths[i] = make([]int, len(cells[i])-1)
	}
	// A column is a run of neighbouring lines that have a padded cell there.
	for column := 0; ; column++ {
		any := false
		for i := 0; i < len(cells); i++ {
			if len(widths[i]) <= column {
				continue
			}
			any = true
			w, j := minWidth, i
			if column < len(t.remembered) {
				w = max(w, t.remembered[column])
			}
			for ; j < len(cells) && len(widths[j]) > column; j++ {
				w = max(w, utf8.RuneCountInString(cells[j][column])+padding)
			}
			for k := i; k < j; k++ {
				widths[k][column] = w
			}
			if column >= len(t.remembered) {
				t.remembered = append(t.remembered, w)
			} else {
				t.remembered[column] = max(w, t.remembered[column])
			}
			i = j - 1
		}
		if !any {
			break
		}
	}
	var b strings.Builder
	for i, line := range cells {
		for c, cell := range line {
			b.WriteString(cell)
			if c < len(widths[i]) {
				b.WriteString(strings.Repeat(" ", widths[i][c]-utf8.RuneCountInString(cell)))
			}
		}
		if i < len(cells)-1 || !open {
			b.WriteByte('\n')
		}
	}
	_, err := io.WriteString(t.out, b.String())
	return err
}

// Escape makes terminal control characters harmless.
func Escape(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\x1b", "^["), "\r", "\\r")
}
