package pod

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/scan"
)

// container is a container that is being read.
type container struct {
	Container
	privileged bool
}

var containerFields = scan.Fields[container]{
	"name":         scan.Text(func(c *container) *string { return &c.Name }),
	"volumeMounts": readTokenMount,
	"resources": scan.Object(scan.Fields[container]{
		"requests": readQuantities(func(c *container) *corev1.ResourceList { return &c.Requests }),
		"limits":   readQuantities(func(c *container) *corev1.ResourceList { return &c.Limits }),
	}),
	"securityContext": scan.Object(scan.Fields[container]{
		"privileged": scan.Boolean(func(c *container) *bool { return &c.privileged }),
	}),
}

var readContainer = scan.Object(containerFields)

// sysctlWords are in each command that sets sysctls.
var sysctlWords = [][]byte{[]byte("sysctl"), []byte("proc/sys")}

// speaksOfSysctls reports whether the JSON of a container has one of the words.
func speaksOfSysctls(contains func([]byte) bool) bool {
	return slices.ContainsFunc(sysctlWords, contains)
}

func readQuantities(of func(*container) *corev1.ResourceList) scan.Reader[container] {
	read := func(name corev1.ResourceName) scan.Reader[container] {
		return func(into *container, c *scan.Cursor) {
			text := strings.Trim(c.Raw(), `"`) // in a manifest, a number is a quantity too
			quantity, err := resource.ParseQuantity(text)
			if err != nil {
				return // the API server rejects it
			}
			list := of(into)
			if *list == nil {
				*list = corev1.ResourceList{}
			}
			(*list)[name] = quantity
		}
	}
	return scan.Object(scan.Fields[container]{"cpu": read(corev1.ResourceCPU), "memory": read(corev1.ResourceMemory)})
}

// readContainers reads a list of containers. It keeps the whole of one that has the reserved name, or may set
// sysctls.
func readContainers(list *[]Container, c *scan.Cursor) {
	c.Each(func() {
		var one container
		start := c.Mark()
		readContainer(&one, c)
		switch {
		case one.Name == v1alpha1.ContainerName:
			one.JSON = c.Since(start)
		case one.privileged && speaksOfSysctls(func(word []byte) bool { return c.Contains(start, word) }):
			one.SysctlJSON = c.Since(start)
		}
		*list = append(*list, one.Container)
	})
}

type mount struct{ name, path string }

var readMount = scan.Object(scan.Fields[mount]{
	"name":      scan.Text(func(m *mount) *string { return &m.name }),
	"mountPath": scan.Text(func(m *mount) *string { return &m.path }, TokenMountPath),
})

func readTokenMount(into *container, c *scan.Cursor) {
	c.Each(func() {
		var m mount
		readMount(&m, c)
		if m.path == TokenMountPath {
			into.TokenVolume = m.name
		}
	})
}
