package apiserver

import metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"

func (c *call) trackCreate(obj metav1.Object) {}
func (c *call) trackUpdate(old, obj metav1.Object) {
	obj.GetObjectMeta().ManagedFields = old.GetObjectMeta().ManagedFields
}
func (c *call) settleManaged(obj, old metav1.Object) {}
func expandManaged(obj metav1.Object) metav1.Object  { return obj }
