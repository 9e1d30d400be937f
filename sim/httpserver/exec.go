// exec and attach over WebSocket (v5.channel.k8s.io and its forerunners) and,
// for older clients, SPDY: the protocols of the kubelet's remotecommand server.
// See k8s.io/client-go/tools/remotecommand and KEP-4006.

package httpserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
	"k8s.io/streaming/pkg/httpstream/wsstream"

	"github.com/kubonsai/kubonsai/sim"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// openTimeout is how long a client may take to open its streams.
const openTimeout = 30 * time.Second

// idleTimeout is how long a connection may carry nothing, as the kubelet's
// streamingConnectionIdleTimeout.
const idleTimeout = 4 * time.Hour

// The versions of the remote command protocol, newest first.
var execProtocols = []string{"v5.channel.k8s.io", "v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"}

// remoteCommand is an opened remote command connection.
type remoteCommand struct {
	ends
	status   io.Writer // where the outcome goes
	protocol string
	close    func()
	// translated says that the real API server does not pass the streams on to
	// the kubelet, but translates them, and wraps the kubelet's errors.
	translated bool
}

// translate is what the API server's stream translator makes of an error.
func translate(err error) error {
	var api *apierrors.StatusError
	if errors.As(err, &api) {
		return apierrors.NewInternalError(err)
	}
	return err
}

// serveCommand answers a request for exec or attach.
func (h *Server) serveCommand(w http.ResponseWriter, r *http.Request, s rest.Stream) {
	var c *remoteCommand
	var err error
	if wsstream.IsWebSocketRequest(r) {
		c, err = openWebSocket(w, r)
	} else {
		c, err = openSPDY(w, r)
	}
	if err != nil {
		h.Do(func(*sim.Machine) { s.Close() })
		return // the client has been told
	}
	defer c.close()
	err = h.run(s, c.ends)
	if c.translated {
		err = translate(err)
	}
	if c.status != nil {
		c.status.Write(outcome(err, c.protocol))
	}
}

// outcome is what the error stream says at the end.
func outcome(err error, protocol string) []byte {
	var exit *rest.ExitError
	switch protocol {
	case "v5.channel.k8s.io", "v4.channel.k8s.io", "v4.base64.channel.k8s.io":
	default:
		if err == nil {
			return nil
		}
		if errors.As(err, &exit) {
			return fmt.Appendf(nil, "command terminated with non-zero exit code: %s", exit.Message)
		}
		return []byte(err.Error())
	}
	status := &metav1.Status{Status: "Success"}
	var api *apierrors.StatusError
	switch {
	case err == nil:
	case errors.As(err, &exit):
		status = &metav1.Status{Status: "Failure", Reason: "NonZeroExitCode",
			Message: "command terminated with non-zero exit code: " + exit.Message,
			Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: "ExitCode", Message: strconv.Itoa(exit.Code)}}}}
	case errors.As(err, &api):
		status = &api.ErrStatus
	case errors.As(err, new(rest.UpgradeError)):
		status.Status, status.Message = metav1.StatusFailure, err.Error()
	default:
		status = &apierrors.NewInternalError(fmt.Errorf("error executing command in container: %w", err)).ErrStatus
	}
	data, _ := json.Marshal(status)
	return data
}

// The channels of a remote command over WebSocket.
const (
	channelStdin = iota
	channelStdout
	channelStderr
	channelError
	channelResize
)

