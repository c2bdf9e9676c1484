package grants

import (
	"fmt"
	"reflect"
	goruntime "runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func render(t *testing.T, backend Backend, needs ...Need) []client.Object {
	t.Helper()
	objects, err := Render(backend, needs)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// names are the objects as kind/name, with the namespace where there is one, in order.
func names(objects []client.Object) []string {
	var names []string
	for _, object := range objects {
		name := object.GetName()
		if object.GetNamespace() != "" {
			name = object.GetNamespace() + "/" + name
		}
		names = append(names, object.GetObjectKind().GroupVersionKind().Kind+" "+name)
	}
	return names
}

var managed = map[string]string{"app.kubernetes.io/managed-by": "sysctl-injector"}

// allButHostPath are the volumes of a pod that Pod Security admits at baseline.
func allButHostPath() (volumes []any) {
	source := reflect.TypeFor[corev1.VolumeSource]()
	for i := range source.NumField() {
		if name, _, _ := strings.Cut(source.Field(i).Tag.Get("json"), ","); name != "hostPath" && name != "image" {
			volumes = append(volumes, strings.ReplaceAll(name, "cephfs", "cephFS"))
		}
	}
	slices.SortFunc(volumes, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	return volumes
}

// What an administrator once wrote by hand: a policy that lists one sysctl, a role that may use it, and a binding.
func TestNativeSysctlNeedsAPolicyARoleAndABinding(t *testing.T) {
	const policyName, roleName = "sysctl-injector-net.core.somaxconn",
		"sysctl-injector:psp:sysctl-injector-net.core.somaxconn"
	anything := map[string]any{"rule": "RunAsAny"}
	want := []client.Object{
		&unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "policy/v1beta1",
			"kind":       "PodSecurityPolicy",
			"metadata": map[string]any{
				"name":        policyName,
				"labels":      map[string]any{"app.kubernetes.io/managed-by": "sysctl-injector"},
				"annotations": map[string]any{"seccomp.security.alpha.kubernetes.io/allowedProfileNames": "*"},
			},
			"spec": map[string]any{
				"privileged":               false,
				"allowPrivilegeEscalation": true,
				"allowedUnsafeSysctls":     []any{"net.core.somaxconn"},
				"fsGroup":                  anything,
				"runAsUser":                anything,
				"seLinux":                  anything,
				"supplementalGroups":       anything,
				"volumes":                  allButHostPath(),
			},
		}},
		&rbacv1.ClusterRole{
			TypeMeta:   metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole"},
			ObjectMeta: metav1.ObjectMeta{Name: roleName, Labels: managed},
			Rules: []rbacv1.PolicyRule{{
				APIGroups: []string{"policy"}, Resources: []string{"podsecuritypolicies"},
				ResourceNames: []string{policyName}, Verbs: []string{"use"},
			}},
		},
		&rbacv1.RoleBinding{
			TypeMeta:   metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "RoleBinding"},
			ObjectMeta: metav1.ObjectMeta{Name: roleName + ":psp-user", Namespace: "sugi", Labels: managed},
			RoleRef:    rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: roleName},
			Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: "psp-user", Namespace: "sugi"}},
		},
	}
	if diff := cmp.Diff(want, render(t, PodSecurityPolicy, liberty)); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

func TestPodSecurityPolicyIsPrivilegedForTheInjectedContainerOnly(t *testing.T) {
	for _, test := range []struct {
		name       string
		need       Need
		privileged bool
		sysctls    []string
	}{
		{"lists the native sysctls, once and in order", Need{NativeSysctls: []string{"net.core.somaxconn", "kernel.sem",
			"net.core.somaxconn"}}, false, []string{"kernel.sem", "net.core.somaxconn"}},
		{"lists the injected ones too, and admits the container", Need{Sysctls: []string{"net.core.somaxconn"},
			NativeSysctls: []string{"kernel.sem"}}, true, []string{"kernel.sem", "net.core.somaxconn"}},
		{"lists no interface with a dot, which it cannot name",
			Need{Sysctls: []string{"net.ipv4.conf.eth0/100.rp_filter"},
				NativeSysctls: []string{"net.ipv4.conf.eth0/1.x", "kernel.sem"}}, true, []string{"kernel.sem"}},
		{"lists no safe one, and admits the container", Need{Sysctls: []string{"net.ipv4.ip_local_port_range"}}, true,
			[]string{}},
		{"lists a name that only later releases count safe", Need{Sysctls: []string{"net.ipv4.tcp_keepalive_time"}},
			true, []string{"net.ipv4.tcp_keepalive_time"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			policy := render(t, PodSecurityPolicy, test.need)[0].(*unstructured.Unstructured)
			privileged, _, err := unstructured.NestedBool(policy.Object, "spec", "privileged")
			if err != nil || privileged != test.privileged {
				t.Errorf("privileged: %v (%v)", privileged, err)
			}
			sysctls, _, err := unstructured.NestedStringSlice(policy.Object, "spec", "allowedUnsafeSysctls")
			if diff := cmp.Diff(test.sysctls, sysctls); diff != "" || err != nil {
				t.Errorf("allowedUnsafeSysctls (-want +got):\n%s (%v)", diff, err)
			}
		})
	}
}

