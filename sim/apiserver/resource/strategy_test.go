// These tests hold whole messages against those of a real v1.36 server, and
// defaults against objects that one stored (testdata/defaults.jsonl: what was
// applied and what was seen).

package resource

import (
	"bufio"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/kubonsai/kubonsai/sim/api"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

var now = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

func context() *Context {
	return &Context{Now: now, Get: func(_, _, _ string) metav1.Object { return nil }, Suffix: func(n int) string { return "abcdefghij"[:n] }}
}

func decode(t testing.TB, manifest string) (metav1.Object, *Strategy) {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	var head metav1.TypeMeta
	if err := json.Unmarshal(raw, &head); err != nil {
		t.Fatal(err)
	}
	gvk := metav1.FromAPIVersionAndKind(head.APIVersion, head.Kind)
	obj := api.New(gvk)
	if obj == nil {
		t.Fatalf("unknown kind %v", gvk)
	}
	if err := json.Unmarshal(raw, obj); err != nil {
		t.Fatal(err)
	}
	r := api.ByGVK(gvk)
	m := obj.GetObjectMeta()
	if r.Namespaced && m.Namespace == "" {
		m.Namespace = "default"
	}
	return obj, For(r.GroupResource().String())
}

// create does what the server does up to storing.
func create(t testing.TB, manifest string) (metav1.Object, *Strategy, field.ErrorList) {
	t.Helper()
	obj, s := decode(t, manifest)
	if s.Default != nil {
		s.Default(obj)
	}
	obj.GetObjectMeta().UID = "uid-1"
	if s.PrepareForCreate != nil {
		s.PrepareForCreate(context(), obj)
	}
	var errs field.ErrorList
	if s.Validate != nil {
		errs = s.Validate(context(), obj)
	}
	return obj, s, errs
}

func texts(errs field.ErrorList) []string {
	var out []string
	for _, e := range errs {
		out = append(out, e.Error())
	}
	return out
}

func same(t *testing.T, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		g, w := "(nothing)", "(nothing)"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Errorf("error %d:\n got %s\nwant %s", i, g, w)
		}
	}
}

const subdomain = ": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
const label = ": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"

// pod is a manifest around the containers' part of a spec.
func pod(spec string) string {
	return "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n" + indent(spec, "  ")
}

func rs(spec string) string {
	return "apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: r}\nspec:\n" + indent(spec, "  ")
}

func deploy(spec string) string {
	return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n" + indent("selector: {matchLabels: {a: b}}\ntemplate: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}\n"+spec, "  ")
}

func indent(s, by string) string {
	return by + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n"+by)
}

