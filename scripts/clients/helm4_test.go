package clients

import (
	"context"
	"testing"
	"time"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/kube"
	"helm.sh/helm/v4/pkg/release/common"
	release "helm.sh/helm/v4/pkg/release/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
)

// Helm 4, which applies on the server's side and waits by its own status
// watcher, installs, upgrades, rolls back and uninstalls the chart.
func TestHelm4(t *testing.T) {
	ctx, cfg := serve(t, 1)
	cs := typed(t, cfg)
	flags := genericclioptions.NewConfigFlags(false)
	namespace := "default"
	flags.APIServer, flags.Namespace = &cfg.Host, &namespace
	helm := action.NewConfiguration()
	if err := helm.Init(flags, namespace, "secret"); err != nil {
		t.Fatal(err)
	}
	chart, err := loader.LoadDir("testdata/chart")
	if err != nil {
		t.Fatal(err)
	}
	state := func() (page string, available int32) {
		cm, err := cs.CoreV1().ConfigMaps(namespace).Get(ctx, "shop-pages", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		d, err := cs.AppsV1().Deployments(namespace).Get(ctx, "shop", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return cm.Data["index.html"], d.Status.AvailableReplicas
	}

	install := action.NewInstall(helm)
	install.ReleaseName, install.Namespace, install.WaitStrategy, install.Timeout = "shop", namespace, kube.StatusWatcherStrategy, time.Minute
	made, err := install.RunWithContext(ctx, chart, nil)
	if err != nil {
		t.Fatal(err)
	}
	if page, n := state(); made.(*release.Release).Info.Status != common.StatusDeployed || n != 2 || page != "hello" {
		t.Errorf("installed: %q with %d replicas", page, n)
	}
	upgrade := action.NewUpgrade(helm)
	upgrade.Namespace, upgrade.WaitStrategy, upgrade.Timeout = namespace, kube.StatusWatcherStrategy, time.Minute
	if _, err := upgrade.RunWithContext(ctx, "shop", chart, map[string]any{"greeting": "good day", "replicas": 3}); err != nil {
		t.Fatal(err)
	}
	if page, n := state(); n != 3 || page != "good day" {
		t.Errorf("upgraded: %q with %d replicas", page, n)
	}
	back := action.NewRollback(helm)
	back.Version, back.WaitStrategy, back.Timeout = 1, kube.StatusWatcherStrategy, time.Minute
	if err := back.Run("shop"); err != nil {
		t.Fatal(err)
	}
	if page, n := state(); n != 2 || page != "hello" {
		t.Errorf("rolled back: %q with %d replicas", page, n)
	}
	remove := action.NewUninstall(helm)
	remove.WaitStrategy, remove.Timeout = kube.StatusWatcherStrategy, time.Minute
	if _, err := remove.Run("shop"); err != nil {
		t.Fatal(err)
	}
	if _, err := cs.AppsV1().Deployments(namespace).Get(context.Background(), "shop", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("after uninstall: %v", err)
	}
}
