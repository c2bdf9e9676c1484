package hostile_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	jsonpatch "gomodules.xyz/jsonpatch/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// way is a way to write an object.
type way string

const (
	byCreate         way = "create"
	byApplyingAnew   way = "create by apply"
	byUpdate         way = "update"
	byJSONPatch      way = "JSON patch"
	byMergePatch     way = "merge patch"
	byStrategicPatch way = "strategic merge patch"
	byApply          way = "apply"
)

var (
	creating = []way{byCreate, byApplyingAnew}
	changing = []way{byUpdate, byJSONPatch, byMergePatch, byStrategicPatch, byApply}
	// unsetting are the ways that can remove a field. Applying an object keeps the fields of other owners.
	unsetting = []way{byCreate, byApplyingAnew, byUpdate, byJSONPatch, byMergePatch, byStrategicPatch}
	everyWay  = slices.Concat(creating, changing)
)

// attempts makes the attempts of a token's holder, in dry runs, and counts them.
type attempts struct {
	client client.Client
	count  int
}

// writes tries to write an object in several ways: it creates the edited fresh object, or changes live into the edited
// live object. The answer must end in want. If want is empty, the API server must allow the write.
func (a *attempts) writes(t *testing.T, name string, fresh, live client.Object, edit func(client.Object), ways []way,
	want string) {
	t.Helper()
	for _, way := range ways {
		a.is(t, name+", by "+string(way), want, func(ctx context.Context) error {
			if slices.Contains(creating, way) {
				return a.write(ctx, way, nil, edited(fresh, edit))
			}
			found := live.DeepCopyObject().(client.Object)
			if err := admin.Get(ctx, client.ObjectKeyFromObject(live), found); err != nil {
				return err
			}
			return a.write(ctx, way, found, edited(found, edit))
		})
	}
}

// removes tries to delete an object.
func (a *attempts) removes(t *testing.T, name string, object client.Object, want string) {
	t.Helper()
	a.is(t, name+", by delete", want, func(ctx context.Context) error {
		return a.client.Delete(ctx, object,
			client.DryRunAll)
	})
}

func (a *attempts) is(t *testing.T, name, want string, do func(context.Context) error) {
	t.Helper()
	a.count++
	t.Run(name, func(t *testing.T) {
		t.Helper()
		err := do(t.Context())
		switch {
		case want == "" && err != nil:
			t.Errorf("it is denied: %v", err)
		case want != "" && (err == nil || !strings.HasSuffix(err.Error(), "denied request: "+want)):
			t.Errorf("the API server says\n%v\nwant\n%s", err, want)
		}
	})
}

func edited(object client.Object, edit func(client.Object)) client.Object {
	changed := object.DeepCopyObject().(client.Object)
	edit(changed)
	return changed
}

func (a *attempts) write(ctx context.Context, way way, before, after client.Object) error {
	switch way {
	case byCreate:
		return a.client.Create(ctx, after, client.DryRunAll)
	case byUpdate:
		return a.client.Update(ctx, after, client.DryRunAll)
	case byApply, byApplyingAnew:
		return a.apply(ctx, after)
	}
	from, err := json.Marshal(before)
	if err != nil {
		return err
	}
	to, err := json.Marshal(after)
	if err != nil {
		return err
	}
	var patch []byte
	var patchType types.PatchType
	switch way {
	case byJSONPatch:
		operations, err := jsonpatch.CreatePatch(from, to)
		if err != nil {
			return err
		}
		if patch, err = json.Marshal(operations); err != nil {
			return err
		}
		patchType = types.JSONPatchType
	case byMergePatch:
		patch, err = jsonmergepatch.CreateThreeWayJSONMergePatch(from, to, from)
		patchType = types.MergePatchType
	case byStrategicPatch:
		patch, err = strategicpatch.CreateTwoWayMergePatch(from, to, before)
		patchType = types.StrategicMergePatchType
	default:
		err = fmt.Errorf("there is no way %q", way)
	}
	if err != nil {
		return err
	}
	return a.client.Patch(ctx, after, client.RawPatch(patchType, patch), client.DryRunAll)
}

// apply applies an object as the server does.
func (a *attempts) apply(ctx context.Context, object client.Object) error {
	kind, err := apiutil.GVKForObject(object, a.client.Scheme())
	if err != nil {
		return err
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return err
	}
	applied := &unstructured.Unstructured{Object: content}
	applied.SetGroupVersionKind(kind)
	for _, field := range []string{"creationTimestamp", "managedFields", "resourceVersion", "uid"} {
		unstructured.RemoveNestedField(content, "metadata", field)
	}
	return a.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(applied), client.FieldOwner("sysctl-injector"),
		client.ForceOwnership, client.DryRunAll)
}

func isDenied(err error) bool { return err != nil && strings.Contains(err.Error(), "denied request: ") }
