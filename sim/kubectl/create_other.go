// kubectl create namespace, serviceaccount, service, quota, priorityclass,
// poddisruptionbudget, ingress and token.

package kubectl

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/api/intstr"
	"github.com/kubonsai/kubonsai/sim/api/resource"
	"github.com/kubonsai/kubonsai/sim/api/validation"
	"github.com/spf13/pflag"

	authenticationv1 "github.com/kubonsai/kubonsai/sim/api/authentication/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	networkingv1 "github.com/kubonsai/kubonsai/sim/api/networking/v1"
	policyv1 "github.com/kubonsai/kubonsai/sim/api/policy/v1"
	schedulingv1 "github.com/kubonsai/kubonsai/sim/api/scheduling/v1"
	"github.com/kubonsai/kubonsai/sim/internal/lazy"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

func createNamespaceCommand() *Command {
	return &Command{Use: "namespace NAME [--dry-run=server|client|none]", Aliases: []string{"ns"},
		Short: "Create a namespace with the specified name", New: func() Verb { return &createNamespace{} }}
}

type createNamespace struct{ creator }

func (o *createNamespace) Run(*Session) error {
	return o.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: o.name}}, "")
}

func createServiceAccountCommand() *Command {
	return &Command{Use: "serviceaccount NAME [--dry-run=server|client|none]", Aliases: []string{"sa"},
		Short: "Create a service account with the specified name", New: func() Verb { return &createServiceAccount{} }}
}

type createServiceAccount struct{ creator }

func (o *createServiceAccount) Run(*Session) error {
	return o.create(&corev1.ServiceAccount{ObjectMeta: o.meta()}, "serviceaccount:")
}

func createServiceCommand() *Command {
	sub := func(use, short string, t corev1.ServiceType) *Command {
		return &Command{Use: use, Short: short, New: func() Verb { return &createService{kind: t} }}
	}
	return &Command{
		Use: "service [flags]", Aliases: []string{"svc"},
		New:   needsSubcommand,
		Short: "Create a service with a subcommand",
		Sub: []*Command{
			sub("clusterip NAME [--tcp=<port>:<targetPort>] [--dry-run=server|client|none]", "Create a ClusterIP service", corev1.ServiceTypeClusterIP),
			sub("externalname NAME --external-name external.name [--dry-run=server|client|none]", "Create an ExternalName service", corev1.ServiceTypeExternalName),
			sub("loadbalancer NAME [--tcp=port:targetPort] [--dry-run=server|client|none]", "Create a LoadBalancer service", corev1.ServiceTypeLoadBalancer),
			sub("nodeport NAME [--tcp=port:targetPort] [--dry-run=server|client|none]", "Create a NodePort service", corev1.ServiceTypeNodePort),
		},
	}
}

type createService struct {
	creator
	kind         corev1.ServiceType
	tcp          []string
	clusterIP    string
	nodePort     int
	externalName string
}

func (o *createService) Flags(f *pflag.FlagSet) {
	o.creator.Flags(f)
	f.StringSliceVar(&o.tcp, "tcp", nil, "Port pair <port>:<targetPort>; may be repeated")
	switch o.kind {
	case corev1.ServiceTypeClusterIP:
		f.StringVar(&o.clusterIP, "clusterip", "", "Address of the service, or None for a headless one")
	case corev1.ServiceTypeNodePort:
		f.IntVar(&o.nodePort, "node-port", 0, "Port on each node")
	case corev1.ServiceTypeExternalName:
		f.StringVar(&o.externalName, "external-name", "", "Name outside the cluster")
		markRequired(f, "external-name")
	}
}

func (o *createService) Validate() error {
	if o.clusterIP != corev1.ClusterIPNone && len(o.tcp) == 0 && o.kind != corev1.ServiceTypeExternalName {
		return errors.New("at least one tcp port specifier must be provided")
	}
	if o.kind == corev1.ServiceTypeExternalName && len(validation.IsDNS1123Subdomain(o.externalName)) > 0 {
		return fmt.Errorf("invalid service external name %s", o.externalName)
	}
	return nil
}

