// This file shows a workload as a Scale (autoscaling/v1): how many replicas it
// wants and has. Changing the Scale changes the workload.

package apiserver

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kubonsai/kubonsai/sim/api"
	autoscalingv1 "github.com/kubonsai/kubonsai/sim/api/autoscaling/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver/resource"
	"github.com/kubonsai/kubonsai/sim/rest"
)

var scaleKind = metav1.GroupVersionKind{Group: "autoscaling", Version: "v1", Kind: "Scale"}

// scaleTable draws Scales.
var scaleTable = &Kind{Strategy: resource.ForScale()}

func (c *call) scale() (*rest.Response, error) {
	if c.kind.Strategy.Scale == nil {
		return nil, errUnknownPath(c.req)
	}
	switch c.verb {
	case "get":
		obj, err := c.stored(c.name)
		if err != nil {
			return nil, err
		}
		return c.answer(200, c.scaleOf(obj))
	case "update":
		if err := c.readOptions("UpdateOptions", false); err != nil {
			return nil, err
		}
		obj, err := c.decode(scaleKind, nil)
		if err != nil {
			return nil, err
		}
		if err := c.fitName(obj.GetObjectMeta()); err != nil {
			return nil, err
		}
		old, err := c.stored(c.name)
		if err != nil {
			return nil, err
		}
		return c.rescale(old, obj.(*autoscalingv1.Scale))
	}
	return c.patch()
}

// scaleOf is the Scale of a stored workload.
func (c *call) scaleOf(obj metav1.Object) *autoscalingv1.Scale {
	m := obj.GetObjectMeta()
	s := &autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Name: m.Name, Namespace: m.Namespace, UID: m.UID,
		ResourceVersion: m.ResourceVersion, CreationTimestamp: m.CreationTimestamp}}
	s.SetGroupVersionKind(scaleKind)
	s.Spec.Replicas, s.Status.Replicas, s.Status.Selector = c.kind.Strategy.Scale.Get(obj)
	return s
}

// rescale stores a workload with the replicas of a Scale.
func (c *call) rescale(old metav1.Object, scale *autoscalingv1.Scale) (*rest.Response, error) {
	om := old.GetObjectMeta()
	if scale.Spec.Replicas < 0 {
		return nil, apierrors.NewInvalid(metav1.GroupKind{Group: "autoscaling", Kind: "Scale"}, om.Name, field.ErrorList{
			field.Invalid(field.NewPath("spec", "replicas"), scale.Spec.Replicas, "must be greater than or equal to 0")})
	}
	if scale.UID != "" && scale.UID != om.UID {
		return nil, apierrors.NewConflict(metav1.GroupResource{Group: c.kind.Group, Resource: c.kind.Plural + "/scale"}, om.Name,
			fmt.Errorf("Precondition failed: UID in precondition: %v, UID in object meta: %v", scale.UID, om.UID))
	}
	obj := api.DeepCopy(old)
	c.kind.Strategy.Scale.Set(obj, scale.Spec.Replicas)
	obj.GetObjectMeta().ResourceVersion = scale.ResourceVersion
	plain := *c // the rules are those of the workload itself
	plain.subresource = ""
	plain.scaling = true
	stored, err := plain.replace(old, obj, true)
	c.warnings = plain.warnings
	if err != nil {
		return nil, err
	}
	return c.answer(200, c.scaleOf(stored))
}
