// This file reads one object.

package apiserver

import (
	"strconv"

	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	"github.com/kubonsai/kubonsai/sim/rest"
)

func (c *call) get() (*rest.Response, error) {
	if rv := c.req.Query.Get("resourceVersion"); rv != "" && rv != "0" {
		n, err := strconv.ParseUint(rv, 10, 64)
		if err != nil {
			return nil, apierrors.NewBadRequest("invalid resource version: strconv.ParseUint: parsing " + strconv.Quote(rv) + ": invalid syntax")
		}
		if now := c.s.store.Revision(); n > now {
			return nil, apierrors.NewTooLargeResourceVersion(n, now, 1)
		}
	}
	obj, err := c.stored(c.name)
	if err != nil {
		return nil, err
	}
	return c.respond(200, c.seen(obj))
}
