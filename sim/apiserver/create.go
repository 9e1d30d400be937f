// This file creates objects.

package apiserver

import (
	"errors"

	"github.com/kubonsai/kubonsai/sim/api"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/rest"
	"github.com/kubonsai/kubonsai/sim/store"
)

func (c *call) create() (*rest.Response, error) {
	if err := c.readOptions("CreateOptions", false); err != nil {
		return nil, err
	}
	if h := reviews[c.kind.GroupResource()]; h != nil {
		return h(c)
	}
	obj, err := c.decode(c.kind.GroupVersionKind(), c.kind.Dynamic)
	if err != nil {
		return nil, err
	}
	obj, err = c.createObject(obj, true)
	if err != nil {
		return nil, err
	}
	return c.respond(201, obj)
}

// createObject defaults, admits, validates and stores an object that is the
// server's own copy, in the version of the call. It returns the stored object.
// track says that the fields now belong to the client (an apply has its own
// bookkeeping).
func (c *call) createObject(obj metav1.Object, track bool) (metav1.Object, error) {
	k := c.kind
	obj = k.internal(obj)
	strategy := k.Strategy
	m := obj.GetObjectMeta()
	m.UID, m.ResourceVersion, m.SelfLink = "", "", ""
	m.CreationTimestamp, m.DeletionTimestamp, m.DeletionGracePeriodSeconds = metav1.Time{}, nil, nil
	if err := c.fitNamespace(m); err != nil {
		return nil, err
	}
	c.dedupOwners(m)
	if strategy.Default != nil {
		strategy.Default(obj)
	}
	if track {
		m.ManagedFields = nil
		c.trackCreate(obj)
	}
	if k.Key == "namespaces" {
		c.namespace = ""
	}
	generated := m.Name == "" && m.GenerateName != ""
	if generated {
		m.Name = c.s.generateName(m.GenerateName)
	}
	attributes := c.attributes(Create, obj, nil)
	if err := c.s.admission.Admit(attributes); err != nil {
		return nil, err
	}
	c.dedupOwners(m)

	m.CreationTimestamp = metav1.NewTime(c.s.now())
	m.UID = metav1.UID(c.s.uids.UID())
	m.Generation = 0
	ctx := attributes.Context
	if strategy.PrepareForCreate != nil {
		strategy.PrepareForCreate(ctx, obj)
	} else if k.Dynamic != nil {
		m.Generation = 1
	}
	release, err := c.allocate(obj, nil)
	if err != nil {
		return nil, err
	}
	committed := false
	defer func() {
		if !committed {
			release()
		}
	}()
	for attempt := 1; ; attempt++ {
		errs := validatePath(m)
		if strategy.Validate != nil {
			errs = strategy.Validate(ctx, obj)
		} else if len(errs) == 0 {
			errs = validateMeta(k, m)
		}
		if len(errs) > 0 {
			return nil, apierrors.NewInvalid(k.GroupKind(), m.Name, errs)
		}
		if strategy.Validate != nil {
			if errs := validatePath(m); len(errs) > 0 {
				return nil, apierrors.NewInvalid(k.GroupKind(), m.Name, errs)
			}
		}
		if attempt == 1 && strategy.Warnings != nil {
			for _, w := range strategy.Warnings(ctx, obj, nil) {
				c.warn(w)
			}
		}
		attributes.Object, attributes.Name = obj, m.Name
		if err := c.s.admission.Validate(attributes); err != nil {
			return nil, err
		}
		err := c.s.insert(c.key(m.Name), obj, c.options.dryRun)
		if err == nil {
			break
		}
		if !errors.Is(err, store.ErrExists) {
			return nil, apierrors.NewInternalError(err)
		}
		if !generated {
			return nil, apierrors.NewAlreadyExists(c.gr(), m.Name)
		}
		if attempt == maxNameAttempts {
			return nil, apierrors.NewGenerateNameConflict(c.gr(), m.Name, 1)
		}
		obj = api.ShallowCopy(obj)
		m = obj.GetObjectMeta()
		m.Name = c.s.generateName(m.GenerateName)
	}
	committed = !c.options.dryRun
	if committed {
		c.s.written(c.kind, nil, obj)
	}
	return obj, nil
}

// insert stores a new object, or only says whether it could be.
func (s *Server) insert(key store.Key, obj metav1.Object, dryRun bool) error {
	if !dryRun {
		return s.store.Create(key, obj)
	}
	if s.lookup(key.Resource, key.Namespace, key.Name) != nil {
		return store.ErrExists
	}
	return nil
}
