// A container's files: its image's, with volumes and what the runtime provides.

package container

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/vfs"
)

// Disk is what the container takes of the node's storage, in bytes: its layer
// and its log.
func (c *Container) Disk() int64 {
	n := int64(c.log.size)
	if c.root != nil {
		n += c.root.Used()
	}
	return n
}

// FS is the container's file system, put together at the first call.
func (c *Container) FS() *vfs.FS {
	if c.root == nil {
		c.root = c.rt.Root(c.Image)
		c.root.SetLimit(c.rt.FileLimit)
		c.furnish()
	}
	return c.root
}

// furnish adds what is not part of the kept upper layer: volumes, the files
// that the runtime provides, accounting.
func (c *Container) furnish() {
	f := c.root
	c.bind("/etc/hostname", []byte(c.sb.Hostname+"\n"))
	if c.sb.ManageHost {
		c.bind("/etc/hosts", c.sb.hostsFile())
	}
	c.bind("/etc/resolv.conf", c.sb.resolvConf())
	if c.MessagePath != "" {
		_ = f.MkdirAll(path.Dir(c.MessagePath), 0o755)
		if _, err := f.Stat(c.MessagePath); err != nil {
			_ = f.WriteFile(c.MessagePath, nil, 0o666)
		}
	}
	_ = f.MkdirAll(c.Dir, 0o755)
	for _, m := range c.Mounts {
		src := m.Source()
		if src == nil {
			continue
		}
		mountAt(c.rt.Clock.Now, f, m, src)
	}
	f.SetFunc("/proc/1/cmdline", func() []byte {
		if c.main == nil {
			return nil
		}
		return []byte(strings.Join(c.main.args, "\x00") + "\x00")
	})
	f.SetFunc("/proc/1/comm", func() []byte {
		if c.main == nil {
			return nil
		}
		return []byte(path.Base(strings.TrimSuffix(strings.Fields(c.main.args[0])[0], ":")) + "\n")
	})
	f.SetFunc("/proc/uptime", func() []byte {
		return fmt.Appendf(nil, "%.2f %.2f\n", c.rt.Clock.Since(c.Started).Seconds()+3600, 7200.0)
	})
	f.SetFunc("/proc/loadavg", func() []byte { return []byte("0.20 0.15 0.10 1/200 100\n") })
	f.SetFunc("/proc/meminfo", func() []byte {
		return []byte("MemTotal:       24684096 kB\nMemFree:        20000000 kB\nMemAvailable:   22000000 kB\n")
	})
	f.SetFunc("/sys/fs/cgroup/memory.max", func() []byte {
		if c.MemoryLimit == 0 {
			return []byte("max\n")
		}
		return fmt.Appendf(nil, "%d\n", c.MemoryLimit)
	})
	f.SetFunc("/sys/fs/cgroup/memory.current", func() []byte { return fmt.Appendf(nil, "%d\n", c.memory) })
	f.OnGrow(func(delta int64) error {
		c.charge(nil, delta)
		if c.onWrite != nil && delta > 0 {
			c.onWrite()
		}
		return nil
	})
	groups := []int{c.GID}
	for _, g := range c.Groups {
		if !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	f.SetGroups(groups...)
	if c.ReadOnly {
		f.SetReadOnly(c.MessagePath)
	}
}

func (c *Container) bind(p string, data []byte) {
	if _, err := c.root.Stat("/etc"); err != nil {
		_ = c.root.MkdirAll("/etc", 0o755)
	}
	_ = c.root.WriteFile(p, data, 0o644)
}

// mountAt mounts a volume, or one file or directory of it.
func mountAt(now func() time.Time, f *vfs.FS, m Mount, src *vfs.FS) {
	if m.SubPath == "" {
		_ = f.MkdirAll(m.Path, 0o755)
		f.Mount(m.Path, src, m.ReadOnly)
		return
	}
	sub := vfs.Clean(m.SubPath)
	st, err := src.Stat(sub)
	if err != nil {
		_ = src.MkdirAll(sub, 0o755)
		st, err = src.Stat(sub)
	}
	if err == nil && !st.IsDir() {
		// A single file is bound as it is now: it does not follow updates, as with subPath.
		data, _ := src.ReadFile(sub)
		_ = f.MkdirAll(path.Dir(m.Path), 0o755)
		_ = f.WriteFile(m.Path, data, st.Mode().Perm())
		return
	}
	_ = f.MkdirAll(m.Path, 0o755)
	if _, err := src.Lstat("/..data"); err == nil {
		// of a ConfigMap or the like: as it is now, too
		now := vfs.New(now)
		copyTree(now, src, sub, "/")
		src, sub = now, "/"
	}
	f.MountDir(m.Path, src, sub, m.ReadOnly)
}

func copyTree(dst, src *vfs.FS, from, to string) {
	list, err := src.ReadDir(from)
	if err != nil {
		return
	}
	for _, e := range list {
		a, b := vfs.Join(from, e.Name()), vfs.Join(to, e.Name())
		if st, err := src.Stat(a); err == nil && st.IsDir() {
			_ = dst.MkdirAll(b, st.Mode().Perm())
			copyTree(dst, src, a, b)
		} else if err == nil {
			data, _ := src.ReadFile(a)
			_ = dst.WriteFile(b, data, st.Mode().Perm())
		}
	}
}
