package injection

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/apitesting/fuzzer"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metafuzzer "k8s.io/apimachinery/pkg/apis/meta/fuzzer"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/sets"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	schedulerresource "k8s.io/component-helpers/resource"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// apply applies an outcome's operations to a pod by a library that knows nothing of this package.
func apply(t testing.TB, pod corev1.Pod, outcome Outcome) corev1.Pod {
	t.Helper()
	if outcome.IsDenied() {
		t.Fatalf("rejected: %s", outcome.Message())
	}
	raw := mustMarshal(pod)
	if len(outcome.Operations) > 0 {
		patch, err := jsonpatch.DecodePatch(mustMarshal(outcome.Operations))
		if err != nil {
			t.Fatal(err)
		}
		if raw, err = patch.Apply(raw); err != nil {
			t.Fatalf("apply %s: %v", mustMarshal(outcome.Operations), err)
		}
	}
	var patched corev1.Pod
	if err := json.Unmarshal(raw, &patched); err != nil {
		t.Fatal(err)
	}
	return patched
}

func initNames(pod corev1.Pod) []string {
	var names []string
	for _, c := range pod.Spec.InitContainers {
		names = append(names, c.Name)
	}
	return names
}

func TestPatch(t *testing.T) {
	quantities := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"),
		corev1.ResourceMemory: resource.MustParse("1Gi")}
	stated := injected()
	stated.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"),
		corev1.ResourceMemory: resource.MustParse("32Mi")}
	bare := injected()

	tests := []struct {
		name   string
		tweak  func(*world)
		config Config
		reason string
		first  *corev1.Container // that the patched pod's init containers begin with
		inits  []string          // names of all of them
	}{
		{"makes the list of init containers", func(*world) {}, Config{}, "Injected", &bare,
			[]string{"sysctl-injector"}},
		{"goes in front of others, a sidecar among them", func(w *world) {
			w.pod.Spec.InitContainers = []corev1.Container{{Name: "proxy",
				RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)}, {Name: "setup"}}
		}, Config{}, "Injected", &bare, []string{"sysctl-injector", "proxy", "setup"}},
		{"leaves an exact one alone", func(w *world) { w.pod.Spec.InitContainers = []corev1.Container{injected()} },
			Config{}, "AlreadyInjected", &bare, []string{"sysctl-injector"}},
		{"moves an exact one back to the front", func(w *world) {
			w.pod.Spec.InitContainers = []corev1.Container{{Name: "istio-init"}, injected()}
		}, Config{}, "AlreadyInjected", &bare, []string{"sysctl-injector", "istio-init"}},
		{"states resources where the pod does",
			func(w *world) { w.pod.Spec.Containers[0].Resources.Requests = quantities }, Config{}, "Injected", &stated,
			[]string{"sysctl-injector"}},
		{"states none where the pod states only a device", func(w *world) {
			w.pod.Spec.Containers[0].Resources.Limits = corev1.ResourceList{"example.com/gpu": resource.MustParse("1")}
		}, Config{}, "Injected", &bare, []string{"sysctl-injector"}},
		{"states none where the pod as a whole does", func(w *world) {
			w.pod.Spec.Resources = &corev1.ResourceRequirements{Requests: quantities}
			w.pod.Spec.Containers[0].Resources.Requests = quantities
		}, Config{}, "Injected", &bare, []string{"sysctl-injector"}},
		{"tells of a guest kernel", (*world).guest, Config{}, "Injected", &bare, []string{"sysctl-injector"}},
		{"nothing is asked for", func(w *world) { w.pod.Annotations = nil }, Config{}, "NotRequested", nil, nil},
		{"the pod opts out", func(w *world) { w.annotate(v1alpha1.InjectAnnotation, "false") }, Config{}, "OptedOut",
			nil, nil},
		{"the pod opts out, whatever else its annotations say", func(w *world) {
			w.sysctls("rubbish")
			w.annotate("sysctl-injector.dev/rubbish", "")
			w.annotate(v1alpha1.InjectAnnotation, "false")
		}, Config{}, "OptedOut", nil, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := validWorld()
			test.tweak(w)
			outcome := w.decide(t, test.config)
			if outcome.Reason != test.reason {
				t.Fatalf("reason %q, want %q: %s", outcome.Reason, test.reason, outcome.Message())
			}
			patched := apply(t, w.pod, outcome)
			if diff := cmp.Diff(test.inits, initNames(patched)); diff != "" {
				t.Errorf("init containers (-want +got):\n%s", diff)
			}
			if test.first == nil {
				if len(outcome.Operations) > 0 {
					t.Errorf("a pod that is left alone gets a patch: %s", mustMarshal(outcome.Operations))
				}
				return
			}
			if diff := cmp.Diff(*test.first, patched.Spec.InitContainers[0]); diff != "" {
				t.Errorf("container (-want +got):\n%s", diff)
			}
			kernel := policy.KernelOf(w.runtimeClass, sets.New("kata"))
			form := map[v1alpha1.Kernel]string{v1alpha1.SharedKernel: "privileged",
				v1alpha1.GuestKernel: "guest"}[kernel]
			wantStatus := fmt.Sprintf(
				`{"version":"v1.2.3","kernel":"%s","form":"%s","sysctls":["net.core.somaxconn=4096"]}`, kernel, form)
			if patched.Annotations[v1alpha1.StatusAnnotation] != wantStatus ||
				patched.Labels[v1alpha1.InjectedLabel] != "true" {
				t.Errorf("status %q, label %q", patched.Annotations[v1alpha1.StatusAnnotation],
					patched.Labels[v1alpha1.InjectedLabel])
			}
		})
	}
}

