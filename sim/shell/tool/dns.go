// nslookup, dig, host: questions to a name server. Forms are those of BIND 9.18
// and of busybox.

package tool

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/network"
	"github.com/kubonsai/kubonsai/sim/program"
)

func init() {
	reg("nslookup [-type=TYPE] HOST [SERVER]", nslookup, "nslookup", "dig", "host")
}

// lookup resolves a name as the C library does; a name server that does not
// answer is waited for.
func (t *T) lookup(host string) ([]netip.Addr, error) {
	if t.Net == nil {
		return nil, &network.Error{Kind: network.NoHost, Host: host}
	}
	as, err := t.Net.Lookup(host)
	var e *network.Error
	if errors.As(err, &e) && e.Kind == network.NoServer {
		if err := t.Proc.Sleep(e.After); err != nil {
			return nil, err
		}
	}
	return as, err
}

// unresolved is getaddrinfo's reason.
func unresolved(err error) string {
	var e *network.Error
	if errors.As(err, &e) && e.Kind == network.NoServer {
		return "Temporary failure in name resolution"
	}
	return "Name or service not known"
}

// query is one run of the tools.
type query struct {
	*T
	server     netip.Addr
	shown      string // the server's address as it is printed
	search     []string
	ndots      int
	kind       string // "A", "AAAA", "SRV", "PTR", "CNAME", "ANY"
	given      bool   // the kind was asked for
	name       string
	short      bool
	searchable bool
}

// record is one line of an answer.
type record struct{ owner, kind, data string }

func nslookup(t *T) int {
	q := &query{T: t, kind: "A", ndots: 1, searchable: t.name != "dig"}
	if t.Net != nil {
		q.server = t.Net.DNS.Server()
	}
	if b, err := t.FS.ReadFile("/etc/resolv.conf"); err == nil {
		for _, l := range strings.Split(string(b), "\n") {
			switch f := strings.Fields(l); {
			case len(f) < 2:
			case f[0] == "nameserver":
				if a, err := netip.ParseAddr(f[1]); err == nil {
					q.server = a
				}
			case f[0] == "search":
				q.search = f[1:]
			case f[0] == "options":
				q.ndots = network.DNSConfig{Options: f[1:]}.NDots()
			}
		}
	}
	if q.shown = q.server.String(); !q.server.IsValid() {
		q.shown = "127.0.0.53"
	}
	var names []string
	for i := 0; i < len(t.args); i++ {
		a := t.args[i]
		lower := strings.ToLower(a)
		_, value, _ := strings.Cut(lower, "=")
		kind := strings.ToUpper(a)
		switch {
		case a == "+short":
			q.short = true
		case a == "+search":
			q.searchable = true
		case strings.HasPrefix(a, "+"):
		case strings.HasPrefix(lower, "-type=") || strings.HasPrefix(lower, "-q") && value != "":
			q.kind, q.given = strings.ToUpper(value), true
		case t.name != "nslookup" && (a == "-t" || a == "-x") && i+1 < len(t.args):
			if i++; a == "-t" {
				q.kind, q.given = strings.ToUpper(t.args[i]), true
			} else {
				names = append(names, t.args[i])
			}
		case strings.HasPrefix(a, "-"):
		case strings.HasPrefix(a, "@"):
			names = append(names, "", a[1:])
		case t.name == "dig" && slices.Contains([]string{"A", "AAAA", "SRV", "PTR", "CNAME", "ANY"}, kind):
			q.kind, q.given = kind, true
		default:
			names = append(names, a)
		}
	}
	if i := slices.Index(names, ""); i >= 0 { // dig's @SERVER
		server := names[i+1]
		names = append(slices.Delete(names, i, i+2), server)
	}
	if len(names) == 0 {
		t.eprint("usage: " + t.name + " HOST\n")
		return 1
	}
	q.name = strings.TrimSuffix(names[0], ".")
	if strings.HasSuffix(names[0], ".") {
		q.searchable = false
	}
	if len(names) > 1 {
		as, err := t.lookup(names[1])
		if err != nil {
			t.eprint(fmt.Sprintf("%s: couldn't get address for '%s': not found\n", t.name, names[1]))
			return 1
		}
		q.server, q.shown = as[0], as[0].String()
	}
	if a, err := netip.ParseAddr(q.name); err == nil && a.Is4() && !q.given {
		b := a.As4()
		q.name, q.kind, q.searchable = fmt.Sprintf("%d.%d.%d.%d.in-addr.arpa", b[3], b[2], b[1], b[0]), "PTR", false
	}
	switch {
	case t.name == "dig":
		return q.dig()
	case t.name == "host":
		return q.host()
	case t.busybox() && t.Lookup("dig") == nil: // who has dig has BIND's nslookup too
		if b, _ := t.FS.ReadFile("/bin/busybox"); strings.HasSuffix(string(b), program.LibcLookup) {
			return q.libc(names[0])
		}
		return q.busy()
	}
	return q.bind()
}

