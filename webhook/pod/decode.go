package pod

import (
	"bytes"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	schedulerresource "k8s.io/component-helpers/resource"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/scan"
)

// Decode finds in a pod's JSON what a decision needs, in one pass: a pod may be large, and only a few fields matter.
// It keeps no part of raw.
func Decode(raw []byte) (*Pod, error) {
	pod := newPod()
	if err := scan.Read(raw, pod, readPod); err != nil {
		return nil, err
	}
	return pod, nil
}

// Read reads a pod that is a part of a larger document.
func Read(c *scan.Cursor) *Pod {
	pod := newPod()
	readPod(pod, c)
	return pod
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
	"nodeSelector":       readNodeSelector,
	"affinity": scan.Object(scan.Fields[Pod]{"nodeAffinity": scan.Object(scan.Fields[Pod]{
		"requiredDuringSchedulingIgnoredDuringExecution": scan.Object(scan.Fields[Pod]{
			"nodeSelectorTerms": readNodeTerms,
		}),
	})}),
	"securityContext": func(p *Pod, c *scan.Cursor) {
		p.HasSecurityContext = true
		readSecurityContext(p, c)
	},
	"resources": scan.Object(scan.Fields[Pod]{"requests": readPodQuantities, "limits": readPodQuantities}),
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

var readSecurityContext = scan.Object(scan.Fields[Pod]{
	"seLinuxOptions": scan.Object(scan.Fields[Pod]{"type": scan.Text(func(p *Pod) *string { return &p.SELinuxType })}),
	"sysctls": func(p *Pod, c *scan.Cursor) {
		p.HasNativeSysctls = true
		readNativeSysctls(p, c)
	},
})

var readNativeSysctls = scan.List(func(p *Pod) *[]Sysctl { return &p.NativeSysctls }, scan.Fields[Sysctl]{
	"name":  scan.Text(func(s *Sysctl) *string { return &s.Name }),
	"value": scan.Text(func(s *Sysctl) *string { return &s.Value }),
})

// readPodQuantities reads the requests or limits of spec.resources. Only those that name a resource count
// (k8s.io/component-helpers/resource, IsPodLevelResourcesSet).
func readPodQuantities(p *Pod, c *scan.Cursor) {
	c.Map(func(name []byte) {
		if schedulerresource.IsSupportedPodLevelResource(corev1.ResourceName(name)) {
			p.HasResources = true
		}
		c.Skip()
	})
}

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
		switch string(key) {
		case mirrorAnnotation:
			p.Mirror = true
			c.Text()
		case EKSSkipAnnotation:
			p.skipAnnotation(EKSSkipAnnotation, c.Text())
		case AzureSkipAnnotation:
			p.skipAnnotation(AzureSkipAnnotation, c.Text())
		default:
			c.Skip()
		}
	})
}

func readLabels(p *Pod, c *scan.Cursor) {
	p.HasLabels = true
	start := c.Mark()
	readOurs(&p.Labels, c, func(key []byte) {
		if string(key) == azureIdentityLabel {
			p.AzureIdentity = c.Text("true") == "true"
			return
		}
		c.Skip()
	})
	p.rawLabels = c.Since(start)
}

func (p *Pod) skipAnnotation(key, value string) {
	if p.SkipAnnotations == nil {
		p.SkipAnnotations = map[string]string{}
	}
	p.SkipAnnotations[key] = value
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
			quantity, ok := parseQuantity(strings.Trim(c.Raw(), `"`)) // in a manifest, a number is a quantity too
			if !ok {
				return // the API server rejects it, or no node has as much
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
