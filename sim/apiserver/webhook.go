// This file is the seam to the servers of admission webhooks.

package apiserver

import (
	"net/url"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
)

// WebhookCall is one review on its way to a webhook.
type WebhookCall struct {
	URL     *url.URL
	Service *corev1.Service // whom the URL means, if a Service
	Port    int32           // of the Service
	CA      []byte          // whom to trust, in PEM; nil trusts whom the host trusts
	Body    []byte          // an AdmissionReview in JSON
	Timeout time.Duration
	// Wait, if it is set, is to run what takes long; others may use the cluster meanwhile.
	Wait func(fn func())
}

// Webhooks reaches the servers of webhooks. An error says, as Go's HTTP client
// does, why there was no answer.
type Webhooks interface {
	Post(c *WebhookCall) (code int, body []byte, err error)
}

// SetWebhooks installs the way to webhooks, for wirings in which it is made
// after the server. Without it they cannot be reached.
func (s *Server) SetWebhooks(w Webhooks) { s.webhooks = w }

// Post calls a webhook about the write; ok is false when there is no way to any.
func (a *Attributes) Post(c *WebhookCall) (code int, body []byte, err error, ok bool) {
	w := a.call.s.webhooks
	if w == nil {
		return 0, nil, nil, false
	}
	c.Wait = a.call.req.Wait
	code, body, err = w.Post(c)
	return code, body, err, true
}

// ReviewUID is a new identity for a review.
func (a *Attributes) ReviewUID() string { return a.call.s.reviews.UID() }