func TestCreate(t *testing.T) {
	for _, c := range []struct {
		name, manifest string
		want           []string
	}{
		{"oracle errors/invalid.yaml", `
apiVersion: v1
kind: Pod
metadata: {name: Bad_Name}
spec:
  restartPolicy: Sometimes
  containers:
  - {name: main, image: "nginx:1.27", ports: [{containerPort: 70000}], resources: {requests: {cpu: 200m}, limits: {cpu: 100m}}}
  - {name: main, image: "nginx:1.27"}`, []string{
			`metadata.name: Invalid value: "Bad_Name"` + subdomain,
			`spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive`,
			`spec.containers[0].resources.requests: Invalid value: "200m": must be less than or equal to cpu limit of 100m`,
			`spec.containers[1].name: Duplicate value: "main"`,
			`spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"`,
		}},
		{"oracle errors: run Bad_Name", `{apiVersion: v1, kind: Pod, metadata: {name: Bad_Name}, spec: {containers: [{name: Bad_Name, image: i}]}}`, []string{
			`metadata.name: Invalid value: "Bad_Name"` + subdomain,
			`spec.containers[0].name: Invalid value: "Bad_Name"` + label,
		}},
		{"oracle errors/bad-selector.yaml", rs("selector: {matchLabels: {app: a}}\ntemplate: {metadata: {labels: {app: b}}, spec: {containers: [{name: main, image: i}]}}"), []string{
			"spec.template.metadata.labels: Invalid value: {\"app\":\"b\"}: `selector` does not match template `labels`",
		}},
		{"no selector", rs("template: {metadata: {labels: {app: b}}, spec: {containers: [{name: main, image: i}]}}"), []string{
			"spec.selector: Required value",
			"spec.template.metadata.labels: Invalid value: {\"app\":\"b\"}: `selector` does not match template `labels`",
		}},
		{"empty selector", rs("selector: {}\ntemplate: {metadata: {labels: {app: b}}, spec: {containers: [{name: main, image: i}]}}"), []string{
			"spec.selector: Invalid value: {}: empty selector is invalid for deployment",
		}},
		{"restart policy of a template", rs("selector: {matchLabels: {a: b}}\ntemplate: {metadata: {labels: {a: b}}, spec: {restartPolicy: OnFailure, activeDeadlineSeconds: 5, containers: [{name: c, image: i}]}}"), []string{
			`spec.template.spec.restartPolicy: Unsupported value: "OnFailure": supported values: "Always"`,
			`spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported`,
		}},
		{"no containers, negative replicas", rs("replicas: -1\nselector: {matchLabels: {a: b}}\ntemplate: {metadata: {labels: {a: b}}}"), []string{
			`spec.replicas: Invalid value: -1: must be greater than or equal to 0`,
			`spec.template.spec.containers: Required value`,
		}},
		{"no image", pod("containers: [{name: c}]"), []string{`spec.containers[0].image: Required value`}},
		{"label value", `{apiVersion: v1, kind: Pod, metadata: {name: p, labels: {a: "b c"}}, spec: {containers: [{name: c, image: i}]}}`, []string{
			`metadata.labels: Invalid value: "b c": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
		}},
		{"deletion cost", `{apiVersion: v1, kind: Pod, metadata: {name: p, annotations: {controller.kubernetes.io/pod-deletion-cost: "+1"}}, spec: {containers: [{name: c, image: i}]}}`, []string{
			`metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "+1": must be a 32bit integer`,
		}},
		{"mounts and volumes", pod("volumes: [{name: v, configMap: {}}, {name: w, emptyDir: {}, hostPath: {path: /}}]\ncontainers: [{name: c, image: i, volumeMounts: [{name: x, mountPath: /a}, {name: x, mountPath: /a}]}]"), []string{
			`spec.volumes[0].configMap.name: Required value`,
			`spec.volumes[1].hostPath: Forbidden: may not specify more than 1 volume type`,
			`spec.containers[0].volumeMounts[0].name: Not found: "x"`,
			`spec.containers[0].volumeMounts[1].name: Not found: "x"`,
			`spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/a": must be unique`,
		}},
		{"probes", pod("containers: [{name: c, image: i, livenessProbe: {successThreshold: 2}, readinessProbe: {httpGet: {port: 0}, exec: {}}}]"), []string{
			`spec.containers[0].livenessProbe: Required value: must specify a handler type`,
			`spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1`,
			`spec.containers[0].readinessProbe.exec.command: Required value`,
			`spec.containers[0].readinessProbe.httpGet: Forbidden: may not specify more than 1 handler type`,
		}},
		{"init containers", pod("initContainers: [{name: c, image: i, livenessProbe: {exec: {command: [a]}}}]\ncontainers: [{name: c, image: i}]"), []string{
			`spec.initContainers[0].name: Duplicate value: "c"`,
			`spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always`,
		}},
		{"env", pod("containers: [{name: c, image: i, env: [{name: A, value: b, valueFrom: {fieldRef: {fieldPath: metadata.name}}}, {name: B, valueFrom: {fieldRef: {fieldPath: spec.containers}}}, {name: C, valueFrom: {}}], envFrom: [{}]}]"), []string{
			"spec.containers[0].env[0].valueFrom: Invalid value: \"\": may not be specified when `value` is not empty",
			`spec.containers[0].env[1].valueFrom.fieldRef.fieldPath: Invalid value: "spec.containers": error converting fieldPath: field label not supported: spec.containers`,
			"spec.containers[0].env[2].valueFrom: Invalid value: \"\": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
			"spec.containers[0].envFrom: Invalid value: \"\": must specify one of: `configMapRef` or `secretRef`",
		}},
		{"tolerations", pod("tolerations: [{operator: Equal}, {key: a, effect: Never}]\ncontainers: [{name: c, image: i}]"), []string{
			"spec.tolerations[0].operator: Invalid value: \"Equal\": operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
			`spec.tolerations[1].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"`,
		}},
		{"unknown resource", pod("containers: [{name: c, image: i, resources: {limits: {foo: 1, a.com/gpu: 500m}}}]"), []string{
			`spec.containers[0].resources.limits[a.com/gpu]: Invalid value: "500m": must be an integer`,
			`spec.containers[0].resources.limits[foo]: Invalid value: "foo": must be a standard resource type or fully qualified`,
			`spec.containers[0].resources.limits[foo]: Invalid value: "foo": must be a standard resource for containers`,
			`spec.containers[0].resources.requests[a.com/gpu]: Invalid value: "500m": must be an integer`,
			`spec.containers[0].resources.requests[foo]: Invalid value: "foo": must be a standard resource type or fully qualified`,
			`spec.containers[0].resources.requests[foo]: Invalid value: "foo": must be a standard resource for containers`,
		}},
		{"surge and unavailable zero", deploy("strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0%}}"), []string{
			"spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"0%\": may not be 0 when `maxSurge` is 0",
		}},
		{"surge percent", deploy("strategy: {rollingUpdate: {maxSurge: x%, maxUnavailable: 101%}}"), []string{
			`spec.strategy.rollingUpdate.maxSurge: Invalid value: "x%": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')`,
			`spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%`,
		}},
		{"recreate", deploy("strategy: {type: Recreate, rollingUpdate: {maxSurge: 1}}"), []string{
			"spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
		}},
		{"strategy type", deploy("strategy: {type: Blue}"), []string{
			`spec.strategy: Unsupported value: {"Type":"Blue","RollingUpdate":null}: supported values: "Recreate", "RollingUpdate"`,
		}},
		{"deadline", deploy("progressDeadlineSeconds: 5\nminReadySeconds: 10"), []string{
			`spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds`,
		}},
		{"service", `{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ports: [{port: 80}, {port: 80, nodePort: 30080}], type: Nope}}`, []string{
			`spec.ports[0].name: Required value`,
			`spec.ports[1].name: Required value`,
			`spec.type: Unsupported value: "Nope": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"`,
			`spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0}`,
		}},
		{"service without ports", `{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {}}`, []string{`spec.ports: Required value`}},
		{"job restart policy", `{apiVersion: batch/v1, kind: Job, metadata: {name: j}, spec: {template: {spec: {containers: [{name: c, image: i}]}}}}`, []string{
			`spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"`,
		}},
		{"cron schedule", `{apiVersion: batch/v1, kind: CronJob, metadata: {name: j}, spec: {schedule: "* * *", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}}}}`, []string{
			`spec.schedule: Invalid value: "* * *": expected exactly 5 fields, found 3: [* * *]`,
		}},
		{"config map key", `{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {"a b": c}}`, []string{
			`data[a b]: Invalid value: "a b": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')`,
		}},
		{"hpa", `{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: h}, spec: {minReplicas: 0, scaleTargetRef: {kind: Deployment}}}`, []string{
			`spec.minReplicas: Invalid value: 0: must be greater than or equal to 1`,
			`spec.maxReplicas: Required value: must be set and greater than 0`,
			`spec.scaleTargetRef.name: Required value`,
			`spec.scaleTargetRef.apiVersion: Invalid value: "": apiVersion must specify API group`,
			`spec.metrics: Forbidden: must specify at least one Object or External metric to support scaling to zero replicas`,
		}},
		{"hpa behavior", `{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: h}, spec: {maxReplicas: 2, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: d}, behavior: {scaleUp: {selectPolicy: Most, policies: []}, scaleDown: {stabilizationWindowSeconds: 9999, policies: [{type: Bonsais, value: 0, periodSeconds: 3000}]}}}}`, []string{
			`spec.behavior.scaleUp.selectPolicy: Unsupported value: "Most": supported values: "Disabled", "Max", "Min"`,
			`spec.behavior.scaleUp.policies: Required value: must specify at least one Policy`,
			`spec.behavior.scaleDown.stabilizationWindowSeconds: Invalid value: 9999: must be less than or equal to 3600`,
			`spec.behavior.scaleDown.policies[0].type: Unsupported value: "Bonsais": supported values: "Percent", "Pods"`,
			`spec.behavior.scaleDown.policies[0].value: Invalid value: 0: must be greater than zero`,
			`spec.behavior.scaleDown.policies[0].periodSeconds: Invalid value: 3000: must be less than or equal to 1800`,
		}},
		{"job policies", `{apiVersion: batch/v1, kind: Job, metadata: {name: j}, spec: {completions: 3, completionMode: Indexed, managedBy: me, podFailurePolicy: {rules: [{action: Nope}, {action: FailIndex, onExitCodes: {operator: In, containerName: x, values: [3, 0, 3]}}, {action: Ignore, onPodConditions: [{type: DisruptionTarget, status: Maybe}]}]}, successPolicy: {rules: [{succeededIndexes: "2,1"}, {succeededIndexes: "0-1", succeededCount: 3}]}, template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}}`, []string{
			`spec.managedBy: Invalid value: "me": must be a domain-prefixed path (such as "acme.io/foo")`,
			`spec.podFailurePolicy.rules[0].action: Unsupported value: "Nope": supported values: "Count", "FailIndex", "FailJob", "Ignore"`,
			`spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required`,
			`spec.podFailurePolicy.rules[1].action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set`,
			`spec.podFailurePolicy.rules[1].onExitCodes.containerName: Invalid value: "x": must be one of the container or initContainer names in the pod template`,
			`spec.podFailurePolicy.rules[1].onExitCodes.values[1]: Invalid value: 0: must not be 0 for the In operator`,
			`spec.podFailurePolicy.rules[1].onExitCodes.values[2]: Duplicate value: 3`,
			`spec.podFailurePolicy.rules[1].onExitCodes.values: Invalid value: [3,0,3]: must be ordered`,
			`spec.podFailurePolicy.rules[2].onPodConditions[0].status: Unsupported value: "Maybe": supported values: "False", "True", "Unknown"`,
			`spec.successPolicy.rules[0].succeededIndexes: Invalid value: "2,1": error parsing succeededIndexes: non-increasing order, previous: 2, current: 1`,
			`spec.successPolicy.rules[1].succeededCount: Invalid value: 3: must be less than or equal to 2 (the number of indexes in the specified succeededIndexes field)`,
		}},
		{"quota", `{apiVersion: v1, kind: ResourceQuota, metadata: {name: q}, spec: {hard: {bonsais: 1, requests.cpu: 1}, scopes: [BestEffort], scopeSelector: {matchExpressions: [{scopeName: PriorityClass, operator: In}]}}}`, []string{
			`spec.hard[bonsais]: Invalid value: "bonsais": must be a standard resource type or fully qualified`,
			`spec.hard[bonsais]: Invalid value: "bonsais": must be a standard resource for quota`,
			`spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource`,
			"spec.scopeSelector.matchExpressions.values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
		}},
		{"stateful set's claims", `{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: s}, spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}, volumeClaimTemplates: [{metadata: {name: v}}]}}`, []string{
			`spec.volumeClaimTemplates[0].spec.accessModes: Required value: at least 1 access mode is required`,
			`spec.volumeClaimTemplates[0].spec.resources[storage]: Required value`,
		}},
		{"two volumes in one", `{apiVersion: v1, kind: PersistentVolume, metadata: {name: v}, spec: {capacity: {storage: 0}, accessModes: [ReadWriteOnce], hostPath: {path: /}, nfs: {server: s, path: /}, persistentVolumeReclaimPolicy: Recycle}}`, []string{
			`spec.capacity[storage]: Invalid value: "0": must be greater than zero`,
			`spec.nfs: Forbidden: may not specify more than 1 volume type`,
			`spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'`,
		}},
		{"what definitions have in common stands beside their versions", `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: foos.e.com}, spec: {group: e.com, scope: Namespaced, names: {plural: foos, kind: Foo}, versions: [{name: v1, served: true, storage: true, additionalPrinterColumns: [{name: A, type: text, jsonPath: spec}], schema: {openAPIV3Schema: {type: object, properties: {size: {type: integer, default: x}}}}}]}}`, []string{
			`spec.validation.openAPIV3Schema.properties[size].default: Invalid value: "string":  in body must be of type integer: "string"`,
			`spec.additionalPrinterColumns[0].type: Invalid value: "text": must be one of boolean,date,integer,number,string`,
			`spec.additionalPrinterColumns[0].JSONPath: Invalid value: "spec": must be a simple json path starting with .`,
		}},
		{"a good pod", pod("containers: [{name: c, image: i}]"), nil},
		{"a good deployment", deploy(""), nil},
		{"a good stateful set", `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: s}
spec:
  serviceName: s
  selector: {matchLabels: {a: b}}
  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i, volumeMounts: [{name: data, mountPath: /data}]}]}}
  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]`, nil},
		{"a good daemon set", `{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: s}, spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}}`, nil},
		{"a good replication controller", `{apiVersion: v1, kind: ReplicationController, metadata: {name: s}, spec: {template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}}`, nil},
		{"a good job", `{apiVersion: batch/v1, kind: Job, metadata: {name: j}, spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}}`, nil},
		{"a good cron job", `{apiVersion: batch/v1, kind: CronJob, metadata: {name: j}, spec: {schedule: "*/5 0-3 1,15 jan mon", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}}}}`, nil},
		{"a good limit range", `{apiVersion: v1, kind: LimitRange, metadata: {name: l}, spec: {limits: [{type: Container, default: {cpu: 200m}, max: {cpu: 500m}, min: {cpu: 50m}}]}}`, nil},
		{"a good ingress", `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i}, spec: {rules: [{host: a.b, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: s, port: {number: 80}}}}]}}]}}`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, errs := create(t, c.manifest)
			same(t, texts(errs), c.want)
		})
	}
}

