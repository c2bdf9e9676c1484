package pod

import (
	"encoding/json"
	"math/rand"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/apitesting/fuzzer"
	"k8s.io/apimachinery/pkg/api/resource"
	metafuzzer "k8s.io/apimachinery/pkg/apis/meta/fuzzer"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	clientscheme "k8s.io/client-go/kubernetes/scheme"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// full is a pod in which everything that a Pod holds is set.
func full() *corev1.Pod {
	requests := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m")}
	token := corev1.VolumeMount{Name: "kube-api-access-x7x2p", ReadOnly: true, MountPath: TokenMountPath}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "web-1", GenerateName: "web-",
			Annotations: map[string]string{v1alpha1.SysctlsAnnotation: "net.core.somaxconn = 1", mirrorAnnotation: "x",
				"example.com/other": "x", EKSSkipAnnotation: "a,b", AzureSkipAnnotation: "a;b"},
			Labels: map[string]string{v1alpha1.InjectedLabel: "true", "app": "web", azureIdentityLabel: "true"},
			OwnerReferences: []metav1.OwnerReference{
				{APIVersion: "v1", Kind: "Node", Name: "node"},
				{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", UID: "1", Controller: new(true)},
			},
		},
		Spec: corev1.PodSpec{
			ServiceAccountName: "web", DeprecatedServiceAccount: "web", RuntimeClassName: new("kata"),
			HostNetwork: true, HostIPC: true, HostUsers: new(false), OS: &corev1.PodOS{Name: corev1.Linux},
			NodeSelector: map[string]string{"kubernetes.io/os": "windows", "disk": "ssd"},
			Affinity:     affinity(osExpression(corev1.NodeSelectorOpIn, "windows")),
			SecurityContext: &corev1.PodSecurityContext{
				Sysctls:        []corev1.Sysctl{{Name: "net.ipv4.tcp_syncookies", Value: "1"}},
				SELinuxOptions: &corev1.SELinuxOptions{Type: "container_t"},
			},
			Resources:        &corev1.ResourceRequirements{Limits: requests},
			ImagePullSecrets: []corev1.LocalObjectReference{{Name: "mirror"}},
			InitContainers: []corev1.Container{
				{Name: v1alpha1.ContainerName, Image: "busybox"},
				{Name: "setup", Command: []string{"sysctl"}, Args: []string{"-w"},
					SecurityContext: &corev1.SecurityContext{Privileged: new(true)}},
				{Name: "plain", Command: []string{"sysctl"}, Args: []string{"-a"}},
			},
			Containers: []corev1.Container{{Name: "web",
				Resources: corev1.ResourceRequirements{Requests: requests}, VolumeMounts: []corev1.VolumeMount{token}}},
			EphemeralContainers: []corev1.EphemeralContainer{
				{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug"}},
			},
			Volumes: []corev1.Volume{{Name: token.Name,
				VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{}}}},
		},
	}
}

// checkBoth compares what is found in a pod's JSON with what is taken from the typed pod.
func checkBoth(t *testing.T, typed *corev1.Pod) *Pod {
	t.Helper()
	raw, err := json.Marshal(typed)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	taken, err := FromTyped(typed)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(decoded, taken, cmp.AllowUnexported(Pod{})); diff != "" {
		t.Fatalf("(-Decode +FromTyped):\n%s", diff)
	}
	return taken
}

