package neighbours_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// neighbours are all webhooks that the tests run beside ours.
func neighbours(t *testing.T) []neighbour {
	return append(fragments(t), eksRoles, eksPodIdentity, azureIdentity, azureProxy, vault(false), vault(true), istio,
		linkerd, sorter,
		oldTypes, cleaner, remover, userNamespaces, podLevel)
}

// Beside another webhook, a pod gets the same injected container as without it, and the webhook's changes in the other
// containers. The exception is a webhook that runs last and changes our container: then the pod is rejected.
func TestBesideAWebhook(t *testing.T) {
	for _, n := range neighbours(t) {
		t.Run(n.name, func(t *testing.T) {
			t.Parallel()
			namespace := makeNamespace(t, nil)
			references := map[string]*corev1.Pod{}
			for _, v := range variants {
				references[v.name] = n.reference(t, namespace, v)
			}
			for _, o := range orders {
				t.Run(o.String(), func(t *testing.T) {
					n.install(t, namespace, o)
					for _, v := range variants {
						created, err := create(t, namespace, v.of(n.pod(o)))
						switch {
						case o == last && n.removesNative && v.native:
							wantRejected(t, err,
								[]string{"spec.securityContext.sysctls of net.ipv4.ip_local_port_range" + gone})
						case o == last && !n.spares && (!n.sparesVerify || v.name != "verify"):
							wantRejected(t, err, n.rejection)
						case n.removesContainer && o != orders[0]:
							wantRejected(t, err, []string{pullPolicy})
						case err != nil:
							t.Errorf("%s: %v", v.name, err)
						default:
							n.check(t, created, references[v.name])
						}
					}
				})
			}
		})
	}
}

// variant is a kind of pod, with one of the ways to set sysctls.
type variant struct {
	name   string
	tweak  func(*corev1.Pod)
	native bool
}

var variants = []variant{
	{name: "plain", tweak: func(*corev1.Pod) {}},
	{name: "in-a-user-namespace", tweak: func(pod *corev1.Pod) { pod.Spec.HostUsers = ptr.To(false) }},
	{name: "native-first", native: true, tweak: func(pod *corev1.Pod) {
		pod.Annotations[v1alpha1.SysctlsAnnotation] += "\nnet.ipv4.ip_local_port_range = 32768 60999"
		pod.Annotations[v1alpha1.StrategyAnnotation] = "native-first"
	}},
	{name: "verify", tweak: func(pod *corev1.Pod) { pod.Annotations[v1alpha1.ModeAnnotation] = "verify" }},
}

func (v variant) of(pod *corev1.Pod) *corev1.Pod {
	pod.Name += "-" + v.name
	v.tweak(pod)
	return pod
}

// If our configuration's name sorts after the neighbour's, no neighbour runs last.
func TestOurWebhookLast(t *testing.T) {
	renameOurs(t, "zz-sysctl-injector")
	t.Run("beside", func(t *testing.T) {
		for _, n := range neighbours(t) {
			if n.spares || n.removesContainer {
				continue
			}
			t.Run(n.name, func(t *testing.T) {
				t.Parallel()
				namespace := makeNamespace(t, nil)
				reference := n.reference(t, namespace, variants[0])
				n.install(t, namespace, last)
				created, err := create(t, namespace, n.pod(last))
				must(t, err)
				n.check(t, created, reference)
			})
		}
	})
}

// renameOurs gives our configuration another name, as the chart's value webhook.configurationName does, until the
// test ends.
func renameOurs(t *testing.T, name string) {
	t.Helper()
	suite.Cluster(t)
	configurations := client.AdmissionregistrationV1().MutatingWebhookConfigurations()
	found, err := configurations.Get(t.Context(), installation.Name, metav1.GetOptions{})
	must(t, err)
	move := func(from, to string) {
		renamed := found.DeepCopy()
		renamed.ObjectMeta = metav1.ObjectMeta{Name: to, Labels: found.Labels}
		_, err := configurations.Create(context.Background(), renamed, metav1.CreateOptions{})
		must(t, err)
		must(t, configurations.Delete(context.Background(), from, metav1.DeleteOptions{}))
	}
	move(installation.Name, name)
	t.Cleanup(func() { move(name, installation.Name) })
	// The sorter runs last until the API server sees the new name and no longer the old one.
	namespace := makeNamespace(t, nil)
	sorter.install(t, namespace, last)
	eventually(t, "the API server to call our webhook last", func(ctx context.Context) (bool, error) {
		_, err := client.CoreV1().Pods(namespace).Create(ctx, sorter.pod(last),
			metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err == nil, nil
	})
}

// Parts of the guard's message about a pod whose container another webhook has changed after ours.
const (
	cause = "the likely cause is another webhook, or a policy, that runs later; exempt the container there"
	// pullPolicy is the message of the plugin AlwaysPullImages.
	pullPolicy = `spec.initContainers[0].imagePullPolicy: Unsupported value: "IfNotPresent": supported values: "Always"`
	remedy     = `or have our webhook run last: webhook.configurationName="zz-sysctl-injector"`
)

// wantRejected looks for the texts in a rejection, and for the cause and remedy unless others are given.
func wantRejected(t *testing.T, err error, texts []string) {
	t.Helper()
	if texts == nil {
		texts = []string{cause, remedy}
	}
	if err == nil {
		t.Fatal("the pod is created")
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the message does not contain %q:\n%v", text, err)
		}
	}
}