func (o *createService) Run(*Session) error {
	svc := &corev1.Service{ObjectMeta: o.meta()}
	svc.Labels = map[string]string{"app": o.name}
	svc.Spec = corev1.ServiceSpec{Type: o.kind, Selector: map[string]string{"app": o.name}, ExternalName: o.externalName, ClusterIP: o.clusterIP}
	for _, pair := range o.tcp {
		first, second, two := strings.Cut(pair, ":")
		port, err := strconv.ParseUint(first, 10, 16)
		if err != nil {
			return err
		}
		target := intstr.FromInt32(int32(port))
		if two {
			second, _, _ = strings.Cut(second, ":")
			target = intstr.Parse(second)
			errs := validation.IsValidPortName(second)
			if target.Type == intstr.Int {
				errs = validation.IsValidPortNum(target.IntValue())
			}
			if len(errs) > 0 {
				return errors.New(strings.Join(errs, ","))
			}
		}
		svc.Spec.Ports = append(svc.Spec.Ports, corev1.ServicePort{
			Name: strings.ReplaceAll(pair, ":", "-"), Port: int32(port), TargetPort: target, Protocol: corev1.ProtocolTCP, NodePort: int32(o.nodePort),
		})
	}
	if o.dryRun == DryRunClient {
		return o.create(svc, "")
	}
	err := o.create(svc, "service")
	if err != nil {
		return fmt.Errorf("failed to create %s service: %s", o.kind, strings.TrimPrefix(err.Error(), "failed to create service "))
	}
	return nil
}

func createQuotaCommand() *Command {
	return &Command{Use: "quota NAME [--hard=key1=value1,key2=value2] [--scopes=Scope1,Scope2] [--dry-run=server|client|none]",
		Aliases: []string{"resourcequota"}, Short: "Create a quota with the specified name", New: func() Verb { return &createQuota{} }}
}

type createQuota struct {
	creator
	hard, scopes string
}

func (o *createQuota) Flags(f *pflag.FlagSet) {
	o.creator.Flags(f)
	f.StringVar(&o.hard, "hard", "", "Limits: resource=quantity, separated by commas")
	f.StringVar(&o.scopes, "scopes", "", "Scopes that an object must all be in to count")
}

func (o *createQuota) Run(*Session) error {
	q := &corev1.ResourceQuota{ObjectMeta: o.meta()}
	var err error
	if q.Spec.Hard, err = resourceList(o.hard); err != nil {
		return err
	}
	if o.scopes != "" {
		for _, scope := range strings.Split(o.scopes, ",") {
			if scope == "" {
				return errors.New(`invalid resource quota scope ""`)
			}
			q.Spec.Scopes = append(q.Spec.Scopes, corev1.ResourceQuotaScope(scope))
		}
	}
	return o.create(q, "quota:")
}

// resourceList reads cpu=100m,memory=1Gi.
func resourceList(spec string) (corev1.ResourceList, error) {
	if spec == "" {
		return nil, nil
	}
	list := corev1.ResourceList{}
	for _, pair := range strings.Split(spec, ",") {
		parts := strings.Split(pair, "=")
		if len(parts) != 2 {
			return nil, fmt.Errorf("Invalid argument syntax %v, expected <resource>=<value>", pair)
		}
		q, err := resource.ParseQuantity(parts[1])
		if err != nil {
			return nil, err
		}
		list[corev1.ResourceName(parts[0])] = q
	}
	return list, nil
}

func createPriorityClassCommand() *Command {
	return &Command{Use: "priorityclass NAME --value=VALUE --global-default=BOOL [--dry-run=server|client|none]",
		Aliases: []string{"pc"}, Short: "Create a priority class with the specified name", New: func() Verb { return &createPriorityClass{} }}
}

type createPriorityClass struct {
	creator
	value         int32
	globalDefault bool
	description   string
	preemption    string
}

func (o *createPriorityClass) Flags(f *pflag.FlagSet) {
	o.creator.Flags(f)
	f.Int32Var(&o.value, "value", 0, "The priority")
	f.BoolVar(&o.globalDefault, "global-default", false, "Pods without a class have this one")
	f.StringVar(&o.description, "description", "", "What the class is for")
	f.StringVar(&o.preemption, "preemption-policy", "PreemptLowerPriority", "Whether pods of the class push out others")
}

func (o *createPriorityClass) Run(*Session) error {
	policy := corev1.PreemptionPolicy(o.preemption)
	return o.create(&schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: o.name}, Value: o.value,
		GlobalDefault: o.globalDefault, Description: o.description, PreemptionPolicy: &policy}, "priorityclass:")
}

func createPDBCommand() *Command {
	return &Command{Use: "poddisruptionbudget NAME --selector=SELECTOR --min-available=N [--dry-run=server|client|none]",
		Aliases: []string{"pdb"}, Short: "Create a pod disruption budget with the specified name", New: func() Verb { return &createPDB{} }}
}

type createPDB struct {
	creator
	minAvailable, maxUnavailable, selector string
}

func (o *createPDB) Flags(f *pflag.FlagSet) {
	o.creator.Flags(f)
	f.StringVar(&o.minAvailable, "min-available", "", "Pods, or percentage of them, that must stay available")
	f.StringVar(&o.maxUnavailable, "max-unavailable", "", "Pods, or percentage of them, that may be unavailable")
	f.StringVar(&o.selector, "selector", "", "Labels of the pods")
}

