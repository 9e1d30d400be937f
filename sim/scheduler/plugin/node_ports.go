package plugin

// NodePorts keeps pods off nodes where a host port they ask for is taken.
var NodePorts = &Rule{Name: "NodePorts", Filter: func(c *Cycle) (FilterFunc, *Status) {
	want := c.Pod.Ports
	if len(want) == 0 {
		return nil, nil
	}
	no := rejected("NodePorts", "node(s) didn't have free ports for the requested pod ports")
	return func(n *NodeInfo) *Status {
		for _, w := range want {
			for have := range n.ports {
				if have.Port == w.Port && have.Protocol == w.Protocol &&
					(have.IP == w.IP || have.IP == "0.0.0.0" || w.IP == "0.0.0.0") {
					return no
				}
			}
		}
		return nil
	}, nil
}}
