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
	"slices"
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

// Raw is the method of a message that is no HTTP: Body is what the client has
// written to the connection, the response's Body what came back.
const Raw = "TCP"

// Response is the answer. When Stream is set the body arrives through it after
// the head (watches, logs that are followed) until it is closed; that of a Raw
// message is what the server sends of its own accord.
type Response struct {
	Status int
	Header Header
	Body   []byte
	Stream *kernel.Pipe
}

// Handler answers the requests of one listener. It runs on the caller's
// process and may block it (a slow server). nil closes the connection without
// an answer.
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
	Empty                       // the peer took the connection and closed it without an answer
	NoServer                    // no name server answered
)

// Protocol is the transport of a connection, as the API writes it.
type Protocol string

// The transports.
const (
	TCP Protocol = "TCP"
	UDP Protocol = "UDP"
)

// Error is a failed connection. Finding out costs the client nothing here: one
// that would have waited (for a Timeout, a NoServer) does so itself.
type Error struct {
	Kind  Kind
	Host  string // name or address as asked for
	Port  int
	After time.Duration
}

// Waits reports whether the client only learns of the failure by waiting.
func (e *Error) Waits() bool { return e.Kind == Timeout || e.Kind == NoServer }

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
	case Empty:
		return "EOF"
	case NoServer:
		return "lookup " + e.Host + ": i/o timeout"
	}
	return "dial tcp " + at + ": i/o timeout"
}

// Network joins the namespaces: it knows which one owns an address.
type Network struct {
	// OnConnect, when set, is told of every connection that is made, before the
	// request is answered.
	OnConnect func(from *Namespace, to netip.AddrPort, path Path)
	owners    map[netip.Addr]*Namespace
	router    Router
	resolver  Resolver
	gateway   Gateway
}

// Gateway is the way out of a network: it returns the namespace, on another
// network, from which a connection to that address goes on, or nil. Networks
// that are joined so may use the same addresses inside.
type Gateway func(to netip.AddrPort) *Namespace

// Router says what the cluster's rules make of a connection: kube-proxy's
// choice of an endpoint for a Service's address, and network policies.
type Router interface {
	Route(from *Namespace, proto Protocol, to netip.AddrPort) Path
}

// Path is where the rules lead a connection.
type Path struct {
	To     netip.AddrPort
	Source netip.Addr // the client's address as the other end sees it; the zero Addr is the client's own
	Fail   Kind       // why it does not get there; 0 when nothing is in its way
}

