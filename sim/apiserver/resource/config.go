// This file is the strategy of config maps, secrets and service accounts.

package resource

import (
	"bytes"
	"encoding/json"
	"maps"
	"time"

	"github.com/kubonsai/kubonsai/sim/api/validation"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

const maxDataSize = 1 << 20

func init() {
	Register("configmaps", &Strategy{
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			v := validator{errs: validateMeta(obj, true, dnsSubdomain)}
			v.configMap(obj.(*corev1.ConfigMap))
			return v.errs
		},
		ValidateUpdate: func(_ *Context, obj, oldObj metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, oldObj)}
			c, old := obj.(*corev1.ConfigMap), oldObj.(*corev1.ConfigMap)
			if deref(old.Immutable) {
				v.frozen(c.Immutable)
				if !maps.Equal(c.Data, old.Data) {
					v.forbidden(field.NewPath("data"), immutableDataMessage)
				}
				if !semanticEqual(c.BinaryData, old.BinaryData) {
					v.forbidden(field.NewPath("binaryData"), immutableDataMessage)
				}
			}
			v.configMap(c)
			return v.errs
		},
		Columns: []column{nameColumn(), text("Data", "How many keys it has."), ageColumn()},
		Row: func(obj metav1.Object, now time.Time) []any {
			c := obj.(*corev1.ConfigMap)
			return []any{c.Name, int64(len(c.Data) + len(c.BinaryData)), age(c, now)}
		},
	})
	Register("secrets", &Strategy{
		Warnings: func(_ *Context, obj, _ metav1.Object) []string {
			s := obj.(*corev1.Secret)
			for _, part := range [...]struct{ key, name string }{{corev1.TLSCertKey, "certificate"}, {corev1.TLSPrivateKeyKey, "key"}} {
				if s.Type == corev1.SecretTypeTLS && !bytes.Contains(s.Data[part.key], []byte("-----BEGIN ")) {
					return []string{"tls: failed to find any PEM data in " + part.name + " input"}
				}
			}
			return nil
		},
		Default: func(obj metav1.Object) {
			s := obj.(*corev1.Secret)
			if s.Type == "" {
				s.Type = corev1.SecretTypeOpaque
			}
			if len(s.StringData) > 0 { // written only: it is stored as data
				data := make(map[string][]byte, len(s.Data)+len(s.StringData))
				maps.Copy(data, s.Data)
				for k, value := range s.StringData {
					data[k] = []byte(value)
				}
				s.Data, s.StringData = data, nil
			}
		},
		PrepareForUpdate: func(_ *Context, obj, old metav1.Object) {
			if s := obj.(*corev1.Secret); s.Type == "" {
				s.Type = old.(*corev1.Secret).Type
			}
		},
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			v := validator{errs: validateMeta(obj, true, dnsSubdomain)}
			v.secret(obj.(*corev1.Secret))
			return v.errs
		},
		ValidateUpdate: func(_ *Context, obj, oldObj metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, oldObj)}
			s, old := obj.(*corev1.Secret), oldObj.(*corev1.Secret)
			v.add(immutableField(field.NewPath("type"), s.Type, old.Type))
			if deref(old.Immutable) {
				v.frozen(s.Immutable)
				if !semanticEqual(s.Data, old.Data) {
					v.forbidden(field.NewPath("data"), immutableDataMessage)
				}
			}
			v.secret(s)
			return v.errs
		},
		Fields:     func(obj metav1.Object) fields.Set { return fields.Set{"type": string(obj.(*corev1.Secret).Type)} },
		FieldNames: []string{"type"},
		Columns:    []column{nameColumn(), text("Type", "What the secret is for."), text("Data", "How many keys it has."), ageColumn()},
		Row: func(obj metav1.Object, now time.Time) []any {
			s := obj.(*corev1.Secret)
			return []any{s.Name, string(s.Type), int64(len(s.Data)), age(s, now)}
		},
	})
	Register("serviceaccounts", &Strategy{
		Validate:       func(_ *Context, obj metav1.Object) field.ErrorList { return validateMeta(obj, true, dnsSubdomain) },
		ValidateUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList { return validateMetaUpdate(obj, old) },
		Columns:        []column{nameColumn(), ageColumn()},
		Row: func(obj metav1.Object, now time.Time) []any {
			return []any{obj.GetObjectMeta().Name, age(obj, now)}
		},
	})
}

const immutableDataMessage = "field is immutable when `immutable` is set"

func (v *validator) frozen(immutable *bool) {
	if !deref(immutable) {
		v.forbidden(field.NewPath("immutable"), immutableDataMessage)
	}
}

func (v *validator) configMap(c *corev1.ConfigMap) {
	total := 0
	for _, k := range sortedKeys(c.Data) {
		for _, msg := range validation.IsConfigMapKey(k) {
			v.invalid(field.NewPath("data").Key(k), k, msg)
		}
		if _, both := c.BinaryData[k]; both {
			v.invalid(field.NewPath("data").Key(k), k, "duplicate of key present in binaryData")
		}
		total += len(c.Data[k])
	}
	for _, k := range sortedKeys(c.BinaryData) {
		for _, msg := range validation.IsConfigMapKey(k) {
			v.invalid(field.NewPath("binaryData").Key(k), k, msg)
		}
		total += len(c.BinaryData[k])
	}
	if total > maxDataSize {
		v.errs = append(v.errs, field.TooLong(field.NewPath(""), "", maxDataSize))
	}
}

func (v *validator) secret(s *corev1.Secret) {
	data := field.NewPath("data")
	total := 0
	for _, k := range sortedKeys(s.Data) {
		for _, msg := range validation.IsConfigMapKey(k) {
			v.invalid(data.Key(k), k, msg)
		}
		total += len(s.Data[k])
	}
	if total > maxDataSize {
		v.errs = append(v.errs, field.TooLong(data, "", maxDataSize))
	}
	needs := func(keys ...string) {
		for _, k := range keys {
			if _, ok := s.Data[k]; !ok {
				v.required(data.Key(k), "")
			}
		}
	}
	isJSON := func(k string) {
		if raw, ok := s.Data[k]; !ok {
			v.required(data.Key(k), "")
		} else if err := json.Unmarshal(raw, new(json.RawMessage)); err != nil {
			v.invalid(data.Key(k), "<secret contents redacted>", err.Error())
		}
	}
	switch s.Type {
	case corev1.SecretTypeServiceAccountToken:
		if s.Annotations[corev1.ServiceAccountNameKey] == "" {
			v.required(metadataPath.Child("annotations").Key(corev1.ServiceAccountNameKey), "")
		}
	case corev1.SecretTypeDockercfg:
		isJSON(corev1.DockerConfigKey)
	case corev1.SecretTypeDockerConfigJson:
		isJSON(corev1.DockerConfigJsonKey)
	case corev1.SecretTypeBasicAuth:
		_, user := s.Data[corev1.BasicAuthUsernameKey]
		_, password := s.Data[corev1.BasicAuthPasswordKey]
		if !user && !password {
			v.required(data.Key(corev1.BasicAuthUsernameKey), "")
			v.required(data.Key(corev1.BasicAuthPasswordKey), "")
		}
	case corev1.SecretTypeSSHAuth:
		if len(s.Data[corev1.SSHAuthPrivateKey]) == 0 {
			v.required(data.Key(corev1.SSHAuthPrivateKey), "")
		}
	case corev1.SecretTypeTLS:
		needs(corev1.TLSCertKey, corev1.TLSPrivateKeyKey)
	}
}
