// Package serviceaccount gives every namespace its default ServiceAccount and
// the ConfigMap kube-root-ca.crt, and brings them back when they are deleted. It
// fills Secrets that ask for an account's token.
package serviceaccount

import (
	"maps"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	"github.com/kubonsai/kubonsai/sim/api/labels"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/controller"
)

const (
	latency       = 5 * time.Millisecond
	account       = "default"
	rootCA        = "kube-root-ca.crt"
	descriptionID = "kubernetes.io/description"
	description   = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. " +
		"No other usage is guaranteed across distributions of Kubernetes clusters."
)

// Controller reconciles namespaces.
type Controller struct {
	client     *client.Client
	namespaces *client.Informer[*corev1.Namespace]
	accounts   *client.Informer[*corev1.ServiceAccount]
	configMaps *client.Informer[*corev1.ConfigMap]
	queue      *client.Queue
	ca         string
}

// Tokens makes the token of a Secret.
type Tokens interface {
	SecretToken(account *corev1.ServiceAccount, secret string) string
}

// filler gives Secrets of type kubernetes.io/service-account-token what they are
// for, and deletes those whose account is gone.
// https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#manually-create-a-long-lived-api-token-for-a-serviceaccount
type filler struct {
	client   *client.Client
	accounts *client.Informer[*corev1.ServiceAccount]
	secrets  *client.Informer[*corev1.Secret]
	queue    *client.Queue
	tokens   Tokens
	ca       string
}

// NewTokens returns the controller that fills Secrets.
func NewTokens(c *client.Client, f *client.Factory, ca string, tokens Tokens) {
	fc := &filler{client: c, ca: ca, tokens: tokens, accounts: client.InformerFor[*corev1.ServiceAccount](f), secrets: client.InformerFor[*corev1.Secret](f)}
	fc.queue = client.NewQueue(f.Clock(), "tokens-controller", latency, fc.sync)
	fc.secrets.OnChange(func(_, s *corev1.Secret) {
		if s != nil && s.Type == corev1.SecretTypeServiceAccountToken {
			fc.queue.Add(client.Key(s))
		}
	})
	fc.accounts.OnChange(func(old, now *corev1.ServiceAccount) {
		if now != nil {
			return
		}
		for _, s := range fc.secrets.List(old.Namespace, labels.Everything()) {
			if s.Type == corev1.SecretTypeServiceAccountToken && s.Annotations[corev1.ServiceAccountNameKey] == old.Name {
				fc.queue.Add(client.Key(s))
			}
		}
	})
}

func (c *filler) sync(key string) error {
	s, ok := c.secrets.ByKey(key)
	if !ok || s.DeletionTimestamp != nil {
		return nil
	}
	sa, ok := c.accounts.Get(s.Namespace, s.Annotations[corev1.ServiceAccountNameKey])
	if uid := s.Annotations[corev1.ServiceAccountUIDKey]; !ok || uid != "" && uid != string(sa.UID) {
		err := client.Delete[*corev1.Secret](c.client, s.Namespace, s.Name, client.DeleteOptions{UID: string(s.UID)})
		if ignorable(err) {
			return nil
		}
		return err
	}
	if len(s.Data[corev1.ServiceAccountTokenKey]) > 0 && s.Annotations[corev1.ServiceAccountUIDKey] != "" {
		return nil
	}
	u := controller.Copy(s)
	u.Annotations = maps.Clone(s.Annotations)
	u.Annotations[corev1.ServiceAccountUIDKey] = string(sa.UID)
	u.Data = maps.Clone(s.Data)
	if u.Data == nil {
		u.Data = map[string][]byte{}
	}
	u.Data[corev1.ServiceAccountRootCAKey] = []byte(c.ca)
	u.Data[corev1.ServiceAccountNamespaceKey] = []byte(s.Namespace)
	u.Data[corev1.ServiceAccountTokenKey] = []byte(c.tokens.SecretToken(sa, s.Name))
	if _, err := client.Update(c.client, u); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return nil
}

// New returns the controller; ca is the cluster's certificate bundle in PEM form.
func New(c *client.Client, f *client.Factory, ca string) *Controller {
	sc := &Controller{client: c, ca: ca,
		namespaces: client.InformerFor[*corev1.Namespace](f),
		accounts:   client.InformerFor[*corev1.ServiceAccount](f),
		configMaps: client.InformerFor[*corev1.ConfigMap](f)}
	sc.queue = client.NewQueue(f.Clock(), "serviceaccount-controller", latency, sc.sync)
	sc.namespaces.OnChange(func(old, ns *corev1.Namespace) {
		if ns != nil && old == nil {
			sc.queue.Add(ns.Name)
		}
	})
	sc.accounts.OnChange(func(old, sa *corev1.ServiceAccount) {
		if sa == nil && old.Name == account {
			sc.queue.Add(old.Namespace)
		}
	})
	sc.configMaps.OnChange(func(old, cm *corev1.ConfigMap) {
		if old != nil && old.Name == rootCA {
			sc.queue.Add(old.Namespace)
		}
	})
	return sc
}

func (c *Controller) sync(name string) error {
	ns, ok := c.namespaces.Get("", name)
	if !ok || ns.DeletionTimestamp != nil || ns.Status.Phase == corev1.NamespaceTerminating {
		return nil
	}
	if _, ok := c.accounts.Get(name, account); !ok {
		sa := &corev1.ServiceAccount{}
		sa.APIVersion, sa.Kind = "v1", "ServiceAccount"
		sa.Namespace, sa.Name = name, account
		if _, err := client.Create(c.client, sa); err != nil && !ignorable(err) {
			return err
		}
	}
	cm, ok := c.configMaps.Get(name, rootCA)
	if !ok {
		cm = &corev1.ConfigMap{Data: map[string]string{"ca.crt": c.ca}}
		cm.APIVersion, cm.Kind = "v1", "ConfigMap"
		cm.Namespace, cm.Name = name, rootCA
		cm.Annotations = map[string]string{descriptionID: description}
		if _, err := client.Create(c.client, cm); err != nil && !ignorable(err) {
			return err
		}
		return nil
	}
	if cm.Data["ca.crt"] == c.ca && len(cm.Data) == 1 && cm.Annotations[descriptionID] != "" {
		return nil
	}
	u := controller.Copy(cm)
	u.Data = map[string]string{"ca.crt": c.ca}
	u.Annotations = maps.Clone(cm.Annotations)
	if u.Annotations == nil {
		u.Annotations = map[string]string{}
	}
	u.Annotations[descriptionID] = description
	if _, err := client.Update(c.client, u); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return nil
}

// ignorable errors need no other try: somebody was faster, or the namespace ends.
func ignorable(err error) bool {
	return apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) ||
		apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)
}
