// This file lists objects: selectors, pages that all show the same revision,
// and the rules of resourceVersion.

package apiserver

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/api/labels"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/validation/field"

	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/rest"
	"github.com/kubonsai/kubonsai/sim/store"
)

// listing is the parsed query of a list, watch or deletecollection.
type listing struct {
	selection
	resourceVersion   string
	match             metav1.ResourceVersionMatch
	limit             int64
	next              string
	timeout           time.Duration
	bookmarks         bool
	sendInitialEvents *bool
}

// selection is which objects a list or watch is about.
type selection struct {
	kind      *Kind
	namespace string
	name      string // the only possible name, "" when any
	labels    labels.Selector
	fields    fields.Selector
}

func (c *call) readListing(watch bool) (*listing, error) {
	q := c.req.Query
	l := &listing{resourceVersion: q.Get("resourceVersion"), match: metav1.ResourceVersionMatch(q.Get("resourceVersionMatch")),
		next: q.Get("continue"), bookmarks: c.queryBool("allowWatchBookmarks")}
	l.kind, l.namespace = c.kind, c.namespace
	l.labels, l.fields = labels.Everything(), fields.Everything()
	var err error
	number := func(name string) (n int64) {
		if s := q.Get(name); s != "" && err == nil {
			if n, err = strconv.ParseInt(s, 10, 64); err != nil {
				err = apierrors.NewBadRequest(err.Error())
			}
		}
		return n
	}
	l.limit = number("limit")
	seconds := number("timeoutSeconds")
	if seconds > int64(1<<62/time.Second) || seconds < 0 {
		seconds = 0
	}
	l.timeout = time.Duration(seconds) * time.Second
	if err != nil {
		return nil, err
	}
	if s := q.Get("labelSelector"); s != "" {
		if l.labels, err = labels.Parse(s); err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
	}
	if s := q.Get("fieldSelector"); s != "" {
		if l.fields, err = fields.ParseSelector(s); err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
	}
	if q.Has("sendInitialEvents") {
		b := c.queryBool("sendInitialEvents")
		l.sendInitialEvents = &b
	}
	if errs := l.validate(watch); len(errs) > 0 {
		return nil, apierrors.NewInvalid(metav1.GroupKind{Group: metav1.GroupName, Kind: "ListOptions"}, "", errs)
	}
	if err := l.checkFields(); err != nil {
		return nil, err
	}
	if name, ok := l.fields.RequiresExactMatch("metadata.name"); ok {
		l.name = name
	}
	if c.name != "" { // the watch of one object
		if !l.fields.Empty() && l.name != c.name {
			return nil, apierrors.NewBadRequest("fieldSelector metadata.name doesn't match requested name")
		}
		l.name = c.name
	}
	if ns, ok := l.fields.RequiresExactMatch("metadata.namespace"); ok && l.namespace == "" && l.kind.Namespaced && ns != "" {
		l.namespace = ns
	}
	return l, nil
}

