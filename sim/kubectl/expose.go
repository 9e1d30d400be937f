// kubectl expose: makes a service for the pods of an object.

package kubectl

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kubonsai/kubonsai/sim/api/intstr"
	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"

	"github.com/kubonsai/kubonsai/sim/api"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/kubectl/smerge"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

func exposeCommand() *Command {
	return &Command{
		Use:   "expose (-f FILENAME | TYPE NAME) [--port=port] [--protocol=TCP|UDP|SCTP] [--target-port=number-or-name] [--name=name] [--external-ip=external-ip-of-service] [--type=type]",
		Short: "Take a replication controller, service, deployment or pod and expose it as a new Kubernetes service",
		Long:  "Create a service whose selector is that of a deployment, replica set, replication controller or service, or the labels of a pod. Ports that are not given are taken from the object.",
		Examples: `kubectl expose deployment web --port=80 --target-port=8080
kubectl expose pod web --port=80 --name=front
kubectl expose rs web --port=80 --type=NodePort`,
		New: func() Verb { return &exposeOptions{} },
	}
}

// overrideFlags are --overrides and --override-type.
type overrideFlags struct{ overrides, kind string }

func (o *overrideFlags) flags(f *pflag.FlagSet) {
	f.StringVar(&o.overrides, "overrides", "", "JSON that is merged into the object before it is created")
	f.StringVar(&o.kind, "override-type", "merge", "How it is merged: json, merge, or strategic")
}

// apply merges the overrides into obj, which it changes.
func (o *overrideFlags) apply(obj metav1.Object) error {
	if o.overrides == "" {
		return nil
	}
	t, err := treeOf(obj)
	if err != nil {
		return err
	}
	var patch any
	data, yerr := yaml.YAMLToJSON([]byte(o.overrides))
	if yerr == nil {
		patch, yerr = metav1.DecodeTree(data)
	}
	m, isMap := patch.(tree.Map)
	ops, isList := patch.([]any)
	switch o.kind {
	case "", "merge":
		if !json.Valid([]byte(o.overrides)) || !isMap {
			return errors.New("Invalid JSON Patch")
		}
		t = smerge.Merge(t, m)
	case "strategic":
		if yerr != nil || !isMap {
			return errors.New("invalid JSON document")
		}
		t, err = smerge.Strategic(t, m, schemaOf(t))
	case "json":
		if !isList {
			return errors.New("Invalid JSON Patch")
		}
		t, err = smerge.JSONPatch(t, ops)
	default:
		return fmt.Errorf("invalid override type: %v", o.kind)
	}
	if err != nil {
		return err
	}
	// Refill the object: what the patch removed must not stay.
	switch x := obj.(type) {
	case *corev1.Pod:
		*x = corev1.Pod{}
	case *corev1.Service:
		*x = corev1.Service{}
	}
	return api.FromTree(t, obj)
}

type exposeOptions struct {
	creator
	overrideFlags
	files                                      FilenameOptions
	record                                     recordFlag
	protocol, port, kind, balancerIP           string
	selector, labels, targetPort, externalIP   string
	serviceName, affinity, clusterIP, portName string
	args                                       []string
}

func (o *exposeOptions) Flags(f *pflag.FlagSet) {
	o.out.flags(f)
	o.record.flags(f)
	f.StringVar(&o.protocol, "protocol", "", "Protocol of the ports; TCP if not given")
	f.StringVar(&o.port, "port", "", "Port of the service; the object's ports if not given")
	f.StringVar(&o.kind, "type", "", "ClusterIP, NodePort, LoadBalancer or ExternalName; ClusterIP if not given")
	f.StringVar(&o.balancerIP, "load-balancer-ip", "", "Address of the load balancer")
	f.StringVar(&o.selector, "selector", "", "Labels of the pods (a=b,c=d); the object's selector if not given")
	f.StringVarP(&o.labels, "labels", "l", "", "Labels of the service")
	f.StringVar(&o.targetPort, "target-port", "", "Name or number of the pods' port; the service's port if not given")
	f.StringVar(&o.externalIP, "external-ip", "", "Another address at which the service answers")
	f.StringVar(&o.serviceName, "name", "", "Name of the service; the object's if not given")
	f.StringVar(&o.affinity, "session-affinity", "", "None or ClientIP")
	f.StringVar(&o.clusterIP, "cluster-ip", "", "Address of the service, or None for a headless one")
	fieldManagerFlag(f, &o.manager, "kubectl-expose")
	o.overrideFlags.flags(f)
	dryRunFlag(f, &o.dryRunText)
	saveConfigFlag(f, &o.saveConfig)
	o.files.flags(f, "that names the object to expose")
}

