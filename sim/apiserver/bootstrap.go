// This file makes what a cluster has from its first moment: the system's
// namespaces and the Service that stands for the API server.

package apiserver

import (
	"net/url"

	"github.com/kubonsai/kubonsai/sim/api/intstr"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	discoveryv1 "github.com/kubonsai/kubonsai/sim/api/discovery/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// SystemNamespaces exist in every cluster.
var SystemNamespaces = []string{"default", "kube-system", "kube-public", "kube-node-lease"}

const apiServerAgent = "kube-apiserver/v1.36.2"

// Bootstrap creates, through the API, what is missing of the cluster's first
// objects. endpoint is the address that the Service kubernetes leads to, with
// port 6443; "" leaves its endpoints out.
func (s *Server) Bootstrap(endpoint string) error {
	for _, name := range SystemNamespaces {
		if err := s.make("/api/v1/namespaces", &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			return err
		}
	}
	labels := map[string]string{"component": "apiserver", "provider": "kubernetes"}
	meta := metav1.ObjectMeta{Name: "kubernetes", Namespace: "default", Labels: labels}
	address := s.services.Address(1)
	none := corev1.ServiceAffinityNone
	if err := s.make("/api/v1/namespaces/default/services", &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{
		Type: corev1.ServiceTypeClusterIP, ClusterIP: address, ClusterIPs: []string{address}, SessionAffinity: none,
		Ports: []corev1.ServicePort{{Name: "https", Protocol: corev1.ProtocolTCP, Port: 443, TargetPort: intstr.FromInt32(6443)}},
	}}); err != nil || endpoint == "" {
		return err
	}
	port, protocol, name, ready := int32(6443), corev1.ProtocolTCP, "https", true
	if err := s.make("/api/v1/namespaces/default/endpoints", &corev1.Endpoints{
		ObjectMeta: metav1.ObjectMeta{Name: "kubernetes", Namespace: "default", Labels: map[string]string{"endpointslice.kubernetes.io/skip-mirror": "true"}},
		Subsets: []corev1.EndpointSubset{{Addresses: []corev1.EndpointAddress{{IP: endpoint}},
			Ports: []corev1.EndpointPort{{Name: name, Port: port, Protocol: protocol}}}},
	}); err != nil {
		return err
	}
	return s.make("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: "kubernetes", Namespace: "default", Labels: map[string]string{"kubernetes.io/service-name": "kubernetes"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{endpoint}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}},
		Ports:       []discoveryv1.EndpointPort{{Name: &name, Port: &port, Protocol: &protocol}},
	})
}

// make creates an object that may be there already.
func (s *Server) make(path string, obj metav1.Object) error {
	resp := s.Serve(&rest.Request{Method: "POST", Path: path, Query: url.Values{}, Object: obj, Header: rest.Header{"User-Agent": apiServerAgent}})
	if err := StatusOf(resp); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	return nil
}
