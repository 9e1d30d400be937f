// Package clients tests that clients of Kubernetes do not notice that the
// cluster is simulated: client-go, controller-runtime and Helm, as they are,
// against sim/httpserver. It is a module of its own so that nothing of them is
// ever linked into the product.
package clients

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"

	"github.com/kubonsai/kubonsai/sim"
	"github.com/kubonsai/kubonsai/sim/httpserver"
)

type runtimeObject = runtime.Object

var everything = labels.Everything()

func nothingButName(name string) fields.Selector {
	return fields.OneTermEqualSelector("metadata.name", name)
}

// serve starts a cluster and returns how to reach it. The context ends with the
// test, or after two minutes.
func serve(t *testing.T, nodes int) (context.Context, *rest.Config) {
	t.Helper()
	c, err := sim.New(sim.Options{Seed: 1, Nodes: nodes, Start: time.Now(), ImagesPresent: true, Log: func(s string) { t.Log(s) }})
	if err != nil {
		t.Fatal(err)
	}
	h := httpserver.NewHost(c, 1, func(err error) { t.Error(err) })
	h.Do(func(m *sim.Machine) { m.SetWatchWindow(1000) }) // so that revisions expire soon
	srv := httptest.NewServer(h)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(func() {
		cancel()
		srv.CloseClientConnections()
		srv.Close()
		h.Close()
	})
	return ctx, &rest.Config{Host: srv.URL, QPS: 1000, Burst: 1000}
}

func eventually(t *testing.T, ctx context.Context, what string, ok func() (bool, error)) {
	t.Helper()
	err := wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(context.Context) (bool, error) { return ok() })
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// defineWidgets makes the kind Widget of example.com/v1.
func defineWidgets(t *testing.T, ctx context.Context, cfg *rest.Config) {
	t.Helper()
	client, err := apiextensions.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	object := apiextensionsv1.JSONSchemaProps{Type: "object"}
	spec, status := object, object
	spec.Properties = map[string]apiextensionsv1.JSONSchemaProps{"size": {Type: "integer"}}
	status.Properties = map[string]apiextensionsv1.JSONSchemaProps{"observed": {Type: "integer"}}
	object.Properties = map[string]apiextensionsv1.JSONSchemaProps{"spec": spec, "status": status}
	crd := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "widgets.example.com"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{Group: "example.com", Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "widgets", Singular: "widget", Kind: "Widget", ListKind: "WidgetList"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{Name: "v1", Served: true, Storage: true,
				Schema:       &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &object},
				Subresources: &apiextensionsv1.CustomResourceSubresources{Status: &apiextensionsv1.CustomResourceSubresourceStatus{}}}}}}
	if _, err := client.ApiextensionsV1().CustomResourceDefinitions().Create(ctx, crd, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, ctx, "widgets are established", func() (bool, error) {
		crd, err := client.ApiextensionsV1().CustomResourceDefinitions().Get(ctx, crd.Name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		for _, c := range crd.Status.Conditions {
			if c.Type == apiextensionsv1.Established && c.Status == apiextensionsv1.ConditionTrue {
				return true, nil
			}
		}
		return false, nil
	})
}

func metaOf(key types.NamespacedName) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}
}