func (o *exposeOptions) Complete(s *Session, args []string) (err error) {
	o.s, o.args = s, args
	if o.dryRun, err = s.dryRun(o.dryRunText); err != nil {
		return err
	}
	if err := o.out.check(s); err != nil {
		return err
	}
	o.namespace, o.explicit, err = s.Namespace()
	return err
}

func (o *exposeOptions) Run(s *Session) error {
	b, err := s.objects(o.files, o.args)
	if err != nil {
		return err
	}
	return b.Do().Visit(func(i *Info) error {
		if !slices.Contains([]string{"replicationcontrollers", "services", "pods", "deployments.apps", "replicasets.apps",
			"deployments.extensions", "replicasets.extensions"}, i.Mapping.GroupResource().String()) {
			return fmt.Errorf("cannot expose a %s", i.Mapping.GroupKind())
		}
		svc, err := o.service(i)
		if err != nil {
			return err
		}
		if err := o.apply(svc); err != nil {
			return err
		}
		if o.record.record {
			svc.Annotations = map[string]string{changeCause: s.commandLine()}
		}
		if o.dryRun == DryRunClient && o.explicit {
			svc.Namespace = o.namespace
		}
		return o.createAs(svc, "exposed", "")
	})
}

// podSelector is the selector of an object's pods as a=b,c=d.
func podSelector(obj tree.Map) (string, error) {
	switch tree.Kind(obj) {
	case "Pod":
		l := tree.Strings(obj, "metadata", "labels")
		if len(l) == 0 {
			return "", errors.New("the pod has no labels and cannot be exposed")
		}
		return joinLabels(l), nil
	case "Service":
		sel := tree.Strings(obj, "spec", "selector")
		if sel == nil {
			return "", errors.New("the service has no pod selector set")
		}
		return joinLabels(sel), nil
	case "ReplicationController":
		return joinLabels(tree.Strings(obj, "spec", "selector")), nil
	}
	kind := strings.ToLower(tree.Kind(obj))
	if kind == "replicaset" && tree.Sub(obj, "spec", "selector") == nil {
		return "", errors.New("invalid replicaset: no selectors, therefore cannot be exposed")
	}
	if tree.Sub(obj, "spec", "selector") == nil {
		return "", errors.New("invalid deployment: no selectors, therefore cannot be exposed")
	}
	if ex := tree.Slice(obj, "spec", "selector", "matchExpressions"); len(ex) > 0 {
		return "", fmt.Errorf("couldn't convert expressions - \"%+v\" to map-based selector format", ex)
	}
	return joinLabels(tree.Strings(obj, "spec", "selector", "matchLabels")), nil
}

func joinLabels(m map[string]string) string {
	var out []string
	for _, k := range tree.Keys(m) {
		out = append(out, k+"="+m[k])
	}
	return strings.Join(out, ",")
}

// parseLabelList reads a=b,c=d.
func parseLabelList(spec string) (map[string]string, error) {
	if spec == "" {
		return nil, errors.New("no label spec passed")
	}
	out := map[string]string{}
	for _, one := range strings.Split(spec, ",") {
		parts := strings.Split(one, "=")
		if len(parts) != 2 {
			return nil, fmt.Errorf("unexpected label spec: %s", one)
		}
		if parts[0] == "" {
			return nil, errors.New("unexpected empty label key")
		}
		out[parts[0]] = parts[1]
	}
	return out, nil
}

// podSpecOf is the pod spec of a pod or of what makes pods.
func podSpecOf(obj tree.Map) tree.Map {
	if tree.Kind(obj) == "Pod" {
		return tree.Sub(obj, "spec")
	}
	return tree.Sub(obj, "spec", "template", "spec")
}

