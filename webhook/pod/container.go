package pod

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/scan"
)

// container is a container that is being read.
type container struct {
	Container
	command, args []string
	privileged    bool
}

var containerFields = scan.Fields[container]{
	"name":         scan.Text(func(c *container) *string { return &c.Name }),
	"volumeMounts": readTokenMount,
	"resources": scan.Object(scan.Fields[container]{
		"requests": readQuantities(func(c *container) *corev1.ResourceList { return &c.Requests }),
		"limits":   readQuantities(func(c *container) *corev1.ResourceList { return &c.Limits }),
	}),
}

var (
	readContainer = scan.Object(containerFields)
	// readInitContainer reads the command as well: a privileged one may set sysctls.
	readInitContainer = scan.Object(scan.Fields[container]{
		"name": containerFields["name"], "volumeMounts": containerFields["volumeMounts"], "resources": containerFields["resources"],
		"command": scan.Texts(func(c *container) *[]string { return &c.command }),
		"args":    scan.Texts(func(c *container) *[]string { return &c.args }),
		"securityContext": scan.Object(scan.Fields[container]{
			"privileged": scan.Boolean(func(c *container) *bool { return &c.privileged }),
		}),
	})
)

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

// readContainers reads a list of containers. It keeps the whole of one that has the reserved name.
func readContainers(list *[]Container, c *scan.Cursor, read scan.Reader[container]) {
	c.Each(func() {
		var one container
		start := c.Mark()
		read(&one, c)
		switch {
		case one.Name == v1alpha1.ContainerName:
			one.JSON = c.Since(start)
		case one.privileged:
			one.Words = append(one.command, one.args...)
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
