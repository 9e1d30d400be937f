// The API server's answers as they travel over a network of the simulation:
// what kubectl proxy passes on, and what containers get from the API server
// itself.

package kubectl

import (
	"fmt"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/network"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// Wire turns answers of the API into those of a listener.
type Wire struct {
	Kernel *kernel.Kernel
	// Spawn starts a process that writes a stream.
	Spawn func(fn func(*kernel.Proc) int)
	// Encode and EncodeEvent write answers and watch events as bytes.
	Encode      func(*rest.Request, *rest.Response) (contentType string, body []byte, err error)
	EncodeEvent func(rest.Event) ([]byte, error)
}

// Answer is the answer resp to req; watches and followed logs are streams.
func (w *Wire) Answer(req *rest.Request, resp *rest.Response) *network.Response {
	header := network.Header{"Cache-Control": {"no-cache, private"}}
	for _, text := range resp.Warnings {
		header["Warning"] = append(header["Warning"], fmt.Sprintf("299 - %q", text))
	}
	out := &network.Response{Status: resp.Code, Header: header}
	switch {
	case resp.Watch != nil:
		header.Set("Content-Type", "application/json")
		out.Stream = w.Kernel.NewPipe(0)
		w.Spawn(func(p *kernel.Proc) int { return w.events(p, resp.Watch, out.Stream) })
	case resp.Stream != nil:
		header.Set("Content-Type", "text/plain")
		out.Stream = w.Kernel.NewPipe(0)
		w.Spawn(func(*kernel.Proc) int {
			defer out.Stream.CloseWrite()
			defer resp.Stream.Close()
			if resp.Stream.Run(rest.StreamOptions{Stdout: out.Stream}) != nil {
				return 1
			}
			return 0
		})
	default:
		contentType, body, err := w.Encode(req, resp)
		if err != nil {
			return text(500, err.Error())
		}
		if contentType != "" {
			header.Set("Content-Type", contentType)
		}
		out.Body = body
	}
	return out
}

// events writes events, one a line, until the watch or its reader ends.
func (w *Wire) events(p *kernel.Proc, watch rest.Watch, out *kernel.Pipe) int {
	defer out.CloseWrite()
	defer watch.Stop()
	var q kernel.WaitQueue
	watch.Notify(q.Wake)
	for {
		for e, ok := watch.Next(); ok; e, ok = watch.Next() {
			line, err := w.EncodeEvent(e)
			if err != nil {
				return 1
			}
			if _, err := out.Write(line); err != nil {
				return 0
			}
		}
		if watch.Done() {
			return 0
		}
		if err := p.Wait(&q); err != nil {
			return 0
		}
	}
}
