// Package v1 holds the types that all API groups share: object and list
// metadata, Status, Table, options and discovery documents. Most of it is
// generated (zz_generated.types.go); the hand-written files add the types whose
// JSON form is not their Go form, and a few helpers. Nothing here knows which
// kinds exist: that is package api's registry.
package v1
