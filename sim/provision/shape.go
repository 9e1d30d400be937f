// How a page or a command line says which nodes the first cluster has.

package provision

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/kubonsai/kubonsai/sim/api/resource"
)

// Shape is a node's capacity, as quantities.
type Shape struct{ CPU, Memory string }

// maxNodes bounds what a page may ask for.
const maxNodes = 5000

// ParseNodes reads a number of nodes ("3"; "0" is no cluster) or the capacity
// of each, the control plane first ("2/4Gi,4/8Gi,4/8Gi"). The count is as in
// sim.Options: 0 for the empty text, -1 for no cluster.
func ParseNodes(text string) (count int, shapes []Shape, err error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return 0, nil, nil
	}
	if n, err := strconv.Atoi(text); err == nil {
		switch {
		case n < 0 || n > maxNodes:
			return 0, nil, fmt.Errorf("nodes %q: between 0 and %d", text, maxNodes)
		case n == 0:
			return -1, nil, nil
		}
		return n, nil, nil
	}
	for _, part := range strings.Split(text, ",") {
		cpu, memory, ok := strings.Cut(strings.TrimSpace(part), "/")
		for _, q := range []string{cpu, memory} {
			if v, err := resource.ParseQuantity(q); err != nil || v.Sign() <= 0 {
				ok = false
			}
		}
		if !ok {
			return 0, nil, fmt.Errorf("nodes %q: want a number, or CPU/MEMORY for each node as in 2/4Gi,4/8Gi", text)
		}
		shapes = append(shapes, Shape{cpu, memory})
	}
	return len(shapes), shapes, nil
}
