package inspect

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// The requirements of a node for pods with hostUsers: false and an init container that sets sysctls. Source:
// kubernetes.io/docs/concepts/workloads/pods/user-namespaces, "Before you begin"; for IPC names, Linux commit
// 50ec499b9a43.
var (
	userNamespaceKernel  = version.MajorMinor(6, 3)
	userNamespaceIPC     = version.MajorMinor(6, 9)
	userNamespaceKubelet = version.MajorMinor(1, 33)
	userNamespaceRuntime = map[string]*version.Version{"containerd": version.MajorMinor(2, 0),
		"cri-o": version.MajorMinor(1, 25)}
)

// Nodes holds the input of the checks of nodes.
type Nodes struct {
	Nodes          []corev1.Node
	RuntimeClasses []nodev1.RuntimeClass
	// GuestHandlers are the RuntimeClass handlers whose pods have their own kernel.
	GuestHandlers []string
	// GuestsUnknown: the RuntimeClasses or the handlers could not be read, so the form guest is not judged.
	GuestsUnknown bool
	// APIServer is the minor version.
	APIServer uint
}

// Judge checks for each form whether the nodes support it. The form verify has no requirements.
//
//	form             needs of a node
//	privileged       Linux 4.19
//	native           a kubelet that is at most three minor versions older than the API server
//	user namespace   Linux 6.3, for IPC names 6.9; containerd 2.0 or CRI-O 1.25; kubelet 1.33
//	guest            the handler of the RuntimeClass
func (n Nodes) Judge() []Check {
	linux := slices.DeleteFunc(slices.Clone(n.Nodes),
		func(node corev1.Node) bool { return node.Status.NodeInfo.OperatingSystem == "windows" })
	if len(linux) == 0 {
		return []Check{QuestionKernel.Warn("", "there is no Linux node, so no pod can get sysctls yet").
			fix("add a node", "")}
	}
	checks := []Check{judgeKernels(linux), n.judgeKubelets(linux)}
	checks = append(checks, judgeUserNamespaces(linux)...)
	if n.GuestsUnknown {
		return checks
	}
	return append(checks, n.judgeGuests(linux)...)
}

func judgeKernels(nodes []corev1.Node) Check {
	old := unfit(nodes, func(info corev1.NodeSystemInfo) string {
		if isOlder(info.KernelVersion, version.MustParseGeneric(sysctl.OldestKernel)) {
			return "Linux " + info.KernelVersion
		}
		return ""
	})
	if len(old) > 0 {
		return QuestionKernel.Warn("",
			"form privileged: kernels older than Linux %s lack many sysctls, "+
				"and pods that request them do not start there: %s",
			sysctl.OldestKernel, list(old)).
			fix("upgrade the nodes", "")
	}
	return QuestionKernel.Pass("form privileged: %s", spread(nodes, "Linux",
		func(info corev1.NodeSystemInfo) string { return info.KernelVersion }))
}

func (n Nodes) judgeKubelets(nodes []corev1.Node) Check {
	if n.APIServer <= form.KubeletSkew {
		return QuestionKubelet.NotChecked("the version of the API server is unknown").
			fix("see the check KubernetesVersion", "")
	}
	oldest := version.MajorMinor(1, n.APIServer-form.KubeletSkew)
	old := unfit(nodes, func(info corev1.NodeSystemInfo) string {
		if isOlder(info.KubeletVersion, oldest) {
			return "kubelet " + info.KubeletVersion
		}
		return ""
	})
	if len(old) > 0 {
		return QuestionKubelet.Fail("",
			"form native: kubelets older than %s are not supported with this API server, "+
				"and may reject pods with native sysctls (SysctlForbidden): %s", oldest, list(old)).
			fix("upgrade the kubelets", "")
	}
	return QuestionKubelet.Pass("form native: %s; sysctls that are safe since %s need no declaration",
		spread(nodes, "kubelet", func(info corev1.NodeSystemInfo) string { return info.KubeletVersion }), oldest)
}

