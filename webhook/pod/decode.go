package pod

import (
	"bytes"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/scan"
)

// Decode finds in a pod's JSON what a decision needs, in one pass: a pod may be large, and only a few fields matter. It keeps no
// part of raw.
func Decode(raw []byte) (*Pod, error) {
	pod := newPod()
	if err := scan.Read(raw, pod, readPod); err != nil {
		return nil, err
	}
	return pod, nil
}

// Reader reads a pod that is a part of a larger document.
func Reader[T any](of func(*T) **Pod) scan.Reader[T] {
	return func(into *T, c *scan.Cursor) {
		pod := newPod()
		readPod(pod, c)
		*of(into) = pod
	}
}

var readPod = scan.Object(scan.Fields[Pod]{
	"metadata": readMetadata,
	"spec": func(p *Pod, c *scan.Cursor) {
		p.HasSpec = true
		readSpec(p, c)
	},
})

var readMetadata = scan.Object(scan.Fields[Pod]{
	"name":            scan.Text(func(p *Pod) *string { return &p.name }),
	"generateName":    scan.Text(func(p *Pod) *string { return &p.generateName }),
	"namespace":       scan.Text(func(p *Pod) *string { return &p.Namespace }),
	"annotations":     readAnnotations,
	"labels":          readLabels,
	"ownerReferences": readOwners,
})

var readSpec = scan.Object(scan.Fields[Pod]{
	"serviceAccountName": scan.Text(func(p *Pod) *string { return &p.serviceAccountName }, "default"),
	"serviceAccount":     scan.Text(func(p *Pod) *string { return &p.deprecatedServiceAccount }, "default"),
	"runtimeClassName":   scan.Text(func(p *Pod) *string { return &p.RuntimeClass }),
	"hostNetwork":        scan.Boolean(func(p *Pod) *bool { return &p.HostNetwork }),
	"hostIPC":            scan.Boolean(func(p *Pod) *bool { return &p.HostIPC }),
	"hostUsers":          scan.Boolean(func(p *Pod) *bool { return &p.HostUsers }),
	"os":                 scan.Object(scan.Fields[Pod]{"name": scan.Text(func(p *Pod) *string { return &p.OS })}),
	"securityContext": scan.Object(scan.Fields[Pod]{"sysctls": scan.List(func(p *Pod) *[]Sysctl { return &p.NativeSysctls }, scan.Fields[Sysctl]{
		"name":  scan.Text(func(s *Sysctl) *string { return &s.Name }),
		"value": scan.Text(func(s *Sysctl) *string { return &s.Value }),
	})}),
	"resources": func(p *Pod, c *scan.Cursor) {
		p.HasResources = true
		c.Skip()
	},
	"imagePullSecrets": func(p *Pod, c *scan.Cursor) {
		p.HasPullSecrets = true
		readPullSecrets(p, c)
	},
	"initContainers": func(p *Pod, c *scan.Cursor) {
		p.HasInitContainers = true
		readContainers(&p.InitContainers, c)
	},
	"containers":          func(p *Pod, c *scan.Cursor) { readContainers(&p.Containers, c) },
	"ephemeralContainers": func(p *Pod, c *scan.Cursor) { readContainers(&p.EphemeralContainers, c) },
	"volumes": scan.List(func(p *Pod) *[]Volume { return &p.Volumes }, scan.Fields[Volume]{
		"name": scan.Text(func(v *Volume) *string { return &v.Name }),
		"projected": func(v *Volume, c *scan.Cursor) {
			v.Projected = true
			c.Skip()
		},
	}),
})

type pullSecret struct{ name string }

var readPullSecret = scan.Object(scan.Fields[pullSecret]{
	"name": scan.Text(func(s *pullSecret) *string { return &s.name }),
})

func readPullSecrets(p *Pod, c *scan.Cursor) {
	c.Each(func() {
		var secret pullSecret
		readPullSecret(&secret, c)
		p.PullSecrets = append(p.PullSecrets, secret.name)
	})
}

func readAnnotations(p *Pod, c *scan.Cursor) {
	p.HasAnnotations = true
	readOurs(&p.Annotations, c, func(key []byte) {
		if string(key) == mirrorAnnotation {
			p.Mirror = true
			c.Text()
			return
		}
		c.Skip()
	})
}

func readLabels(p *Pod, c *scan.Cursor) {
	p.HasLabels = true
	readOurs(&p.Labels, c, func([]byte) { c.Skip() })
}

// readOurs reads those entries of a map of strings that have the project's prefix, and leaves the others to other.
func readOurs(into *map[string]string, c *scan.Cursor, other func(key []byte)) {
	c.Map(func(name []byte) {
		if !bytes.HasPrefix(name, []byte(prefix)) {
			other(name)
			return
		}
		key := string(name)
		if _, twice := (*into)[key]; twice {
			c.Errorf("stands there twice")
		}
		if *into == nil {
			*into = map[string]string{}
		}
		(*into)[key] = c.Text()
	})
}

var readContainer = scan.Object(scan.Fields[Container]{
	"name":         scan.Text(func(c *Container) *string { return &c.Name }),
	"volumeMounts": readTokenMount,
	"resources": scan.Object(scan.Fields[Container]{
		"requests": readQuantities,
		"limits":   readQuantities,
	}),
})

var readQuantities = scan.Object(scan.Fields[Container]{"cpu": readQuantity, "memory": readQuantity})

// readQuantity tells whether a quantity is above zero. One that cannot be read counts too: the API server rejects it.
func readQuantity(into *Container, c *scan.Cursor) {
	text := strings.Trim(c.Raw(), `"`) // in a manifest, a number is a quantity too
	quantity, err := resource.ParseQuantity(text)
	into.HasResources = into.HasResources || err != nil || quantity.Sign() > 0
}

// readContainers reads a list of containers. It keeps the whole of one that has the reserved name.
func readContainers(list *[]Container, c *scan.Cursor) {
	c.Each(func() {
		*list = append(*list, Container{})
		read := &(*list)[len(*list)-1]
		start := c.Mark()
		readContainer(read, c)
		if read.Name == v1alpha1.ContainerName {
			read.JSON = c.Since(start)
		}
	})
}

type mount struct{ name, path string }

var readMount = scan.Object(scan.Fields[mount]{
	"name":      scan.Text(func(m *mount) *string { return &m.name }),
	"mountPath": scan.Text(func(m *mount) *string { return &m.path }, TokenMountPath),
})

func readTokenMount(into *Container, c *scan.Cursor) {
	c.Each(func() {
		var m mount
		readMount(&m, c)
		if m.path == TokenMountPath {
			into.TokenVolume = m.name
		}
	})
}

// readOwners reads the controller among the owners.
func readOwners(p *Pod, c *scan.Cursor) {
	c.Each(func() {
		var read owner
		readOwner(&read, c)
		if read.controller {
			p.Owner = read.Owner
		}
	})
}

type owner struct {
	Owner
	controller bool
}

var readOwner = scan.Object(scan.Fields[owner]{
	"apiVersion": scan.Text(func(o *owner) *string { return &o.APIVersion }, "apps/v1", "batch/v1"),
	"kind":       scan.Text(func(o *owner) *string { return &o.Kind }, "ReplicaSet", "StatefulSet", "DaemonSet", "Job"),
	"name":       scan.Text(func(o *owner) *string { return &o.Name }),
	"uid":        scan.Text(func(o *owner) *string { return &o.UID }),
	"controller": scan.Boolean(func(o *owner) *bool { return &o.controller }),
})
