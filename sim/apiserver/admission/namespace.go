// This file keeps namespaces' promises: nothing is written into one that does
// not exist, nothing is created in one that is ending, and the three that the
// system needs cannot be deleted.

package admission

import (
	"fmt"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
)

// NamespaceLifecycle is described at the top of its file.
var NamespaceLifecycle = Plugin{Name: "NamespaceLifecycle", Admit: func(a *apiserver.Attributes) error {
	if a.Kind.Key == "namespaces" {
		if a.Operation == apiserver.Delete && (a.Name == "default" || a.Name == "kube-system" || a.Name == "kube-public") {
			return forbid(a, "this namespace may not be deleted")
		}
		return nil
	}
	if a.Namespace == "" || a.Operation == apiserver.Delete {
		return nil
	}
	ns, ok := get[*corev1.Namespace](a, "namespaces", "", a.Namespace)
	if !ok {
		return apierrors.NewNotFound(metav1.GroupResource{Resource: "namespaces"}, a.Namespace)
	}
	if a.Operation != apiserver.Create || ns.Status.Phase != corev1.NamespaceTerminating {
		return nil
	}
	err := forbid(a, "unable to create new content in namespace %s because it is being terminated", a.Namespace)
	if err.ErrStatus.Details != nil {
		err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{
			Type: "NamespaceTerminating", Message: fmt.Sprintf("namespace %s is being terminated", a.Namespace), Field: "metadata.namespace"})
	}
	return err
}}
