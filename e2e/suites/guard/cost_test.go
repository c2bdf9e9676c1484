package guard_test

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// TestGuardCost creates the most expensive pod of each form: as many arguments as there may be, names and values as
// long as they may be, and a hundred other containers. The API server rejects a pod whose evaluation costs more than
// it allows. The guard compares a container with the shape of one form, so a form that is added makes no other form's
// pods more expensive.
func TestGuardCost(t *testing.T) {
	for _, form := range []struct {
		name, template, prefix string
		command                []string // nil: the template's own
		tweak                  func(*corev1.PodSpec)
	}{
		{name: "privileged", template: "privileged", prefix: "net."},
		{name: "privileged, with the script", template: "privileged", prefix: "net.",
			command: script(templates.SetScript)},
		{name: "guest", template: "privileged", prefix: "vm.",
			tweak: func(spec *corev1.PodSpec) { spec.RuntimeClassName = new("labelled") }},
		{name: "verify", template: "verify", prefix: "vm.", command: script(templates.VerifyScript)},
		{name: "user namespace, IPC names", template: forIPC, prefix: "fs.mqueue.", tweak: inUserNamespace},
		{name: "user namespace", template: forNetwork, prefix: "net.", tweak: inUserNamespace},
	} {
		t.Run(form.name, func(t *testing.T) {
			pod := plainPod()
			if pod.Spec.ServiceAccountName = "all"; form.tweak != nil {
				form.tweak(&pod.Spec)
			}
			if pod.Spec.HostUsers != nil {
				needsUserNamespaces(t)
			}
			var names, args []string
			for n := range sysctl.MaxContained {
				name := fmt.Sprintf("%sa%02d.", form.prefix, n)
				name += strings.Repeat("x", sysctl.MaxNameLength-len(name))
				names, args = append(names, name), append(args, name+"="+strings.Repeat("1 2", sysctl.MaxValueLength/3))
			}
			container := oursOf(form.template, args...)
			if form.command != nil {
				container.Command = form.command
			}
			pod.Spec.InitContainers = []corev1.Container{container}
			for n := range 100 {
				pod.Spec.Containers = append(pod.Spec.Containers, plainContainer(fmt.Sprintf("c%d", n)))
			}
			for _, level := range levels {
				namespace := newNamespace(t, held(level))
				must(t, clustertest.MakeServiceAccounts(t.Context(), clientset(t), namespace, "all"))
				grant(t, namespace, "all", names...)
				if got := verdict(createAndDelete(t, namespace, copyOf(pod))); got != "" {
					t.Errorf("%s: %s", level, got)
				}
			}
		})
	}
}

func inUserNamespace(spec *corev1.PodSpec) { spec.HostUsers = new(false) }
