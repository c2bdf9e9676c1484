package guard_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/pod-security-admission/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/webhook/guard"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// install applies the guard, also over an existing one.
func install(ctx context.Context, c *cluster.Cluster, images ...string) error {
	admin, err := newClient(c)
	if err != nil {
		return err
	}
	server, err := serverVersion(c)
	if err != nil {
		return err
	}
	objects, err := guard.Render(guard.Config{Images: images, GuestHandlers: policy.DefaultGuestHandlers(),
		KubernetesVersion: server, KubeletSysctls: kubeletSysctls})
	if err != nil {
		return err
	}
	return applyPolicies(ctx, c, admin, objects)
}

// serverVersion asks the API server for its version. The guard is rendered for it.
func serverVersion(c *cluster.Cluster) (string, error) {
	admin, err := kubernetes.NewForConfig(c.RESTConfig())
	if err != nil {
		return "", err
	}
	info, err := admin.Discovery().ServerVersion()
	if err != nil {
		return "", err
	}
	return info.GitVersion, nil
}

// applyPolicies returns when pods may be created.
func applyPolicies(ctx context.Context, c *cluster.Cluster, admin client.Client, objects []client.Object) error {
	for _, object := range objects {
		fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			return err
		}
		delete(fields, "status")
		applied := client.ApplyConfigurationFromUnstructured(&unstructured.Unstructured{Object: fields})
		if err := admin.Apply(ctx, applied, client.FieldOwner("guard-test"), client.ForceOwnership); err != nil {
			return fmt.Errorf("apply %T %s: %w", object, object.GetName(), err)
		}
	}
	policies, err := kubernetes.NewForConfig(clustertest.AdminConfig(c))
	if err != nil {
		return err
	}
	return clustertest.SettlePolicies(ctx, policies)
}

func injectedWith(image string) *corev1.Pod {
	pod := injectedPod()
	pod.Name, pod.GenerateName = "", "pod-"
	pod.Spec.InitContainers[0].Image = image
	return pod
}

// TestGuardUpgrade changes the init image as the docs say: first the guard accepts both images, then the webhook
// injects the new one, and when no pod has the old one any more, the guard no longer accepts it.
func TestGuardUpgrade(t *testing.T) {
	c, admin := suite.Cluster(t), clientset(t)
	t.Cleanup(func() {
		if err := install(context.Background(), c, currentImage, formerImage); err != nil {
			t.Error(err)
		}
	})
	namespace := newNamespace(t, held(api.LevelRestricted))
	takes := func(what, image string, want bool) {
		t.Helper()
		eventually(t, what, func(context.Context) (bool, error) {
			return (verdict(createIn(t, namespace, injectedWith(image))) == "") == want, nil
		})
	}
	step := func(images ...string) {
		t.Helper()
		must(t, install(t.Context(), c, images...))
	}

	step(formerImage)
	takes("the guard of the former release", currentImage, false)
	old := live(t, namespace, injectedWith(formerImage))

	changed := func(pod *corev1.Pod, image string) error {
		return update("images", func(pod *corev1.Pod) {
			pod.Spec.InitContainers[0].Image, pod.Spec.Containers[0].Image = image, "registry.example.com/app:2"
		}).do(t.Context(), admin, pod, dry)
	}
	// Meanwhile, old pods are created and changed, if the API server's version survives that.
	safe, err := clustertest.PoliciesCompileSafely(admin)
	must(t, err)
	watched, stop := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() {
		for safe && watched.Err() == nil {
			if got := verdict(createIn(t, namespace, injectedWith(formerImage))); got != "" {
				t.Errorf("a pod with the old image is rejected during the upgrade: %s", got)
			}
			if got := verdict(changed(old, formerImage)); got != "" {
				t.Errorf("an update of a pod with the old image is rejected during the upgrade: %s", got)
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
	step(currentImage, formerImage)
	takes("the guard of both releases", currentImage, true)
	recent := live(t, namespace, injectedWith(currentImage))
	if got := verdict(changed(old, currentImage)); got != "" {
		t.Errorf("an old pod cannot get the new image: %s", got)
	}
	stop()
	watching.Wait()

	step(currentImage)
	takes("the guard of the new release", formerImage, false)
	if changed(old, formerImage) == nil {
		t.Error("a pod whose init image is no longer ours gets another image")
	}
	if got := verdict(changed(recent, currentImage)); got != "" {
		t.Errorf("a new pod cannot be updated: %s", got)
	}
}
