package apiserver

import "github.com/kubonsai/kubonsai/sim/rest"

func (c *call) patch() (*rest.Response, error) { return nil, errMethodNotAllowed(c.req) }