func TestUpdate(t *testing.T) {
	for _, c := range []struct {
		name, old, new string
		want           []string
	}{
		{"oracle errors: patch selector", deploy(""), strings.Replace(deploy(""), "{matchLabels: {a: b}}", "{matchLabels: {a: b, x: z}}", 1), []string{
			"spec.template.metadata.labels: Invalid value: {\"a\":\"b\"}: `selector` does not match template `labels`",
			`spec.selector: Invalid value: {"matchLabels":{"a":"b","x":"z"}}: field is immutable`,
		}},
		{"image", pod("containers: [{name: c, image: i}]"), pod("containers: [{name: c, image: j}]"), nil},
		{"another container", pod("containers: [{name: c, image: i}]"), pod("containers: [{name: c, image: i}, {name: d, image: i}]"), []string{
			"spec.containers: Forbidden: pod updates may not add or remove containers",
		}},
		{"command", pod("containers: [{name: c, image: i}]"), pod("containers: [{name: c, image: j, command: [sh]}]"), []string{
			"spec: Forbidden: " + podUpdateMessage + "@@ -5,7 +5,9 @@\n   {\n    \"Name\": \"c\",\n    \"Image\": \"i\",\n" +
				"-   \"Command\": null,\n+   \"Command\": [\n+    \"sh\"\n+   ],\n    \"Args\": null,\n    \"WorkingDir\": \"\",\n    \"Ports\": null,\n",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			old, s, errs := create(t, c.old)
			if len(errs) > 0 {
				t.Fatal(texts(errs))
			}
			old.GetObjectMeta().ResourceVersion = "1"
			obj, _ := decode(t, c.new)
			s.Default(obj)
			obj.GetObjectMeta().ResourceVersion, obj.GetObjectMeta().UID = "1", "uid-1"
			s.PrepareForUpdate(context(), obj, old)
			same(t, texts(s.ValidateUpdate(context(), obj, old)), c.want)
		})
	}
}

