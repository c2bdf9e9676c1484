package policy

import (
	"slices"
	"testing"

	nodev1 "k8s.io/api/node/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

func TestKernelOf(t *testing.T) {
	handlers := sets.New(DefaultGuestHandlers()...)
	for _, test := range []struct {
		name     string
		tweak    func(*nodev1.RuntimeClass)
		handlers sets.Set[string]
		want     v1alpha1.Kernel
	}{
		{"is shared by an ordinary class", func(*nodev1.RuntimeClass) {}, handlers, v1alpha1.SharedKernel},
		{"is a guest's by a handler of Kata Containers", func(c *nodev1.RuntimeClass) { c.Handler = "kata-qemu" },
			handlers, v1alpha1.GuestKernel},
		{"is a guest's by a handler that an administrator lists",
			func(c *nodev1.RuntimeClass) { c.Handler = "microvm" }, sets.New("microvm"), v1alpha1.GuestKernel},
		{"is shared by a handler of Kata Containers that an administrator does not list",
			func(c *nodev1.RuntimeClass) { c.Handler = "kata" }, sets.New("microvm"), v1alpha1.SharedKernel},
		{"is a guest's by the class's label",
			func(c *nodev1.RuntimeClass) { c.Labels = map[string]string{"sysctl-injector.dev/kernel": "guest"} },
			handlers, v1alpha1.GuestKernel},
		{"is a guest's by the class's label where no handler is one",
			func(c *nodev1.RuntimeClass) { c.Labels = map[string]string{"sysctl-injector.dev/kernel": "guest"} }, nil,
			v1alpha1.GuestKernel},
		{"is shared by a label of another value",
			func(c *nodev1.RuntimeClass) { c.Labels = map[string]string{"sysctl-injector.dev/kernel": "Guest"} },
			handlers, v1alpha1.SharedKernel},
		{"is shared by runc under a name of Kata Containers", func(c *nodev1.RuntimeClass) { c.Name = "kata-qemu" },
			handlers, v1alpha1.SharedKernel},
		{"is shared by a handler that begins as a guest's",
			func(c *nodev1.RuntimeClass) { c.Handler = "kata-qemu-runc" }, handlers, v1alpha1.SharedKernel},
		{"is shared by the beginning of a guest's handler", func(c *nodev1.RuntimeClass) { c.Handler = "kata-" },
			handlers, v1alpha1.SharedKernel},
		{"is shared by a guest's handler in capitals", func(c *nodev1.RuntimeClass) { c.Handler = "KATA" }, handlers,
			v1alpha1.SharedKernel},
		{"is shared by an annotation in place of the label",
			func(c *nodev1.RuntimeClass) { c.Annotations = map[string]string{"sysctl-injector.dev/kernel": "guest"} },
			handlers, v1alpha1.SharedKernel},
	} {
		t.Run(test.name, func(t *testing.T) {
			class := &nodev1.RuntimeClass{ObjectMeta: metav1.ObjectMeta{Name: "plain"}, Handler: "runc"}
			test.tweak(class)
			if got := KernelOf(class, test.handlers); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	if got := KernelOf(nil, handlers); got != v1alpha1.SharedKernel {
		t.Errorf("without a class: %s", got)
	}
}

func TestDefaultGuestHandlersAreInOrderAndTheCallersOwn(t *testing.T) {
	handlers := DefaultGuestHandlers()
	if !slices.IsSorted(handlers) || len(sets.New(handlers...)) != len(handlers) {
		t.Errorf("not in order, or one is there twice: %q", handlers)
	}
	handlers[0] = "runc"
	if slices.Contains(DefaultGuestHandlers(), "runc") {
		t.Error("a caller changed the default")
	}
}
