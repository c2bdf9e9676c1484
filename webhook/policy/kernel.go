package policy

import (
	nodev1 "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// DefaultGuestHandlers are the RuntimeClass handlers that Kata Containers' kata-deploy installs, and "kata", its
// default. Source: github.com/kata-containers/kata-containers tools/packaging/kata-deploy/runtimeclasses, over all
// its releases.
func DefaultGuestHandlers() []string {
	return []string{
		"kata",
		"kata-clh",
		"kata-clh-tdx",
		"kata-cloud-hypervisor",
		"kata-dragonball",
		"kata-fc",
		"kata-qemu",
		"kata-qemu-cca",
		"kata-qemu-coco-dev",
		"kata-qemu-coco-dev-runtime-rs",
		"kata-qemu-nvidia-gpu",
		"kata-qemu-nvidia-gpu-nvcf",
		"kata-qemu-nvidia-gpu-snp",
		"kata-qemu-nvidia-gpu-tdx",
		"kata-qemu-runtime-rs",
		"kata-qemu-se",
		"kata-qemu-se-runtime-rs",
		"kata-qemu-sev",
		"kata-qemu-snp",
		"kata-qemu-tdx",
		"kata-remote",
		"kata-stratovirt",
	}
}

// KernelOf says whose kernel the pods of a RuntimeClass run on: their own where the class's label says so, or where
// its handler is a guest's. Its name never counts: it says nothing of what a node runs. A nil class is the node's own
// runtime.
func KernelOf(class *nodev1.RuntimeClass, guestHandlers sets.Set[string]) v1alpha1.Kernel {
	if class == nil {
		return v1alpha1.SharedKernel
	}
	if class.Labels[v1alpha1.KernelLabel] == v1alpha1.KernelLabelGuest || guestHandlers.Has(class.Handler) {
		return v1alpha1.GuestKernel
	}
	return v1alpha1.SharedKernel
}
