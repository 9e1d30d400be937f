// This file validates addresses.

package resource

import (
	"github.com/kubonsai/kubonsai/sim/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func validateIP(ip string, p *field.Path) field.ErrorList {
	return validation.IsValidIPForLegacyField(p, ip, true, nil)
}

func validateCIDR(cidr string, p *field.Path) field.ErrorList {
	return validation.IsValidCIDRForLegacyField(p, cidr, true, nil)
}