func TestDefaultsOfARealServer(t *testing.T) {
	f, err := os.Open("testdata/defaults.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	n := 0
	for lines.Scan() {
		n++
		var c struct {
			From        string
			Input, Want json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		obj, _, errs := create(t, string(c.Input))
		if len(errs) > 0 {
			t.Errorf("%s: %v", c.From, texts(errs))
		}
		raw, _ := json.Marshal(obj)
		var got, want map[string]any
		json.Unmarshal(raw, &got)
		json.Unmarshal(c.Want, &want)
		for _, part := range []string{"spec", "status"} {
			if !reflect.DeepEqual(got[part], want[part]) {
				g, _ := json.MarshalIndent(got[part], "", " ")
				w, _ := json.MarshalIndent(want[part], "", " ")
				t.Errorf("%s: %s of %s:\n got %s\nwant %s", c.From, part, obj.GetObjectMeta().Name, g, w)
			}
		}
	}
	if n == 0 {
		t.Fatal("no samples")
	}
}

func TestCompleteTemplatesAreShared(t *testing.T) {
	obj, _, _ := create(t, deploy(""))
	template := reflect.ValueOf(obj).Elem().FieldByName("Spec").FieldByName("Template").Interface().(corev1.PodTemplateSpec)
	before, _ := json.Marshal(&template)
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "default"}, Spec: template.Spec}
	defaultPod(p)
	if &p.Spec.Containers[0] != &template.Spec.Containers[0] {
		t.Error("containers that were complete were copied")
	}
	after, _ := json.Marshal(&template)
	if string(before) != string(after) {
		t.Error("the template was written to")
	}
	if n := testing.AllocsPerRun(100, func() { q := *p; defaultPod(&q) }); n > 8 {
		t.Errorf("defaulting a complete pod allocates %v times", n)
	}
}