// objectPorts are the ports of an object with their protocols, in order.
func objectPorts(obj tree.Map) (ports []string, protocols map[string][]string) {
	protocols = map[string][]string{}
	add := func(p tree.Map, field string) {
		n, _ := tree.Int(p, field)
		port := strconv.FormatInt(n, 10)
		protocol := tree.String(p, "protocol")
		if protocol == "" {
			protocol = "TCP"
		}
		ports = append(ports, port)
		protocols[port] = append(protocols[port], protocol)
	}
	if tree.Kind(obj) == "Service" {
		for _, p := range tree.Maps(obj, "spec", "ports") {
			add(p, "port")
		}
		return ports, protocols
	}
	for _, c := range tree.Maps(podSpecOf(obj), "containers") {
		for _, p := range tree.Maps(c, "ports") {
			add(p, "containerPort")
		}
	}
	return ports, protocols
}

func (o *exposeOptions) service(i *Info) (*corev1.Service, error) {
	selectorText := o.selector
	if selectorText == "" {
		var err error
		if selectorText, err = podSelector(i.Object); err != nil {
			return nil, fmt.Errorf("couldn't retrieve selectors via --selector flag or introspection: %v", err)
		}
	}
	ports, protocols := objectPorts(i.Object)
	if o.port != "" {
		ports = strings.Split(o.port, ",")
	} else {
		ports = unique(ports)
		if len(ports) == 0 && o.clusterIP != "None" {
			return nil, errors.New("couldn't find port via --port flag or introspection")
		}
	}
	if selectorText == "" {
		return nil, errors.New("selector must be specified")
	}
	selector, err := parseLabelList(selectorText)
	if err != nil {
		return nil, err
	}
	labelText := o.labels
	if labelText == "" {
		labelText = joinLabels(tree.Strings(i.Object, "metadata", "labels"))
	}
	svc := &corev1.Service{}
	if labelText != "" {
		if svc.Labels, err = parseLabelList(labelText); err != nil {
			return nil, err
		}
	}
	svc.Name = o.serviceName
	if svc.Name == "" {
		svc.Name = i.Name[:min(len(i.Name), 63)]
	}
	svc.Spec.Selector = selector
	for n, text := range ports {
		port, err := strconv.Atoi(text)
		if err != nil {
			return nil, err
		}
		name := ""
		if len(ports) > 1 {
			name = fmt.Sprintf("port-%d", n+1)
		}
		protocol := o.protocol
		if protocol == "" {
			protocol = "TCP"
			if known := protocols[text]; len(known) == 1 {
				protocol = known[0]
			} else if len(known) > 1 {
				for _, p := range known {
					svc.Spec.Ports = append(svc.Spec.Ports, corev1.ServicePort{Name: fmt.Sprintf("port-%d-%s", n+1, strings.ToLower(p)), Port: int32(port), Protocol: corev1.Protocol(p)})
				}
				continue
			}
		}
		svc.Spec.Ports = append(svc.Spec.Ports, corev1.ServicePort{Name: name, Port: int32(port), Protocol: corev1.Protocol(protocol)})
	}
	for n := range svc.Spec.Ports {
		p := &svc.Spec.Ports[n]
		p.TargetPort = intstr.FromInt32(p.Port)
		if o.targetPort != "" {
			p.TargetPort = intstr.Parse(o.targetPort)
		}
	}
	if o.externalIP != "" {
		svc.Spec.ExternalIPs = []string{o.externalIP}
	}
	svc.Spec.Type = corev1.ServiceType(o.kind)
	if svc.Spec.Type == corev1.ServiceTypeLoadBalancer {
		svc.Spec.LoadBalancerIP = o.balancerIP
	}
	switch o.affinity {
	case "", "None", "ClientIP":
		svc.Spec.SessionAffinity = corev1.ServiceAffinity(o.affinity)
	default:
		return nil, fmt.Errorf("unknown session affinity: %s", o.affinity)
	}
	svc.Spec.ClusterIP = o.clusterIP
	return svc, nil
}
