// This file fills in the cluster's default storage class and ingress class.

package admission

import (
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	networkingv1 "github.com/kubonsai/kubonsai/sim/api/networking/v1"
	storagev1 "github.com/kubonsai/kubonsai/sim/api/storage/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
)

// newest keeps the default class that was created last; of two of one time, the first by name.
func newest[T metav1.Object](found *T, annotation string) func(T) {
	have := false
	return func(c T) {
		m := c.GetObjectMeta()
		if m.Annotations[annotation] != "true" {
			return
		}
		if !have || (*found).GetObjectMeta().CreationTimestamp.Time.Before(m.CreationTimestamp.Time) {
			*found, have = c, true
		}
	}
}

// DefaultStorageClass gives claims that name no class the default one.
var DefaultStorageClass = Plugin{Name: "DefaultStorageClass", Admit: func(a *apiserver.Attributes) error {
	if !is(a, apiserver.Create, "persistentvolumeclaims") {
		return nil
	}
	claim := a.Object.(*corev1.PersistentVolumeClaim)
	if claim.Spec.StorageClassName != nil || claim.Annotations[corev1.BetaStorageClassAnnotation] != "" {
		return nil
	}
	var class *storagev1.StorageClass
	list(a, "storageclasses.storage.k8s.io", "", newest(&class, "storageclass.kubernetes.io/is-default-class"))
	if class != nil {
		claim.Spec.StorageClassName = &class.Name
	}
	return nil
}}

// DefaultIngressClass gives ingresses that name no class the default one.
var DefaultIngressClass = Plugin{Name: "DefaultIngressClass", Admit: func(a *apiserver.Attributes) error {
	if !is(a, apiserver.Create, "ingresses.networking.k8s.io") {
		return nil
	}
	ingress := a.Object.(*networkingv1.Ingress)
	if ingress.Spec.IngressClassName != nil || ingress.Annotations["kubernetes.io/ingress.class"] != "" {
		return nil
	}
	var class *networkingv1.IngressClass
	list(a, "ingressclasses.networking.k8s.io", "", newest(&class, "ingressclass.kubernetes.io/is-default-class"))
	if class != nil {
		ingress.Spec.IngressClassName = &class.Name
	}
	return nil
}}
