// Package network is the cluster's virtual network: hosts with addresses,
// listeners, name resolution, and requests between them. Traffic is modelled
// message by message (a whole HTTP request, a whole response), not byte by
// byte; what a client sees when a connection fails is an *Error that says why.
// It leaves Services to kube-proxy's rules (see Router) and DNS records to
// Resolver, which the cluster injects.
package network

import (
	"fmt"
	"net/netip"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/kernel"
)

// Header holds HTTP header fields by canonical name, in no order.
type Header map[string][]string

// Get is the first value of the field, "" when there is none.
func (h Header) Get(name string) string {
	for k, v := range h {
		if strings.EqualFold(k, name) && len(v) > 0 {
			return v[0]
		}
	}
	return ""
}

// Set replaces the field.
func (h Header) Set(name, value string) {
	for k := range h {
		if strings.EqualFold(k, name) {
			delete(h, k)
		}
	}
	h[name] = []string{value}
}

// Names are the field names, sorted.
func (h Header) Names() []string {
	out := make([]string, 0, len(h))
	for k := range h {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// Request is one HTTP request on the virtual network. It is not changed once sent.
type Request struct {
	Method string
	Host   string // host[:port] as the client wrote it
	Path   string // path and query, "/x?y=z"
	TLS    bool
	Header Header
	Body   []byte
	Remote netip.AddrPort // the client's address as the server sees it
	Local  netip.AddrPort // the server's address
}

// Response is the answer. When Stream is set the body arrives through it after
// the head (watches, logs that are followed) until it is closed.
type Response struct {
	Status int
	Header Header
	Body   []byte
	Stream *kernel.Pipe
}

// Handler answers the requests of one listener. It runs on the caller's
// process and may block it (a slow server).
type Handler func(p *kernel.Proc, r *Request) *Response

// Kind says how a connection failed.
type Kind int

// The ways in which a connection fails.
const (
	Refused     Kind = iota + 1 // nobody listens there
	Timeout                     // no answer in time
	NoHost                      // the name does not resolve
	Unreachable                 // no route to that address
	Reset                       // the peer went away
)

// Error is a failed connection.
type Error struct {
	Kind  Kind
	Host  string // name or address as asked for
	Port  int
	After time.Duration
}

func (e *Error) Error() string {
	at := e.Host
	if e.Port != 0 {
		at = fmt.Sprintf("%s:%d", e.Host, e.Port)
	}
	switch e.Kind {
	case Refused:
		return "dial tcp " + at + ": connect: connection refused"
	case NoHost:
		return "lookup " + e.Host + ": no such host"
	case Unreachable:
		return "dial tcp " + at + ": connect: no route to host"
	case Reset:
		return "read tcp " + at + ": connection reset by peer"
	}
	return "dial tcp " + at + ": i/o timeout"
}

// Network joins the namespaces: it knows which one owns an address.
type Network struct {
	owners   map[netip.Addr]*Namespace
	router   Router
	resolver Resolver
	gateway  Gateway
}

// Gateway is the way out of a network: it returns the namespace, on another
// network, from which a connection to that address goes on, or nil. Networks
// that are joined so may use the same addresses inside.
type Gateway func(to netip.AddrPort) *Namespace

// Router rewrites a destination before it is looked for, as kube-proxy's rules
// do: a Service address becomes one endpoint's. ok is false when the address
// is a Service's without endpoints (the connection is refused) .
type Router interface {
	Route(from *Namespace, to netip.AddrPort) (dest netip.AddrPort, ok bool)
}

// Resolver answers names as the cluster's DNS does.
type Resolver interface {
	Resolve(from *Namespace, name string) []netip.Addr
}

// Querier is a Resolver that can answer one exact name, without search paths,
// for nslookup and dig: found is false for NXDOMAIN.
type Querier interface {
	Query(from *Namespace, name string) (answer Answer, found bool)
}

// Answer is what the DNS says of a name.
type Answer struct {
	CNAME string // the name that the addresses belong to, when it is another one
	Addrs []netip.Addr
	SRV   []SRV
	PTR   string
}

// SRV is one service record.
type SRV struct {
	Priority, Weight, Port int
	Target                 string
}

// DNSConfig is what /etc/resolv.conf says.
type DNSConfig struct {
	Nameservers []string
	Search      []string
	Options     []string // "ndots:5"
}

// NDots is the ndots option, 1 when it is not set.
func (d DNSConfig) NDots() int {
	for _, o := range d.Options {
		if v, ok := strings.CutPrefix(o, "ndots:"); ok {
			if n, err := strconv.Atoi(v); err == nil {
				return n
			}
		}
	}
	return 1
}

// Candidates are the full names to ask for, in order, for a name as typed.
func (d DNSConfig) Candidates(name string) []string {
	if strings.HasSuffix(name, ".") {
		return []string{strings.TrimSuffix(name, ".")}
	}
	var searched []string
	for _, s := range d.Search {
		searched = append(searched, name+"."+s)
	}
	if strings.Count(name, ".") >= d.NDots() {
		return append([]string{name}, searched...)
	}
	return append(searched, name)
}

// Query asks the cluster's DNS for one exact name; found is false for NXDOMAIN
// or when there is no DNS.
func (ns *Namespace) Query(name string) (Answer, bool) {
	if q, ok := ns.net.resolver.(Querier); ok {
		return q.Query(ns, strings.TrimSuffix(name, "."))
	}
	return Answer{}, false
}

// Network is the network that the namespace is on.
func (ns *Namespace) Network() *Network { return ns.net }

// Owner is the namespace that has the address; nil when nobody does.
func (n *Network) Owner(a netip.Addr) *Namespace { return n.owners[a] }

// New returns an empty network; router and resolver may be nil until SetRouter
// and SetResolver are called.
func New() *Network { return &Network{owners: map[netip.Addr]*Namespace{}} }

// SetRouter installs the rules that destinations go through.
func (n *Network) SetRouter(r Router) { n.router = r }

// SetResolver installs the name service.
func (n *Network) SetResolver(r Resolver) { n.resolver = r }

// SetGateway installs the way out.
func (n *Network) SetGateway(g Gateway) { n.gateway = g }

// out is where a connection that nothing here answers goes on; nil for nowhere.
func (n *Network) out(to netip.AddrPort) *Namespace {
	if n.gateway == nil {
		return nil
	}
	return n.gateway(to)
}

// Namespace is one network namespace: a pod's, a node's, or the reader's own
// machine. Its loopback is its own.
type Namespace struct {
	Name      string
	Addrs     []netip.Addr
	Hosts     map[string]netip.Addr // /etc/hosts
	DNS       DNSConfig             // /etc/resolv.conf
	NodePorts bool                  // NodePorts of the cluster answer on this namespace's localhost
	Gateway   bool                  // its localhost, too, leads on through the network's gateway
	net       *Network
	listeners map[int]*Listener
	closed    bool
	nextPort  int
}

// Listener is one bound port.
type Listener struct {
	Port    int
	Local   bool // bound to 127.0.0.1 only
	Handler Handler
	ns      *Namespace
}

// NewNamespace makes a namespace that owns the addresses.
func (n *Network) NewNamespace(name string, addrs ...netip.Addr) *Namespace {
	ns := &Namespace{Name: name, net: n, listeners: map[int]*Listener{}, Hosts: map[string]netip.Addr{}, nextPort: 40000}
	for _, a := range addrs {
		ns.AddAddr(a)
	}
	return ns
}

// AddAddr gives the namespace one more address.
func (ns *Namespace) AddAddr(a netip.Addr) {
	ns.Addrs = append(ns.Addrs, a)
	ns.net.owners[a] = ns
}

// Close takes the namespace off the network; its listeners are gone.
func (ns *Namespace) Close() {
	ns.closed = true
	for _, a := range ns.Addrs {
		if ns.net.owners[a] == ns {
			delete(ns.net.owners, a)
		}
	}
	ns.listeners = map[int]*Listener{}
}

// Addr is the namespace's first address; the zero Addr when it has none.
func (ns *Namespace) Addr() netip.Addr {
	if len(ns.Addrs) == 0 {
		return netip.Addr{}
	}
	return ns.Addrs[0]
}

// Listen binds a port (0 picks a free one). local binds the loopback only. The
// error's text is that of bind(2).
func (ns *Namespace) Listen(port int, local bool, h Handler) (*Listener, error) {
	if port == 0 {
		for port = 32768; ns.listeners[port] != nil; port++ {
		}
	}
	if ns.listeners[port] != nil {
		return nil, fmt.Errorf("bind: address already in use")
	}
	l := &Listener{Port: port, Local: local, Handler: h, ns: ns}
	ns.listeners[port] = l
	return l, nil
}

// Close frees the port. Closing twice is allowed.
func (l *Listener) Close() {
	if l.ns.listeners[l.Port] == l {
		delete(l.ns.listeners, l.Port)
	}
}

// Listening reports whether something is bound to the port.
func (ns *Namespace) Listening(port int) bool { return ns.listeners[port] != nil }

// Lookup resolves a host name or address as seen from this namespace: literal
// addresses, localhost, /etc/hosts, then the cluster's DNS.
func (ns *Namespace) Lookup(host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return []netip.Addr{a}, nil
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}, nil
	}
	if a, ok := ns.Hosts[host]; ok {
		return []netip.Addr{a}, nil
	}
	if ns.net.resolver != nil {
		if as := ns.net.resolver.Resolve(ns, host); len(as) > 0 {
			return as, nil
		}
	}
	return nil, &Error{Kind: NoHost, Host: host}
}

