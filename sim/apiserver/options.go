// This file reads and checks the query parameters that all writing verbs share.

package apiserver

import (
	"fmt"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation/field"

	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

const maxManager = 128 // characters of a field manager's name

// options are what a client says about a write beside the object.
type options struct {
	dryRun     bool
	manager    string // as asked for; "" takes the name from User-Agent
	validation string // Strict, Warn, Ignore
	force      *bool
}

// readOptions checks the parameters of a write; kind is CreateOptions, UpdateOptions or PatchOptions.
func (c *call) readOptions(kind string, apply bool) error {
	q := c.req.Query
	c.options = options{manager: q.Get("fieldManager"), validation: q.Get("fieldValidation")}
	var errs field.ErrorList
	if kind == "PatchOptions" {
		if _, ok := q["force"]; ok {
			force := c.queryBool("force")
			c.options.force = &force
		}
		if apply && c.options.manager == "" {
			errs = append(errs, field.Required(field.NewPath("fieldManager"), "is required for apply patch"))
		}
		if !apply && c.options.force != nil {
			errs = append(errs, field.Forbidden(field.NewPath("force"), "may not be specified for non-apply patch"))
		}
	}
	errs = append(errs, checkManager(c.options.manager)...)
	dry, more := dryRun(q["dryRun"])
	c.options.dryRun = dry
	errs = append(errs, more...)
	switch c.options.validation {
	case "":
		c.options.validation = metav1.FieldValidationWarn
	case metav1.FieldValidationStrict, metav1.FieldValidationWarn, metav1.FieldValidationIgnore:
	default:
		errs = append(errs, field.NotSupported(field.NewPath("fieldValidation"), c.options.validation,
			[]string{"", metav1.FieldValidationIgnore, metav1.FieldValidationStrict, metav1.FieldValidationWarn}))
	}
	if len(errs) > 0 {
		return apierrors.NewInvalid(metav1.GroupKind{Group: metav1.GroupName, Kind: kind}, "", errs)
	}
	return nil
}

func dryRun(values []string) (bool, field.ErrorList) {
	for _, v := range values {
		if v != metav1.DryRunAll {
			return false, field.ErrorList{field.NotSupported(field.NewPath("dryRun"), values, []string{metav1.DryRunAll})}
		}
	}
	return len(values) > 0, nil
}

func checkManager(name string) field.ErrorList {
	path := field.NewPath("fieldManager")
	var errs field.ErrorList
	if len(name) > maxManager {
		errs = append(errs, field.TooLong(path, name, maxManager))
	}
	for i, r := range name {
		if !unicode.IsPrint(r) {
			errs = append(errs, field.Invalid(path, name, fmt.Sprintf("invalid character %#U (at position %d)", r, i)))
		}
	}
	return errs
}

// manager is who the fields of a write belong to.
func (c *call) manager() string {
	if c.options.manager != "" {
		return c.options.manager
	}
	head, _, _ := strings.Cut(c.req.Header.Get("User-Agent"), "/")
	if len(head) <= maxManager && plain(head) {
		return head
	}
	var b strings.Builder
	for _, r := range head {
		if !unicode.IsPrint(r) {
			continue
		}
		if b.Len()+utf8.RuneLen(r) > maxManager {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}

// plain reports that a text is printable ASCII.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