func TestFromTypedFindsWhatDecodeFinds(t *testing.T) {
	checkBoth(t, &corev1.Pod{})
	found := checkBoth(t, full())
	want := &Pod{
		Namespace: "shop", RuntimeClass: "kata", Owner: Owner{"apps/v1", "ReplicaSet", "web", "1"},
		name: "web-1", generateName: "web-", serviceAccountName: "web", deprecatedServiceAccount: "web",
		Annotations: map[string]string{v1alpha1.SysctlsAnnotation: "net.core.somaxconn = 1"}, HasAnnotations: true,
		Labels: map[string]string{v1alpha1.InjectedLabel: "true"}, HasLabels: true, Mirror: true,
		rawLabels:       `{"app":"web","azure.workload.identity/use":"true","sysctl-injector.dev/injected":"true"}`,
		SkipAnnotations: map[string]string{EKSSkipAnnotation: "a,b", AzureSkipAnnotation: "a;b"}, AzureIdentity: true,
		NodeSelectorWindows: true, NodeAffinityWindows: true, SELinuxType: "container_t",
		HasSpec: true, HostNetwork: true, HostIPC: true, HostUsers: false, OS: "linux",
		NativeSysctls: []Sysctl{{"net.ipv4.tcp_syncookies", "1"}}, HasSecurityContext: true, HasNativeSysctls: true,
		HasResources: true, PullSecrets: []string{"mirror"}, HasPullSecrets: true,
		HasInitContainers: true, InitContainers: []Container{
			{Name: v1alpha1.ContainerName, JSON: `{"name":"sysctl-injector","image":"busybox","resources":{}}`},
			{
				Name: "setup",
				SysctlJSON: `{"name":"setup","command":["sysctl"],"args":["-w"],"resources":{},` +
					`"securityContext":{"privileged":true}}`,
			},
			{Name: "plain"},
		},
		Containers: []Container{{Name: "web", TokenVolume: "kube-api-access-x7x2p",
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m")}}},
		EphemeralContainers: []Container{{Name: "debug"}},
		Volumes:             []Volume{{"kube-api-access-x7x2p", true}},
	}
	if diff := cmp.Diff(want, found, cmp.AllowUnexported(Pod{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFromTypedFindsWhatDecodeFindsInRandomPods(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	filler := fuzzer.FuzzerFor(metafuzzer.Funcs, rand.NewSource(seed), serializer.NewCodecFactory(clientscheme.Scheme))
	for range 1000 {
		typed := full()
		filler.Fill(&typed.Spec)
		if len(typed.Spec.InitContainers) > 0 {
			typed.Spec.InitContainers[0].Name = v1alpha1.ContainerName
		}
		checkBoth(t, typed)
	}
}

// Kubernetes 1.37 ignores spec.resources if it names nothing that a pod can have as a whole.
func TestHasResources(t *testing.T) {
	for _, test := range []struct {
		resources string
		want      bool
	}{
		{`null`, false}, {`{}`, false}, {`{"requests":null}`, false}, {`{"requests":{},"limits":{}}`, false},
		{`{"claims":[{"name":"gpu"}]}`, false}, {`{"requests":{"example.com/gpu":"1"}}`, false},
		{`{"requests":{"cpu":"1"}}`, true}, {`{"limits":{"memory":"1Gi"}}`, true},
		{`{"requests":{},"limits":{"hugepages-2Mi":"4Mi"}}`, true}, {`{"requests":{"memory":0}}`, true},
	} {
		t.Run(test.resources, func(t *testing.T) {
			var typed corev1.Pod
			raw := []byte(`{"spec":{"resources":` + test.resources + `}}`)
			if err := json.Unmarshal(raw, &typed); err != nil {
				t.Fatal(err)
			}
			decoded, err := Decode(raw)
			if err != nil {
				t.Fatal(err)
			}
			if typed := checkBoth(t, &typed); typed.HasResources != test.want || decoded.HasResources != test.want {
				t.Errorf("typed %t, decoded %t; want %t", typed.HasResources, decoded.HasResources, test.want)
			}
		})
	}
}

func osExpression(operator corev1.NodeSelectorOperator, values ...string) corev1.NodeSelectorRequirement {
	return corev1.NodeSelectorRequirement{Key: corev1.LabelOSStable, Operator: operator, Values: values}
}

// affinity requires a node that matches one of the terms, which have an expression each.
func affinity(terms ...corev1.NodeSelectorRequirement) *corev1.Affinity {
	required := &corev1.NodeSelector{}
	for _, e := range terms {
		zone := corev1.NodeSelectorRequirement{Key: corev1.LabelTopologyZone, Operator: corev1.NodeSelectorOpExists}
		required.NodeSelectorTerms = append(required.NodeSelectorTerms,
			corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{zone, e}})
	}
	return &corev1.Affinity{
		NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: required},
	}
}

func TestWindowsField(t *testing.T) {
	const byAffinity = "required node affinity: kubernetes.io/os=windows"
	for _, test := range []struct {
		name string
		spec corev1.PodSpec
		want string
	}{
		{"nothing says so", corev1.PodSpec{}, ""},
		{"the pod's own field", corev1.PodSpec{OS: &corev1.PodOS{Name: corev1.Windows}}, "spec.os.name: windows"},
		{"the node selector", corev1.PodSpec{NodeSelector: map[string]string{"kubernetes.io/os": "windows"}},
			"spec.nodeSelector: kubernetes.io/os=windows"},
		{"the label's old name", corev1.PodSpec{NodeSelector: map[string]string{"beta.kubernetes.io/os": "windows"}},
			"spec.nodeSelector: kubernetes.io/os=windows"},
		{"a node selector for Linux", corev1.PodSpec{NodeSelector: map[string]string{"kubernetes.io/os": "linux"}}, ""},
		{"required affinity", corev1.PodSpec{Affinity: affinity(osExpression(corev1.NodeSelectorOpIn, "windows"))},
			byAffinity},
		{"required affinity that leaves Linux out",
			corev1.PodSpec{Affinity: affinity(osExpression(corev1.NodeSelectorOpNotIn, "linux"))}, byAffinity},
		{"affinity in every term", corev1.PodSpec{Affinity: affinity(osExpression(corev1.NodeSelectorOpIn, "windows"),
			osExpression(corev1.NodeSelectorOpIn, "windows"))}, byAffinity},
		{"affinity in one of two terms", corev1.PodSpec{Affinity: affinity(osExpression(corev1.NodeSelectorOpIn,
			"windows"), osExpression(corev1.NodeSelectorOpExists))}, ""},
		{"affinity to either", corev1.PodSpec{Affinity: affinity(osExpression(corev1.NodeSelectorOpIn, "windows",
			"linux"))}, ""},
		{"affinity that is only preferred", corev1.PodSpec{Affinity: &corev1.Affinity{
			NodeAffinity: &corev1.NodeAffinity{
				PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{
					Weight: 1,
					Preference: corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
						osExpression(corev1.NodeSelectorOpIn, "windows"),
					}},
				}},
			},
		}}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := checkBoth(t, &corev1.Pod{Spec: test.spec}).WindowsField(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestAllLabels(t *testing.T) {
	for _, test := range []struct {
		name, metadata string
		want           map[string]string
		err            string
	}{
		{"none", `{}`, map[string]string{}, ""},
		{"null", `{"labels": null}`, map[string]string{}, ""},
		{"the project's and others",
			`{"labels": {"app": "web", "sysctl-injector.dev/injected": "true", "quoted": "a\"b"}}`,
			map[string]string{"app": "web", "sysctl-injector.dev/injected": "true", "quoted": `a"b`}, ""},
		{"one that is no text", `{"labels": {"app": 1}}`, nil, "metadata.labels: [app] must be a string, not a number"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := Decode([]byte(`{"metadata": ` + test.metadata + `}`))
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.AllLabels()
			if err != nil && err.Error() != test.err || err == nil && test.err != "" {
				t.Errorf("error %v, want %q", err, test.err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
		})
	}
}

// Kubernetes' own arithmetic would not end within the test's time.
func TestQuantitiesThatNoNodeHas(t *testing.T) {
	resources := func(cpu string) string {
		return `"resources": {"limits": {"memory": "1Gi", "cpu": ` + cpu + `}}`
	}
	for _, cpu := range []string{
		`"1e-999999999"`, `1e-999999999`, `"1E999999999"`, `"-0.1e+1000"`, `"` + strings.Repeat("9", 100) + `"`,
	} {
		p, err := Decode([]byte(`{"spec": {"containers": [{` + resources(cpu) + `}]}}`))
		if err != nil {
			t.Errorf("%s: %v", cpu, err)
		} else if limits := p.Containers[0].Limits; len(limits) != 1 || limits.Memory().String() != "1Gi" {
			t.Errorf("%s: limits %v", cpu, limits)
		}
	}
	for container, want := range map[string]bool{
		`{"resources":{"limits":{"cpu":"1e-999999999"}}}`:                                  true,
		`{"resources": {"limits": {"ephemeral-storage": 1E-999999999}}}`:                   true,
		`{"env":[{"valueFrom":{"resourceFieldRef":{"divisor":" 1e999999999 "}}}]}`:         true,
		`{"resources":{"limits":{"cpu":"1e3","memory":"1Ei","example.com/gpu":"-1E+99"}}}`: false,
		`{"image":"busybox@sha256:9e12345a","args":["net.core.somaxconn=1e100"]}`:          false,
	} {
		if got := HasHugeExponent(container); got != want {
			t.Errorf("%s: %t", container, got)
		}
	}
}
