// Messages as bytes, for the few places where they leave the virtual network: a
// port forwarded to a client in another process, HTTP typed by hand.

package network

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// ReadRequest reads one request; io.EOF when there is none.
func ReadRequest(r io.Reader) (*Request, error) {
	b, ok := r.(*bufio.Reader)
	if !ok {
		b = bufio.NewReaderSize(oneByte{r}, 16)
	}
	line, err := b.ReadString('\n')
	if err != nil {
		return nil, io.EOF
	}
	words := strings.Fields(line)
	if len(words) < 3 {
		return nil, fmt.Errorf("malformed HTTP request %q", strings.TrimSpace(line))
	}
	req := &Request{Method: words[0], Path: words[1], Header: Header{}}
	for {
		line, err := b.ReadString('\n')
		if err != nil {
			return nil, io.ErrUnexpectedEOF
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			break
		}
		k, v, _ := strings.Cut(line, ":")
		v = strings.TrimSpace(v)
		if strings.EqualFold(k, "Host") {
			req.Host = v
			continue
		}
		req.Header[k] = append(req.Header[k], v)
	}
	if n, _ := strconv.Atoi(req.Header.Get("Content-Length")); n > 0 && n < 64<<20 {
		req.Body = make([]byte, n)
		if _, err := io.ReadFull(b, req.Body); err != nil {
			return nil, io.ErrUnexpectedEOF
		}
	}
	return req, nil
}

// IsRequest reports whether what a client sends first is HTTP.
func IsRequest(first []byte) bool {
	word, _, _ := bytes.Cut(first, []byte(" "))
	switch string(word) {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return len(word) < len(first)
	}
	return false
}

// oneByte keeps a buffered reader from taking what belongs to the next message.
type oneByte struct{ r io.Reader }

func (o oneByte) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	return o.r.Read(b[:1])
}

// WriteResponse writes one response.
func WriteResponse(w io.Writer, r *Response) error {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", r.Status, StatusText(r.Status))
	for _, n := range r.Header.Names() {
		for _, v := range r.Header[n] {
			fmt.Fprintf(&b, "%s: %s\r\n", n, v)
		}
	}
	if r.Header.Get("Content-Length") == "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(r.Body))
	}
	b.WriteString("\r\n")
	b.Write(r.Body)
	_, err := io.WriteString(w, b.String())
	return err
}

// StatusText is the reason phrase of a status code.
func StatusText(code int) string {
	switch code {
	case 200:
		return "OK"
	case 201:
		return "Created"
	case 202:
		return "Accepted"
	case 204:
		return "No Content"
	case 301:
		return "Moved Permanently"
	case 302:
		return "Found"
	case 304:
		return "Not Modified"
	case 307:
		return "Temporary Redirect"
	case 308:
		return "Permanent Redirect"
	case 400:
		return "Bad Request"
	case 401:
		return "Unauthorized"
	case 403:
		return "Forbidden"
	case 404:
		return "Not Found"
	case 405:
		return "Not Allowed"
	case 409:
		return "Conflict"
	case 429:
		return "Too Many Requests"
	case 500:
		return "Internal Server Error"
	case 502:
		return "Bad Gateway"
	case 503:
		return "Service Unavailable"
	case 504:
		return "Gateway Timeout"
	}
	return ""
}

// RequestBytes is a message as bytes on the wire.
func RequestBytes(r *Request) []byte {
	if r.Method == Raw {
		return r.Body
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.Method, r.Path, r.Host)
	for _, name := range r.Header.Names() {
		switch strings.ToLower(name) {
		case "host", "content-length", "connection":
			continue
		}
		for _, v := range r.Header[name] {
			fmt.Fprintf(&b, "%s: %s\r\n", name, v)
		}
	}
	if len(r.Body) > 0 {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(r.Body))
	}
	b.WriteString("Connection: close\r\n\r\n")
	b.Write(r.Body)
	return b.Bytes()
}

// ParseResponse reads a message from the wire; nothing at all is a connection that was reset.
func ParseResponse(data []byte) (*Response, error) {
	if len(data) == 0 {
		return nil, nil
	}
	head, body, ok := bytes.Cut(data, []byte("\r\n\r\n"))
	if !ok {
		if head, body, ok = bytes.Cut(data, []byte("\n\n")); !ok {
			return nil, errors.New("malformed HTTP response")
		}
	}
	lines := strings.Split(strings.ReplaceAll(string(head), "\r\n", "\n"), "\n")
	parts := strings.SplitN(lines[0], " ", 3)
	if len(parts) < 2 || !strings.HasPrefix(parts[0], "HTTP/") {
		return nil, errors.New("malformed HTTP response")
	}
	status, err := strconv.Atoi(parts[1])
	if err != nil {
		return nil, errors.New("malformed HTTP status code")
	}
	resp := &Response{Status: status, Header: Header{}}
	for _, l := range lines[1:] {
		name, value, _ := strings.Cut(l, ":")
		resp.Header[name] = append(resp.Header[name], strings.TrimSpace(value))
	}
	if strings.EqualFold(resp.Header.Get("Transfer-Encoding"), "chunked") {
		if body, err = unchunk(body); err != nil {
			return nil, err
		}
		delete(resp.Header, "Transfer-Encoding")
	}
	if n, err := strconv.Atoi(resp.Header.Get("Content-Length")); err == nil && n >= 0 && n < len(body) {
		body = body[:n]
	}
	resp.Body = body
	return resp, nil
}

func unchunk(data []byte) ([]byte, error) {
	var out []byte
	for {
		line, rest, ok := bytes.Cut(data, []byte("\r\n"))
		if !ok {
			return out, io.ErrUnexpectedEOF
		}
		n, err := strconv.ParseUint(strings.TrimSpace(strings.Split(string(line), ";")[0]), 16, 31)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return out, nil
		}
		if uint64(len(rest)) < n+2 {
			return append(out, rest...), nil
		}
		out = append(out, rest[:n]...)
		data = rest[n+2:]
	}
}
