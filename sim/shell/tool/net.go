// What the clients of the virtual network (curl.go, wget.go, ping.go) share:
// URLs and the texts of statuses. Messages and exit codes are those of curl 8
// and of the tools in Debian and busybox.

package tool

import (
	"fmt"
	"strconv"
	"strings"
)

func init() {
	reg("", curl, "curl")
	reg("wget [OPTION]... [URL]...", wget, "wget")
	reg("ping [options] <destination>", ping, "ping")
}

type target struct {
	scheme, user, host, path string
	port                     int
	literal                  string // host as written, with [] for IPv6
}

func parseURL(raw string) (u target, ok bool) {
	u.scheme = "http"
	rest := raw
	if i := strings.Index(raw, "://"); i >= 0 {
		u.scheme, rest = strings.ToLower(raw[:i]), raw[i+3:]
	}
	rest, _, _ = strings.Cut(rest, "#")
	host := rest
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		host, u.path = rest[:i], rest[i:]
	}
	if u.path == "" || u.path[0] == '?' {
		u.path = "/" + u.path
	}
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		u.user, host = host[:i], host[i+1:]
	}
	u.port = 80
	if u.scheme == "https" {
		u.port = 443
	}
	h, p := host, ""
	if strings.HasPrefix(host, "[") {
		i := strings.IndexByte(host, ']')
		if i < 0 {
			return u, false
		}
		h, p = host[:i+1], strings.TrimPrefix(host[i+1:], ":")
	} else if i := strings.LastIndexByte(host, ':'); i >= 0 {
		h, p = host[:i], host[i+1:]
	}
	if p != "" {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 || n > 65535 {
			u.host = h
			return u, false
		}
		u.port = n
	}
	u.literal, u.host = h, strings.Trim(h, "[]")
	return u, u.host != "" && !strings.ContainsAny(u.host, " \t\n<>\"{}|\\^`")
}

func (u target) hostHeader() string {
	if u.scheme == "http" && u.port == 80 || u.scheme == "https" && u.port == 443 {
		return u.literal
	}
	return fmt.Sprintf("%s:%d", u.literal, u.port)
}

// ReasonPhrase is the text that goes with an HTTP status.
func ReasonPhrase(code int) string {
	return map[int]string{100: "Continue", 101: "Switching Protocols", 200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 206: "Partial Content", 301: "Moved Permanently", 302: "Found", 303: "See Other", 304: "Not Modified", 307: "Temporary Redirect", 308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable", 408: "Request Timeout", 409: "Conflict", 410: "Gone", 411: "Length Required", 413: "Request Entity Too Large", 415: "Unsupported Media Type", 418: "I'm a teapot", 422: "Unprocessable Entity", 429: "Too Many Requests", 500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}[code]
}
