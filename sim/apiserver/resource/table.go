// This file holds what the tables of all resources share: column definitions,
// ages, and the cells that list containers, images and labels.

package resource

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/api/labels"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/api/duration"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

type column = metav1.TableColumnDefinition

const none = "<none>"

func nameColumn() column {
	return column{Name: "Name", Type: "string", Format: "name", Description: "The object's name, unique among its kind in its namespace."}
}

func ageColumn() column {
	return column{Name: "Age", Type: "string", Description: "The time since the server stored the object."}
}

func text(name, description string) column {
	return column{Name: name, Type: "string", Description: description}
}

func integer(name, description string) column {
	return column{Name: name, Type: "integer", Description: description}
}

func boolean(name, description string) column {
	return column{Name: name, Type: "boolean", Description: description}
}

// wide makes a column one that only -o wide shows.
func wide(c column) column {
	c.Priority = 1
	return c
}

func workloadColumns(withSelector bool) []column {
	c := []column{
		wide(text("Containers", "The names of the template's containers.")),
		wide(text("Images", "The images of the template's containers.")),
	}
	if withSelector {
		c = append(c, wide(text("Selector", "Which pods the object manages.")))
	}
	return c
}

// since is the age of a moment, or <unknown> when there is none.
func since(t metav1.Time, now time.Time) string {
	if t.IsZero() {
		return "<unknown>"
	}
	return duration.HumanDuration(now.Sub(t.Time))
}

func age(obj metav1.Object, now time.Time) string {
	return since(obj.GetObjectMeta().CreationTimestamp, now)
}

func containerNames(list []corev1.Container) string {
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].Name
	}
	return strings.Join(names, ",")
}

func containerImages(list []corev1.Container) string {
	images := make([]string, len(list))
	for i := range list {
		images[i] = list[i].Image
	}
	return strings.Join(images, ",")
}

// formatLabels prints a=b,c=d in the order of the keys, <none> when empty.
func formatLabels(m map[string]string) string {
	if len(m) == 0 {
		return none
	}
	return labels.Set(m).String()
}

// formatSelector prints a label selector as tables show it.
func formatSelector(s *metav1.LabelSelector) string { return metav1.FormatLabelSelector(s) }

func orNone(s string) string {
	if s == "" {
		return none
	}
	return s
}

func sortedKeys[K ~string, V any](m map[K]V) []K {
	if len(m) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(m))
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
