package allocator

import (
	"net/netip"
	"testing"

	"github.com/kubonsai/kubonsai/sim/seed"
	"github.com/kubonsai/kubonsai/sim/store"
)

func TestAddressesAreUniqueAndReused(t *testing.T) {
	a := NewServices(seed.New(1).Stream("x"), store.New(), netip.Prefix{})
	seen := map[string]bool{}
	for range 65534 {
		ip, err := a.NextIP()
		if err != nil || seen[ip] {
			t.Fatalf("%s %v after %d", ip, err, len(seen))
		}
		seen[ip] = true
	}
	if _, err := a.NextIP(); err != ErrFull {
		t.Errorf("got %v", err)
	}
	if seen["10.96.0.0"] || seen["10.96.255.255"] {
		t.Error("network or broadcast address")
	}
	a.ReleaseIP("10.96.7.7")
	if ip, err := a.NextIP(); err != nil || ip != "10.96.7.7" {
		t.Errorf("%s %v", ip, err)
	}
}

func TestTaking(t *testing.T) {
	a := NewServices(seed.New(1).Stream("x"), store.New(), netip.Prefix{})
	for _, c := range []struct{ ip, want string }{
		{"10.96.0.10", ""},
		{"10.96.0.10", "provided IP is already allocated"},
		{"10.97.0.1", "the provided network does not match the current range"},
	} {
		got := ""
		if err := a.TakeIP(c.ip); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.ip, got, c.want)
		}
	}
}
