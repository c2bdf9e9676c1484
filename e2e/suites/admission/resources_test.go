package admission_test

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/randompod"
)

// The QoS class of a pod is the one it has in a namespace that is not enrolled.
func TestQoSClassStays(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		class corev1.PodQOSClass
		tweak func(*corev1.PodSpec)
		// own is what our container states.
		own corev1.ResourceRequirements
	}{
		{"best-effort", corev1.PodQOSBestEffort, func(*corev1.PodSpec) {}, corev1.ResourceRequirements{}},
		{"burstable", corev1.PodQOSBurstable,
			func(s *corev1.PodSpec) { s.Containers[0].Resources.Requests = randompod.Quantities("250m", "") },
			corev1.ResourceRequirements{Requests: randompod.Quantities("100m", "")}},
		{"burstable-and-small", corev1.PodQOSBurstable, func(s *corev1.PodSpec) {
			s.Containers[0].Resources = corev1.ResourceRequirements{Requests: randompod.Quantities("10m", "16Mi"),
				Limits: randompod.Quantities("50m", "32Mi")}
		},
			corev1.ResourceRequirements{Requests: randompod.Quantities("10m", "16Mi"),
				Limits: randompod.Quantities("50m", "32Mi")}},
		{"guaranteed", corev1.PodQOSGuaranteed,
			func(s *corev1.PodSpec) { s.Containers[0].Resources.Limits = randompod.Quantities("250m", "64Mi") },
			corev1.ResourceRequirements{Requests: randompod.Quantities("100m", "32Mi"),
				Limits: randompod.Quantities("100m", "32Mi")}},
		{"burstable-by-an-init-container", corev1.PodQOSBurstable, func(s *corev1.PodSpec) {
			s.InitContainers = []corev1.Container{{Name: "setup", Image: "setup",
				Resources: corev1.ResourceRequirements{Requests: randompod.Quantities("", "64Mi")}}}
		}, corev1.ResourceRequirements{Requests: randompod.Quantities("", "32Mi")}},
		{"guaranteed-as-a-whole", corev1.PodQOSGuaranteed, func(s *corev1.PodSpec) {
			s.Resources = &corev1.ResourceRequirements{Limits: randompod.Quantities("1", "1Gi"),
				Requests: randompod.Quantities("1", "1Gi")}
		}, corev1.ResourceRequirements{}},
		{"burstable-as-a-whole", corev1.PodQOSBurstable, func(s *corev1.PodSpec) {
			s.Resources = &corev1.ResourceRequirements{Requests: randompod.Quantities("1", "1Gi")}
		}, corev1.ResourceRequirements{}},
	}
	inside, outside := makeNamespace(t, enrolled), makeNamespace(t, nil)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			pod := newPod(test.name, "net.core.somaxconn = 4096")
			test.tweak(&pod.Spec)
			if pod.Spec.Resources != nil && !serves(t, 34) {
				t.Skip("NOT RUN: this version of Kubernetes has no resources of a whole pod")
			}
			for _, namespace := range []string{inside, outside} {
				newTerminal(t, namespace).must(manifest(t, pod), "create", "-f", "-")
				if class := getPod(t, namespace, pod.Name).Status.QOSClass; class != test.class {
					t.Errorf("in namespace %s the pod is %s, want %s", namespace, class, test.class)
				}
			}
			created := getPod(t, inside, pod.Name)
			want := injectedContainer(created, "net.core.somaxconn=4096")
			want.Resources = test.own
			wantContainer(t, created, want)
		})
	}
}

// The API server fills in a LimitRange's defaults before the webhook sees the pod, and again afterwards.
func TestLimitRange(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		defaults corev1.LimitRangeItem
		want     corev1.ResourceRequirements // of our container
	}{
		{
			"of CPU and memory",
			corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, Default: randompod.Quantities("1", "1Gi"),
				DefaultRequest: randompod.Quantities("500m", "512Mi")},
			corev1.ResourceRequirements{Requests: randompod.Quantities("100m", "32Mi"),
				Limits: randompod.Quantities("100m", "32Mi")},
		},
		{
			"of memory alone",
			corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, Default: randompod.Quantities("", "1Gi"),
				DefaultRequest: randompod.Quantities("", "1Gi")},
			corev1.ResourceRequirements{Requests: randompod.Quantities("", "32Mi"),
				Limits: randompod.Quantities("", "32Mi")},
		},
		{
			"of storage alone",
			corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, Default: randompod.Storage("2Gi"),
				DefaultRequest: randompod.Storage("1Gi")},
			corev1.ResourceRequirements{Requests: randompod.Storage("1Gi"), Limits: randompod.Storage("2Gi")},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			classes := map[string]corev1.PodQOSClass{}
			for name, labels := range map[string]map[string]string{"inside": enrolled, "outside": nil} {
				namespace := makeNamespace(t, labels)
				k := newTerminal(t, namespace)
				k.must(manifest(t, corev1.LimitRange{
					TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "LimitRange"},
					ObjectMeta: metav1.ObjectMeta{Name: "defaults"},
					Spec:       corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{test.defaults}},
				}), "create", "-f", "-")
				awaitLimitRange(t, namespace)
				k.must(manifest(t, newPod("web", "net.core.somaxconn = 4096")), "create", "-f", "-")
				pod := getPod(t, namespace, "web")
				classes[name] = pod.Status.QOSClass
				if labels != nil {
					want := injectedContainer(pod, "net.core.somaxconn=4096")
					want.Resources = test.want
					wantContainer(t, pod, want)
				}
			}
			if classes["inside"] != classes["outside"] {
				t.Errorf("the pod is %s, and %s in a namespace that is not enrolled", classes["inside"],
					classes["outside"])
			}
		})
	}
}