// Resolver answers one exact name, without search paths, as the name server
// at that address does; the zero Addr is the world's DNS. The kind is 0, NoHost
// (NXDOMAIN), NoServer (no answer) or Refused (nobody serves names there).
type Resolver interface {
	Query(from *Namespace, server netip.Addr, name string) (Answer, Kind)
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

// Server is the first name server; the zero Addr when there is none.
func (d DNSConfig) Server() netip.Addr {
	if len(d.Nameservers) > 0 {
		if a, err := netip.ParseAddr(d.Nameservers[0]); err == nil {
			return a
		}
	}
	return netip.Addr{}
}

// Query asks a name server for one exact name.
func (ns *Namespace) Query(server netip.Addr, name string) (Answer, Kind) {
	if ns.net.resolver == nil {
		return Answer{}, NoHost
	}
	return ns.net.resolver.Query(ns, server, strings.TrimSuffix(name, "."))
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
	Pod       string // "namespace/name" of the pod that it is of, "" when of none
	Addrs     []netip.Addr
	Hosts     map[string]netip.Addr // further names of /etc/hosts, nil when there are none
	Hostname  string                // its own name, of its first address
	DNS       DNSConfig             // /etc/resolv.conf
	NodePorts bool                  // NodePorts of the cluster answer on this namespace's localhost
	Gateway   bool                  // its localhost, too, leads on through the network's gateway
	// Extra says who answers at a port that nothing is bound to; nil for nobody.
	Extra     func(port int) Handler
	net       *Network
	listeners []*Listener
	closed    bool
	nextPort  int
}

// Listener is one bound port.
type Listener struct {
	Port    int
	Local   bool // bound to 127.0.0.1 only
	Handler Handler
	Live    bool                        // speaks at any time, not only when it is spoken to: Response.Stream is what it says
	Closed  func(client netip.AddrPort) // told of a connection's end; nil for nothing
	ns      *Namespace
}

// NewNamespace makes a namespace that owns the addresses.
func (n *Network) NewNamespace(name string, addrs ...netip.Addr) *Namespace {
	ns := &Namespace{Name: name, net: n, nextPort: 40000}
	for _, a := range addrs {
		ns.AddAddr(a)
	}
	return ns
}

// Share is the same namespace for a pod on its node's network: the same
// addresses and ports, but hosts and name servers of its own.
func (ns *Namespace) Share(dns DNSConfig) *Namespace {
	c := *ns
	c.Hosts, c.DNS = map[string]netip.Addr{}, dns
	return &c
}

// AddAddr gives the namespace one more address.
func (ns *Namespace) AddAddr(a netip.Addr) {
	ns.Addrs = append(ns.Addrs, a)
	ns.net.owners[a] = ns
}

// Host is the address that /etc/hosts has for a name.
func (ns *Namespace) Host(name string) (netip.Addr, bool) {
	if name == ns.Hostname && name != "" {
		return ns.Addr(), true
	}
	a, ok := ns.Hosts[name]
	return a, ok
}

// AddHost adds a name to /etc/hosts.
func (ns *Namespace) AddHost(name string, a netip.Addr) {
	if ns.Hosts == nil {
		ns.Hosts = map[string]netip.Addr{}
	}
	ns.Hosts[name] = a
}

// Close takes the namespace off the network; its listeners are gone.
func (ns *Namespace) Close() {
	ns.closed = true
	for _, a := range ns.Addrs {
		if ns.net.owners[a] == ns {
			delete(ns.net.owners, a)
		}
	}
	ns.listeners = nil
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
		for port = 32768; ns.Listening(port); port++ {
		}
	}
	if ns.Listening(port) {
		return nil, fmt.Errorf("bind: address already in use")
	}
	l := &Listener{Port: port, Local: local, Handler: h, ns: ns}
	ns.listeners = append(ns.listeners, l)
	return l, nil
}

// Close frees the port. Closing twice is allowed.
func (l *Listener) Close() {
	if i := slices.Index(l.ns.listeners, l); i >= 0 {
		l.ns.listeners = slices.Delete(l.ns.listeners, i, i+1)
	}
}

// Listening reports whether something is bound to the port.
func (ns *Namespace) Listening(port int) bool { return ns.listener(port) != nil }

// Listeners are the bound ports, by number.
func (ns *Namespace) Listeners() []*Listener {
	return slices.SortedFunc(slices.Values(ns.listeners), func(a, b *Listener) int { return a.Port - b.Port })
}

func (ns *Namespace) listener(port int) *Listener {
	for _, l := range ns.listeners {
		if l.Port == port {
			return l
		}
	}
	return nil
}

// Lookup resolves a host name or address as seen from this namespace: literal
// addresses, localhost, /etc/hosts, then the cluster's DNS.
func (ns *Namespace) Lookup(host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return []netip.Addr{a}, nil
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}, nil
	}
	if a, ok := ns.Host(host); ok {
		return []netip.Addr{a}, nil
	}
	for _, name := range ns.DNS.Candidates(host) {
		switch answer, kind := ns.Query(ns.DNS.Server(), name); {
		case kind == NoServer:
			return nil, &Error{Kind: NoServer, Host: host, After: resolverWait}
		case kind == Refused:
			return nil, &Error{Kind: NoServer, Host: host}
		case len(answer.Addrs) > 0:
			return answer.Addrs, nil
		}
	}
	return nil, &Error{Kind: NoHost, Host: host}
}

// resolverWait is how long the C library waits for a name server before it
// gives up: two attempts of resolv.conf's default of five seconds.
const resolverWait = 10 * time.Second

// source is the namespace's address as the other end of a connection sees it.
func (ns *Namespace) source(path Path) netip.Addr {
	switch {
	case path.To.Addr().IsLoopback() || !ns.Addr().IsValid():
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	case path.Source.IsValid():
		return path.Source
	}
	return ns.Addr()
}

