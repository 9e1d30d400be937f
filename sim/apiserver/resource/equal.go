// This file compares API values as the API server does, prints values under
// their Go field names (which is how the server's messages show its own
// types), and makes the unified diffs that some of its messages end with.

package resource

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/api/intstr"
	"github.com/kubonsai/kubonsai/sim/api/resource"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

func quote(s string) string { return strconv.Quote(s) }

var (
	quantityType = reflect.TypeFor[resource.Quantity]()
	timeType     = reflect.TypeFor[metav1.Time]()
	microType    = reflect.TypeFor[metav1.MicroTime]()
	intstrType   = reflect.TypeFor[intstr.IntOrString]()
	stdTimeType  = reflect.TypeFor[time.Time]()
	podSpecType  = reflect.TypeFor[corev1.PodSpec]()
)

// SameValue compares as the API does: empty and absent lists and maps are
// equal, quantities compare by value.
func SameValue(a, b reflect.Value) bool {
	if !a.IsValid() || !b.IsValid() {
		return a.IsValid() == b.IsValid()
	}
	if a.Type() != b.Type() {
		return false
	}
	switch a.Type() {
	case quantityType:
		x, y := a.Interface().(resource.Quantity), b.Interface().(resource.Quantity)
		return x.Cmp(y) == 0
	case stdTimeType:
		return a.Interface().(time.Time).Equal(b.Interface().(time.Time))
	}
	switch a.Kind() {
	case reflect.String:
		return a.String() == b.String()
	case reflect.Struct:
		for i := range a.NumField() {
			if !SameValue(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Pointer:
		return a.Pointer() == b.Pointer() || !a.IsNil() && !b.IsNil() && SameValue(a.Elem(), b.Elem())
	case reflect.Interface:
		return SameValue(a.Elem(), b.Elem())
	case reflect.Slice:
		if a.Len() != b.Len() {
			return false
		}
		if a.Len() == 0 || a.Pointer() == b.Pointer() {
			return true
		}
		for i := range a.Len() {
			if !SameValue(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Map:
		if a.Len() != b.Len() {
			return false
		}
		if a.Len() == 0 || a.Pointer() == b.Pointer() {
			return true
		}
		for it := a.MapRange(); it.Next(); {
			if v := b.MapIndex(it.Key()); !v.IsValid() || !SameValue(it.Value(), v) {
				return false
			}
		}
		return true
	}
	return a.Equal(b)
}

// internal marks a value that the server's message shows under Go field names.
type internal struct{ v any }

// MarshalJSON is what field.Error prints.
func (i internal) MarshalJSON() ([]byte, error) {
	var b strings.Builder
	goJSON(&b, reflect.ValueOf(i.v), "", false)
	return []byte(b.String()), nil
}

// prettyInternal is the value indented by one space a level, as in the messages' diffs.
func prettyInternal(v any) string {
	var b strings.Builder
	goJSON(&b, reflect.ValueOf(v), "\n", true)
	return b.String()
}

// The server's own PodSpec keeps the host's namespaces in its security context
// and has another order.
var (
	internalPodSpecOrder = []string{"Volumes", "InitContainers", "Containers", "EphemeralContainers", "RestartPolicy",
		"TerminationGracePeriodSeconds", "ActiveDeadlineSeconds", "DNSPolicy", "NodeSelector", "ServiceAccountName",
		"AutomountServiceAccountToken", "NodeName", "SecurityContext", "ImagePullSecrets", "Hostname", "Subdomain",
		"SetHostnameAsFQDN", "Affinity", "SchedulerName", "Tolerations", "HostAliases", "PriorityClassName", "Priority",
		"PreemptionPolicy", "DNSConfig", "ReadinessGates", "RuntimeClassName", "Overhead", "EnableServiceLinks",
		"TopologySpreadConstraints", "OS", "SchedulingGates", "ResourceClaims", "Resources", "HostnameOverride", "SchedulingGroup"}
	hostFields = []string{"HostNetwork", "HostPID", "HostIPC", "ShareProcessNamespace", "HostUsers"}
)

func goJSON(b *strings.Builder, v reflect.Value, indent string, pretty bool) {
	if !v.IsValid() {
		b.WriteString("null")
		return
	}
	t := v.Type()
	switch t {
	case quantityType, timeType, microType, intstrType, stdTimeType:
		j, _ := json.Marshal(v.Interface())
		b.Write(j)
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			b.WriteString("null")
			return
		}
		goJSON(b, v.Elem(), indent, pretty)
	case reflect.Struct:
		if strings.HasSuffix(t.PkgPath(), "/meta/v1") { // the server's own types share these, tags and all
			raw, _ := json.Marshal(v.Interface())
			if pretty {
				if j, err := json.MarshalIndent(json.RawMessage(raw), strings.TrimPrefix(indent, "\n"), " "); err == nil {
					raw = j
				}
			}
			b.Write(raw)
			return
		}
		var names []string
		var values []reflect.Value
		if t == podSpecType {
			for _, name := range internalPodSpecOrder {
				names = append(names, name)
				values = append(values, v.FieldByName(name))
			}
		} else {
			names, values = goFields(v, names, values)
		}
		open(b, "{", indent, pretty)
		for i, name := range names {
			if i > 0 {
				next(b, indent, pretty)
			}
			key(b, name, pretty)
			if t == podSpecType && name == "SecurityContext" {
				goSecurityContext(b, v, indent, pretty)
				continue
			}
			goJSON(b, values[i], deeper(indent, pretty), pretty)
		}
		shut(b, "}", indent, pretty)
	case reflect.Slice:
		if v.IsNil() {
			b.WriteString("null")
			return
		}
		if t.Elem().Kind() == reflect.Uint8 || v.Len() == 0 {
			j, _ := json.Marshal(v.Interface())
			b.Write(j)
			return
		}
		open(b, "[", indent, pretty)
		for i := range v.Len() {
			if i > 0 {
				next(b, indent, pretty)
			}
			goJSON(b, v.Index(i), deeper(indent, pretty), pretty)
		}
		shut(b, "]", indent, pretty)
	case reflect.Map:
		if v.IsNil() {
			b.WriteString("null")
			return
		}
		if v.Len() == 0 {
			b.WriteString("{}")
			return
		}
		byKey := map[string]reflect.Value{}
		for it := v.MapRange(); it.Next(); {
			byKey[it.Key().String()] = it.Value()
		}
		open(b, "{", indent, pretty)
		for i, k := range sortedKeys(byKey) {
			if i > 0 {
				next(b, indent, pretty)
			}
			key(b, k, pretty)
			goJSON(b, byKey[k], deeper(indent, pretty), pretty)
		}
		shut(b, "}", indent, pretty)
	default:
		j, _ := json.Marshal(v.Interface())
		b.Write(j)
	}
}

// goSecurityContext prints the pod's security context with the host's namespaces in it.
func goSecurityContext(b *strings.Builder, spec reflect.Value, indent string, pretty bool) {
	sc := spec.FieldByName("SecurityContext")
	in := deeper(indent, pretty)
	if sc.IsNil() {
		b.WriteString("null")
		return
	}
	open(b, "{", in, pretty)
	for i, name := range hostFields {
		if i > 0 {
			next(b, in, pretty)
		}
		key(b, name, pretty)
		goJSON(b, spec.FieldByName(name), deeper(in, pretty), pretty)
	}
	names, values := goFields(sc.Elem(), nil, nil)
	for i, name := range names {
		next(b, in, pretty)
		key(b, name, pretty)
		goJSON(b, values[i], deeper(in, pretty), pretty)
	}
	shut(b, "}", in, pretty)
}

func goFields(v reflect.Value, names []string, values []reflect.Value) ([]string, []reflect.Value) {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous && f.Type.Kind() == reflect.Struct {
			names, values = goFields(v.Field(i), names, values)
			continue
		}
		name := f.Name
		if strings.HasSuffix(t.PkgPath(), "/meta/v1") { // shared by the server's own types, tags and all
			var options string
			name, options, _ = strings.Cut(f.Tag.Get("json"), ",")
			if x := v.Field(i); strings.HasPrefix(options, "omit") && (x.IsZero() || (x.Kind() == reflect.Map || x.Kind() == reflect.Slice) && x.Len() == 0) {
				continue
			}
		}
		names, values = append(names, name), append(values, v.Field(i))
	}
	return names, values
}

func open(b *strings.Builder, brace, indent string, pretty bool) {
	b.WriteString(brace)
	if pretty {
		b.WriteString(indent + " ")
	}
}

func next(b *strings.Builder, indent string, pretty bool) {
	b.WriteString(",")
	if pretty {
		b.WriteString(indent + " ")
	}
}

func shut(b *strings.Builder, brace, indent string, pretty bool) {
	if pretty {
		b.WriteString(indent)
	}
	b.WriteString(brace)
}

func key(b *strings.Builder, name string, pretty bool) {
	b.WriteString(quote(name) + ":")
	if pretty {
		b.WriteString(" ")
	}
}

func deeper(indent string, pretty bool) string {
	if pretty {
		return indent + " "
	}
	return indent
}

// unifiedDiff is the difference of two values under Go field names, with three
// lines of context and no file names.
func unifiedDiff(a, b any) string {
	from, to := strings.Split(prettyInternal(a), "\n"), strings.Split(prettyInternal(b), "\n")
	type edit struct {
		kind byte
		text string
	}
	// Equal ends need no table; what is between them is small.
	head := 0
	for head < len(from) && head < len(to) && from[head] == to[head] {
		head++
	}
	tail := 0
	for tail < len(from)-head && tail < len(to)-head && from[len(from)-1-tail] == to[len(to)-1-tail] {
		tail++
	}
	var edits []edit
	for _, s := range from[:head] {
		edits = append(edits, edit{' ', s})
	}
	x, y := from[head:len(from)-tail], to[head:len(to)-tail]
	if len(x)*len(y) <= 1<<22 {
		common := make([][]int32, len(x)+1)
		for i := range common {
			common[i] = make([]int32, len(y)+1)
		}
		for i := len(x) - 1; i >= 0; i-- {
			for j := len(y) - 1; j >= 0; j-- {
				if x[i] == y[j] {
					common[i][j] = common[i+1][j+1] + 1
				} else {
					common[i][j] = max(common[i+1][j], common[i][j+1])
				}
			}
		}
		i, j := 0, 0
		for i < len(x) || j < len(y) {
			switch {
			case i < len(x) && j < len(y) && x[i] == y[j]:
				edits = append(edits, edit{' ', x[i]})
				i, j = i+1, j+1
			case i < len(x) && (j == len(y) || common[i+1][j] >= common[i][j+1]):
				edits = append(edits, edit{'-', x[i]})
				i++
			default:
				edits = append(edits, edit{'+', y[j]})
				j++
			}
		}
	} else {
		for _, s := range x {
			edits = append(edits, edit{'-', s})
		}
		for _, s := range y {
			edits = append(edits, edit{'+', s})
		}
	}
	for _, s := range from[len(from)-tail:] {
		edits = append(edits, edit{' ', s})
	}
	var out strings.Builder
	const context = 3
	fromLine, toLine := 1, 1
	for i := 0; i < len(edits); {
		if edits[i].kind == ' ' {
			i, fromLine, toLine = i+1, fromLine+1, toLine+1
			continue
		}
		start := max(0, i-context)
		end := i
		for k := i; k < len(edits) && k <= end+2*context; k++ {
			if edits[k].kind != ' ' {
				end = k
			}
		}
		stop := min(len(edits), end+context+1)
		a0, b0 := fromLine-(i-start), toLine-(i-start)
		na, nb := 0, 0
		for _, e := range edits[start:stop] {
			if e.kind != '+' {
				na++
			}
			if e.kind != '-' {
				nb++
			}
		}
		fmt.Fprintf(&out, "@@ -%s +%s @@\n", diffRange(a0, na), diffRange(b0, nb))
		for _, e := range edits[start:stop] {
			out.WriteByte(e.kind)
			out.WriteString(e.text)
			out.WriteByte('\n')
		}
		fromLine, toLine, i = a0+na, b0+nb, stop
	}
	return out.String()
}

func diffRange(start, n int) string {
	switch n {
	case 1:
		return strconv.Itoa(start)
	case 0:
		return strconv.Itoa(start-1) + ",0"
	}
	return strconv.Itoa(start) + "," + strconv.Itoa(n)
}