func TestDefaultDoesNotWriteThroughPointers(t *testing.T) {
	obj, s := decode(t, pod(`
containers:
- name: c
  image: nginx
  ports: [{containerPort: 80}]
  env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
  livenessProbe: {httpGet: {port: 80}}
  lifecycle: {preStop: {httpGet: {port: 80}}}
  resources: {limits: {cpu: 1.0005}}
volumes: [{name: v}, {name: w, configMap: {name: x}}, {name: z, projected: {sources: [{serviceAccountToken: {path: t}}]}}]`))
	before, _ := json.Marshal(obj)
	copied := api.ShallowCopy(obj)
	s.Default(copied)
	if after, _ := json.Marshal(obj); string(after) != string(before) {
		t.Errorf("the original changed:\n%s\n%s", before, after)
	}
	c := copied.(*corev1.Pod).Spec.Containers[0]
	if c.ImagePullPolicy != "Always" || c.Ports[0].Protocol != "TCP" || c.LivenessProbe.HTTPGet.Path != "/" || c.LivenessProbe.PeriodSeconds != 10 {
		t.Errorf("defaults are missing: %+v", c)
	}
	q := c.Resources.Requests["cpu"]
	if q.String() != "1001m" {
		t.Errorf("cpu request is %s", q.String())
	}
}

