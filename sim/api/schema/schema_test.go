package schema

import (
	"slices"
	"strings"
	"testing"
)

const core = "io.k8s.api.core.v1."

// The list semantics that the API reference publishes for pods and services.
func TestFields(t *testing.T) {
	containers := Lookup(core + "PodSpec").Field("containers")
	if containers.Kind != Array || containers.Type().Name != core+"Container" || !containers.Required ||
		containers.PatchMergeKey != "name" || containers.PatchStrategy != "merge" ||
		containers.ListType != "map" || !slices.Equal(containers.ListMapKeys, []string{"name"}) {
		t.Errorf("PodSpec.containers: %+v", containers)
	}
	ports := Lookup(core + "ServiceSpec").Field("ports")
	if ports.PatchMergeKey != "port" || !slices.Equal(ports.ListMapKeys, []string{"port", "protocol"}) {
		t.Errorf("ServiceSpec.ports: %+v", ports)
	}
	if f := Lookup(core + "PodSpec").Field("tolerations"); f.ListType != "atomic" || f.PatchMergeKey != "" {
		t.Errorf("PodSpec.tolerations: %+v", f)
	}
	if f := Lookup(core + "PodSpec").Field("restartPolicy"); !slices.Equal(f.Enum, []string{"Always", "Never", "OnFailure"}) {
		t.Errorf("PodSpec.restartPolicy: %+v", f)
	}
	if f := Lookup(core + "ServicePort").Field("protocol"); f.DefaultValue() != "TCP" {
		t.Errorf("ServicePort.protocol: %+v", f)
	}
	if f := Lookup(core + "PodSpec").Field("volumes"); f.PatchStrategy != "merge,retainKeys" {
		t.Errorf("PodSpec.volumes: %+v", f)
	}
	if f := Lookup(core + "PodSpec").Field("nodeSelector"); f.Kind != Map || f.Elem.Kind != String || !f.AtomicMap() {
		t.Errorf("PodSpec.nodeSelector: %+v", f)
	}
	if f := Lookup(core + "ServiceSpec").Field("selector"); !f.AtomicMap() {
		t.Errorf("ServiceSpec.selector: %+v", f)
	}
	if f := Lookup("io.k8s.api.apps.v1.DeploymentSpec").Field("selector"); !f.AtomicMap() || f.Kind != Object {
		t.Errorf("DeploymentSpec.selector: %+v", f)
	}
	if f := Lookup(core + "ResourceRequirements").Field("limits"); f.Kind != Map || f.Elem.Kind != Quantity {
		t.Errorf("ResourceRequirements.limits: %+v", f)
	}
	if f := Lookup(core + "ServicePort").Field("targetPort"); f.Kind != IntOrString {
		t.Errorf("ServicePort.targetPort: %+v", f)
	}
	if f := Lookup(core + "PersistentVolumeSpec").Field("accessModes"); f.Enum != nil || !slices.Contains(f.Elem.Enum, "ReadOnlyMany") || f.ListType != "atomic" {
		t.Errorf("PersistentVolumeSpec.accessModes: %+v of %+v", f, f.Elem)
	}
	if f := Lookup("io.k8s.api.certificates.v1.CertificateSigningRequestSpec").Field("usages"); !slices.Contains(f.Elem.Enum, "server auth") {
		t.Errorf("CertificateSigningRequestSpec.usages: %+v", f.Elem)
	}
	if f := Lookup("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta").Field("creationTimestamp"); f.Kind != Time {
		t.Errorf("ObjectMeta.creationTimestamp: %+v", f)
	}
}

func TestKinds(t *testing.T) {
	for _, k := range []GroupVersionKind{{"", "v1", "Pod"}, {"apps", "v1", "Deployment"}, {"autoscaling", "v2", "HorizontalPodAutoscaler"}, {"apps", "v1", "DeploymentList"}} {
		typ := ForKind(k.Group, k.Version, k.Kind)
		if typ == nil || typ.ShortName() != k.Kind || !slices.Contains(typ.Kinds, k) {
			t.Errorf("%v: %+v", k, typ)
		}
	}
	if ForKind("apps", "v2", "Deployment") != nil || Lookup("nope") != nil {
		t.Error("found what does not exist")
	}
}

// Each type parses, each reference leads somewhere, each default is JSON.
func TestWholeTable(t *testing.T) {
	fields, unions := 0, 0
	var check func(where string, v *Value)
	check = func(where string, v *Value) {
		if v.Kind == "" {
			t.Errorf("%s has no kind", where)
		}
		if v.Ref != "" && Lookup(v.Ref) == nil {
			t.Errorf("%s refers to %s, which does not exist", where, v.Ref)
		}
		v.DefaultValue()
		if v.Elem != nil {
			check(where+"[]", v.Elem)
		}
	}
	for _, name := range Names() {
		typ := Lookup(name)
		check(name, &typ.Value)
		unions += len(typ.Unions)
		for i := range typ.Fields {
			fields++
			check(name+"."+typ.Fields[i].Name, &typ.Fields[i].Value)
		}
	}
	t.Logf("%d types, %d fields, %d unions, %d bytes", len(Names()), fields, unions, len(table))
	if len(Names()) < 500 || fields < 2000 || unions == 0 || len(table) > 120_000 {
		t.Errorf("unlikely size")
	}
}

func TestNames(t *testing.T) {
	const full = "io.k8s.api.apps.v1.Deployment"
	for _, s := range []string{"k8s.io/api/apps/v1.Deployment", RefPrefix + full, "#/definitions/" + full, full} {
		if got := FullName(s); got != full {
			t.Errorf("FullName(%q) = %q", s, got)
		}
	}
	if got := GoName(full); got != "k8s.io/api/apps/v1.Deployment" {
		t.Errorf("GoName = %q", got)
	}
	for _, name := range Names() {
		if strings.HasPrefix(name, "io.k8s.") && FullName(GoName(name)) != name {
			t.Errorf("%s does not survive GoName", name)
		}
	}
}
