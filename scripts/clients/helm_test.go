package clients

import (
	"context"
	"strings"
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/release"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
)

// Helm installs, tests, upgrades, rolls back and uninstalls a chart.
func TestHelm(t *testing.T) {
	ctx, cfg := serve(t, 1)
	cs := typed(t, cfg)
	flags := genericclioptions.NewConfigFlags(false)
	namespace := "default"
	flags.APIServer, flags.Namespace = &cfg.Host, &namespace
	helm := new(action.Configuration)
	if err := helm.Init(flags, namespace, "secret", func(format string, v ...any) { t.Logf(format, v...) }); err != nil {
		t.Fatal(err)
	}
	chart, err := loader.Load("testdata/chart")
	if err != nil {
		t.Fatal(err)
	}
	page := func() string {
		cm, err := cs.CoreV1().ConfigMaps(namespace).Get(ctx, "shop-pages", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return cm.Data["index.html"]
	}
	available := func() int32 {
		d, err := cs.AppsV1().Deployments(namespace).Get(ctx, "shop", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return d.Status.AvailableReplicas
	}

	install := action.NewInstall(helm)
	install.ReleaseName, install.Namespace, install.Wait, install.Timeout = "shop", namespace, true, time.Minute
	rel, err := install.RunWithContext(ctx, chart, nil)
	if err != nil {
		t.Fatal(err)
	}
	if rel.Info.Status != release.StatusDeployed || available() != 2 || page() != "hello" {
		t.Errorf("installed: %s, %d replicas, %q", rel.Info.Status, available(), page())
	}

	test := action.NewReleaseTesting(helm)
	test.Namespace, test.Timeout = namespace, time.Minute
	if _, err := test.Run("shop"); err != nil {
		t.Errorf("helm test: %v", err)
	}

	upgrade := action.NewUpgrade(helm)
	upgrade.Namespace, upgrade.Wait, upgrade.Timeout = namespace, true, time.Minute
	if _, err := upgrade.RunWithContext(ctx, "shop", chart, map[string]any{"replicas": 3, "greeting": "good day"}); err != nil {
		t.Fatal(err)
	}
	if available() != 3 || page() != "good day" {
		t.Errorf("upgraded: %d replicas, %q", available(), page())
	}

	broken := action.NewUpgrade(helm)
	broken.Namespace, broken.Wait, broken.Timeout = namespace, true, 3*time.Second
	if _, err := broken.RunWithContext(ctx, "shop", chart, map[string]any{"tag": "no-such-tag"}); err == nil {
		t.Error("an upgrade to an image that does not exist succeeded")
	}

	rollback := action.NewRollback(helm)
	rollback.Version, rollback.Wait, rollback.Timeout = 1, true, time.Minute
	if err := rollback.Run("shop"); err != nil {
		t.Fatal(err)
	}
	if page() != "hello" {
		t.Errorf("rolled back: %q", page())
	}
	history, err := action.NewHistory(helm).Run("shop")
	if err != nil || len(history) != 4 {
		t.Errorf("history: %d, %v", len(history), err)
	}

	uninstall := action.NewUninstall(helm)
	uninstall.Wait, uninstall.Timeout = true, time.Minute
	if _, err := uninstall.Run("shop"); err != nil {
		t.Fatal(err)
	}
	gone(t, ctx, func() error {
		_, err := cs.AppsV1().Deployments(namespace).Get(ctx, "shop", metav1.GetOptions{})
		return err
	})
	secrets, err := cs.CoreV1().Secrets(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range secrets.Items {
		if strings.HasPrefix(s.Name, "sh.helm.release") {
			t.Errorf("%s is left", s.Name)
		}
	}
}

func gone(t *testing.T, ctx context.Context, get func() error) {
	t.Helper()
	eventually(t, ctx, "deletion", func() (bool, error) {
		err := get()
		return apierrors.IsNotFound(err), nil
	})
}
