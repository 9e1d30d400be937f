// Package unified compares two texts line by line and writes the difference as
// diff -u does, without its header.
package unified

import (
	"fmt"
	"strings"
)

// Hunks is the body of a unified diff with so many lines of context; "" if the texts are equal.
func Hunks(a, b string, context int) string {
	edits := compare(lines(a), lines(b))
	var out strings.Builder
	for i := 0; i < len(edits); {
		if edits[i].op == ' ' {
			i++
			continue
		}
		start := max(0, i-context)
		end, quiet := i, 0
		for j := i; j < len(edits) && quiet <= 2*context; j++ {
			if edits[j].op == ' ' {
				quiet++
			} else {
				quiet, end = 0, j
			}
		}
		stop := min(len(edits), end+1+context)
		hunk(&out, edits, start, stop)
		i = stop
	}
	return out.String()
}

func hunk(out *strings.Builder, edits []edit, start, stop int) {
	var fromLine, toLine int
	for _, e := range edits[:start] {
		if e.op != '+' {
			fromLine++
		}
		if e.op != '-' {
			toLine++
		}
	}
	var from, to int
	for _, e := range edits[start:stop] {
		if e.op != '+' {
			from++
		}
		if e.op != '-' {
			to++
		}
	}
	fmt.Fprintf(out, "@@ -%s +%s @@\n", span(fromLine, from), span(toLine, to))
	for _, e := range edits[start:stop] {
		out.WriteByte(e.op)
		out.WriteString(e.text)
		if !strings.HasSuffix(e.text, "\n") {
			out.WriteString("\n\\ No newline at end of file\n")
		}
	}
}

func span(before, n int) string {
	switch n {
	case 0:
		return fmt.Sprintf("%d,0", before)
	case 1:
		return fmt.Sprint(before + 1)
	}
	return fmt.Sprintf("%d,%d", before+1, n)
}

func lines(s string) []string {
	if s == "" {
		return nil
	}
	l := strings.SplitAfter(s, "\n")
	if l[len(l)-1] == "" {
		l = l[:len(l)-1]
	}
	return l
}

type edit struct {
	op   byte // ' ', '-', '+'
	text string
}

// compare finds a shortest script that turns a into b (Myers).
func compare(a, b []string) []edit {
	var head, tail []edit
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		head = append(head, edit{' ', a[0]})
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		tail = append(tail, edit{' ', a[len(a)-1]})
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	middle := shortest(a, b)
	out := append(head, middle...)
	for i := len(tail) - 1; i >= 0; i-- {
		out = append(out, tail[i])
	}
	return out
}

func shortest(a, b []string) []edit {
	n, m := len(a), len(b)
	limit := n + m
	if limit == 0 {
		return nil
	}
	v := make([]int, 2*limit+2)
	var trace [][]int
	found := false
	for d := 0; d <= limit && !found; d++ {
		trace = append(trace, append([]int{}, v...))
		for k := -d; k <= d; k += 2 {
			var x int
			if k == -d || k != d && v[limit+k-1] < v[limit+k+1] {
				x = v[limit+k+1]
			} else {
				x = v[limit+k-1] + 1
			}
			y := x - k
			for x < n && y < m && a[x] == b[y] {
				x, y = x+1, y+1
			}
			v[limit+k] = x
			if x >= n && y >= m {
				found = true
				break
			}
		}
	}
	var reversed []edit
	x, y := n, m
	for d := len(trace) - 1; d >= 0; d-- {
		v := trace[d]
		k := x - y
		var prev int
		if k == -d || k != d && v[limit+k-1] < v[limit+k+1] {
			prev = k + 1
		} else {
			prev = k - 1
		}
		px := v[limit+prev]
		py := px - prev
		for x > px && y > py {
			x, y = x-1, y-1
			reversed = append(reversed, edit{' ', a[x]})
		}
		if d > 0 {
			if x == px {
				y--
				reversed = append(reversed, edit{'+', b[y]})
			} else {
				x--
				reversed = append(reversed, edit{'-', a[x]})
			}
		}
	}
	out := make([]edit, 0, len(reversed))
	for i := len(reversed) - 1; i >= 0; i-- {
		out = append(out, reversed[i])
	}
	return out
}