func openWebSocket(w http.ResponseWriter, r *http.Request) (*remoteCommand, error) {
	q := r.URL.Query()
	wants := func(name string) bool { return boolean(q.Get(name)) }
	tty := wants("tty")
	kind := func(on bool, k wsstream.ChannelType) wsstream.ChannelType {
		if on {
			return k
		}
		return wsstream.IgnoreChannel
	}
	channels := []wsstream.ChannelType{
		kind(wants("stdin"), wsstream.ReadChannel), kind(wants("stdout"), wsstream.WriteChannel),
		kind(wants("stderr") && !tty, wsstream.WriteChannel), wsstream.WriteChannel, wsstream.ReadChannel}
	protocols := map[string]wsstream.ChannelProtocolConfig{}
	for _, name := range []string{"", "channel.k8s.io", "v4.channel.k8s.io", "v5.channel.k8s.io"} {
		protocols[name] = wsstream.ChannelProtocolConfig{Binary: true, Channels: channels}
	}
	for _, name := range []string{"base64.channel.k8s.io", "v4.base64.channel.k8s.io"} {
		protocols[name] = wsstream.ChannelProtocolConfig{Channels: channels}
	}
	conn := wsstream.NewConn(protocols)
	conn.SetIdleTimeout(idleTimeout)
	// The library would log every client that leaves without a farewell.
	protocol, streams, err := conn.Open(w, r.WithContext(klog.NewContext(r.Context(), logr.Discard())))
	if err != nil {
		return nil, err
	}
	if protocol == "channel.k8s.io" || protocol == "" {
		streams[channelStdout].Write(nil) // says that the connection is open
	}
	gone := make(chan struct{})
	c := &remoteCommand{protocol: protocol, status: streams[channelError], translated: protocol == "v5.channel.k8s.io", ends: ends{tty: tty, gone: gone}}
	if wants("stdin") {
		c.stdin = streams[channelStdin]
	}
	if wants("stdout") {
		c.stdout = streams[channelStdout]
	}
	if wants("stderr") && !tty {
		c.stderr = streams[channelStderr]
	}
	sizes := make(chan size)
	done := make(chan struct{})
	c.sizes = sizes
	go func() { // ends with the connection, whether there is a terminal or not
		defer close(gone)
		readSizes(streams[channelResize], sizes, done)
	}()
	c.close = func() {
		close(done)
		conn.Close()
	}
	return c, nil
}

// readSizes decodes the sizes of the client's terminal until it closes the stream.
func readSizes(r io.Reader, to chan<- size, done <-chan struct{}) {
	d := json.NewDecoder(r)
	for {
		var z size
		if err := d.Decode(&z); err != nil {
			io.Copy(io.Discard, r)
			return
		}
		select {
		case to <- z:
		case <-done:
			return
		}
	}
}

// openSPDY upgrades the connection and waits for the client's streams.
func openSPDY(w http.ResponseWriter, r *http.Request) (*remoteCommand, error) {
	protocol, err := httpstream.Handshake(r, w, execProtocols)
	if err != nil {
		return nil, err
	}
	opened := make(chan httpstream.Stream)
	ready := make(chan struct{})
	conn := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(s httpstream.Stream, replySent <-chan struct{}) error {
		go func() {
			<-replySent
			select {
			case opened <- s:
			case <-ready:
				s.Reset()
			}
		}()
		return nil
	})
	if conn == nil {
		return nil, http.ErrNotSupported
	}
	conn.SetIdleTimeout(idleTimeout)
	q := r.URL.Query()
	tty := boolean(q.Get("tty"))
	expected := 1
	for _, name := range []string{"stdin", "stdout", "stderr"} {
		if boolean(q.Get(name)) && !(name == "stderr" && tty) {
			expected++
		}
	}
	resizes := tty && protocol != "channel.k8s.io" && protocol != "v2.channel.k8s.io"
	if resizes {
		expected++
	}
	done := make(chan struct{})
	gone := make(chan struct{})
	go func() {
		<-conn.CloseChan()
		close(gone)
	}()
	c := &remoteCommand{protocol: protocol, ends: ends{tty: tty, gone: gone}}
	c.close = func() {
		close(done)
		conn.Close()
	}
	timeout := time.After(openTimeout)
	for n := 0; n < expected; n++ {
		select {
		case s := <-opened:
			switch s.Headers().Get("streamType") {
			case "error":
				c.status = s
			case "stdin":
				c.stdin = s
			case "stdout":
				c.stdout = s
			case "stderr":
				c.stderr = s
			case "resize":
				sizes := make(chan size)
				c.sizes = sizes
				go readSizes(s, sizes, done)
			}
		case <-gone:
			close(ready)
			c.close()
			return nil, io.ErrUnexpectedEOF
		case <-timeout:
			close(ready)
			c.close()
			return nil, errors.New("timed out waiting for client to create streams")
		}
	}
	close(ready)
	return c, nil
}

// boolean reads a query parameter as the API does.
func boolean(s string) bool {
	on, err := strconv.ParseBool(s)
	return err == nil && on
}
