package injection

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
	jsonpatch "gomodules.xyz/jsonpatch/v2"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// Removal is what Uninject takes away from a pod.
type Removal struct {
	Operations []jsonpatch.Operation
	// Removed names the parts, for a person; none if the pod was not injected.
	Removed []string
}

// Uninject takes away from a pod, given as JSON, what Inject has added: the init container with its mounts, the
// label, the annotations, and the native sysctls that the status names. Lists and maps that hold nothing else go too.
// The annotations by which the pod asks for sysctls stay. pullSecrets are the pull secrets from the configuration of
// Inject.
//
// A native sysctl that the pod had before, and asks for in its annotation besides, goes as well: nothing says which
// of the two came first.
func Uninject(pod []byte, pullSecrets []string) Removal {
	var r Removal
	document := gjson.ParseBytes(pod)
	status := r.metadata(document.Get("metadata"))
	r.containers(document.Get("spec.initContainers"))
	r.native(document.Get("spec.securityContext"), status.Native)
	r.pullSecrets(document.Get("spec.imagePullSecrets"), pullSecrets)
	return r
}

func (r *Removal) remove(path string) {
	r.Operations = append(r.Operations, jsonpatch.NewOperation("remove", path, nil))
}

// metadata takes the label and the annotations away, and returns the status.
func (r *Removal) metadata(metadata gjson.Result) (status Status) {
	labels, annotations := metadata.Get("labels").Map(), metadata.Get("annotations").Map()
	if _, ok := labels[v1alpha1.InjectedLabel]; ok {
		r.Removed = append(r.Removed, "the label")
		r.keys(injectedLabel.mapPath, len(labels), []entry{injectedLabel})
	}
	var gone []entry
	if value, ok := annotations[v1alpha1.StatusAnnotation]; ok {
		_ = json.Unmarshal([]byte(value.String()), &status) // a status that nobody can read names no native sysctl
		gone = append(gone, statusAnnotation)
		r.Removed = append(r.Removed, "the status annotation")
	}
	for _, w := range identityWebhooks {
		listed := annotations[w.annotation.key].String()
		others := slices.DeleteFunc(strings.Split(listed, w.separator),
			func(name string) bool { return name == v1alpha1.ContainerName })
		switch {
		case len(others) == 0:
			gone = append(gone, w.annotation)
		case len(others) < len(strings.Split(listed, w.separator)):
			r.Operations = append(r.Operations, jsonpatch.NewOperation("replace", w.annotation.path,
				strings.Join(others, w.separator)))
		default:
			continue
		}
		r.Removed = append(r.Removed, "the container in the annotation "+w.annotation.key)
	}
	r.keys(statusAnnotation.mapPath, len(annotations), gone)
	return status
}

// keys removes entries of a map that has a number of them, or the map.
func (r *Removal) keys(mapPath string, count int, gone []entry) {
	if len(gone) > 0 && len(gone) == count {
		r.remove(mapPath)
		return
	}
	for _, e := range gone {
		r.remove(e.path)
	}
}

// items removes items of a list, the last one first, so that the indices of the others stay; or the list.
func (r *Removal) items(path string, list []gjson.Result, isOurs func(gjson.Result) bool) (removed int) {
	var ours []int
	for i, item := range list {
		if isOurs(item) {
			ours = append(ours, i)
		}
	}
	if len(ours) > 0 && len(ours) == len(list) {
		r.remove(path)
		return len(ours)
	}
	for _, i := range slices.Backward(ours) {
		r.remove(path + "/" + strconv.Itoa(i))
	}
	return len(ours)
}

func (r *Removal) containers(list gjson.Result) {
	isOurs := func(container gjson.Result) bool { return container.Get("name").String() == v1alpha1.ContainerName }
	if r.items("/spec/initContainers", list.Array(), isOurs) > 0 {
		r.Removed = append(r.Removed, "the init container")
	}
}

// native removes the sysctls that the status names as native, and the security context if it holds nothing else.
func (r *Removal) native(securityContext gjson.Result, names []string) {
	const path = "/spec/securityContext"
	list := securityContext.Get("sysctls").Array()
	isOurs := func(s gjson.Result) bool {
		return slices.Contains(names, s.Get("name").String()+"="+s.Get("value").String())
	}
	count := 0
	for _, item := range list {
		if isOurs(item) {
			count++
		}
	}
	if count == 0 {
		return
	}
	r.Removed = append(r.Removed, "the native sysctls")
	if count == len(list) && len(securityContext.Map()) == 1 {
		r.remove(path)
		return
	}
	r.items(path+"/sysctls", list, isOurs)
}

func (r *Removal) pullSecrets(list gjson.Result, names []string) {
	if r.items("/spec/imagePullSecrets", list.Array(),
		func(s gjson.Result) bool { return slices.Contains(names, s.Get("name").String()) }) > 0 {
		r.Removed = append(r.Removed, "the pull secrets")
	}
}
