// ping: who answers is found as a connection would be.

package tool

import (
	"errors"
	"net/netip"
	"time"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/network"
)

func ping(t *T) int {
	if !t.parse("c:W:i:qnw:s:46", "count=c") {
		return 2
	}
	if len(t.args) == 0 {
		t.eprint("ping: usage error: Destination address required\n")
		return 1
	}
	host := t.args[0]
	busy := t.busybox()
	as, err := t.lookup(host)
	if err != nil || len(as) == 0 {
		if busy {
			t.errorf("bad address '%s'", host)
			return 1
		}
		t.errorf("%s: %s", host, unresolved(err))
		return 2
	}
	n, _ := t.number("c", -1)
	ip := as[0]
	// a host answers when it is itself that refuses a connection: a Service's
	// address is nobody's
	_, path, err := t.Net.Find(netip.AddrPortFrom(ip, 1))
	var e *network.Error
	alive := path.Fail == 0 && (err == nil || errors.As(err, &e) && e.Kind == network.Refused)
	if busy {
		t.printf("PING %s (%s): 56 data bytes\n", host, ip)
	} else {
		t.printf("PING %s (%s) 56(84) bytes of data.\n", host, ip)
	}
	sent, got := 0, 0
	start := t.Proc.Now()
	stats := func() {
		loss := 0
		if sent > 0 {
			loss = (sent - got) * 100 / sent
		}
		if busy {
			t.printf("\n--- %s ping statistics ---\n%d packets transmitted, %d packets received, %d%% packet loss\n", host, sent, got, loss)
			if got > 0 {
				t.puts("round-trip min/avg/max = 0.067/0.072/0.081 ms\n")
			}
			return
		}
		t.printf("\n--- %s ping statistics ---\n%d packets transmitted, %d received, %d%% packet loss, time %dms\n", host, sent, got, loss, t.Proc.Now().Sub(start).Milliseconds())
		if got > 0 {
			t.puts("rtt min/avg/max/mdev = 0.067/0.072/0.081/0.005 ms\n")
		} else {
			t.puts("\n")
		}
	}
	interrupted := false
	t.Proc.OnSignal = func(s kernel.Signal) bool {
		if s == kernel.SIGINT {
			interrupted = true
			return true
		}
		return s == kernel.SIGCHLD
	}
	for sent != n && !interrupted {
		if sent > 0 {
			if t.Proc.Sleep(time.Second) != nil && interrupted {
				break
			}
		}
		if alive {
			if busy {
				t.printf("64 bytes from %s: seq=%d ttl=64 time=0.072 ms\n", ip, sent)
			} else {
				t.printf("64 bytes from %s: icmp_seq=%d ttl=64 time=0.072 ms\n", ip, sent+1)
			}
			got++
		}
		sent++
		t.flush()
	}
	if !alive && !interrupted {
		_ = t.Proc.Sleep(10 * time.Second)
	}
	stats()
	if got == 0 {
		return 1
	}
	return 0
}
