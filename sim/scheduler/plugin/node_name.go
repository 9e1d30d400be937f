package plugin

// NodeName keeps a pod that names its node off all others.
var NodeName = &Rule{Name: "NodeName", Filter: func(c *Cycle) (FilterFunc, *Status) {
	name := c.Pod.Pod.Spec.NodeName
	if name == "" {
		return nil, nil
	}
	no := unresolvable("NodeName", "node(s) didn't match the requested node name")
	return func(n *NodeInfo) *Status {
		if n.Node.Name != name {
			return no
		}
		return nil
	}, nil
}}
