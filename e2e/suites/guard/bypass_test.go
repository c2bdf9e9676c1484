package guard_test

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
)

// layer is the part of the API server that rejects.
type layer string

const (
	theStandard  layer = "ValidatingAdmissionPolicy 'sysctl-injector-baseline' with binding 'sysctl-injector-baseline'"
	theKernel    layer = "ValidatingAdmissionPolicy 'sysctl-injector-kernel' with binding 'sysctl-injector-kernel'"
	theAPIServer layer = "the API server's validation"
	nobody       layer = "nobody: what is asked for is dropped"
)

// attempt is an attempt to get a pod past the guard that has a privileged container of its own, or sets sysctls that
// are not granted.
type attempt struct {
	name  string
	tweak func(*corev1.Pod) // of a pod that the webhook has injected, and that would be admitted
	by    layer
	want  string // the layer's whole message; for the API server's own validation, its beginning
}

// attempts are the rows of every table.
func attempts() []attempt {
	var rows []attempt
	for _, row := range shapes {
		rows = append(rows, attempt{row.name, func(pod *corev1.Pod) { row.tweak(&pod.Spec.InitContainers[0]) },
			theStandard, row.want()})
	}
	for _, row := range arguments {
		rows = append(rows, attempt{"arguments: " + row.name,
			func(pod *corev1.Pod) { pod.Spec.InitContainers[0].Args = row.args }, theStandard, row.want()})
	}
	return append(append(append(rows, places...), neighbours...), kernels...)
}

func TestGuardBypass(t *testing.T) {
	admin := clientset(t)
	namespace := newNamespace(t, held(api.LevelBaseline))
	if got := verdict(createIn(t, namespace, attacked())); got != "" {
		t.Fatalf("the pod that every attempt starts from is rejected itself: %s", got)
	}
	rows := attempts()
	if len(rows) < 150 {
		t.Errorf("there are %d attempts", len(rows))
	}
	for _, row := range rows {
		row.by, row.want = server(t).answer(row.name, row.by, row.want)
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			pod := attacked()
			row.tweak(pod)
			_, err := admin.CoreV1().Pods(namespace).Create(t.Context(), pod, dryRun)
			row.check(t, verdict(err))
		})
	}
}

// attacked is the pod that attempts start from. It has volumes that some of them mount.
func attacked() *corev1.Pod {
	pod := injectedPod()
	pod.Spec.Volumes = []corev1.Volume{
		{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		{Name: "projected", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{}}},
		{Name: "claim",
			VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "claim"}}},
	}
	pod.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "device", ResourceClaimName: new("device")}}
	return pod
}

func createIn(t *testing.T, namespace string, pod *corev1.Pod) error {
	_, err := clientset(t).CoreV1().Pods(namespace).Create(t.Context(), pod, dryRun)
	return err
}

func (a attempt) check(t *testing.T, got string) {
	t.Helper()
	want := server(t).words(a.want)
	switch a.by {
	case nobody:
		if got != "" {
			t.Errorf("got  %s\nwant it admitted", got)
		}
	case theAPIServer:
		if !strings.HasPrefix(got, want) {
			t.Errorf("got  %s\nwant %s…", got, want)
		}
	default:
		if want := fmt.Sprintf(`pods "pod" is forbidden: %s denied request: %s`, a.by, want); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// standard returns the guard's message about violations of baseline.
func standard(violations ...string) string {
	return `violates PodSecurity "baseline:latest": ` + strings.Join(violations, ", ")
}

// Parts of messages. A container that is not the injected one must meet the standard too.
const (
	oursIsPrivileged = `privileged (container "sysctl-injector" must not set securityContext.privileged=true)`
	onlyTheFirst     = `reserved container name (only the first init container may be named "sysctl-injector")`
)

var oursIsUnconfined = unconfined("sysctl-injector")

func differsIn(fields string) string { return differsBecause(fields, "") }

// differsInImage returns the guard's message if the image is among the fields: it names the chart's value.
func differsInImage(fields, image string) string {
	return differsBecause(fields, `, or have the chart write the image that it leaves: initContainer.image="`+image+`"`)
}

func differsBecause(fields, remedy string) string {
	return `reserved container name (container "sysctl-injector" is not as the webhook writes it, it differs in ` +
		fields +
		`; the likely cause is another webhook, or a policy, that runs later; exempt the container there` + remedy +
		`, or have our webhook run last: webhook.configurationName="zz-sysctl-injector")`
}

func notGranted(namespace, serviceAccount, name string, all ...string) string {
	return fmt.Sprintf(`sysctl %q is not granted: service account %q must be allowed to "use" it; an administrator `+
		`allows it with `+
		"`sysctl-injector companion -n %s --serviceaccount %s %s | kubectl apply -f -`", name, serviceAccount,
		namespace, serviceAccount, strings.Join(all, " "))
}
