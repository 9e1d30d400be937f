// Admission webhooks that are reached from the host: a test's server on
// 127.0.0.1, or anything else with an address.

package httpserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"

	"github.com/kubonsai/kubonsai/sim/apiserver"
)

// maxReview is the longest answer that is read from a webhook, in bytes.
const maxReview = 3 << 20

// CallWebhook sends a review to a webhook by its URL, for sim.Options.Webhooks.
// While it waits others may use the cluster, if the request allows it.
func CallWebhook(c *apiserver.WebhookCall) (code int, body []byte, err error) {
	call := func() { code, body, err = post(c) }
	if c.Wait != nil {
		c.Wait(call)
	} else {
		call()
	}
	return code, body, err
}

func post(c *apiserver.WebhookCall) (int, []byte, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(c.CA) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(c.CA) {
			return 0, nil, errors.New("unable to load root certificates: unable to parse bytes as PEM block")
		}
	}
	transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), c.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "POST", c.URL.String(), bytes.NewReader(c.Body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, */*")
	req.Header.Set("User-Agent", "kube-apiserver-admission")
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReview))
	return resp.StatusCode, body, err
}

// release runs fn while others may use the cluster. It is called inside Do.
func (h *Host) release(fn func()) {
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		h.cluster.Turn(h.target(), turnSteps)
	}()
	fn()
}