// ask puts one exact question; the kind is the failure, 0 for an answer, be it empty.
func (q *query) ask(name string) ([]record, network.Kind) {
	if q.Net == nil {
		return nil, network.NoServer
	}
	answer, kind := q.Net.Query(q.server, name)
	if kind != 0 {
		return nil, kind
	}
	var out []record
	owner := name
	any := q.kind == "ANY"
	if answer.CNAME != "" {
		out = append(out, record{owner, "CNAME", answer.CNAME})
		owner = answer.CNAME
	}
	if q.kind == "A" || any {
		for _, a := range answer.Addrs {
			out = append(out, record{owner, "A", a.String()})
		}
	}
	if q.kind == "SRV" || any {
		for _, s := range answer.SRV {
			out = append(out, record{owner, "SRV", fmt.Sprintf("%d %d %d %s", s.Priority, s.Weight, s.Port, s.Target)})
		}
	}
	if (q.kind == "PTR" || any) && answer.PTR != "" {
		out = append(out, record{owner, "PTR", answer.PTR})
	}
	return out, 0
}

// find asks for the name along the search list.
func (q *query) find() (full string, list []record, kind network.Kind) {
	names := []string{q.name}
	if q.searchable {
		names = network.DNSConfig{Search: q.search, Options: []string{fmt.Sprintf("ndots:%d", q.ndots)}}.Candidates(q.name)
	}
	for _, full = range names {
		if list, kind = q.ask(full); kind != network.NoHost {
			return full, list, kind
		}
	}
	return q.name, nil, kind
}

// silent waits for a server that does not answer; lines is what BIND's tools
// print of it.
func (q *query) silent(kind network.Kind) string {
	reason := "timed out"
	if kind == network.Refused {
		reason = "connection refused"
	} else {
		_ = q.Proc.Sleep(15 * time.Second)
	}
	return strings.Repeat(fmt.Sprintf(";; communications error to %s#53: %s\n", q.shown, reason), 3)
}

// bind is nslookup of BIND.
func (q *query) bind() int {
	full, list, kind := q.find()
	switch kind {
	case network.NoServer, network.Refused:
		q.puts(q.silent(kind) + ";; no servers could be reached\n\n\n")
		return 1
	}
	q.printf("Server:\t\t%s\nAddress:\t%s#53\n\n", q.shown, q.shown)
	if kind != 0 {
		q.printf("** server can't find %s: NXDOMAIN\n\n", full)
		return 1
	}
	if len(list) == 0 {
		q.printf("*** Can't find %s: No answer\n\n", full)
		return 0
	}
	for _, r := range list {
		switch r.kind {
		case "A":
			q.printf("Name:\t%s\nAddress: %s\n", r.owner, r.data)
		case "CNAME":
			q.printf("%s\tcanonical name = %s.\n", r.owner, r.data)
		case "SRV":
			q.printf("%s\tservice = %s.\n", r.owner, r.data)
		default:
			q.printf("%s\tname = %s.\n", r.owner, r.data)
		}
	}
	q.puts("\n")
	return 0
}

// busy is nslookup of busybox: a name without a dot is asked for in every
// domain of the search list, any other just as it is; an address of each kind
// unless one is asked for. One answer that says no makes it fail.
func (q *query) busy() int {
	names := []string{q.name}
	if q.searchable && !strings.Contains(q.name, ".") && len(q.search) > 0 {
		names = nil
		for _, s := range q.search {
			names = append(names, q.name+"."+s)
		}
	}
	times := 1
	if !q.given && q.kind == "A" {
		times = 2 // for IPv4 and for IPv6
	}
	status := 0
	for i, n := range names {
		list, kind := q.ask(n)
		if kind == network.NoServer || kind == network.Refused {
			_ = q.Proc.Sleep(10 * time.Second)
			q.eprint(";; connection timed out; no servers could be reached\n\n")
			return 1
		}
		if i == 0 {
			q.printf("Server:\t\t%s\nAddress:\t%s:53\n\n", q.shown, q.shown)
		}
		if kind != 0 {
			q.puts(strings.Repeat("** server can't find "+n+": NXDOMAIN\n\n", times))
			status = 1
			continue
		}
		for _, r := range list {
			switch r.kind {
			case "A":
				q.printf("Name:\t%s\nAddress: %s\n", r.owner, r.data)
			case "CNAME":
				q.printf("%s\tcanonical name = %s\n", r.owner, r.data)
			case "SRV":
				q.printf("%s\tservice = %s\n", r.owner, r.data)
			default:
				q.printf("%s\tname = %s\n", r.owner, r.data)
			}
		}
		q.puts(strings.Repeat("\n", times))
	}
	return status
}