func TestImageTag(t *testing.T) {
	for image, want := range map[string]string{
		"nginx": "latest", "nginx:latest": "latest", "nginx:1.27": "1.27", "localhost:5000/nginx": "latest", "localhost:5000/nginx:2": "2",
		"nginx@sha256:0123": "", "nginx:1@sha256:0123": "1", "": "", "NGINX": "", "Reg.io/a": "latest", "a/B": "",
	} {
		if got := imageTag(image); got != want {
			t.Errorf("imageTag(%q) = %q, want %q", image, got, want)
		}
	}
}

func TestPodRow(t *testing.T) {
	const running = `{phase: Running, conditions: [{type: Ready, status: "True"}, {type: Initialized, status: "True"}], containerStatuses: [{name: c, ready: true, restartCount: 0, state: {running: {}}}]}`
	for _, c := range []struct{ name, meta, spec, status, ready, show, restarts string }{
		{"pending", "", "", "{phase: Pending}", "0/1", "Pending", "0"},
		{"gated", "", "", "{phase: Pending, conditions: [{type: PodScheduled, status: \"False\", reason: SchedulingGated}]}", "0/1", "SchedulingGated", "0"},
		{"creating", "", "", "{phase: Pending, containerStatuses: [{name: c, state: {waiting: {reason: ContainerCreating}}}]}", "0/1", "ContainerCreating", "0"},
		{"running", "", "", running, "1/1", "Running", "0"},
		{"deleting", ", deletionTimestamp: \"2026-11-22T02:59:00Z\"", "", running, "1/1", "Terminating", "0"},
		{"lost", ", deletionTimestamp: \"2026-11-22T02:59:00Z\"", "", "{phase: Running, reason: NodeLost}", "0/1", "Unknown", "0"},
		{"completed", "", "", "{phase: Succeeded, containerStatuses: [{name: c, state: {terminated: {exitCode: 0, reason: Completed}}}]}", "0/1", "Completed", "0"},
		{"error", "", "", "{phase: Failed, containerStatuses: [{name: c, state: {terminated: {exitCode: 1, reason: Error}}}]}", "0/1", "Error", "0"},
		{"oom", "", "", "{phase: Running, containerStatuses: [{name: c, restartCount: 2, state: {terminated: {exitCode: 137, reason: OOMKilled}}, lastState: {terminated: {exitCode: 137, finishedAt: \"2026-11-22T02:59:45Z\"}}}]}", "0/1", "OOMKilled", "2 (15s ago)"},
		{"exit code", "", "", "{phase: Failed, containerStatuses: [{name: c, state: {terminated: {exitCode: 3}}}]}", "0/1", "ExitCode:3", "0"},
		{"signal", "", "", "{phase: Failed, containerStatuses: [{name: c, state: {terminated: {exitCode: 137, signal: 9}}}]}", "0/1", "Signal:9", "0"},
		{"crash loop", "", "", "{phase: Running, containerStatuses: [{name: c, restartCount: 3, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 1, finishedAt: \"2026-11-22T02:57:00Z\"}}}]}", "0/1", "CrashLoopBackOff", "3 (3m ago)"},
		{"evicted", "", "", "{phase: Failed, reason: Evicted}", "0/1", "Evicted", "0"},
		{"one of two done", "", "containers: [{name: c, image: i}, {name: d, image: i}]", "{phase: Running, containerStatuses: [{name: c, state: {terminated: {exitCode: 0, reason: Completed}}}, {name: d, ready: true, state: {running: {}}}]}", "1/2", "NotReady", "0"},
		{"one failed of two", "", "containers: [{name: c, image: i}, {name: d, image: i}]", "{phase: Running, containerStatuses: [{name: c, state: {terminated: {exitCode: 0, reason: Completed}}}, {name: d, state: {terminated: {exitCode: 1, reason: Error}}}]}", "0/2", "Error", "0"},
		{"init", "", "initContainers: [{name: i, image: i}]", "{phase: Pending, initContainerStatuses: [{name: i, state: {running: {}}}], containerStatuses: [{name: c, state: {waiting: {reason: PodInitializing}}}]}", "0/1", "Init:0/1", "0"},
		{"init error", "", "initContainers: [{name: i, image: i}]", "{phase: Pending, initContainerStatuses: [{name: i, restartCount: 1, state: {terminated: {exitCode: 1, reason: Error}}}]}", "0/1", "Init:Error", "1"},
		{"init exit code", "", "initContainers: [{name: i, image: i}]", "{phase: Pending, initContainerStatuses: [{name: i, state: {terminated: {exitCode: 4}}}]}", "0/1", "Init:ExitCode:4", "0"},
		{"init signal", "", "initContainers: [{name: i, image: i}]", "{phase: Pending, initContainerStatuses: [{name: i, state: {terminated: {exitCode: 4, signal: 15}}}]}", "0/1", "Init:Signal:15", "0"},
		{"init back-off", "", "initContainers: [{name: i, image: i}]", "{phase: Pending, initContainerStatuses: [{name: i, state: {waiting: {reason: CrashLoopBackOff}}}]}", "0/1", "Init:CrashLoopBackOff", "0"},
		{"initialized", "", "initContainers: [{name: i, image: i}]", "{phase: Pending, initContainerStatuses: [{name: i, restartCount: 5, state: {terminated: {exitCode: 0}}}], containerStatuses: [{name: c, state: {waiting: {reason: PodInitializing}}}]}", "0/1", "PodInitializing", "0"},
		{"sidecar", "", "initContainers: [{name: s, image: i, restartPolicy: Always}]", "{phase: Running, conditions: [{type: Ready, status: \"True\"}], initContainerStatuses: [{name: s, ready: true, started: true, restartCount: 1, state: {running: {}}}], containerStatuses: [{name: c, ready: true, restartCount: 2, state: {running: {}}}]}", "2/2", "Running", "3"},
	} {
		spec := c.spec
		if !strings.Contains(spec, "\ncontainers:") && !strings.HasPrefix(spec, "containers:") {
			spec += "\ncontainers: [{name: c, image: i}]"
		}
		obj, s := decode(t, "apiVersion: v1\nkind: Pod\nmetadata: {name: p, creationTimestamp: \"2026-11-22T02:00:00Z\""+c.meta+"}\nspec:\n"+indent(spec, "  ")+"\nstatus: "+c.status)
		row := s.Row(obj, now)
		if len(row) != len(s.Columns) {
			t.Fatalf("%d cells for %d columns", len(row), len(s.Columns))
		}
		want := []any{"p", c.ready, c.show, c.restarts, "60m"}
		if !reflect.DeepEqual(row[:5], want) {
			t.Errorf("%s: %v, want %v", c.name, row[:5], want)
		}
	}
}

