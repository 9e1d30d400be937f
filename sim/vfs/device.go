// The devices that every tree has under /dev.

package vfs

import "io"

type nullDevice struct{}

func (nullDevice) Read([]byte) (int, error)    { return 0, io.EOF }
func (nullDevice) Write(b []byte) (int, error) { return len(b), nil }

type zeroDevice struct{ nullDevice }

func (zeroDevice) Read(b []byte) (int, error) { clear(b); return len(b), nil }

type fullDevice struct{ zeroDevice }

func (fullDevice) Write([]byte) (int, error) { return 0, ENOSPC }

type randomDevice struct {
	nullDevice
	r io.Reader
}

func (d randomDevice) Read(b []byte) (int, error) { return io.ReadFull(d.r, b) }

// AddDevices places /dev/null, /dev/zero, /dev/full, /dev/random, /dev/urandom
// and the links /dev/stdin, /dev/stdout, /dev/stderr, which the shell resolves.
// random is where randomness comes from; with nil there are no random devices.
func (f *FS) AddDevices(random io.Reader) {
	f.SetDevice("/dev/null", nullDevice{})
	f.SetDevice("/dev/zero", zeroDevice{})
	f.SetDevice("/dev/full", fullDevice{})
	f.SetDevice("/dev/tty", nullDevice{})
	if random != nil {
		f.SetDevice("/dev/random", randomDevice{r: random})
		f.SetDevice("/dev/urandom", randomDevice{r: random})
	}
	_ = f.Symlink("/proc/self/fd/0", "/dev/stdin")
	_ = f.Symlink("/proc/self/fd/1", "/dev/stdout")
	_ = f.Symlink("/proc/self/fd/2", "/dev/stderr")
}