// libc is nslookup of an old busybox: names are looked for along the search
// list, and addresses shown with their names.
func (q *query) libc(host string) int {
	show := func(head, name string, list []netip.Addr) {
		q.printf("%-10s %s\n", head, name)
		for i, a := range list {
			b, named := a.As4(), ""
			if answer, kind := q.Net.Query(q.server, fmt.Sprintf("%d.%d.%d.%d.in-addr.arpa", b[3], b[2], b[1], b[0])); kind == 0 && answer.PTR != "" {
				named = " " + answer.PTR
			}
			q.printf("Address %d: %s%s\n", i+1, a, named)
		}
	}
	if q.Net != nil && q.server.Is4() {
		show("Server:", q.shown, []netip.Addr{q.server})
		q.puts("\n")
	}
	list, err := q.lookup(host)
	if err != nil {
		q.eprint(fmt.Sprintf("nslookup: can't resolve '%s'\n", host))
		return 1
	}
	show("Name:", host, list)
	return 0
}

func (q *query) host() int {
	full, list, kind := q.find()
	switch {
	case kind == network.NoServer || kind == network.Refused:
		q.puts(q.silent(kind) + ";; no servers could be reached\n\n")
		return 1
	case kind != 0:
		q.printf("Host %s not found: 3(NXDOMAIN)\n", full)
		return 1
	case len(list) == 0:
		q.printf("%s has no %s record\n", full, q.kind)
		return 1
	}
	for _, r := range list {
		what := map[string]string{"A": "has address %s\n", "CNAME": "is an alias for %s.\n", "SRV": "has SRV record %s.\n", "PTR": "domain name pointer %s.\n"}[r.kind]
		q.printf(r.owner+" "+what, r.data)
	}
	return 0
}

func (q *query) dig() int {
	full, list, kind := q.find()
	title := fmt.Sprintf("\n; <<>> DiG 9.18.28 <<>> %s\n;; global options: +cmd\n", strings.Join(q.args, " "))
	if kind == network.NoServer || kind == network.Refused {
		q.puts(q.silent(kind))
		if !q.short {
			q.puts(title)
		}
		q.puts(";; no servers could be reached\n")
		return 9
	}
	data := func(r record) string {
		if r.kind == "A" {
			return r.data
		}
		return r.data + "."
	}
	if q.short {
		for _, r := range list {
			q.puts(data(r) + "\n")
		}
		return 0
	}
	status := "NOERROR"
	authority := 0
	if kind != 0 {
		status, authority = "NXDOMAIN", 1
	}
	q.puts(title)
	q.printf(";; Got answer:\n;; ->>HEADER<<- opcode: QUERY, status: %s, id: 4711\n;; flags: qr aa rd; QUERY: 1, ANSWER: %d, AUTHORITY: %d, ADDITIONAL: 1\n;; WARNING: recursion requested but not available\n\n;; OPT PSEUDOSECTION:\n; EDNS: version: 0, flags:; udp: 1232\n;; QUESTION SECTION:\n;%s.\t\tIN\t%s\n\n", status, len(list), authority, full, q.kind)
	if len(list) > 0 {
		q.puts(";; ANSWER SECTION:\n")
		for _, r := range list {
			q.printf("%s.\t30\tIN\t%s\t%s\n", r.owner, r.kind, data(r))
		}
		q.puts("\n")
	}
	if authority > 0 {
		q.puts(";; AUTHORITY SECTION:\ncluster.local.\t\t30\tIN\tSOA\tns.dns.cluster.local. hostmaster.cluster.local. 1767225600 7200 1800 86400 30\n\n")
	}
	q.printf(";; Query time: 0 msec\n;; SERVER: %s#53(%s) (UDP)\n;; WHEN: %s\n;; MSG SIZE  rcvd: %d\n\n", q.shown, q.shown, q.Proc.Now().Format("Mon Jan 02 15:04:05 UTC 2006"), 44+2*len(full)+16*len(list))
	return 0
}