// Find follows a destination to the listener that would answer it, as seen
// from this namespace, without sending anything.
func (ns *Namespace) Find(to netip.AddrPort) (*Listener, Path, error) {
	path := Path{To: to}
	fail := func(k Kind) (*Listener, Path, error) {
		return nil, path, &Error{Kind: k, Host: to.Addr().String(), Port: int(to.Port())}
	}
	if to.Addr().IsLoopback() || to.Addr().IsUnspecified() {
		if l := ns.listener(int(to.Port())); l != nil {
			return l, path, nil
		}
		if !ns.NodePorts {
			if g := ns.net.out(to); g != nil && ns.Gateway {
				return g.Find(to)
			}
			return fail(Refused)
		}
	}
	if ns.net.router != nil {
		path = ns.net.router.Route(ns, TCP, to)
	}
	if path.Fail != 0 {
		return fail(path.Fail)
	}
	if ns.net.owners[path.To.Addr()] == nil {
		if g := ns.net.out(path.To); g != nil {
			return g.Find(path.To)
		}
	}
	l, kind := ns.net.listener(ns, path.To)
	if kind != 0 {
		return fail(kind)
	}
	return l, path, nil
}

// listener is who answers at an address; else the kind says what happens.
func (n *Network) listener(from *Namespace, at netip.AddrPort) (*Listener, Kind) {
	owner := n.owners[at.Addr()]
	switch {
	case owner == nil && at.Addr().IsLoopback():
		return nil, Refused
	case owner == nil || owner.closed:
		if at.Addr().IsPrivate() {
			return nil, Timeout
		}
		return nil, Unreachable
	}
	l := owner.listener(int(at.Port()))
	if l == nil && owner.Extra != nil {
		if h := owner.Extra(int(at.Port())); h != nil {
			l = &Listener{Port: int(at.Port()), Handler: h, ns: owner}
		}
	}
	if l == nil || l.Local && owner != from {
		return nil, Refused
	}
	return l, 0
}

// Do sends a request to host:port on behalf of process p, on a connection of
// its own, and returns the answer, or an *Error.
func (ns *Namespace) Do(p *kernel.Proc, host string, port int, r *Request) (*Response, error) {
	c, err := ns.Dial(host, port)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Do(p, r)
}

// Conn is a connection: its messages all go to the same listener, which sees
// the same client.
type Conn struct {
	Local, Remote netip.AddrPort // the client's end, as the other one sees it, and where that is
	Live          bool           // the listener takes what comes, and may send, at any time
	l             *Listener
	host          string
	port          int
}

// Dial connects to host:port; the error is an *Error.
func (ns *Namespace) Dial(host string, port int) (*Conn, error) {
	addrs, err := ns.Lookup(host)
	if err != nil {
		return nil, err
	}
	to := netip.AddrPortFrom(addrs[0], uint16(port))
	l, path, err := ns.Find(to)
	if err != nil {
		if e, ok := err.(*Error); ok {
			e.Host = host
		}
		return nil, err
	}
	if ns.net.OnConnect != nil {
		ns.net.OnConnect(ns, to, path)
	}
	ns.nextPort++
	if ns.nextPort > 60999 {
		ns.nextPort = 40000
	}
	return &Conn{Local: netip.AddrPortFrom(ns.source(path), uint16(ns.nextPort)), Remote: path.To, Live: l.Live, l: l, host: host, port: port}, nil
}

// Do sends one message and returns the answer, or an *Error.
func (c *Conn) Do(p *kernel.Proc, r *Request) (*Response, error) {
	req := *r
	req.Remote, req.Local = c.Local, c.Remote
	if req.Header == nil {
		req.Header = Header{}
	}
	resp := c.l.Handler(p, &req)
	if c.l.ns.closed { // the pod went away under the request
		return nil, &Error{Kind: Reset, Host: c.host, Port: c.port}
	}
	if resp == nil {
		return nil, &Error{Kind: Empty, Host: c.host, Port: c.port}
	}
	if resp.Header == nil {
		resp.Header = Header{}
	}
	return resp, nil
}

// Close ends the connection.
func (c *Conn) Close() {
	if c.l.Closed != nil {
		c.l.Closed(c.Local)
	}
}

// Reach says how a connection that the rules have led to an address would end
// there: 0 when somebody listens.
func (n *Network) Reach(from *Namespace, at netip.AddrPort) Kind {
	_, kind := n.listener(from, at)
	return kind
}
