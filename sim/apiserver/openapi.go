package apiserver

import "github.com/kubonsai/kubonsai/sim/rest"

func (c *call) openapi(parts []string) (*rest.Response, error) { return notFoundPage(), nil }
