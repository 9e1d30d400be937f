// This file lets the owner of some objects bring them up to date when they are
// read. What a real component writes every few seconds (a node's lease, its
// heartbeats) would keep an idle cluster busy; here it is worked out by whoever
// looks.

package apiserver

import metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"

// SetView makes gets and lists of a resource ("nodes", "leases.coordination.k8s.io")
// show what fn makes of the stored objects, which it must not change. Watches and
// writes see them as they are stored.
func (s *Server) SetView(resource string, fn func(stored metav1.Object) metav1.Object) {
	if s.views == nil {
		s.views = map[string]func(metav1.Object) metav1.Object{}
	}
	s.views[resource] = fn
}

// seen is a stored object as a reader sees it.
func (c *call) seen(stored metav1.Object) metav1.Object {
	if fn := c.s.views[c.kind.Key]; fn != nil {
		return fn(stored)
	}
	return stored
}
