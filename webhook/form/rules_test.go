package form

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

const atSysctls = "metadata.annotations[sysctl-injector.dev/sysctls]: "

// everything allows every name on every kernel, so that only the rules are left to reject one.
func everything(t *testing.T) *policy.Set {
	t.Helper()
	p, errs := policy.CompilePolicy(&v1alpha1.SysctlPolicy{
		Spec: v1alpha1.SysctlPolicySpec{Allow: []v1alpha1.AllowRule{{Names: []string{"*"}}}},
	})
	if len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	return policy.NewSet([]*policy.Policy{p}, nil)
}

func TestRules(t *testing.T) {
	type violation struct{ Reason, Message string }
	guestKernel := func(f *policy.Facts) { f.Kernel = v1alpha1.GuestKernel }
	standard := func(level string) func(*policy.Facts) {
		return func(f *policy.Facts) {
			f.NamespaceLabels = map[string]string{"pod-security.kubernetes.io/enforce": level}
		}
	}
	pinned := func(version string) func(*policy.Facts) {
		return func(f *policy.Facts) {
			standard("baseline")(f)
			f.NamespaceLabels["pod-security.kubernetes.io/enforce-version"] = version
		}
	}
	inUserNamespace := violation{"UserNamespace", atSysctls +
		"Forbidden: line 1: vm.swappiness is node-level, and the pod runs in a user namespace (hostUsers: false), " +
		"whose root may not write it; remove hostUsers: false, or the sysctl"}
	onWindows := violation{"Windows", atSysctls +
		"Forbidden: the pod is for Windows nodes (spec.os.name: windows), which have no sysctls; remove the annotation"}
	asMirror := violation{"MirrorPod", atSysctls +
		"Forbidden: this is the mirror of a static pod (annotation kubernetes.io/config.mirror), which its node runs " +
		"as its own file says; " +
		"put the init container into that file, for instance with `sysctl-injector inject -f`"}
	for _, test := range []struct {
		name  string
		tweak func(*policy.Facts)
		lines string
		want  []violation
	}{
		{"allows an ordinary pod", func(*policy.Facts) {}, "net.core.somaxconn = 512", nil},
		{"rejects a pod for Windows once, whatever it asks for",
			func(f *policy.Facts) { f.Windows = "spec.os.name: windows" },
			"vm.swappiness = 1\nvm.overcommit_memory = 1", []violation{onWindows}},
		{"rejects a static pod's mirror", func(f *policy.Facts) { f.Mirror = true }, "net.core.somaxconn = 512",
			[]violation{asMirror}},
		{"rejects both of a mirror for Windows, in the order of the rules",
			func(f *policy.Facts) { f.Windows, f.Mirror = "spec.os.name: windows", true }, "net.core.somaxconn = 512",
			[]violation{onWindows, asMirror}},
		{"rejects a pod that Pod Security admission would reject, and names the way out", standard("baseline"),
			"net.core.somaxconn = 512", []violation{
				{"PodSecurity",
					atSysctls + `Forbidden: namespace "shop" is held to Pod Security "baseline", which rejects the ` +
						`privileged init container that would set them; an administrator can enroll it for that ` +
						`container alone: sysctl-injector enroll shop --enforce baseline`},
			}},
		{"takes an unknown Pod Security level for restricted, as its admission does", standard("strict"),
			"net.core.somaxconn = 512", []violation{
				{"PodSecurity",
					atSysctls + `Forbidden: namespace "shop" is held to Pod Security "strict", which rejects the ` +
						`privileged init container that would set them; an administrator can enroll it for that ` +
						`container alone: sysctl-injector enroll shop --enforce restricted`},
			}},
		{"rejects an SELinux type that confines the container too",
			func(f *policy.Facts) { f.SELinuxType = "container_t" }, "net.core.somaxconn = 512", []violation{
				{"SELinux",
					atSysctls + `Forbidden: the pod's SELinux type "container_t" ` +
						`(spec.securityContext.seLinuxOptions.type) would confine the init container too, which ` +
						`could not set them; state the type in the containers' securityContext instead`},
			}},
		{"allows the SELinux type of privileged containers", func(f *policy.Facts) { f.SELinuxType = "spc_t" },
			"net.core.somaxconn = 512", nil},
		{"allows any SELinux type of the node in a guest kernel",
			func(f *policy.Facts) { guestKernel(f); f.SELinuxType = "container_t" }, "net.core.somaxconn = 512", nil},
		{"allows what Pod Security admission lets pass", standard("privileged"), "net.core.somaxconn = 512", nil},
		{"reports what runs code before the user namespace", func(f *policy.Facts) { f.UserNamespace = true },
			"kernel.modprobe = /bin/true", []violation{
				{"NeverOnSharedKernel",
					atSysctls + "Forbidden: line 1: kernel.modprobe is never set on a kernel that other pods share, " +
						"whatever a policy says: it names the program that the node runs as root to load a kernel " +
						"module"},
			}},
		{"rejects a node-level name in a user namespace, before it is reported node-level",
			func(f *policy.Facts) { f.UserNamespace = true }, "vm.swappiness = 1", []violation{inUserNamespace}},
		{"rejects a node-level name in a guest kernel's user namespace",
			func(f *policy.Facts) { guestKernel(f); f.UserNamespace = true }, "vm.swappiness = 1",
			[]violation{inUserNamespace}},
		{"rejects a name that the kernel keeps from user namespaces", func(f *policy.Facts) { f.UserNamespace = true },
			"net.core.xfrm_acq_expires = 30\nnet.ipv6.route.max_size = 4096", []violation{
				{"AbsentInUserNamespace", atSysctls +
					"Forbidden: line 1: net.core.xfrm_acq_expires does not exist in the network namespace of a pod " +
					"with hostUsers: false: the kernel keeps it from user namespaces; " +
					"remove hostUsers: false, or the sysctl"},
			}},
		{"rejects a container of a user namespace where Pod Security does",
			func(f *policy.Facts) { standard("baseline")(f); f.UserNamespace = true }, "net.core.somaxconn = 512",
			[]violation{
				{"PodSecurity",
					atSysctls + `Forbidden: namespace "shop" is held to Pod Security "baseline", which rejects the ` +
						`init container that would set them: it adds the capability NET_ADMIN, in the pod's user ` +
						`namespace; an administrator can enroll it for that container alone: sysctl-injector enroll ` +
						`shop --enforce baseline`},
			}},
		{"allows IPC names in a user namespace at baseline",
			func(f *policy.Facts) { standard("baseline")(f); f.UserNamespace = true }, "kernel.sem = 1 2 3 4", nil},
		{"rejects IPC names in a user namespace where the namespace pins an older standard",
			func(f *policy.Facts) { pinned("v1.34")(f); f.UserNamespace = true }, "kernel.sem = 1 2 3 4", []violation{
				{"PodSecurity",
					atSysctls + `Forbidden: namespace "shop" is held to Pod Security "baseline", which rejects the ` +
						`init container that would set them: it is root of the pod's user namespace, with an ` +
						`unmasked /proc; an administrator can enroll it for that container alone: ` +
						`sysctl-injector enroll shop --enforce baseline`},
			}},
		{"allows IPC names in a user namespace where the pinned standard does",
			func(f *policy.Facts) { pinned("v1.35")(f); f.UserNamespace = true }, "kernel.sem = 1 2 3 4", nil},
		{"allows net.* and IPC names in a user namespace", func(f *policy.Facts) { f.UserNamespace = true },
			"net.core.somaxconn = 512\nkernel.sem = 1 2 3 4", nil},
		{"allows a node-level name in a guest kernel", guestKernel, "vm.swappiness = 1", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := policy.Facts{Namespace: "shop", ServiceAccount: "web", Kernel: v1alpha1.SharedKernel}
			test.tweak(&facts)
			set := everything(t)
			settings, errs := set.Settings(policy.Request{Sysctls: &test.lines,
				SysctlsPath: field.NewPath("metadata", "annotations").Key(v1alpha1.SysctlsAnnotation)})
			if len(errs) > 0 {
				t.Fatal(errs.ToAggregate())
			}
			forms, err := New(Config{})
			if err != nil {
				t.Fatal(err)
			}
			plan := forms.Plan(Pod{Facts: facts, Kubernetes: NewestKubernetes}, settings)
			found := plan.Check()
			if len(found) == 0 {
				found = set.Evaluate(facts, settings, plan.Form.Rules)
			}
			var got []violation
			for _, v := range found {
				got = append(got, violation{v.Reason, v.Err.Error()})
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("violations (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEveryReasonIsItsOwn(t *testing.T) {
	for _, f := range table {
		seen := map[string]bool{"PodSecurity": true}
		var reasons []string
		for _, r := range f.podRules {
			reasons = append(reasons, r.reason)
		}
		for _, r := range f.Rules {
			reasons = append(reasons, r.Reason)
		}
		for _, reason := range reasons {
			if reason == "" || seen[reason] {
				t.Errorf("form %s: reason %q is empty or there twice", f.Name, reason)
			}
			seen[reason] = true
		}
	}
}
