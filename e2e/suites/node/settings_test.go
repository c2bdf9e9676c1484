package node_test

import (
	"cmp"
	"context"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// The usual hardening settings of pods and administrators do not prevent the injection.
func TestSysctlsBesideOtherSettings(t *testing.T) {
	t.Parallel()
	someMemory := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("50m"),
		corev1.ResourceMemory: resource.MustParse("16Mi")}
	quota := func(t *testing.T, namespace string) {
		quotas := client.CoreV1().ResourceQuotas(namespace)
		_, err := quotas.Create(t.Context(), &corev1.ResourceQuota{
			ObjectMeta: metav1.ObjectMeta{Name: "quota"},
			Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{
				corev1.ResourceRequestsCPU:    resource.MustParse("100m"),
				corev1.ResourceRequestsMemory: resource.MustParse("32Mi"),
				corev1.ResourceLimitsCPU:      resource.MustParse("100m"),
				corev1.ResourceLimitsMemory:   resource.MustParse("32Mi"),
			}},
		}, metav1.CreateOptions{})
		must(t, err)
		eventually(t, "the quota to be in force", func(ctx context.Context) (bool, error) {
			quota, err := quotas.Get(ctx, "quota", metav1.GetOptions{})
			return err == nil && len(quota.Status.Hard) == 4, err
		})
	}
	limits := func(t *testing.T, namespace string) {
		_, err := client.CoreV1().LimitRanges(namespace).Create(t.Context(), &corev1.LimitRange{
			ObjectMeta: metav1.ObjectMeta{Name: "limits"},
			Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
				Type: corev1.LimitTypeContainer, Default: someMemory, DefaultRequest: someMemory,
				Min: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m")},
				Max: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")},
			}}},
		}, metav1.CreateOptions{})
		must(t, err)
	}
	for name, test := range map[string]struct {
		prepare  func(*testing.T, string)
		tweak    func(*corev1.Pod)
		standard string // of the guard; empty means "restricted", which asks for the first ones all at once
	}{
		"runAsNonRoot for the pod": {standard: "baseline", tweak: func(pod *corev1.Pod) {
			plain(pod)
			pod.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsNonRoot: ptr.To(true),
				RunAsUser: ptr.To(int64(1000)), RunAsGroup: ptr.To(int64(1000))}
		}},
		"the runtime's seccomp profile for the pod": {standard: "baseline", tweak: func(pod *corev1.Pod) {
			plain(pod)
			pod.Spec.SecurityContext.SeccompProfile = &corev1.SeccompProfile{
				Type: corev1.SeccompProfileTypeRuntimeDefault}
		}},
		"no privilege escalation and no capabilities": {standard: "baseline", tweak: func(pod *corev1.Pod) {
			plain(pod)
			pod.Spec.Containers[0].SecurityContext = restrictedContainer()
		}},
		"nothing said of security": {standard: "baseline", tweak: plain},
		"a read-only root file system": {tweak: func(pod *corev1.Pod) {
			pod.Spec.Containers[0].SecurityContext.ReadOnlyRootFilesystem = ptr.To(true)
		}},
		"a ResourceQuota": {prepare: quota, tweak: func(pod *corev1.Pod) {
			pod.Spec.Containers[0].Resources = corev1.ResourceRequirements{Requests: someMemory, Limits: someMemory}
		}},
		"a LimitRange": {prepare: limits, tweak: func(*corev1.Pod) {}},
		"a ResourceQuota and a LimitRange": {prepare: func(t *testing.T,
			namespace string) {
			limits(t, namespace)
			quota(t, namespace)
		}, tweak: func(*corev1.Pod) {}},
		"a hostname and other DNS settings": {
			tweak: func(pod *corev1.Pod) { pod.Spec.Hostname = "named"; pod.Spec.DNSPolicy = corev1.DNSDefault }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := makeNamespace(t, guardedAt(cmp.Or(test.standard, "restricted")))
			keepsHost(t, "net.core.somaxconn")
			if test.prepare != nil {
				test.prepare(t, namespace)
			}
			pod := run(t, namespace,
				newPod("careful", "net.core.somaxconn = 2048\nkernel.sem = "+semaphores, test.tweak))
			wantValues(t, pod, app, "net.core.somaxconn = 2048", "kernel.sem = "+semaphores)
			wantUnprivileged(t, pod, app, ordinary(t, test.tweak))
		})
	}
}

func TestIPv6Sysctls(t *testing.T) {
	t.Parallel()
	const name = "net.ipv6.conf.all.accept_ra"
	namespace := makeNamespace(t, enrolled())
	reader := run(t, namespace, newPod("reader", ""))
	if offered := offeredIn(t, reader); !slices.Contains(offered, name) {
		t.Skipf("NOT RUN: this kernel has no %s in a pod", name)
	}
	keepsHost(t, name, "net.ipv6.conf.default.hop_limit")
	pod := run(t, namespace,
		newPod("v6", name+" = 0\nnet.ipv6.conf.default.hop_limit = 70\nnet.ipv6.conf.all.disable_ipv6 = 1"))
	wantValues(t, pod, app, name+" = 0", "net.ipv6.conf.default.hop_limit = 70", "net.ipv6.conf.all.disable_ipv6 = 1")
	wantUnprivileged(t, pod, app, ordinary(t))
}
