package injection

import (
	"bytes"
	"cmp"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/scan"
)

// mirrorAnnotation marks the mirror that a kubelet writes of a static pod (k8s.io/api/core/v1, MirrorPodAnnotationKey).
const mirrorAnnotation = "kubernetes.io/config.mirror"

// Pod is what the decision and the patch need of a pod. It is found in one pass over the pod's JSON, of which the rest is
// never decoded: a pod may be large, and all that is asked of it is in a few fields.
type Pod struct {
	Namespace    string // metadata.namespace; empty in admission, where the request has it
	RuntimeClass string
	Owner        Owner

	name, generateName                           string
	serviceAccountName, deprecatedServiceAccount string

	sysctls, profiles, inject, status, mirror *string // annotations; nil where absent
	injected                                  *string // label
	misplaced                                 []misplacedKey
	hasAnnotations, hasLabels                 bool

	hasSpec              bool
	hostNetwork, hostIPC bool
	hostUsers            bool
	os                   string
	native               []nativeSysctl
	hasPodResources      bool
	pullSecrets          []pullSecret
	hasPullSecrets       bool

	hasInitContainers                     bool
	initContainers, containers, ephemeral []container
	volumes                               []volume
}

// Owner is the controller that made the pod; its fields are empty where a person did.
type Owner struct{ APIVersion, Kind, Name, UID string }

// misplacedKey is an annotation or label with the project's prefix that means nothing where it is.
type misplacedKey struct {
	kind string // annotations or labels
	key  string
}

type pullSecret struct{ name string }

type nativeSysctl struct{ name, value string }

// container is what matters of one of the pod's containers.
type container struct {
	name            string
	tokenVolume     string // that it mounts where the API server mounts the service account's token
	statesResources bool   // CPU or memory, above zero
	raw             string // its JSON, where it bears the reserved name; else empty
}

// volume is what matters of one of the pod's volumes.
type volume struct {
	name      string
	projected bool
}

// ReadPod finds in a pod's JSON what the decision needs. It keeps no part of raw.
func ReadPod(raw []byte) (*Pod, error) {
	pod := newPod()
	if err := scan.Read(raw, pod, readPod); err != nil {
		return nil, err
	}
	return pod, nil
}

// PodReader reads a pod that is a part of a larger document.
func PodReader[T any](of func(*T) **Pod) scan.Reader[T] {
	return func(into *T, c *scan.Cursor) {
		pod := newPod()
		readPod(pod, c)
		*of(into) = pod
	}
}

func newPod() *Pod { return &Pod{hostUsers: true} }

// Name is the pod's, or that which the API server makes one from.
func (p *Pod) Name() string { return cmp.Or(p.name, p.generateName) }

// ServiceAccount is "default" where the pod names none. The API keeps spec.serviceAccount beside serviceAccountName, with the same
// value; a manifest may have it alone.
func (p *Pod) ServiceAccount() string {
	return cmp.Or(p.serviceAccountName, p.deprecatedServiceAccount, "default")
}

// Requested tells whether the pod asks for anything.
func (p *Pod) Requested() bool { return p.sysctls != nil || p.profiles != nil }

var readPod = scan.Object(scan.Fields[Pod]{
	"metadata": readMetadata,
	"spec": func(p *Pod, c *scan.Cursor) {
		p.hasSpec = true
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
	"hostNetwork":        scan.Boolean(func(p *Pod) *bool { return &p.hostNetwork }),
	"hostIPC":            scan.Boolean(func(p *Pod) *bool { return &p.hostIPC }),
	"hostUsers":          scan.Boolean(func(p *Pod) *bool { return &p.hostUsers }),
	"os":                 scan.Object(scan.Fields[Pod]{"name": scan.Text(func(p *Pod) *string { return &p.os })}),
	"securityContext": scan.Object(scan.Fields[Pod]{"sysctls": scan.List(func(p *Pod) *[]nativeSysctl { return &p.native }, scan.Fields[nativeSysctl]{
		"name":  scan.Text(func(s *nativeSysctl) *string { return &s.name }),
		"value": scan.Text(func(s *nativeSysctl) *string { return &s.value }),
	})}),
	"resources": func(p *Pod, c *scan.Cursor) {
		p.hasPodResources = true
		c.Skip()
	},
	"imagePullSecrets": func(p *Pod, c *scan.Cursor) {
		p.hasPullSecrets = true
		readPullSecrets(p, c)
	},
	"initContainers": func(p *Pod, c *scan.Cursor) {
		p.hasInitContainers = true
		readContainers(&p.initContainers, c)
	},
	"containers":          func(p *Pod, c *scan.Cursor) { readContainers(&p.containers, c) },
	"ephemeralContainers": func(p *Pod, c *scan.Cursor) { readContainers(&p.ephemeral, c) },
	"volumes": scan.List(func(p *Pod) *[]volume { return &p.volumes }, scan.Fields[volume]{
		"name": scan.Text(func(v *volume) *string { return &v.name }),
		"projected": func(v *volume, c *scan.Cursor) {
			v.projected = true
			c.Skip()
		},
	}),
})

var readPullSecrets = scan.List(func(p *Pod) *[]pullSecret { return &p.pullSecrets }, scan.Fields[pullSecret]{
	"name": scan.Text(func(s *pullSecret) *string { return &s.name }),
})

func readAnnotations(p *Pod, c *scan.Cursor) {
	p.hasAnnotations = true
	p.readKeys("annotations", c, func(key []byte) **string {
		switch string(key) {
		case v1alpha1.SysctlsAnnotation:
			return &p.sysctls
		case v1alpha1.ProfilesAnnotation:
			return &p.profiles
		case v1alpha1.InjectAnnotation:
			return &p.inject
		case v1alpha1.StatusAnnotation:
			return &p.status
		case mirrorAnnotation:
			return &p.mirror
		}
		return nil
	})
}

func readLabels(p *Pod, c *scan.Cursor) {
	p.hasLabels = true
	p.readKeys("labels", c, func(key []byte) **string {
		if string(key) == v1alpha1.InjectedLabel {
			return &p.injected
		}
		return nil
	})
}

// readKeys reads those entries of a map of strings that have a field of their own, and notes others of the project's prefix.
func (p *Pod) readKeys(kind string, c *scan.Cursor, fieldOf func(key []byte) **string) {
	c.Map(func(name []byte) {
		switch into := fieldOf(name); {
		case into != nil:
			if *into != nil {
				c.Complain("stands there twice")
			}
			value := c.Text()
			*into = &value
		case bytes.HasPrefix(name, []byte(v1alpha1.GroupName+"/")):
			p.misplaced = append(p.misplaced, misplacedKey{kind, string(name)})
			c.Text()
		default:
			c.Skip()
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