func TestRenderPutsFirstWhatIsReferredTo(t *testing.T) {
	for _, test := range []struct {
		backend Backend
		want    []string
	}{
		{ValidatingAdmissionPolicy, []string{
			"ClusterRole sysctl-injector:net.core.somaxconn",
			"ClusterRole sysctl-injector:net.ipv4.tcp_rmem",
			"RoleBinding jobs/sysctl-injector:net.core.somaxconn:default",
			"RoleBinding shop/sysctl-injector:net.core.somaxconn:web",
			"RoleBinding shop/sysctl-injector:net.ipv4.tcp_rmem:web",
		}},
		{SecurityContextConstraints, []string{
			"SecurityContextConstraints sysctl-injector",
			"ClusterRole sysctl-injector:net.core.somaxconn",
			"ClusterRole sysctl-injector:net.ipv4.tcp_rmem",
			"ClusterRole sysctl-injector:scc",
			"RoleBinding jobs/sysctl-injector:net.core.somaxconn:default",
			"RoleBinding jobs/sysctl-injector:scc:default",
			"RoleBinding shop/sysctl-injector:net.core.somaxconn:web",
			"RoleBinding shop/sysctl-injector:net.ipv4.tcp_rmem:web",
			"RoleBinding shop/sysctl-injector:scc:web",
		}},
		{PodSecurityPolicy, []string{
			"PodSecurityPolicy sysctl-injector-net.core.somaxconn-injected",
			"PodSecurityPolicy sysctl-injector-net.core.somaxconn-net.ipv4.tcp-rmem-injected-ad01199590",
			"ClusterRole sysctl-injector:psp:sysctl-injector-net.core.somaxconn-injected",
			"ClusterRole sysctl-injector:psp:sysctl-injector-net.core.somaxconn-net.ipv4.tcp-rmem-injected-ad01199590",
			"RoleBinding jobs/sysctl-injector:psp:sysctl-injector-net.core.somaxconn-injected:default",
			"RoleBinding shop/sysctl-injector:psp:" +
				"sysctl-injector-net.core.somaxconn-net.ipv4.tcp-rmem-injected-ad01199590:web",
		}},
	} {
		t.Run(string(test.backend), func(t *testing.T) {
			objects := render(t, test.backend, web, batch)
			if diff := cmp.Diff(test.want, names(objects)); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(objects, render(t, test.backend, batch, web, batch)); diff != "" {
				t.Errorf("in another order of needs, one of them twice (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEveryObjectIsMarkedAsOursAndBoundWithinItsNamespace(t *testing.T) {
	for name, test := range goldens {
		roles := map[string]bool{}
		for _, object := range render(t, test.backend, test.needs...) {
			if diff := cmp.Diff(managed, object.GetLabels()); diff != "" {
				t.Errorf("%s: labels of %s (-want +got):\n%s", name, object.GetName(), diff)
			}
			switch object := object.(type) {
			case *rbacv1.ClusterRole:
				roles[object.Name] = true
				if len(object.Rules) != 1 || len(object.Rules[0].ResourceNames) != 1 ||
					len(object.Rules[0].Verbs) != 1 || object.Rules[0].Verbs[0] != "use" {
					t.Errorf("%s: role %s grants more than the use of one thing: %v", name, object.Name, object.Rules)
				}
			case *rbacv1.RoleBinding:
				if !roles[object.RoleRef.Name] {
					t.Errorf("%s: binding %s comes before its role, or without one", name, object.Name)
				}
				if len(object.Subjects) != 1 || object.Subjects[0].Namespace != object.Namespace ||
					object.Subjects[0].Name == "" {
					t.Errorf("%s: binding %s is for %v", name, object.Name, object.Subjects)
				}
			}
		}
	}
}

func TestNothingIsRenderedForNothing(t *testing.T) {
	for _, backend := range Backends() {
		if objects := render(t, Backend(backend), Need{Namespace: "shop", ServiceAccount: "web"}); len(objects) > 0 {
			t.Errorf("%s: %v", backend, names(objects))
		}
		if objects := render(t, Backend(backend)); len(objects) > 0 {
			t.Errorf("%s without a need: %v", backend, names(objects))
		}
	}
	for _, backend := range []Backend{ValidatingAdmissionPolicy, SecurityContextConstraints} {
		if objects := render(t, backend, liberty); len(objects) > 0 {
			t.Errorf("%s for native sysctls, of which only a PodSecurityPolicy asks: %v", backend, names(objects))
		}
	}
}

func TestUnknownBackend(t *testing.T) {
	if diff := cmp.Diff([]string{"psp", "scc", "vap"}, Backends()); diff != "" {
		t.Errorf("backends (-want +got):\n%s", diff)
	}
	objects, err := Render("PSP", []Need{batch})
	if want := `backend "PSP" is not one of psp, scc, vap`; err == nil || err.Error() != want || objects != nil {
		t.Errorf("got %v, %v; want %s", strings.Join(names(objects), ", "), err, want)
	}
}

// The pods of one namespace can have thousands of different needs. The leader renders them with one worker.
func TestManyNeedsAreCheap(t *testing.T) {
	const most = 64 << 20 // bytes
	one := Need{Namespace: "shop", ServiceAccount: "web"}
	for i := range 64 {
		one.Sysctls = append(one.Sysctls, fmt.Sprintf("net.ipv4.conf.eth%d.rp_filter", i))
	}
	var many []Need
	for i := range 5000 {
		need := Need{Namespace: "shop", ServiceAccount: "web"}
		for j := range 16 {
			need.Sysctls = append(need.Sysctls, one.Sysctls[(i+j*(1+i/64))%64])
		}
		many = append(many, need)
	}
	for _, backend := range []Backend{ValidatingAdmissionPolicy, SecurityContextConstraints} {
		t.Run(string(backend), func(t *testing.T) {
			var before, after goruntime.MemStats
			goruntime.ReadMemStats(&before)
			objects := render(t, backend, many...)
			goruntime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > most {
				t.Errorf("%d MiB are allocated", got>>20)
			}
			if diff := cmp.Diff(render(t, backend, one), objects); diff != "" {
				t.Errorf("objects (-of one need +of many):\n%s", diff)
			}
		})
	}
}

// The needs of one service account are joined, except those that different objects have to admit.
func TestOnlyNeedsOfOneKindAreJoined(t *testing.T) {
	sysctls := func(names ...string) Need { return Need{Namespace: "shop", ServiceAccount: "web", Sysctls: names} }
	inUserNamespace := Need{Namespace: "shop", ServiceAccount: "web", UserNamespace: true}
	for backend, want := range map[Backend][]string{
		SecurityContextConstraints: {
			"SecurityContextConstraints sysctl-injector",
			"SecurityContextConstraints sysctl-injector-user-namespace",
			"ClusterRole sysctl-injector:kernel.sem", "ClusterRole sysctl-injector:net.core.somaxconn",
			"ClusterRole sysctl-injector:scc", "ClusterRole sysctl-injector:scc:user-namespace",
			"RoleBinding shop/sysctl-injector:kernel.sem:web",
			"RoleBinding shop/sysctl-injector:net.core.somaxconn:web",
			"RoleBinding shop/sysctl-injector:scc:user-namespace:web", "RoleBinding shop/sysctl-injector:scc:web",
		},
		PodSecurityPolicy: {
			"PodSecurityPolicy sysctl-injector-kernel.sem-injected",
			"PodSecurityPolicy sysctl-injector-net.core.somaxconn-injected",
			"ClusterRole sysctl-injector:psp:sysctl-injector-kernel.sem-injected",
			"ClusterRole sysctl-injector:psp:sysctl-injector-net.core.somaxconn-injected",
			"RoleBinding shop/sysctl-injector:psp:sysctl-injector-kernel.sem-injected:web",
			"RoleBinding shop/sysctl-injector:psp:sysctl-injector-net.core.somaxconn-injected:web",
		},
	} {
		objects := render(t, backend, sysctls("net.core.somaxconn"), inUserNamespace, sysctls("kernel.sem"))
		if diff := cmp.Diff(want, names(objects)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", backend, diff)
		}
	}
}
