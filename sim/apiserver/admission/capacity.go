// This file keeps a cluster that shares a machine with others (a hosted
// sandbox) within what its host can hold. It is no part of a real API server;
// who meets the bound reads of it as of a quota.

package admission

import (
	"slices"

	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/store"
)

// Capacity is how much a cluster may hold; zero is no bound.
type Capacity struct {
	// Objects bounds the number of API objects. Events are counted apart, up to
	// the same number.
	Objects int
	Pods    int
	// Full reports whether the place that keeps the cluster is full; nil never.
	Full func() bool
}

// Plugin is the rule for objects in s.
func (c Capacity) Plugin(s *store.Store) Plugin {
	return Plugin{Name: "Capacity", Validate: func(a *apiserver.Attributes) error {
		// What is full may be made smaller, and statuses have to go on.
		grows := a.Operation == apiserver.Create || a.Operation == apiserver.Update && slices.Contains([]string{"configmaps", "secrets"}, a.Kind.Key)
		if a.Subresource == "" && grows && c.Full != nil && c.Full() {
			return forbid(a, "the sandbox's storage is full: delete something first")
		}
		if a.Operation != apiserver.Create || a.Subresource != "" {
			return nil
		}
		switch a.Kind.Key {
		case "pods":
			if n := s.Count("pods"); c.Pods > 0 && n >= c.Pods {
				return forbid(a, "the sandbox is limited to %d pods, and has %d", c.Pods, n)
			}
		case "events":
			if c.Objects > 0 && s.Count("events") >= c.Objects {
				return forbid(a, "the sandbox is limited to %d events", c.Objects)
			}
			return nil
		}
		if c.Objects == 0 {
			return nil
		}
		n := 0
		for _, r := range s.Resources() {
			if r != "events" {
				n += s.Count(r)
			}
		}
		if n >= c.Objects {
			return forbid(a, "the sandbox is limited to %d objects, and has %d", c.Objects, n)
		}
		return nil
	}}
}
