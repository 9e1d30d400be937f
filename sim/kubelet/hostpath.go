// The files of the nodes themselves, which volumes of type hostPath show: they
// begin as those of the nodes' image and are kept as persistent volumes are.
// https://kubernetes.io/docs/concepts/storage/volumes/#hostpath

package kubelet

import (
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

const (
	// Among the kubelets' volumes, node/NAME are the files of a node.
	hostPrefix = "node/"
	nodeImage  = "kindest/node:latest"
)

// nodeRoot is what a node's files are at first.
func (k *Kubelet) nodeRoot() *vfs.FS {
	if img, err := k.Runtime.Images.Resolve(nodeImage); err == nil {
		return k.Runtime.Root(img)
	}
	return vfs.New(k.Clock.Now) // of a host with a catalogue of its own
}

// hostFS are a node's files.
func (k *Kubelet) hostFS(n *node) *vfs.FS {
	f := k.persistent(hostPrefix + n.Name)
	if _, err := f.Stat("/etc/hostname"); err != nil {
		_ = f.MkdirAll("/etc", 0o755)
		_ = f.WriteFile("/etc/hostname", []byte(n.Name+"\n"), 0o644)
		_ = f.WriteFile("/etc/hosts", []byte("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"+n.addr.String()+"\t"+n.Name+"\n"), 0o644)
	}
	return f
}

// nodeDirOf is the directory of a node that a persistent volume stands for; ""
// for those of the provisioner, which are trees of their own, as all were in
// states that earlier versions kept.
func (k *Kubelet) nodeDirOf(volume string) string {
	pv, ok := k.pvs.Get("", volume)
	switch {
	case !ok || k.volumes[volume] != nil || pv.Annotations["pv.kubernetes.io/provisioned-by"] != "":
		return ""
	case pv.Spec.HostPath != nil:
		return pv.Spec.HostPath.Path
	case pv.Spec.Local != nil:
		return pv.Spec.Local.Path
	}
	return ""
}

// Shell is what programs find that root runs on a node itself, without streams
// and a process; nil when there is no such node or it does not run.
func (k *Kubelet) Shell(name string) *program.Context {
	n := k.nodes[name]
	img, err := k.Runtime.Images.Resolve(nodeImage)
	if n == nil || n.stopped || err != nil {
		return nil
	}
	return &program.Context{FS: k.hostFS(n), Dir: "/", Net: n.ns, User: "root", Host: name,
		Env:    map[string]string{"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "HOSTNAME": name, "container": "docker"},
		Lookup: func(tool string) program.Program { return k.Runtime.Tool(img, tool) }}
}
