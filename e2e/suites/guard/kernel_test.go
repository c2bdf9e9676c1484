package guard_test

import (
	"context"
	"testing"

	nodev1 "k8s.io/api/node/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/pod-security-admission/api"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// runtimeClasses are two whose pods have a kernel of their own, by label and by handler, and one whose pods do not,
// though its name says so.
func runtimeClasses() []*nodev1.RuntimeClass {
	return []*nodev1.RuntimeClass{
		{ObjectMeta: metav1.ObjectMeta{Name: "labelled",
			Labels: labels{v1alpha1.KernelLabel: v1alpha1.KernelLabelGuest}}, Handler: "own"},
		{ObjectMeta: metav1.ObjectMeta{Name: "handled"}, Handler: "kata-qemu"},
		{ObjectMeta: metav1.ObjectMeta{Name: "kata"}, Handler: "runc"},
	}
}

func makeRuntimeClasses(ctx context.Context, admin kubernetes.Interface) error {
	for _, class := range runtimeClasses() {
		if _, err := admin.NodeV1().RuntimeClasses().Create(ctx, class, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// TestGuardReadsRuntimeClasses changes the classes while the guard is in force, to none at all.
func TestGuardReadsRuntimeClasses(t *testing.T) {
	admin := clientset(t)
	namespace := newNamespace(t, held(api.LevelBaseline))
	becomes := func(what, class string, admitted bool) {
		t.Helper()
		eventually(t, what, func(context.Context) (bool, error) {
			pod := injectedPod()
			under(class, "vm.max_map_count=262144")(pod)
			return (verdict(createIn(t, namespace, pod)) == "") == admitted, nil
		})
	}
	label := func(class, value string) {
		t.Helper()
		_, err := admin.NodeV1().RuntimeClasses().Patch(t.Context(), class, types.MergePatchType,
			[]byte(`{"metadata":{"labels":{"sysctl-injector.dev/kernel":`+value+`}}}`), metav1.PatchOptions{})
		must(t, err)
	}
	label("labelled", `null`)
	becomes("a class that lost its label to be rejected", "labelled", false)
	label("labelled", `"Guest"`)
	label("kata", `"guest"`)
	becomes("a class that got the label to be admitted", "kata", true)
	becomes("a class with another value to be rejected", "labelled", false)

	must(t, admin.NodeV1().RuntimeClasses().DeleteCollection(t.Context(), metav1.DeleteOptions{},
		metav1.ListOptions{}))
	becomes("a class that is gone to be rejected", "kata", false)
	eventually(t, "pods to do without any class", func(context.Context) (bool, error) {
		return verdict(createIn(t, namespace, injectedPod())) == "", nil
	})
	nodeLevel := injectedPod()
	sets("vm.max_map_count=262144")(nodeLevel)
	if verdict(createIn(t, namespace, nodeLevel)) == "" {
		t.Error("without any class, a node-level sysctl is admitted")
	}

	must(t, makeRuntimeClasses(t.Context(), admin))
	becomes("the labelled class to be admitted again", "labelled", true)
	becomes("the class of a guest's handler to be admitted again", "handled", true)
	becomes("the class with a guest's name to be rejected again", "kata", false)
}
