package injection

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/scan"
)

// mirrorAnnotation marks the mirror that a kubelet writes of a static pod (k8s.io/api/core/v1, MirrorPodAnnotationKey).
const mirrorAnnotation = "kubernetes.io/config.mirror"

// Pod is what the decision and the patch need of a pod. It is found in one pass over the pod's JSON, of which the rest is
// never decoded: a pod may be large, and all that is asked of it is in a few fields.
type Pod struct {
	Name           string // or generateName, where the API server is to make one of it
	Namespace      string // metadata.namespace; empty in admission, where the request has it
	ServiceAccount string // "default" where the pod names none
	RuntimeClass   string
	Owner          Owner

	generateName string

	sysctls, profiles, inject, status *string // annotations; nil where absent
	injected                          string  // label
	misplaced                         []misplacedKey
	hasAnnotations, hasLabels         bool
	mirror                            bool

	hasSpec              bool
	hostNetwork, hostIPC bool
	hostUsers            bool
	os                   string
	native               []nativeSysctl
	hasPodResources      bool
	pullSecrets          []string
	hasPullSecrets       bool

	// Lists, kept as JSON; a zero Result where absent.
	initContainers, containers, ephemeral, volumes gjson.Result

	// spec.serviceAccount: the API keeps it beside serviceAccountName, with the same value. A manifest may have it alone.
	deprecatedServiceAccount string
}

// Owner is the controller that made the pod; its fields are empty where a person did.
type Owner struct{ Kind, Name string }

// misplacedKey is an annotation or label with the project's prefix that means nothing where it is.
type misplacedKey struct {
	kind string // annotations or labels
	key  string
}

type nativeSysctl struct{ name, value string }

// ReadPod finds in a pod's JSON what the decision needs. The text must have passed scan.Check.
func ReadPod(raw string) (*Pod, error) {
	pod := &Pod{hostUsers: true}
	if err := podFields.Read(pod, gjson.Parse(raw), nil); err != nil {
		return nil, err
	}
	pod.Name = cmp.Or(pod.Name, pod.generateName)
	pod.ServiceAccount = cmp.Or(pod.ServiceAccount, pod.deprecatedServiceAccount, "default")
	return pod, nil
}

// requested tells whether the pod asks for anything.
func (p *Pod) requested() bool { return p.sysctls != nil || p.profiles != nil }

var podFields = scan.Fields[Pod]{
	"metadata": scan.Object(metadataFields),
	"spec": func(p *Pod, v gjson.Result, path *field.Path) error {
		p.hasSpec = true
		return specFields.Read(p, v, path)
	},
}

var metadataFields = scan.Fields[Pod]{
	"name":            scan.Text(func(p *Pod) *string { return &p.Name }),
	"generateName":    scan.Text(func(p *Pod) *string { return &p.generateName }),
	"namespace":       scan.Text(func(p *Pod) *string { return &p.Namespace }),
	"annotations":     readAnnotations,
	"labels":          readLabels,
	"ownerReferences": readOwner,
}

var specFields = scan.Fields[Pod]{
	"serviceAccountName": scan.Text(func(p *Pod) *string { return &p.ServiceAccount }),
	"serviceAccount":     scan.Text(func(p *Pod) *string { return &p.deprecatedServiceAccount }),
	"runtimeClassName":   scan.Text(func(p *Pod) *string { return &p.RuntimeClass }),
	"hostNetwork":        scan.Boolean(func(p *Pod) *bool { return &p.hostNetwork }),
	"hostIPC":            scan.Boolean(func(p *Pod) *bool { return &p.hostIPC }),
	"hostUsers":          scan.Boolean(func(p *Pod) *bool { return &p.hostUsers }),
	"os":                 scan.Object(scan.Fields[Pod]{"name": scan.Text(func(p *Pod) *string { return &p.os })}),
	"securityContext":    scan.Object(scan.Fields[Pod]{"sysctls": readNativeSysctls}),
	"resources": func(p *Pod, _ gjson.Result, _ *field.Path) error {
		p.hasPodResources = true
		return nil
	},
	"imagePullSecrets":    readPullSecrets,
	"initContainers":      scan.List(func(p *Pod) *gjson.Result { return &p.initContainers }),
	"containers":          scan.List(func(p *Pod) *gjson.Result { return &p.containers }),
	"ephemeralContainers": scan.List(func(p *Pod) *gjson.Result { return &p.ephemeral }),
	"volumes":             scan.List(func(p *Pod) *gjson.Result { return &p.volumes }),
}

func readAnnotations(p *Pod, v gjson.Result, path *field.Path) error {
	p.hasAnnotations = true
	return p.readKeys("annotations", v, path, func(key string, value *string) bool {
		switch key {
		case v1alpha1.SysctlsAnnotation:
			p.sysctls = value
		case v1alpha1.ProfilesAnnotation:
			p.profiles = value
		case v1alpha1.InjectAnnotation:
			p.inject = value
		case v1alpha1.StatusAnnotation:
			p.status = value
		case mirrorAnnotation:
			p.mirror = true
		default:
			return false
		}
		return true
	})
}

func readLabels(p *Pod, v gjson.Result, path *field.Path) error {
	p.hasLabels = true
	return p.readKeys("labels", v, path, func(key string, value *string) bool {
		if key == v1alpha1.InjectedLabel {
			p.injected = *value
			return true
		}
		return false
	})
}

// readKeys hands the entries of a map of strings to read, and notes those of the project's prefix that it does not know.
func (p *Pod) readKeys(kind string, object gjson.Result, path *field.Path, read func(key string, value *string) (known bool)) error {
	if !object.IsObject() {
		return scan.MustBe("an object", object, path)
	}
	var errs []error
	var seen []string
	object.ForEach(func(key, value gjson.Result) bool {
		ours := strings.HasPrefix(key.Str, v1alpha1.GroupName+"/")
		switch {
		case !ours && key.Str != mirrorAnnotation:
			return true
		case slices.Contains(seen, key.Str):
			errs = append(errs, scan.Twice(path.Key(key.Str)))
			return true
		case value.Type != gjson.String:
			errs = append(errs, scan.MustBe("a string", value, path.Key(key.Str)))
			return true
		}
		seen = append(seen, key.Str)
		if known := read(key.Str, &value.Str); ours && !known {
			p.misplaced = append(p.misplaced, misplacedKey{kind, key.Str})
		}
		return true
	})
	return errors.Join(errs...)
}

func readPullSecrets(p *Pod, v gjson.Result, path *field.Path) error {
	p.hasPullSecrets = true
	return scan.Each(v, path, func(item gjson.Result, _ *field.Path) error {
		p.pullSecrets = append(p.pullSecrets, item.Get("name").Str)
		return nil
	})
}

func readNativeSysctls(p *Pod, v gjson.Result, path *field.Path) error {
	return scan.Each(v, path, func(item gjson.Result, _ *field.Path) error {
		p.native = append(p.native, nativeSysctl{item.Get("name").Str, item.Get("value").Str})
		return nil
	})
}

// readOwner reads the controller among the owners.
func readOwner(p *Pod, v gjson.Result, path *field.Path) error {
	return scan.Each(v, path, func(item gjson.Result, _ *field.Path) error {
		if item.Get("controller").Bool() {
			p.Owner = Owner{Kind: item.Get("kind").Str, Name: item.Get("name").Str}
		}
		return nil
	})
}
