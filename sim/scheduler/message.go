// The sentence that says why no node would do.

package scheduler

import (
	"fmt"
	"slices"
	"strings"
)

func fitError(d *diagnosis) string {
	head := fmt.Sprintf("0/%v nodes are available:", d.total)
	if d.preFilter != nil {
		return head + " " + strings.Join(d.preFilter.Reasons, ", ") + "."
	}
	count := map[string]int{}
	for _, st := range d.nodes {
		for _, r := range st.Reasons {
			count[r]++
		}
	}
	if d.absent != nil && len(d.nodes) < d.total {
		for _, r := range d.absent.Reasons {
			count[r] += d.total - len(d.nodes)
		}
	}
	if text := histogram(count); text != "" {
		head += " " + text + "."
	}
	return head
}

// histogram is "1 this, 2 that", sorted as strings.
func histogram(count map[string]int) string {
	parts := make([]string, 0, len(count))
	for reason, n := range count {
		parts = append(parts, fmt.Sprintf("%v %v", n, reason))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
