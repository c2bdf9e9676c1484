package inspect

import (
	"errors"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// newNode returns a node that supports every form, changed by tweak.
func newNode(name string, tweak func(*corev1.NodeStatus)) corev1.Node {
	node := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name},
		Status: corev1.NodeStatus{NodeInfo: corev1.NodeSystemInfo{
			OperatingSystem: "linux", KernelVersion: "6.18.5-cloud", KubeletVersion: "v1.37.2",
			ContainerRuntimeVersion: "containerd://2.4.2",
		}}}
	tweak(&node.Status)
	return node
}

func TestJudgeNodes(t *testing.T) {
	const (
		kernel  = "Passed NodeKernel: form privileged: 1 node with Linux 6.18.5-cloud"
		kubelet = "Passed NodeKubelet: form native: 1 node with kubelet v1.37.2; sysctls that are safe since 1.34 " +
			"need no declaration"
		userns = "Passed NodeUserNamespaces: form user-namespace (hostUsers: false): supported on 1 node"
		ipc    = "Passed NodeUserNamespacesIPC: form user-namespace (hostUsers: false): the nodes support IPC " +
			"sysctls too"
		guests  = "Passed NodeGuestKernels: form guest: no RuntimeClass gives pods their own kernel"
		without = "Warning NodeUserNamespaces: form user-namespace (hostUsers: false): pods do not start on n "
	)
	kata := nodev1.RuntimeClass{ObjectMeta: metav1.ObjectMeta{Name: "secure"}, Handler: "kata"}
	features := func(can bool) func(*corev1.NodeStatus) {
		return func(s *corev1.NodeStatus) {
			s.NodeInfo.ContainerRuntimeVersion = "other://0.1"
			s.RuntimeHandlers = []corev1.NodeRuntimeHandler{{Name: "",
				Features: &corev1.NodeRuntimeHandlerFeatures{UserNamespaces: &can}}}
		}
	}
	for _, test := range []struct {
		name    string
		tweak   func(*corev1.NodeStatus)
		classes []nodev1.RuntimeClass
		want    []string
	}{
		{"support for every form", func(*corev1.NodeStatus) {}, nil, []string{kernel, kubelet, userns, ipc, guests}},
		{"an old kernel", func(s *corev1.NodeStatus) { s.NodeInfo.KernelVersion = "4.18.0-553.el8.x86_64" }, nil,
			[]string{
				"Warning NodeKernel: form privileged: kernels older than Linux 4.19 lack many sysctls, and pods that " +
					"request them do not start there: n (Linux 4.18.0-553.el8.x86_64)",
				kubelet, without + "(Linux 4.18.0-553.el8.x86_64)", guests}},
		{"an old kubelet", func(s *corev1.NodeStatus) { s.NodeInfo.KubeletVersion = "v1.33.1" }, nil, []string{kernel,
			"Failed NodeKubelet: form native: kubelets older than 1.34 are not supported with this API server, and " +
				"may reject pods with native sysctls (SysctlForbidden): n (kubelet v1.33.1)",
			userns, ipc, guests}},
		{"a kernel without IPC names in user namespaces",
			func(s *corev1.NodeStatus) { s.NodeInfo.KernelVersion = "6.6.0" }, nil, []string{
				"Passed NodeKernel: form privileged: 1 node with Linux 6.6.0", kubelet, userns,
				"Warning NodeUserNamespacesIPC: form user-namespace (hostUsers: false): IPC sysctls (kernel.sem, " +
					"kernel.shm*, kernel.msg*, fs.mqueue.*) need Linux 6.9, and pods that request them do not start " +
					"on n (Linux 6.6.0)", guests}},
		{"an old containerd",
			func(s *corev1.NodeStatus) { s.NodeInfo.ContainerRuntimeVersion = "containerd://1.7.27" }, nil,
			[]string{kernel, kubelet, without + "(runtime containerd://1.7.27)", guests}},
		{"CRI-O", func(s *corev1.NodeStatus) { s.NodeInfo.ContainerRuntimeVersion = "cri-o://1.34.0" }, nil,
			[]string{kernel, kubelet, userns, ipc, guests}},
		{"a runtime that reports support", features(true), nil, []string{kernel, kubelet, userns, ipc, guests}},
		{"a runtime that reports no support", features(false), nil,
			[]string{kernel, kubelet, without + "(runtime other://0.1 reports no support)", guests}},
		{"a guest kernel", func(*corev1.NodeStatus) {}, []nodev1.RuntimeClass{kata}, []string{kernel, kubelet, userns,
			ipc,
			"Passed NodeGuestKernels: form guest: available with RuntimeClass secure"}},
		{"a handler that no node has", features(true), []nodev1.RuntimeClass{kata}, []string{kernel, kubelet, userns,
			ipc,
			`Warning NodeGuestKernels: form guest: no node has the handler "kata" of RuntimeClass "secure", so its ` +
				`pods do not start`}},
		{"Windows", func(s *corev1.NodeStatus) { s.NodeInfo.OperatingSystem = "windows" }, nil,
			[]string{"Warning NodeKernel: there is no Linux node, so no pod can get sysctls yet"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			wantAnswers(t, Nodes{Nodes: []corev1.Node{newNode("n", test.tweak)}, RuntimeClasses: test.classes,
				GuestHandlers: []string{"kata"}, APIServer: 37}.Judge(), test.want...)
		})
	}
}

