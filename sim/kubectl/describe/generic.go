// The page of any kind that has none of its own: metadata, then every field by
// name, in words.

package describe

import (
	"fmt"
	"sort"
	"strings"
	"unicode"

	"github.com/kubonsai/kubonsai/sim/api"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

func generic(p *page, obj metav1.Object) error {
	m := obj.GetObjectMeta()
	tree, err := api.ToTree(obj)
	if err != nil {
		return err
	}
	p.head(m)
	p.labels(0, "Labels", m.Labels)
	p.annotations(0, "Annotations", m.Annotations)
	kind := api.KindOf(obj)
	if kind.Kind != "" {
		tree["apiVersion"], tree["kind"] = kind.ToAPIVersionAndKind()
	}
	p.content(0, tree, "")
	p.showEvents(p.eventsOf(obj, kind.Kind))
	return nil
}

func (p *page) content(level int, m map[string]any, path string) {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		at := path + "." + k
		switch at {
		case ".metadata.managedFields", ".metadata.name", ".metadata.namespace", ".metadata.labels", ".metadata.annotations":
			continue
		}
		switch v := m[k].(type) {
		case map[string]any:
			p.line(level, "%s:", words(k))
			p.content(level+1, v, at)
		case []any:
			p.line(level, "%s:", words(k))
			for _, item := range v {
				if mm, ok := item.(map[string]any); ok {
					p.content(level+1, mm, at)
				} else {
					p.line(level+1, "%v", item)
				}
			}
		default:
			p.line(level, "%s:\t%v", words(k), v)
		}
	}
}

// words turns a field's name into a heading: creationTimestamp is Creation Timestamp.
func words(field string) string {
	for _, r := range field {
		if !unicode.IsLetter(r) && r != '-' {
			return field
		}
	}
	var parts []string
	runes := []rune(field)
	start := 0
	class := func(r rune) int {
		switch {
		case unicode.IsLower(r):
			return 1
		case unicode.IsUpper(r):
			return 2
		}
		return 3
	}
	for i := 1; i <= len(runes); i++ {
		if i < len(runes) && class(runes[i]) == class(runes[i-1]) {
			continue
		}
		// an upper-case letter belongs to the lower-case ones after it
		if i < len(runes) && class(runes[i-1]) == 2 && class(runes[i]) == 1 {
			if i-1 > start {
				parts = append(parts, string(runes[start:i-1]))
			}
			start = i - 1
			continue
		}
		parts = append(parts, string(runes[start:i]))
		start = i
	}
	merged := parts[:0:0]
	for i := 0; i < len(parts); i++ {
		if len(parts[i]) >= 2 && strings.ToUpper(parts[i]) == parts[i] && i+1 < len(parts) && unicode.IsUpper([]rune(parts[i+1])[0]) {
			merged = append(merged, parts[i]+parts[i+1])
			i++
			continue
		}
		merged = append(merged, parts[i])
	}
	for i, w := range merged {
		switch up := strings.ToUpper(w); {
		case up == "API" || up == "URL" || up == "UID" || up == "GUID":
			merged[i] = up
		case strings.ToLower(w) == w:
			merged[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return fmt.Sprint(strings.Join(merged, " "))
}
