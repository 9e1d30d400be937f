// This file is the tree of all commands, in the order of the root's help page.

package kubectl

func commands() *Command {
	root := &Command{
		Use:   "kubectl",
		Short: "Controls a Kubernetes cluster",
		Long:  "kubectl controls a Kubernetes cluster: this one is simulated, its words are the real ones.",
	}
	group := func(name string, cs ...*Command) {
		for _, c := range cs {
			c.Group = name
			root.Sub = append(root.Sub, c)
		}
	}
	group("Basic Commands (Beginner):", mutating("create"), mutating("expose"), mutating("run"), mutating("set"))
	group("Basic Commands (Intermediate):", explainCommand(), getCommand(), mutating("edit"), mutating("delete"))
	group("Deploy Commands:", mutating("rollout"), mutating("scale"), mutating("autoscale"))
	group("Cluster Management Commands:", mutating("certificate"), clusterInfoCommand(), topCommand(),
		mutating("cordon"), mutating("uncordon"), mutating("drain"), mutating("taint"))
	group("Troubleshooting and Debugging Commands:", describeCommand(), mutating("logs"), mutating("attach"), mutating("exec"),
		mutating("port-forward"), mutating("proxy"), mutating("cp"), authCommand(), mutating("debug"), eventsCommand())
	group("Advanced Commands:", mutating("diff"), mutating("apply"), mutating("patch"), mutating("replace"), mutating("wait"), mutating("kustomize"))
	group("Settings Commands:", mutating("label"), mutating("annotate"), completionCommand())
	group("Other Commands:", alphaCommand(), apiResourcesCommand(), apiVersionsCommand(), configCommand(), mutating("kuberc"), pluginCommand(), versionCommand(), optionsCommand())
	kept := root.Sub[:0]
	for _, c := range root.Sub {
		if c.Use != "" {
			kept = append(kept, c)
		}
	}
	root.Sub = kept
	root.link()
	return root
}