func TestListShortensLongLists(t *testing.T) {
	var names []string
	for i := range 8 {
		names = append(names, fmt.Sprint("n", i))
	}
	if got, want := list(names), "n0, n1, n2, n3, n4 and 3 more"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestJudgeKubelets(t *testing.T) {
	a := Kubelet{Node: "a", Version: "v1.37.2", AllowedUnsafeSysctls: []string{"kernel.msg*", "net/core/somaxconn",
		"net.ipv4.*"}}
	b := Kubelet{Node: "b", Version: "v1.37.2", AllowedUnsafeSysctls: []string{"kernel.msgmax", "net.core.somaxconn",
		"net.ipv4.tcp_tw_reuse"}}
	unread := Kubelet{Node: "c", Err: LackedError{Permission{Verb: "get", Resource: "nodes/proxy"}}}
	none := Kubelet{Node: "d", Version: "v1.37.2"}
	all := Kubelet{Node: "e", Version: "v1.37.2", AllowedUnsafeSysctls: []string{"net.*"}}
	core := Kubelet{Node: "f", Version: "v1.37.2", AllowedUnsafeSysctls: []string{"net.core.somaxconn", "net.core.*"}}
	silent := Kubelet{Node: "g", Err: errors.New("no answer")}
	const without = " Pods that get it natively fail there with SysctlForbidden"
	for _, test := range []struct {
		name     string
		declared []string
		kubelets []Kubelet
		want     []string
	}{
		{"nothing declared, nothing allowed", nil, []Kubelet{none}, []string{
			"Passed KubeletSysctls: form native: no unsafe sysctl is allowed on all kubelets, and kubeletSysctls " +
				"declares none"}},
		{"nothing declared, and what all allow", nil, []Kubelet{a, b}, []string{
			"Passed KubeletSysctls: form native: all kubelets allow kernel.msgmax, net.core.somaxconn, " +
				"net.ipv4.tcp_tw_reuse, which kubeletSysctls may declare"}},
		{"a longer prefix on one kubelet", nil, []Kubelet{all, core}, []string{
			"Passed KubeletSysctls: form native: all kubelets allow net.core.*, which kubeletSysctls may declare"}},
		{"the same in another order", nil, []Kubelet{core, all}, []string{
			"Passed KubeletSysctls: form native: all kubelets allow net.core.*, which kubeletSysctls may declare"}},
		{"declared and allowed", []string{"net.core.somaxconn", "kernel.msgmax"}, []Kubelet{a, b}, []string{
			"Passed KubeletSysctls: form native: all kubelets allow the declared kubeletSysctls: " +
				"net.core.somaxconn, kernel.msgmax"}},
		{"declared, and allowed by a shorter prefix", []string{"net.ipv4.tcp_*"}, []Kubelet{a}, []string{
			"Passed KubeletSysctls: form native: all kubelets allow the declared kubeletSysctls: net.ipv4.tcp_*"}},
		{"a prefix of which a kubelet allows one name", []string{"kernel.msg*"}, []Kubelet{a, b}, []string{
			"Failed KubeletSysctls: kubeletSysctls declares kernel.msg*, but the kubelets of these nodes do not " +
				"allow it: b." + without}},
		{"a safe name, which every kubelet allows", []string{"net.ipv4.tcp_syncookies"}, []Kubelet{none}, []string{
			"Passed KubeletSysctls: form native: all kubelets allow the declared kubeletSysctls: " +
				"net.ipv4.tcp_syncookies"}},
		{"a kubelet whose configuration cannot be read", []string{"net.core.somaxconn"}, []Kubelet{a, unread, none},
			[]string{
				"Failed KubeletSysctls: kubeletSysctls declares net.core.somaxconn, but the kubelets of these " +
					"nodes do not allow it: d." + without,
				"Unknown KubeletSysctls: not checked: the configuration of the kubelets of c could not be read: " +
					`you lack the permission "get nodes/proxy"`}},
		{"a kubelet that does not answer", []string{"net.core.somaxconn"}, []Kubelet{a, silent}, []string{
			"Warning KubeletSysctls: the configuration of the kubelets of g could not be read: no answer"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			wantAnswers(t, JudgeKubelets(test.declared, test.kubelets),
				test.want...)
		})
	}
}