// TestRowsFitColumns makes an empty object of every kind: no printer may fall over, and each has its cells.
func TestRowsFitColumns(t *testing.T) {
	for name, s := range strategies {
		group, version := "", "v1"
		plural, g, ok := strings.Cut(name, ".")
		if ok {
			group = g
		}
		if plural == "horizontalpodautoscalers" {
			version = "v2"
		}
		r := api.ByGVR(metav1.GroupVersionResource{Group: group, Version: version, Resource: plural})
		if r == nil {
			t.Errorf("%s is not served", name)
			continue
		}
		obj := r.New()
		if s.Default != nil {
			s.Default(obj)
		}
		if s.PrepareForCreate != nil {
			s.PrepareForCreate(context(), obj)
		}
		if s.Row != nil {
			if got := len(s.Row(obj, now)); got != len(s.Columns) {
				t.Errorf("%s: %d cells for %d columns", name, got, len(s.Columns))
			}
		}
		if s.Fields != nil {
			set := s.Fields(obj)
			for _, f := range s.FieldNames {
				if _, ok := set[f]; !ok {
					t.Errorf("%s: no field %s", name, f)
				}
			}
		}
		if s.Validate != nil {
			s.Validate(context(), obj)
		}
		if s.ValidateUpdate != nil {
			s.ValidateUpdate(context(), obj, r.New())
		}
		if s.PrepareForStatusUpdate != nil {
			s.PrepareForStatusUpdate(context(), obj, r.New())
		}
	}
}