func judgeUserNamespaces(nodes []corev1.Node) []Check {
	const remedy = "keep pods with hostUsers: false away from these nodes, or upgrade the nodes"
	var lacks []string
	var fit []corev1.Node
	for _, node := range nodes {
		if why := lacksUserNamespaces(node); why != "" {
			lacks = append(lacks, fmt.Sprintf("%s (%s)", node.Name, why))
		} else {
			fit = append(fit, node)
		}
	}
	if len(lacks) > 0 {
		return []Check{QuestionUserNamespace.Warn("",
			"form user-namespace (hostUsers: false): pods do not start on %s", list(lacks)).
			fix(remedy, "")}
	}
	checks := []Check{QuestionUserNamespace.Pass(
		"form user-namespace (hostUsers: false): supported on %s", counted(len(fit), "node", "nodes"))}
	old := unfit(fit, func(info corev1.NodeSystemInfo) string {
		if isOlder(info.KernelVersion, userNamespaceIPC) {
			return "Linux " + info.KernelVersion
		}
		return ""
	})
	if len(old) > 0 {
		return append(checks, QuestionUserNamespaceIPC.Warn("",
			"form user-namespace (hostUsers: false): IPC sysctls (kernel.sem, kernel.shm*, kernel.msg*, "+
				"fs.mqueue.*) need Linux %s, and pods that request them do not start on %s",
			userNamespaceIPC, list(old)).
			fix(remedy, ""))
	}
	return append(checks, QuestionUserNamespaceIPC.Pass(
		"form user-namespace (hostUsers: false): the nodes support IPC sysctls too"))
}

// lacksUserNamespaces returns the missing requirement of a node for the form; "" if there is none.
func lacksUserNamespaces(node corev1.Node) string {
	info := node.Status.NodeInfo
	switch {
	case isOlder(info.KernelVersion, userNamespaceKernel):
		return "Linux " + info.KernelVersion
	case isOlder(info.KubeletVersion, userNamespaceKubelet):
		return "kubelet " + info.KubeletVersion
	}
	// The runtime reports its support if the kubelet asks for it (KEP-127).
	for _, handler := range node.Status.RuntimeHandlers {
		if handler.Name != "" || handler.Features == nil || handler.Features.UserNamespaces == nil {
			continue
		}
		if !*handler.Features.UserNamespaces {
			return "runtime " + info.ContainerRuntimeVersion + " reports no support"
		}
		return ""
	}
	name, release, _ := strings.Cut(info.ContainerRuntimeVersion, "://")
	if since := userNamespaceRuntime[name]; since == nil || isOlder(release, since) {
		return "runtime " + info.ContainerRuntimeVersion
	}
	return ""
}

func (n Nodes) judgeGuests(nodes []corev1.Node) []Check {
	handlers, reported := sets.New[string](), false
	for _, node := range nodes {
		for _, handler := range node.Status.RuntimeHandlers {
			handlers.Insert(handler.Name)
			reported = true
		}
	}
	guests := sets.New(n.GuestHandlers...)
	var names []string
	var checks []Check
	for i := range n.RuntimeClasses {
		class := &n.RuntimeClasses[i]
		if policy.KernelOf(class, guests) != v1alpha1.GuestKernel {
			continue
		}
		names = append(names, class.Name)
		if reported && !handlers.Has(class.Handler) {
			checks = append(checks, QuestionGuests.Warn("runtimeclass/"+class.Name,
				"form guest: no node has the handler %q of RuntimeClass %q, so its pods do not start",
				class.Handler, class.Name).
				fix("install the runtime on a node", ""))
		}
	}
	switch {
	case len(checks) > 0:
		return checks
	case len(names) == 0:
		return []Check{QuestionGuests.Pass("form guest: no RuntimeClass gives pods their own kernel")}
	}
	return []Check{QuestionGuests.Pass("form guest: available with RuntimeClass %s", list(names))}
}

// unfit returns the nodes for which why returns a reason.
func unfit(nodes []corev1.Node, why func(corev1.NodeSystemInfo) string) []string {
	var found []string
	for _, node := range nodes {
		if text := why(node.Status.NodeInfo); text != "" {
			found = append(found, fmt.Sprintf("%s (%s)", node.Name, text))
		}
	}
	return found
}

// isOlder reports whether a version is older than another. An unreadable version is not older.
func isOlder(text string, than *version.Version) bool {
	parsed, err := version.ParseGeneric(text)
	return err == nil && parsed.LessThan(than)
}

// spread returns the number of nodes and their versions.
func spread(nodes []corev1.Node, what string, of func(corev1.NodeSystemInfo) string) string {
	var versions []string
	for _, node := range nodes {
		versions = append(versions, of(node.Status.NodeInfo))
	}
	slices.Sort(versions)
	return fmt.Sprintf("%s with %s %s", counted(len(nodes), "node", "nodes"), what, list(slices.Compact(versions)))
}
