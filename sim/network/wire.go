// HTTP/1.1 as bytes, for the few places where a message leaves the virtual
// network: a port forwarded to a client in another process.

package network

import (
	"bufio"
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
