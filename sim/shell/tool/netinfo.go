// What a machine says of its network: ip, ifconfig, route, ss and netstat, as
// iproute2, busybox and net-tools word it. Every machine has lo and eth0.

package tool

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

func init() {
	reg("ip [ OPTIONS ] OBJECT { COMMAND | help }", ip, "ip")
	reg("ifconfig [-a] [interface]", ifconfig, "ifconfig")
	reg("route [-n]", func(t *T) int { return t.routes() }, "route")
	reg("netstat [-ralntuwxp]", netstat, "netstat")
	reg("ss [ OPTIONS ] [ FILTER ]", netstat, "ss")
}

// iface is eth0: its address with the network that it is on, the way out, and
// its hardware address.
func (t *T) iface() (addr netip.Prefix, gateway netip.Addr, mac string, ok bool) {
	if t.Net == nil || !t.Net.Addr().Is4() {
		return addr, gateway, "", false
	}
	a := t.Net.Addr()
	bits := 24 // a node's share of the pods' network
	if a.As4()[0] == 172 {
		bits = 16 // docker's
	}
	addr = netip.PrefixFrom(a, bits)
	b := a.As4()
	return addr, addr.Masked().Addr().Next(), fmt.Sprintf("0a:58:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3]), true
}

// broadcast is the last address of a network.
func broadcast(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	return netip.AddrFrom4(b)
}

func ip(t *T) int {
	brief, args := false, []string(nil)
	for _, a := range t.args {
		switch {
		case a == "-br" || a == "-brief":
			brief = true
		case strings.HasPrefix(a, "-") && strings.Trim(a, "-46cosd") == "":
		case strings.HasPrefix(a, "-"):
			t.eprint("Option \"" + a + "\" is unknown, try \"ip -help\".\n")
			return 255
		default:
			args = append(args, a)
		}
	}
	args = append(args, "", "", "", "")
	is := func(long string, least int) bool {
		return len(args[0]) >= least && strings.HasPrefix(long, args[0])
	}
	if verb := args[1]; verb != "" && !slices.Contains([]string{"show", "s", "sh", "list", "ls", "l", "get", "eth0", "lo", "dev"}, verb) {
		t.eprint("RTNETLINK answers: Operation not permitted\n")
		return 2
	}
	addr, gateway, mac, ok := t.iface()
	dev := args[2]
	if args[1] == "eth0" || args[1] == "lo" {
		dev = args[1]
	}
	if dev == "dev" {
		dev = args[3]
	} else if args[1] == "dev" {
		dev = args[2]
	}
	switch {
	case is("address", 1), is("link", 1):
		if dev != "" && dev != "eth0" && dev != "lo" && args[1] != "get" {
			t.eprint("Device \"" + dev + "\" does not exist.\n")
			return 1
		}
		inet := is("address", 1)
		if brief {
			lo, eth := "00:00:00:00:00:00 <LOOPBACK,UP,LOWER_UP>", mac+" <BROADCAST,MULTICAST,UP,LOWER_UP>"
			if inet {
				lo, eth = "127.0.0.1/8 ::1/128", addr.String()
			}
			if dev != "eth0" {
				t.printf("%-16s %-14s %s \n", "lo", "UNKNOWN", lo)
			}
			if dev != "lo" && ok {
				t.printf("%-16s %-14s %s \n", "eth0", "UP", eth)
			}
			return 0
		}
		const forever = "       valid_lft forever preferred_lft forever\n"
		if dev != "eth0" {
			t.puts("1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000\n    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n")
			if inet {
				t.puts("    inet 127.0.0.1/8 scope host lo\n" + forever + "    inet6 ::1/128 scope host \n" + forever)
			}
		}
		if dev != "lo" && ok {
			t.printf("2: eth0@if5: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default \n    link/ether %s brd ff:ff:ff:ff:ff:ff link-netnsid 0\n", mac)
			if inet {
				t.printf("    inet %s brd %s scope global eth0\n%s", addr, broadcast(addr), forever)
			}
		}
	case is("route", 1) && args[1] == "get":
		to, err := netip.ParseAddr(args[2])
		if err != nil {
			t.eprint("Error: any valid prefix is expected rather than \"" + args[2] + "\".\n")
			return 1
		}
		if to.IsLoopback() || to == addr.Addr() {
			t.printf("local %s dev lo src %[1]s uid %d \n    cache <local> \n", to, t.UID)
		} else {
			t.printf("%s via %s dev eth0 src %s uid %d \n    cache \n", to, gateway, addr.Addr(), t.UID)
		}
	case is("route", 1):
		if ok {
			if gateway != addr.Addr() {
				t.printf("default via %s dev eth0 \n", gateway)
			}
			if addr.Bits() == 24 { // a pod's only neighbour is its node
				t.printf("%s via %s dev eth0 src %s \n%[2]s dev eth0 scope link src %[3]s \n", addr.Masked(), gateway, addr.Addr())
			} else {
				t.printf("%s dev eth0 proto kernel scope link src %s \n", addr.Masked(), addr.Addr())
			}
		}
	case is("neighbour", 1):
		if ok {
			t.printf("%s dev eth0 lladdr 0a:58:%02x:%02x:%02x:%02x REACHABLE \n", gateway, gateway.As4()[0], gateway.As4()[1], gateway.As4()[2], gateway.As4()[3])
		}
	case args[0] == "" || args[0] == "help":
		t.eprint("Usage: " + t.usage + "\nwhere  OBJECT := { address | link | neighbour | route }\n")
		return 255
	default:
		t.eprint("Object \"" + args[0] + "\" is unknown, try \"ip help\".\n")
		return 1
	}
	return 0
}

func ifconfig(t *T) int {
	addr, _, mac, ok := t.iface()
	dev := ""
	for _, a := range t.args {
		if a != "-a" {
			dev = a
		}
	}
	if dev != "" && dev != "lo" && (dev != "eth0" || !ok) {
		t.eprint("ifconfig: " + dev + ": error fetching interface information: Device not found\n")
		return 1
	}
	const counts = "          RX packets:0 errors:0 dropped:0 overruns:0 frame:0\n          TX packets:0 errors:0 dropped:0 overruns:0 carrier:0\n          collisions:0 txqueuelen:%d \n          RX bytes:0 (0.0 B)  TX bytes:0 (0.0 B)\n\n"
	if dev != "lo" && ok {
		t.printf("eth0      Link encap:Ethernet  HWaddr %s  \n          inet addr:%s  Bcast:%s  Mask:%s\n          UP BROADCAST RUNNING MULTICAST  MTU:1500  Metric:1\n"+counts, strings.ToUpper(mac), addr.Addr(), broadcast(addr), mask(addr.Bits()), 0)
	}
	if dev != "eth0" {
		t.printf("lo        Link encap:Local Loopback  \n          inet addr:127.0.0.1  Mask:255.0.0.0\n          inet6 addr: ::1/128 Scope:Host\n          UP LOOPBACK RUNNING  MTU:65536  Metric:1\n"+counts, 1000)
	}
	return 0
}

// mask is the netmask of so many bits.
func mask(bits int) netip.Addr {
	return netip.PrefixFrom(broadcast(netip.PrefixFrom(netip.IPv4Unspecified(), 0)), bits).Masked().Addr()
}

// routes is route, and netstat -r.
func (t *T) routes() int {
	addr, gateway, _, ok := t.iface()
	t.puts("Kernel IP routing table\nDestination     Gateway         Genmask         Flags Metric Ref    Use Iface\n")
	row := func(to, via, mask netip.Addr, flags string) {
		t.printf("%-15s %-15s %-15s %-5s 0      0        0 eth0\n", to, via, mask, flags)
	}
	if zero := netip.IPv4Unspecified(); ok {
		if gateway != addr.Addr() {
			row(zero, gateway, zero, "UG")
		}
		if addr.Bits() == 24 {
			row(addr.Masked().Addr(), gateway, mask(24), "UG")
			row(gateway, zero, mask(32), "UH")
		} else {
			row(addr.Masked().Addr(), zero, mask(addr.Bits()), "U")
		}
	}
	return 0
}

// netstat is netstat and ss: what listens here.
func netstat(t *T) int {
	if !t.parse("alntuxwprsieo46WH", "listening=l", "tcp=t", "udp=u", "numeric=n", "processes=p", "all=a", "route=r", "programs=p") {
		return 1
	}
	if t.has("r") && t.name == "netstat" {
		return t.routes()
	}
	type row struct{ local, port string }
	var rows []row
	if shown := t.has("t") || !t.has("u") && !t.has("x"); shown && (t.has("l") || t.has("a")) && t.Net != nil {
		for _, l := range t.Net.Listeners() {
			at := "0.0.0.0"
			if l.Local {
				at = "127.0.0.1"
			}
			rows = append(rows, row{at, fmt.Sprint(l.Port)})
		}
	}
	if t.name == "ss" {
		if !t.has("H") {
			t.puts("State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n")
		}
		for _, r := range rows {
			t.printf("LISTEN 0      511    %13s:%-4s      0.0.0.0:*          \n", r.local, r.port)
		}
		return 0
	}
	what := "(w/o servers)"
	if t.has("l") {
		what = "(only servers)"
	} else if t.has("a") {
		what = "(servers and established)"
	}
	head, program := "State       ", ""
	if t.has("p") {
		head, program = head+"PID/Program name    ", "-"
	}
	t.puts("Active Internet connections " + what + "\nProto Recv-Q Send-Q Local Address           Foreign Address         " + head + "\n")
	for _, r := range rows {
		t.printf("tcp        0      0 %-23s %-23s LISTEN      %s\n", r.local+":"+r.port, "0.0.0.0:*", program)
	}
	return 0
}