// Find follows a destination to the listener that would answer it, as seen
// from this namespace, without sending anything.
func (ns *Namespace) Find(to netip.AddrPort) (*Listener, netip.AddrPort, error) {
	fail := func(k Kind) (*Listener, netip.AddrPort, error) {
		return nil, to, &Error{Kind: k, Host: to.Addr().String(), Port: int(to.Port())}
	}
	if to.Addr().IsLoopback() || to.Addr().IsUnspecified() {
		if l := ns.listeners[int(to.Port())]; l != nil {
			return l, to, nil
		}
		if !ns.NodePorts || ns.net.router == nil {
			if g := ns.net.out(to); g != nil && ns.Gateway {
				return g.Find(to)
			}
			return fail(Refused)
		}
	}
	dest := to
	if ns.net.router != nil {
		d, ok := ns.net.router.Route(ns, to)
		if !ok {
			return fail(Refused)
		}
		dest = d
	}
	owner := ns.net.owners[dest.Addr()]
	if owner == nil {
		if g := ns.net.out(dest); g != nil {
			return g.Find(dest)
		}
	}
	if owner == nil && dest.Addr().IsLoopback() {
		return fail(Refused)
	}
	if owner == nil || owner.closed {
		if dest.Addr().IsPrivate() {
			return fail(Timeout)
		}
		return fail(Unreachable)
	}
	l := owner.listeners[int(dest.Port())]
	if l == nil || l.Local && owner != ns {
		return fail(Refused)
	}
	return l, dest, nil
}

// Do sends a request to host:port on behalf of process p and returns the
// answer, or an *Error.
func (ns *Namespace) Do(p *kernel.Proc, host string, port int, r *Request) (*Response, error) {
	addrs, err := ns.Lookup(host)
	if err != nil {
		return nil, err
	}
	to := netip.AddrPortFrom(addrs[0], uint16(port))
	l, dest, err := ns.Find(to)
	if err != nil {
		if e, ok := err.(*Error); ok {
			e.Host = host
		}
		return nil, err
	}
	req := *r
	ns.nextPort++
	if ns.nextPort > 60999 {
		ns.nextPort = 40000
	}
	from := ns.Addr()
	if to.Addr().IsLoopback() || !from.IsValid() {
		from = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	req.Remote = netip.AddrPortFrom(from, uint16(ns.nextPort))
	req.Local = dest
	if req.Header == nil {
		req.Header = Header{}
	}
	resp := l.Handler(p, &req)
	if resp == nil {
		return nil, &Error{Kind: Reset, Host: host, Port: port}
	}
	if resp.Header == nil {
		resp.Header = Header{}
	}
	return resp, nil
}