// reference creates the neighbour's pod where the neighbour is not called.
func (n neighbour) reference(t *testing.T, namespace string, v variant) *corev1.Pod {
	t.Helper()
	pod := v.of(n.pod(order{"reference", ""}))
	if n.asIf != nil {
		n.asIf(pod)
	}
	created, err := create(t, namespace, pod)
	must(t, err)
	if first := created.Spec.InitContainers[0]; first.Name != v1alpha1.ContainerName || first.Image != image ||
		first.ImagePullPolicy != corev1.PullAlways || first.Resources.Requests.Cpu().String() != "20m" {
		t.Fatalf("without a neighbour, the container is %+v", first)
	}
	return created
}

// check compares our container with that of the reference, and looks for the neighbour's changes in the others.
func (n neighbour) check(t *testing.T, created, reference *corev1.Pod) {
	t.Helper()
	got, want := normal(created), normal(reference)
	if n.setsResources {
		got.Resources = want.Resources
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the container differs from that beside no neighbour (-want +got):\n%s", diff)
	}
	if got, want := sysctlsOf(created), sysctlsOf(reference); !slices.Equal(got, want) {
		t.Errorf("the native sysctls are %v, want %v", got, want)
	}
	if named := slices.Collect(namesOf(created)); slices.Contains(named[1:], v1alpha1.ContainerName) {
		t.Errorf("the containers are %v", named)
	}
	if created.Labels[v1alpha1.InjectedLabel] != "true" || created.Annotations[v1alpha1.StatusAnnotation] == "" {
		t.Errorf("labels %v and annotations %v", created.Labels, created.Annotations)
	}
	changed := created.DeepCopy()
	n.change(changed)
	if diff := cmp.Diff(changed.Spec.Containers, created.Spec.Containers); diff != "" {
		t.Errorf("the app containers do not have what the neighbour adds (-want +got):\n%s", diff)
	}
}

func sysctlsOf(pod *corev1.Pod) []corev1.Sysctl {
	if pod.Spec.SecurityContext == nil {
		return nil
	}
	return pod.Spec.SecurityContext.Sysctls
}

// normal is the first init container, with the same name for the volume of the token in every pod.
func normal(pod *corev1.Pod) corev1.Container {
	first := *pod.Spec.InitContainers[0].DeepCopy()
	for i := range first.VolumeMounts {
		if strings.HasPrefix(first.VolumeMounts[i].Name, "kube-api-access-") {
			first.VolumeMounts[i].Name = "kube-api-access"
		}
	}
	return first
}

func namesOf(pod *corev1.Pod) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
			for _, c := range list {
				if !yield(c.Name) {
					return
				}
			}
		}
	}
}

// newPod is a pod that asks for a sysctl.
func newPod(name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name,
			Annotations: map[string]string{v1alpha1.SysctlsAnnotation: "net.core.somaxconn = 1024"}},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: "web", Image: "docker.io/library/nginx:1.29"}},
			Volumes: []corev1.Volume{{Name: "shared",
				VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
		},
	}
}

// pod returns a pod on which the neighbour acts, with an init container of its own if the neighbour allows it.
func (n neighbour) pod(o order) *corev1.Pod {
	pod := newPod(o.String())
	pod.Labels = map[string]string{orderLabel: o.String()}
	if !n.alone {
		pod.Spec.InitContainers = []corev1.Container{{Name: "migrate", Image: "docker.io/library/migrate:1"}}
	}
	if n.notice != nil {
		n.notice(pod)
	}
	return pod
}