func TestSecondTimeChangesNothing(t *testing.T) {
	w := validWorld()
	config := Config{PullSecrets: []string{"mirror"}}
	w.pod = apply(t, w.pod, w.decide(t, config))
	outcome := w.decide(t, config)
	if outcome.Reason != ReasonAlreadyInjected || len(outcome.Operations) > 0 {
		t.Errorf("%s with patch %s", outcome.Reason, mustMarshal(outcome.Operations))
	}
}

func TestConfiguredContainer(t *testing.T) {
	w := validWorld()
	w.pod.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "own"}}
	w.pod.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")}
	patched := apply(t, w.pod, w.decide(t, Config{
		Config: form.Config{Image: "mirror.example/busybox@sha256:0123", PullPolicy: corev1.PullAlways,
			Memory: resource.MustParse("64Mi")},
		PullSecrets: []string{"mirror", "own"},
	}))
	want := injected()
	want.Image, want.ImagePullPolicy = "mirror.example/busybox@sha256:0123", corev1.PullAlways
	quantities := corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")}
	want.Resources = corev1.ResourceRequirements{Requests: quantities, Limits: quantities}
	if diff := cmp.Diff(want, patched.Spec.InitContainers[0]); diff != "" {
		t.Errorf("container (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]corev1.LocalObjectReference{{Name: "own"}, {Name: "mirror"}},
		patched.Spec.ImagePullSecrets); diff != "" {
		t.Errorf("pull secrets (-want +got):\n%s", diff)
	}
}

// For any pod, the patch gives the pod that the same change made on its typed form gives, and nothing else differs.
func TestPatchEqualsTypedMutation(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	filler := fuzzer.FuzzerFor(metafuzzer.Funcs, rand.NewSource(seed), serializer.NewCodecFactory(clientscheme.Scheme))
	random := rand.New(rand.NewSource(seed))
	for range 2000 {
		w := validWorld()
		filler.Fill(&w.pod.ObjectMeta)
		filler.Fill(&w.pod.Spec)
		if random.Intn(2) == 0 {
			w.pod.Spec.InitContainers = nil
		}
		w.pod.Spec.HostNetwork, w.pod.Spec.OS, w.pod.Spec.SecurityContext = false, nil, nil
		if w.pod.Annotations == nil {
			w.pod.Annotations = map[string]string{}
		}
		w.sysctls("net.core.somaxconn = 4096")
		// As the API server sends it: what JSON cannot tell apart is the same pod.
		if err := json.Unmarshal(mustMarshal(w.pod), &w.pod); err != nil {
			t.Fatal(err)
		}
		got := apply(t, w.pod, w.decide(t, Config{}))
		if want := mutateTyped(w.pod); !apiequality.Semantic.DeepEqual(want, got) {
			t.Fatalf("(-want +got):\n%s", cmp.Diff(want, got))
		}
	}
}

