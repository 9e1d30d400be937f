package describe

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/kubonsai/kubonsai/sim/api"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"

	"net/url"
)

// steps reads a transcript's stdout blocks by their command, in order.
func steps(t *testing.T, file string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Skip("no transcript: ", err)
	}
	out := map[string]string{}
	for _, block := range regexp.MustCompile(`(?m)^=== \d+ .*$`).Split(string(data), -1) {
		head, rest, ok := strings.Cut(block, "\n--- stdout\n")
		if !ok {
			continue
		}
		body, _, _ := strings.Cut(rest, "\n--- stderr\n")
		cmd := strings.TrimPrefix(strings.TrimSpace(head), "$ ")
		if _, seen := out[cmd]; !seen {
			out[cmd] = strings.TrimSuffix(body, "\n") + "\n"
		}
	}
	return out
}

func decode(t *testing.T, text string) metav1.Object {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	tree, err := metav1.DecodeTree(data)
	if err != nil {
		t.Fatal(err)
	}
	o, err := api.Decode(tree.(map[string]any))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestPodPage: the object that the transcript prints as YAML has the page that it shows.
func TestPodPage(t *testing.T) {
	s := steps(t, "testdata/output-formats.transcript")
	pod := decode(t, s["kubectl get pod alpha -o yaml"])
	got, err := Object(Source{Now: time.Date(2026, 11, 22, 2, 14, 55, 0, time.UTC)}, pod)
	if err != nil {
		t.Fatal(err)
	}
	want, _, _ := strings.Cut(s["kubectl describe pods"], "\n\n\n")
	if got != want+"\n" {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestGenericHeadings: field names become words as the real one splits them.
func TestGenericHeadings(t *testing.T) {
	for field, want := range map[string]string{
		"creationTimestamp": "Creation Timestamp", "apiVersion": "API Version", "uid": "UID", "podIP": "Pod IP", "podIPs": "Pod I Ps",
		"clusterIPs": "Cluster I Ps", "externalURL": "External URL", "x1": "x1", "a-b": "A - B",
	} {
		if got := words(field); got != want {
			t.Errorf("%s: got %q, want %q", field, got, want)
		}
	}
}

// TestEventsTable: ages, counts and field paths.
func TestEventsTable(t *testing.T) {
	now := time.Date(2026, 11, 22, 2, 0, 46, 0, time.UTC)
	src := Source{Now: now, Events: true, List: func(group, resource, namespace string, query url.Values) ([]metav1.Object, error) {
		if resource != "events" {
			return nil, nil
		}
		return []metav1.Object{
			decode(t, `{apiVersion: v1, kind: Event, metadata: {name: b, namespace: default}, involvedObject: {name: x, fieldPath: "spec.containers{main}"}, reason: BackOff, message: "Back-off ", type: Warning, count: 2, firstTimestamp: "2026-11-22T02:00:05Z", lastTimestamp: "2026-11-22T02:00:21Z", source: {component: kubelet}}`),
			decode(t, `{apiVersion: v1, kind: Event, metadata: {name: a, namespace: default}, involvedObject: {name: x}, reason: Scheduled, message: "Assigned", type: Normal, eventTime: "2026-11-22T02:00:00.000000Z", reportingComponent: default-scheduler}`),
		}, nil
	}}
	got, err := Object(src, decode(t, `{apiVersion: v1, kind: ServiceAccount, metadata: {name: x, namespace: default}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `Name:                x
Namespace:           default
Labels:              <none>
Annotations:         <none>
Image pull secrets:  <none>
Events:
  Type     Reason     Age                From               Message
  ----     ------     ----               ----               -------
  Normal   Scheduled  46s                default-scheduler  Assigned
  Warning  BackOff    25s (x2 over 41s)  kubelet            spec.containers{main}: Back-off
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
