// The files of the nodes themselves, which volumes of type hostPath show: they
// begin as those of the nodes' image and are kept as persistent volumes are.
// https://kubernetes.io/docs/concepts/storage/volumes/#hostpath

package kubelet

import "github.com/kubonsai/kubonsai/sim/vfs"

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