// mutateTyped is the change on the typed pod, written without regard to the code under test.
func mutateTyped(pod corev1.Pod) corev1.Pod {
	mutated := *pod.DeepCopy()
	if mutated.Labels == nil {
		mutated.Labels = map[string]string{}
	}
	mutated.Labels["sysctl-injector.dev/injected"] = "true"
	form, container := "privileged", injected()
	if pod.Spec.HostUsers != nil && !*pod.Spec.HostUsers {
		form, container = "user-namespace", injectedInUserNamespace()
	}
	mutated.Annotations["sysctl-injector.dev/status"] = `{"version":"v1.2.3","kernel":"Shared","form":"` + form +
		`","sysctls":["net.core.somaxconn=4096"]}`
	if !schedulerresource.IsPodLevelResourcesSet(&pod) {
		container.Resources = smallest(append(slices.Clone(pod.Spec.Containers), pod.Spec.InitContainers...))
	}
	mutated.Spec.InitContainers = append([]corev1.Container{container}, mutated.Spec.InitContainers...)
	return mutated
}

// The API server need not add the mount of the token then, nor call the webhook again for having added it.
func TestMountsTheTokenAsTheAPIServerWould(t *testing.T) {
	token := corev1.VolumeMount{Name: "kube-api-access-x7x2p", ReadOnly: true, MountPath: pod.TokenMountPath}
	projected := corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{}}
	tests := []struct {
		name   string
		mount  corev1.VolumeMount
		volume corev1.Volume
		want   []corev1.VolumeMount
	}{
		{"as the other containers have it", token, corev1.Volume{Name: token.Name, VolumeSource: projected},
			[]corev1.VolumeMount{token}},
		{"not another volume at its place", corev1.VolumeMount{Name: "mine", MountPath: pod.TokenMountPath},
			corev1.Volume{Name: "mine", VolumeSource: projected}, nil},
		{"not a volume of another kind under its name", token, corev1.Volume{Name: token.Name,
			VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}}, nil},
		{"not the volume at another place", corev1.VolumeMount{Name: token.Name, MountPath: "/token"},
			corev1.Volume{Name: token.Name, VolumeSource: projected}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := validWorld()
			w.pod.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data"}, test.mount}
			w.pod.Spec.Volumes = []corev1.Volume{test.volume}
			w.pod = apply(t, w.pod, w.decide(t, Config{}))
			if diff := cmp.Diff(test.want, w.pod.Spec.InitContainers[0].VolumeMounts); diff != "" {
				t.Errorf("mounts (-want +got):\n%s", diff)
			}
			if again := w.decide(t, Config{}); again.Reason != ReasonAlreadyInjected {
				t.Errorf("the second time: %s", again.Message())
			}
		})
	}
}

// However large a pod is, and whatever its other annotations say, it gets the same patch.
func TestSizeAndTextDoNotMatter(t *testing.T) {
	plain := validWorld()
	want := plain.decide(t, Config{})
	large := validWorld()
	for i := range 1500 {
		large.pod.Spec.Containers[0].Env = append(large.pod.Spec.Containers[0].Env,
			corev1.EnvVar{Name: fmt.Sprintf("SETTING_%d", i), Value: `some "quoted" text {[:,]} \u0000`})
	}
	var every strings.Builder
	for r := rune(1); r <= unicode.MaxRune; r += 7 {
		if utf8.ValidRune(r) {
			every.WriteRune(r)
		}
	}
	large.annotate("example.com/every-letter", every.String())
	if size := len(mustMarshal(large.pod)); size < 60<<10 {
		t.Fatalf("the pod has %d bytes only", size)
	}
	if diff := cmp.Diff(want, large.decide(t, Config{})); diff != "" {
		t.Errorf("(-small +large):\n%s", diff)
	}
}