func (l *listing) validate(watch bool) field.ErrorList {
	var errs field.ErrorList
	path := field.NewPath("resourceVersionMatch")
	forbid := func(bad bool, p *field.Path, text string) {
		if bad {
			errs = append(errs, field.Forbidden(p, text))
		}
	}
	exact, newer := metav1.ResourceVersionMatchExact, metav1.ResourceVersionMatchNotOlderThan
	if watch {
		forbid(l.sendInitialEvents != nil && l.match != newer, path, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
		if l.match != "" {
			forbid(l.sendInitialEvents == nil, path, "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
			if l.match != newer {
				errs = append(errs, field.NotSupported(path, l.match, []string{string(newer)}))
			}
			forbid(l.next != "", path, "resourceVersionMatch is forbidden when continue is provided")
		}
		return errs
	}
	if l.match != "" {
		forbid(l.resourceVersion == "", path, "resourceVersionMatch is forbidden unless resourceVersion is provided")
		forbid(l.next != "", path, "resourceVersionMatch is forbidden when continue is provided")
		if l.match != exact && l.match != newer {
			errs = append(errs, field.NotSupported(path, l.match, []string{string(exact), string(newer), ""}))
		}
		forbid(l.match == exact && l.resourceVersion == "0", path, `resourceVersionMatch "exact" is forbidden for resourceVersion "0"`)
	}
	forbid(l.sendInitialEvents != nil, field.NewPath("sendInitialEvents"), "sendInitialEvents is forbidden for list")
	return errs
}

// checkFields refuses selectors on fields that the resource cannot select by.
func (l *listing) checkFields() error {
	s := l.kind.Strategy
	for _, r := range l.fields.Requirements() {
		switch {
		case r.Field == "metadata.name" || r.Field == "metadata.namespace" || has(s.FieldNames, r.Field):
		case l.kind.Key == "jobs.batch":
			return apierrors.NewBadRequest(fmt.Sprintf("field label %q not supported for Job", r.Field))
		case len(s.FieldNames) > 0 || l.kind.Dynamic != nil:
			return apierrors.NewBadRequest("field label not supported: " + r.Field)
		default:
			return apierrors.NewBadRequest(fmt.Sprintf("%q is not a known field selector: only %q, %q", r.Field, "metadata.name", "metadata.namespace"))
		}
	}
	return nil
}

// everything reports that no selector narrows the choice.
func (s *selection) everything() bool {
	return s.name == "" && s.labels.Empty() && s.fields.Empty()
}

// matches reports whether a stored object is among those asked for. Its
// namespace is known to fit.
func (s *selection) matches(obj metav1.Object) bool {
	m := obj.GetObjectMeta()
	if s.name != "" && m.Name != s.name {
		return false
	}
	if !s.labels.Empty() && !s.labels.Matches(labels.Set(m.Labels)) {
		return false
	}
	if s.fields.Empty() {
		return true
	}
	set := fields.Set{}
	if s.kind.Strategy.Fields != nil {
		for k, v := range s.kind.Strategy.Fields(obj) {
			set[k] = v
		}
	}
	set["metadata.name"] = m.Name
	if s.kind.Namespaced {
		set["metadata.namespace"] = m.Namespace
	}
	return s.fields.Matches(set)
}

// token is a continue token: where the next page begins and of which revision.
type token struct {
	Version  string `json:"v"`
	Revision int64  `json:"rv"`
	Start    string `json:"start"`
}

const tokenVersion = "meta.k8s.io/v1"

func (t token) String() string {
	t.Version = tokenVersion
	data, _ := json.Marshal(t)
	return base64.RawURLEncoding.EncodeToString(data)
}

func readToken(s string) (token, error) {
	bad := func(err error) (token, error) {
		return token{}, apierrors.NewBadRequest(fmt.Sprintf("continue key is not valid: %v", err))
	}
	data, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return bad(err)
	}
	var t token
	if err := json.Unmarshal(data, &t); err != nil {
		return bad(err)
	}
	if t.Version != tokenVersion {
		return bad(fmt.Errorf("server does not recognize this encoded version %q", t.Version))
	}
	if t.Revision == 0 {
		return bad(fmt.Errorf("incorrect encoded start resourceVersion (version meta.k8s.io/v1)"))
	}
	if t.Start == "" || !strings.HasSuffix(t.Start, "\x00") {
		return bad(fmt.Errorf("encoded start key empty (version meta.k8s.io/v1)"))
	}
	return t, nil
}

const (
	expiredToken = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list."
	expiredList  = "The resourceVersion for the provided list is too old."
	// inconsistent marks a token whose next page may be of any revision.
	inconsistent = -1
)

// snapshot is the state that a list shows, and the key after which it begins.
func (c *call) snapshot(l *listing) (snap *store.Snapshot, after string, err error) {
	s := c.s.store
	if l.next != "" {
		if l.resourceVersion != "" && l.resourceVersion != "0" {
			return nil, "", apierrors.NewBadRequest("specifying resource version is not allowed when using continue")
		}
		t, err := readToken(l.next)
		if err != nil {
			return nil, "", err
		}
		after = strings.TrimSuffix(t.Start, "\x00")
		if l.namespace != "" {
			after = l.namespace + after
		} else {
			after = strings.TrimPrefix(after, "/")
			if !l.kind.Namespaced {
				after = "/" + after
			}
		}
		if t.Revision == inconsistent {
			return s.Snapshot(l.kind.Key), after, nil
		}
		snap, err := s.Kept(l.kind.Key, uint64(t.Revision))
		if err != nil {
			e := apierrors.NewResourceExpired(expiredToken)
			e.ErrStatus.ListMeta.Continue = token{Revision: inconsistent, Start: t.Start}.String()
			return nil, "", e
		}
		return snap, after, nil
	}
	if rv := l.resourceVersion; rv != "" && rv != "0" {
		n, err := parseRevision(rv)
		if err != nil {
			return nil, "", err
		}
		if now := s.Revision(); n > now {
			return nil, "", apierrors.NewTooLargeResourceVersion(n, now, 1)
		} else if n < now && (l.match == metav1.ResourceVersionMatchExact || l.match == "" && l.limit > 0) {
			snap, err := s.Kept(l.kind.Key, n)
			if err != nil {
				return nil, "", apierrors.NewResourceExpired(expiredList)
			}
			return snap, "", nil
		}
	}
	return s.Snapshot(l.kind.Key), "", nil
}

func parseRevision(rv string) (uint64, error) {
	n, err := strconv.ParseUint(rv, 10, 64)
	if err != nil {
		return 0, apierrors.NewInvalid(metav1.GroupKind{}, "", field.ErrorList{
			field.Invalid(field.NewPath("resourceVersion"), rv, err.Error())})
	}
	return n, nil
}

// page is the objects that a list answers with, in the version of the call.
func (c *call) page(l *listing) (*metav1.List, error) {
	list := &metav1.List{}
	list.Kind, list.APIVersion = c.kind.Kind+"List", c.kind.APIVersion()
	snap, after, err := c.snapshot(l)
	if err != nil {
		return nil, err
	}
	list.ResourceVersion = strconv.FormatUint(snap.Revision, 10)
	if l.name != "" && l.namespace != "" && l.next == "" && snap.Revision == c.s.store.Revision() {
		if obj := c.s.lookup(c.kind.Key, l.namespace, l.name); obj != nil && l.matches(obj) {
			list.Items = append(list.Items, c.kind.external(c.seen(obj)))
		}
		return list, nil
	}
	last, rest := "", int64(0)
	all := l.everything()
	if all && l.limit == 0 && l.namespace == "" {
		list.Items = make([]metav1.Object, 0, snap.Len())
	}
	snap.Ascend(l.namespace, after, func(key string, obj metav1.Object) bool {
		if !all && !l.matches(obj) {
			return true
		}
		if l.limit > 0 && int64(len(list.Items)) == l.limit {
			rest++
			return all // only then is the number of what remains told
		}
		last = key
		list.Items = append(list.Items, c.kind.external(c.seen(obj)))
		return true
	})
	if rest > 0 {
		c.s.store.Keep(snap)
		if l.namespace != "" {
			last = strings.TrimPrefix(last, l.namespace)
		} else if c.kind.Namespaced {
			last = "/" + last
		}
		list.Continue = token{Revision: int64(snap.Revision), Start: last + "\x00"}.String()
		if all {
			list.RemainingItemCount = &rest
		}
	}
	return list, nil
}

func (c *call) list() (*rest.Response, error) {
	l, err := c.readListing(false)
	if err != nil {
		return nil, err
	}
	list, err := c.page(l)
	if err != nil {
		return nil, err
	}
	return c.respondList(list)
}
