// This file says what an API object is, and defines the one list type that
// serves every kind and the names whose upstream home we do not link.

package v1

import "encoding/json"

// Object is every top-level API object: typed structs by pointer, and *Unstructured.
type Object interface {
	GetObjectMeta() *ObjectMeta
	GetTypeMeta() *TypeMeta
}

// GetObjectMeta gives each struct that embeds ObjectMeta half of the Object interface.
func (m *ObjectMeta) GetObjectMeta() *ObjectMeta { return m }

// GetTypeMeta gives each struct that embeds TypeMeta the other half.
func (m *TypeMeta) GetTypeMeta() *TypeMeta { return m }

// GetListMeta returns the metadata of lists, tables and statuses.
func (m *ListMeta) GetListMeta() *ListMeta { return m }

// GroupVersionKind parses apiVersion and kind.
func (m *TypeMeta) GroupVersionKind() GroupVersionKind {
	return FromAPIVersionAndKind(m.APIVersion, m.Kind)
}

// SetGroupVersionKind sets apiVersion and kind.
func (m *TypeMeta) SetGroupVersionKind(gvk GroupVersionKind) {
	m.APIVersion, m.Kind = gvk.ToAPIVersionAndKind()
}

// List is the list of every kind: PodList, DeploymentList and the v1 List differ only in TypeMeta.
// To decode one, use api.FromTree, which knows the kinds of the items.
type List struct {
	TypeMeta `json:",inline"`
	ListMeta `json:"metadata"`
	Items    []Object `json:"items"`
}

// MarshalJSON writes an empty list as [], never as null.
func (l *List) MarshalJSON() ([]byte, error) {
	type plain List
	p := plain(*l)
	if p.Items == nil {
		p.Items = []Object{}
	}
	return json.Marshal(p)
}

// UID identifies one object in the whole history of a cluster.
type UID string

// NodeName is the name of a node, where it could be mistaken for another string.
type NodeName string

// NamespacedName names an object of a known kind.
type NamespacedName struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// String returns namespace/name, also where the namespace is empty.
func (n NamespacedName) String() string { return n.Namespace + "/" + n.Name }

// TableRow is one line of a Table. Object is a *PartialObjectMetadata, a whole object or nil,
// as the request's includeObject asked.
type TableRow struct {
	Cells      []any               `json:"cells"`
	Conditions []TableRowCondition `json:"conditions,omitempty"`
	Object     any                 `json:"object,omitempty"`
}
