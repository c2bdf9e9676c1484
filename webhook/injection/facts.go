package injection

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

func (i *Injector) facts(p *pod.Pod, target Target) policy.Facts {
	facts := policy.Facts{
		Namespace:       target.Namespace,
		NamespaceLabels: target.NamespaceLabels,
		ServiceAccount:  p.ServiceAccount(),
		HostNetwork:     p.HostNetwork,
		HostIPC:         p.HostIPC,
		UserNamespace:   !p.HostUsers,
		Windows:         p.WindowsField(),
		SELinuxType:     p.SELinuxType,
		Mirror:          p.Mirror,
		Kernel:          policy.KernelOf(target.RuntimeClass, i.guestHandlers),
		RuntimeClass:    p.RuntimeClass,
	}
	if class := target.RuntimeClass; class != nil {
		facts.Handler = class.Handler
		// The API server adds this to the pod's own selector. In a file it is missing.
		if facts.Windows == "" && class.Scheduling != nil && pod.SelectsWindows(class.Scheduling.NodeSelector) {
			facts.Windows = fmt.Sprintf("scheduling.nodeSelector of RuntimeClass %q: kubernetes.io/os=windows",
				class.Name)
		}
	}
	return facts
}

// ways returns what decides on the form of each sysctl.
func (i *Injector) ways(p *pod.Pod, facts policy.Facts, metadata *field.Path) (form.Pod, *policy.Violation) {
	strategy, invalid := i.strategyOf(p, metadata)
	if invalid != nil {
		return form.Pod{}, invalid
	}
	verify, invalid := verifies(p, metadata)
	return form.Pod{
		Facts: facts, Asks: p.AsksForSysctls(), Verify: verify, NativeFirst: strategy == form.NativeFirst,
		Kubernetes: i.kubernetes(), KubeletSysctls: i.kubeletSysctls,
	}, invalid
}