var numberOrPercent = lazy.Regexp(`^[0-9]+%?$`)

func (o *createPDB) Validate() error {
	switch {
	case o.selector == "":
		return errors.New("a selector must be specified")
	case o.maxUnavailable == "" && o.minAvailable == "":
		return errors.New("one of min-available or max-unavailable must be specified")
	case o.maxUnavailable != "" && o.minAvailable != "":
		return errors.New("min-available and max-unavailable cannot be both specified")
	case o.minAvailable != "" && !numberOrPercent().MatchString(o.minAvailable):
		return errors.New("invalid format specified for min-available")
	case o.maxUnavailable != "" && !numberOrPercent().MatchString(o.maxUnavailable):
		return errors.New("invalid format specified for max-unavailable")
	}
	return nil
}

func (o *createPDB) Run(*Session) error {
	pdb := &policyv1.PodDisruptionBudget{ObjectMeta: o.meta()}
	selector, err := metav1.ParseToLabelSelector(o.selector)
	if err != nil {
		return err
	}
	pdb.Spec.Selector = selector
	if o.minAvailable != "" {
		v := intstr.Parse(o.minAvailable)
		pdb.Spec.MinAvailable = &v
	} else {
		v := intstr.Parse(o.maxUnavailable)
		pdb.Spec.MaxUnavailable = &v
	}
	return o.create(pdb, "poddisruptionbudgets:")
}

func createIngressCommand() *Command {
	return &Command{Use: "ingress NAME --rule=host/path=service:port[,tls[=secret]] ", Aliases: []string{"ing"},
		Short: "Create an ingress with the specified name", New: func() Verb { return &createIngress{} }}
}

type createIngress struct {
	creator
	class, backend     string
	rules, annotations []string
}

func (o *createIngress) Flags(f *pflag.FlagSet) {
	o.creator.Flags(f)
	f.StringVar(&o.class, "class", "", "Ingress class")
	f.StringArrayVar(&o.rules, "rule", nil, "host/path=service:port[,tls[=secret]]; a path that ends in * is a prefix")
	f.StringVar(&o.backend, "default-backend", "", "service:port for everything else")
	f.StringArrayVar(&o.annotations, "annotation", nil, "Annotation, key=value")
}

var ingressRule = lazy.Regexp(`^[\w*\-.]*/.*=[\w\-]+:[\w\-]+(,tls=?([\w\-]+)?)?`)

func (o *createIngress) Validate() error {
	if o.backend == "" && len(o.rules) == 0 {
		return errors.New("not enough information provided: every ingress has to either specify a default-backend (which catches all traffic) or a list of rules (which catch specific paths)")
	}
	for _, r := range o.rules {
		if !ingressRule().MatchString(r) {
			return fmt.Errorf("rule %s is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]", r)
		}
	}
	for _, a := range o.annotations {
		if len(strings.SplitN(a, "=", 2)) != 2 {
			return fmt.Errorf("annotation %s is invalid and should be in format key=[value]", a)
		}
	}
	if o.backend != "" && len(strings.Split(o.backend, ":")) != 2 {
		return errors.New("default-backend should be in format servicename:serviceport")
	}
	return nil
}

func ingressBackend(text string) networkingv1.IngressBackend {
	name, portText, _ := strings.Cut(text, ":")
	b := networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: name}}
	if port := intstr.Parse(portText); port.Type == intstr.Int {
		b.Service.Port.Number = port.IntVal
	} else {
		b.Service.Port.Name = port.StrVal
	}
	return b
}

