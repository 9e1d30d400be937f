// Package allocator hands out what services need of the cluster: IP addresses
// and node ports. What is taken is known from the stored services, so a
// restored cluster needs nothing of its own; chance comes from the seed.
package allocator

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/seed"
	"github.com/kubonsai/kubonsai/sim/store"
)

// Range is where cluster IPs come from unless a cluster says otherwise; node
// ports come from FirstPort to LastPort.
var Range = netip.MustParsePrefix("10.96.0.0/16")

// The range of node ports.
const (
	FirstPort = 30000
	LastPort  = 32767
)

// The first addresses and ports of a range are left to those who choose
// themselves, as upstream does.
const (
	maxIPOffset = 256
	portOffset  = 86
)

// Errors are upstream's words.
var (
	ErrFull      = fmt.Errorf("range is full")
	ErrAllocated = fmt.Errorf("provided IP is already allocated")
	ErrPortTaken = fmt.Errorf("provided port is already allocated")
)

// Services knows which addresses and ports are taken.
type Services struct {
	stream *seed.Stream
	within netip.Prefix
	ips    map[uint32]bool
	ports  map[int32]bool
}

// NewServices reads what the stored services hold; their addresses are within
// the prefix, the zero Prefix is Range.
func NewServices(stream *seed.Stream, s *store.Store, within netip.Prefix) *Services {
	if !within.IsValid() {
		within = Range
	}
	a := &Services{stream: stream, within: within.Masked()}
	a.Reset(s)
	return a
}

// Reset forgets everything and reads the stored services anew.
func (a *Services) Reset(s *store.Store) {
	a.ips, a.ports = map[uint32]bool{}, map[int32]bool{}
	s.Scan("services", "", func(obj metav1.Object) bool {
		if svc, ok := obj.(*corev1.Service); ok {
			for _, ip := range svc.Spec.ClusterIPs {
				if n, ok := a.index(ip); ok {
					a.ips[n] = true
				}
			}
			for _, p := range Ports(svc) {
				a.ports[p] = true
			}
		}
		return true
	})
}

// Ports are the node ports that a service holds, its health check's included.
func Ports(svc *corev1.Service) []int32 {
	var out []int32
	for _, p := range svc.Spec.Ports {
		if p.NodePort != 0 {
			out = append(out, p.NodePort)
		}
	}
	if p := svc.Spec.HealthCheckNodePort; p != 0 {
		out = append(out, p)
	}
	return out
}

// index is the place of an address within the range.
func (a *Services) index(ip string) (uint32, bool) {
	addr, err := netip.ParseAddr(ip)
	if err != nil || !a.within.Contains(addr) {
		return 0, false
	}
	at, base := addr.As4(), a.within.Addr().As4()
	return binary.BigEndian.Uint32(at[:]) - binary.BigEndian.Uint32(base[:]), true
}

// Address is the nth address of the range.
func (a *Services) Address(n uint32) string {
	b := a.within.Addr().As4()
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])+n)
	return netip.AddrFrom4(b).String()
}

// size is the number of addresses, network and broadcast included.
func (a *Services) size() uint32 { return 1 << (32 - a.within.Bits()) }

// offset is how many addresses are left to those who choose themselves.
func (a *Services) offset() int { return min(max(16, int(a.size())/16), maxIPOffset) }

// TakeIP takes a given address.
func (a *Services) TakeIP(ip string) error {
	n, ok := a.index(ip)
	if !ok {
		return errors.New("the provided network does not match the current range")
	}
	if n == 0 || n == a.size()-1 {
		return fmt.Errorf("the provided IP (%v) is not in the valid range. The range of valid IPs is %s", ip, a.within)
	}
	if a.ips[n] {
		return ErrAllocated
	}
	a.ips[n] = true
	return nil
}

// NextIP takes a free address, from the upper part of the range while it lasts.
func (a *Services) NextIP() (string, error) {
	n, ok := pick(a.stream, a.offset()+1, int(a.size())-1, func(i int) bool { return a.ips[uint32(i)] })
	if !ok {
		n, ok = pick(a.stream, 1, min(a.offset()+1, int(a.size())-1), func(i int) bool { return a.ips[uint32(i)] })
	}
	if !ok {
		return "", ErrFull
	}
	a.ips[uint32(n)] = true
	return a.Address(uint32(n)), nil
}

// ReleaseIP gives an address back.
func (a *Services) ReleaseIP(ip string) {
	if n, ok := a.index(ip); ok {
		delete(a.ips, n)
	}
}

// TakePort takes a given port.
func (a *Services) TakePort(port int32) error {
	if port < FirstPort || port > LastPort {
		return fmt.Errorf("provided port is not in the valid range. The range of valid ports is %d-%d", FirstPort, LastPort)
	}
	if a.ports[port] {
		return ErrPortTaken
	}
	a.ports[port] = true
	return nil
}

// NextPort takes a free port.
func (a *Services) NextPort() (int32, error) {
	taken := func(i int) bool { return a.ports[int32(i)] }
	n, ok := pick(a.stream, FirstPort+portOffset, LastPort+1, taken)
	if !ok {
		n, ok = pick(a.stream, FirstPort, FirstPort+portOffset, taken)
	}
	if !ok {
		return 0, ErrFull
	}
	a.ports[int32(n)] = true
	return int32(n), nil
}

// ReleasePort gives a port back.
func (a *Services) ReleasePort(port int32) { delete(a.ports, port) }

// pick draws a free number in [from, to); it looks on from where it landed.
func pick(stream *seed.Stream, from, to int, taken func(int) bool) (int, bool) {
	n := to - from
	start := stream.IntN(n)
	for i := range n {
		if c := from + (start+i)%n; !taken(c) {
			return c, true
		}
	}
	return 0, false
}

// String lists how much is taken, for debugging.
func (a *Services) String() string {
	return strconv.Itoa(len(a.ips)) + " IPs, " + strconv.Itoa(len(a.ports)) + " ports"
}