func TestGrace(t *testing.T) {
	for _, c := range []struct {
		node, phase string
		asked       *int64
		grace       int64
		now         bool
	}{
		{"", "Pending", nil, 0, true},
		{"n", "Running", nil, 30, false},
		{"n", "Running", new(int64(0)), 0, true},
		{"n", "Running", new(int64(5)), 5, false},
		{"n", "Running", new(int64(-1)), 1, false},
		{"n", "Succeeded", nil, 0, true},
	} {
		obj, s, _ := create(t, pod("nodeName: \""+c.node+"\"\ncontainers: [{name: c, image: i}]"))
		obj.(*corev1.Pod).Status.Phase = corev1.PodPhase(c.phase)
		if grace, immediate := s.Grace(obj, c.asked); grace != c.grace || immediate != c.now {
			t.Errorf("%+v: %d %v", c, grace, immediate)
		}
	}
}

func TestQOS(t *testing.T) {
	for manifest, want := range map[string]corev1.PodQOSClass{
		"containers: [{name: c, image: i}]":                                                                    corev1.PodQOSBestEffort,
		"containers: [{name: c, image: i, resources: {requests: {cpu: 1}}}]":                                   corev1.PodQOSBurstable,
		"containers: [{name: c, image: i, resources: {limits: {cpu: 1, memory: 1Gi}}}]":                        corev1.PodQOSGuaranteed,
		"containers: [{name: c, image: i, resources: {limits: {cpu: 1, memory: 1Gi}}}, {name: d, image: i}]":   corev1.PodQOSBurstable,
		"containers: [{name: c, image: i, resources: {limits: {cpu: 1, memory: 1Gi}, requests: {cpu: 500m}}}]": corev1.PodQOSBurstable,
		"containers: [{name: c, image: i, resources: {requests: {ephemeral-storage: 1Gi}}}]":                   corev1.PodQOSBestEffort,
	} {
		obj, _, _ := create(t, pod(manifest))
		if got := obj.(*corev1.Pod).Status.QOSClass; got != want {
			t.Errorf("%s: %s, want %s", manifest, got, want)
		}
	}
}

// FuzzValidate decodes anything as every kind: no step may panic.
func FuzzValidate(f *testing.F) {
	f.Add([]byte(`{"metadata":{"name":"a"},"spec":{"containers":[{"name":"c","image":"i","livenessProbe":{"httpGet":{"port":"x"}},"resources":{"limits":{"cpu":"1"}}}],"volumes":[{"name":"v","projected":{"sources":[{}]}}]}}`))
	f.Add([]byte(`{"spec":{"selector":{"matchExpressions":[{"key":"","operator":"Bad"}]},"template":{"spec":{"affinity":{"nodeAffinity":{}}}},"strategy":{"rollingUpdate":{"maxSurge":"9%"}}}}`))
	f.Add([]byte(`{"spec":{"metrics":[{"type":"Resource"},{"type":"Pods","pods":{}}],"type":"LoadBalancer","ports":[{"port":1}],"clusterIPs":["None","x"],"rules":[{"http":{"paths":[{}]}}],"limits":[{"type":"Container","max":{"cpu":"1"}}]}}`))
	resources := api.Resources()
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, r := range resources {
			s := For(r.GroupResource().String())
			if r.Group == "autoscaling" && r.Version == "v1" || r.Group == "events.k8s.io" {
				continue
			}
			obj, old := r.New(), r.New()
			if json.Unmarshal(raw, obj) != nil {
				continue
			}
			json.Unmarshal(raw, old)
			if s.Default != nil {
				s.Default(obj)
			}
			if s.PrepareForCreate != nil {
				s.PrepareForCreate(context(), obj)
			}
			if s.Validate != nil {
				s.Validate(context(), obj)
			}
			if s.Row != nil {
				s.Row(obj, now)
			}
			if s.Fields != nil {
				s.Fields(obj)
			}
			if s.Warnings != nil {
				s.Warnings(context(), obj, nil)
			}
			if s.PrepareForUpdate != nil {
				s.PrepareForUpdate(context(), obj, old)
			}
			for _, errs := range []func(*Context, metav1.Object, metav1.Object) field.ErrorList{s.ValidateUpdate, s.ValidateStatusUpdate} {
				if errs != nil {
					for _, e := range errs(context(), obj, old) {
						_ = e.Error()
					}
				}
			}
			if s.Grace != nil {
				s.Grace(obj, nil)
			}
			if s.Scale != nil {
				s.Scale.Get(obj)
			}
		}
	})
}