func (o *createIngress) Run(*Session) error {
	ing := &networkingv1.Ingress{ObjectMeta: o.meta()}
	if len(o.annotations) > 0 {
		ing.Annotations = map[string]string{}
	}
	for _, a := range o.annotations {
		k, v, _ := strings.Cut(a, "=")
		ing.Annotations[k] = v
	}
	if o.class != "" {
		ing.Spec.IngressClassName = &o.class
	}
	if o.backend != "" {
		b := ingressBackend(o.backend)
		ing.Spec.DefaultBackend = &b
	}
	secured := map[string]bool{}
	for _, rule := range o.rules {
		text, option, tls := strings.Cut(rule, ",")
		host, rest, _ := strings.Cut(text, "/")
		if tls && !secured[host] {
			_, secret, _ := strings.Cut(option, "=")
			joined := false
			for i := range ing.Spec.TLS {
				if ing.Spec.TLS[i].SecretName == secret {
					ing.Spec.TLS[i].Hosts = append(ing.Spec.TLS[i].Hosts, host)
					joined = true
					break
				}
			}
			if !joined && (host != "" || secret != "") {
				t := networkingv1.IngressTLS{SecretName: secret}
				if host != "" {
					t.Hosts = []string{host}
				}
				ing.Spec.TLS = append(ing.Spec.TLS, t)
			}
			secured[host] = true
		}
		parts := strings.Split(rest, "=")
		kind := networkingv1.PathTypeExact
		p := "/" + parts[0]
		if strings.HasSuffix(p, "*") {
			kind = networkingv1.PathTypePrefix
			p = strings.TrimSuffix(p, "*")
		}
		path := networkingv1.HTTPIngressPath{Path: p, PathType: &kind, Backend: ingressBackend(parts[1])}
		known := false
		for i := range ing.Spec.Rules {
			if ing.Spec.Rules[i].Host == host {
				ing.Spec.Rules[i].HTTP.Paths = append(ing.Spec.Rules[i].HTTP.Paths, path)
				known = true
				break
			}
		}
		if !known {
			r := networkingv1.IngressRule{Host: host}
			r.HTTP = &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{path}}
			ing.Spec.Rules = append(ing.Spec.Rules, r)
		}
	}
	return o.create(ing, "ingress:")
}

func createTokenCommand() *Command {
	return &Command{Use: "token SERVICE_ACCOUNT_NAME", Short: "Request a service account token", New: func() Verb { return &createToken{} }}
}

type createToken struct {
	out               outputFlags
	audiences         []string
	duration          time.Duration
	kind, object, uid string
	name, namespace   string
}

func (o *createToken) Flags(f *pflag.FlagSet) {
	o.out.flags(f)
	f.StringArrayVar(&o.audiences, "audience", nil, "Who the token is for; may be repeated")
	f.DurationVar(&o.duration, "duration", 0, "How long the token lasts; 0 leaves it to the server")
	f.StringVar(&o.kind, "bound-object-kind", "", "Kind of the object that the token ends with: Node, Pod, Secret")
	f.StringVar(&o.object, "bound-object-name", "", "Name of the object that the token ends with")
	f.StringVar(&o.uid, "bound-object-uid", "", "UID of the object that the token ends with")
}

func (o *createToken) Complete(s *Session, args []string) (err error) {
	if len(args) != 1 {
		return s.UsageErrorf("exactly one NAME is required, got %d", len(args))
	}
	o.name = args[0]
	o.namespace, _, err = s.Namespace()
	return err
}

func (o *createToken) Validate() error {
	switch {
	case o.duration < 0:
		return errors.New("--duration must be greater than or equal to 0")
	case o.duration%time.Second != 0:
		return errors.New("--duration cannot be expressed in units less than seconds")
	}
	for _, a := range o.audiences {
		if a == "" {
			return errors.New("--audience must not be an empty string")
		}
	}
	switch o.kind {
	case "":
		if o.object != "" {
			return errors.New("--bound-object-name can only be set if --bound-object-kind is provided")
		}
		if o.uid != "" {
			return errors.New("--bound-object-uid can only be set if --bound-object-kind is provided")
		}
	case "Node", "Pod", "Secret":
		if o.object == "" {
			return errors.New("--bound-object-name is required if --bound-object-kind is provided")
		}
	default:
		return errors.New("supported --bound-object-kind values are Node, Pod, Secret")
	}
	return nil
}

func (o *createToken) Run(s *Session) error {
	req := &authenticationv1.TokenRequest{}
	req.Spec.Audiences = o.audiences
	if o.duration > 0 {
		seconds := int64(o.duration / time.Second)
		req.Spec.ExpirationSeconds = &seconds
	}
	if o.kind != "" {
		req.Spec.BoundObjectRef = &authenticationv1.BoundObjectReference{Kind: o.kind, APIVersion: "v1", Name: o.object, UID: metav1.UID(o.uid)}
	}
	t, err := treeOf(req)
	if err != nil {
		return err
	}
	c, m, err := s.resource("serviceaccounts")
	if err != nil {
		return err
	}
	answer, err := c.Send("POST", m, o.namespace, o.name, "token", url.Values{}, t)
	if err != nil {
		return fmt.Errorf("failed to create token: %v", err)
	}
	token := tree.String(answer, "status", "token")
	if token == "" {
		return errors.New("failed to create token: no token in server response")
	}
	if o.out.Output != "" {
		return o.out.print(s, "created", DryRunNone, answer)
	}
	s.Printf("%s", token)
	if s.TTY != nil {
		s.Printf("\n")
	}
	return nil
}
