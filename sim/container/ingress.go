// The program of ingress-nginx's image: a reverse proxy whose table of routes
// comes from an IngressController.

package container

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/network"
)

// IngressController is the part of the program that reads the API: package
// container knows no objects.
type IngressController interface {
	// Run says that the program has started in a pod ("namespace/name"), with
	// its arguments; stop is to be called when it has ended.
	Run(pod string, args []string) (stop func())
	// Review answers an AdmissionReview about an ingress; nil is none.
	Review(body []byte) []byte
	// Route says what becomes of a request.
	Route(r *network.Request) IngressRoute
}

// IngressRoute is what the controller's table says of one request.
type IngressRoute struct {
	Name      string // NAMESPACE-SERVICE-PORT, for the log; "" when no ingress matches
	Endpoints []netip.AddrPort
	Path      string // what to ask an endpoint for
	Status    int    // the controller's own answer when it is not 0
	Location  string // of a redirection
}

const (
	ingressConnect = 5 * time.Second // proxy_connect_timeout
	ingressTries   = 3               // proxy_next_upstream_tries
)

func (s *server) startIngress() {
	s.b.Server = "nginx"
	s.printLog(s.b.Log)
	ok := func(_ *kernel.Proc, r *network.Request) *network.Response {
		if pathOf(r) == "/healthz" {
			return s.respond(200, "text/plain; charset=utf-8", []byte("ok"))
		}
		return s.respond(404, "text/plain; charset=utf-8", []byte("404 page not found\n"))
	}
	if !s.listen(s.b.Port, s.serveIngress) {
		return
	}
	review := func(_ *kernel.Proc, r *network.Request) *network.Response {
		if s.c.rt.Ingress != nil && r.TLS {
			if out := s.c.rt.Ingress.Review(r.Body); out != nil {
				return s.respond(200, "application/json", out)
			}
		}
		return s.respond(400, "text/plain; charset=utf-8", []byte("Bad Request\n"))
	}
	handlers := []network.Handler{s.serveIngress, ok, review} // HTTPS, health checks, the admission webhook
	for i, p := range s.b.Ports {
		if !s.listen(p, handlers[min(i, len(handlers)-1)]) {
			return
		}
	}
	if s.c.rt.Ingress != nil {
		s.stop = s.c.rt.Ingress.Run(s.c.sb.Namespace+"/"+s.c.sb.Name, s.args)
	}
}

func (s *server) serveIngress(p *kernel.Proc, r *network.Request) *network.Response {
	start := s.now()
	route := IngressRoute{Status: 404}
	if s.c.rt.Ingress != nil {
		route = s.c.rt.Ingress.Route(r)
	}
	resp, upstream := s.askUpstream(p, &route, r)
	if resp == nil {
		resp = &network.Response{Status: route.Status, Header: network.Header{"Content-Type": {"text/html"}}, Body: s.nginxError(route.Status)}
		if route.Location != "" {
			resp.Header.Set("Location", route.Location)
		}
	}
	h := resp.Header
	h.Set("Date", s.now().Format(httpDate))
	h.Set("Connection", "keep-alive")
	delete(h, "Server") // as the controller is set up
	if r.TLS {
		h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	}
	if resp.Stream == nil {
		h.Set("Content-Length", strconv.Itoa(len(resp.Body)))
	}
	if r.Method == "HEAD" {
		resp.Body = nil
	}
	took := fmt.Sprintf("%.3f", s.now().Sub(start).Seconds())
	fmt.Fprintf(s.stdout, "%s - - [%s] \"%s %s HTTP/1.1\" %d %d \"%s\" \"%s\" %d %s [%s] [] %s %s\n", r.Remote.Addr(), s.now().Format("02/Jan/2006:15:04:05 -0700"),
		r.Method, r.Path, resp.Status, len(resp.Body), dash(r.Header.Get("Referer")), dash(r.Header.Get("User-Agent")), requestLength(r), took, route.Name,
		strings.ReplaceAll(upstream, "TIME", took), s.c.rt.random.Hex(16))
	return resp
}

// askUpstream asks the endpoints one after another; nil means that the
// controller itself answers with route.Status. what is the log's part about it.
func (s *server) askUpstream(p *kernel.Proc, route *IngressRoute, r *network.Request) (resp *network.Response, what string) {
	if route.Status != 0 {
		return nil, "- - - -"
	}
	up := *r
	up.Path, up.TLS = route.Path, false
	up.Header = network.Header{}
	for _, k := range r.Header.Names() {
		up.Header[k] = r.Header[k]
	}
	scheme, port := "http", "80"
	if r.TLS {
		scheme, port = "https", "443"
	}
	client := r.Remote.Addr().String()
	for _, f := range [][2]string{{"X-Request-ID", s.c.rt.random.Hex(16)}, {"X-Real-IP", client}, {"X-Forwarded-For", client}, {"X-Forwarded-Host", r.Host},
		{"X-Forwarded-Port", port}, {"X-Forwarded-Proto", scheme}, {"X-Forwarded-Scheme", scheme}, {"X-Scheme", scheme}} {
		up.Header.Set(f[0], f[1])
	}
	for i, e := range route.Endpoints[:min(len(route.Endpoints), ingressTries)] {
		got, err := s.c.sb.ns.Do(p, e.Addr().String(), int(e.Port()), &up)
		if err == nil {
			out := *got
			out.Header = network.Header{}
			for _, k := range got.Header.Names() {
				out.Header[k] = got.Header[k]
			}
			return &out, fmt.Sprintf("%s %d TIME %d", e, len(got.Body), got.Status)
		}
		route.Status = 502
		if ne, ok := err.(*network.Error); ok && ne.Waits() {
			route.Status = 504
			if p != nil && p.Sleep(ingressConnect) != nil {
				break
			}
		}
		s.logf("%s [error] %d#%d: *%d connect() failed (%s) while connecting to upstream, client: %s, server: %s, request: \"%s %s HTTP/1.1\", upstream: \"http://%s%s\", host: \"%s\"",
			stamp(s.now()), s.pid, s.pid, s.requests, map[int]string{502: "111: Connection refused", 504: "110: Operation timed out"}[route.Status],
			client, hostOf(r), r.Method, r.Path, e, route.Path, r.Host)
		what = fmt.Sprintf("%s 0 TIME %d", e, route.Status)
		if i+1 == len(route.Endpoints) {
			break
		}
	}
	return nil, what
}

// requestLength is the size of a request on the wire, in bytes.
func requestLength(r *network.Request) int {
	n := len(r.Method) + len(r.Path) + len(" HTTP/1.1\r\n") + 1 + len("\r\n") + len(r.Body)
	for _, k := range r.Header.Names() {
		n += len(k) + len(": \r\n") + len(r.Header.Get(k))
	}
	return n
}

func hostOf(r *network.Request) string {
	host, _, _ := strings.Cut(r.Host, ":")
	return host
}