// awaitLimitRange waits until the API server applies it.
func awaitLimitRange(t *testing.T, namespace string) {
	t.Helper()
	eventually(t, "the LimitRange to be in force", func(ctx context.Context) (bool, error) {
		pod, err := client.CoreV1().Pods(namespace).Create(ctx, newPod("probe", ""),
			metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err == nil && len(pod.Spec.Containers[0].Resources.Limits) > 0, err
	})
}

// If our container is below a minimum, the remedy is --init-cpu or --init-memory. The API server's message must lead
// there.
func TestLimitRangeMinimum(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled)
	k := newTerminal(t, namespace)
	k.must(manifest(t, corev1.LimitRange{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "LimitRange"}, ObjectMeta: metav1.ObjectMeta{Name: "minimum"},
		Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
			Type: corev1.LimitTypeContainer, Min: randompod.Quantities("200m", ""), Default: randompod.Quantities("1",
				""),
			DefaultRequest: randompod.Quantities("1", ""),
		}}},
	}), "create", "-f", "-")
	awaitLimitRange(t, namespace)
	k.fails(`Error from server (Forbidden): error when creating "STDIN": pods "web" is forbidden: minimum cpu usage `+
		`per Container is 200m, but request is 100m`,
		manifest(t, newPod("web", "net.core.somaxconn = 4096")), "create", "-f", "-")
}

func TestResourceQuota(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled)
	k := newTerminal(t, namespace)
	k.must(manifest(t, corev1.ResourceQuota{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ResourceQuota"}, ObjectMeta: metav1.ObjectMeta{Name: "team"},
		Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{
			corev1.ResourceRequestsCPU: resource.MustParse("1"), corev1.ResourceLimitsCPU: resource.MustParse("1"),
			corev1.ResourceRequestsMemory: resource.MustParse("1Gi"),
			corev1.ResourceLimitsMemory:   resource.MustParse("1Gi"),
		}},
	}), "create", "-f", "-")
	eventually(t, "the quota to be in force", func(ctx context.Context) (bool, error) {
		quota, err := client.CoreV1().ResourceQuotas(namespace).Get(ctx, "team", metav1.GetOptions{})
		return err == nil && len(quota.Status.Hard) == 4, err
	})
	// The quota requires limits on each container, also on ours. Our container runs before the others, so it needs no
	// more quota.
	small := newPod("small", "net.core.somaxconn = 4096")
	small.Spec.Containers[0].Resources.Limits = randompod.Quantities("400m", "256Mi")
	k.must(manifest(t, small), "create", "-f", "-")
	pod := getPod(t, namespace, "small")
	wantContainer(t, pod, stated(injectedContainer(pod, "net.core.somaxconn=4096")))
	eventually(t, "the quota to count the pod", func(ctx context.Context) (bool, error) {
		quota, err := client.CoreV1().ResourceQuotas(namespace).Get(ctx, "team", metav1.GetOptions{})
		return err == nil && quota.Status.Used.Name(corev1.ResourceLimitsCPU, resource.DecimalSI).String() == "400m",
			err
	})
	want := `Error from server (Forbidden): error when creating "STDIN": pods "none" is forbidden: failed quota: ` +
		`team: must specify %s`
	k.fails(fmt.Sprintf(want, "limits.cpu for: sysctl-injector,web; limits.memory for: sysctl-injector,web; "+
		"requests.cpu for: sysctl-injector,web; requests.memory for: sysctl-injector,web"),
		manifest(t, newPod("none", "net.core.somaxconn = 4096")), "create", "-f", "-")
}
