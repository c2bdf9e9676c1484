package workload

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
	corev1 "k8s.io/api/core/v1"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
)

// The path and the typed accessor of a row lead to the same template.
func TestPathAndAccessorAgree(t *testing.T) {
	for _, kind := range Kinds {
		t.Run(kind.Kind, func(t *testing.T) {
			if kind.NewList == nil {
				if kind.PodTemplate != nil {
					t.Error("an accessor without a list")
				}
				return
			}
			gvk, _, err := clientscheme.Scheme.ObjectKinds(kind.NewList())
			if err != nil || gvk[0] != kind.GroupVersion().WithKind(kind.Kind+"List") {
				t.Errorf("the list is of %v, %v", gvk, err)
			}
			object, err := clientscheme.Scheme.New(kind.GroupVersionKind)
			if err != nil {
				t.Fatal(err)
			}
			text := `{"metadata":{"labels":{"at":"template"}},"spec":{"nodeName":"here"}}`
			for i := len(kind.Path) - 1; i >= 0; i-- {
				text = `{"` + kind.Path[i] + `":` + text + `}`
			}
			if err := json.Unmarshal([]byte(text), object); err != nil {
				t.Fatal(err)
			}
			template := kind.PodTemplate(object)
			if template == nil || template.Spec.NodeName != "here" || template.Labels["at"] != "template" {
				t.Errorf("the accessor returns %v", template)
			}
			encoded, err := json.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}
			if found := gjson.GetBytes(encoded, strings.Join(append(kind.Path, "spec", "nodeName"),
				".")).String(); found != "here" {
				t.Errorf("the path leads to %q", found)
			}
		})
	}
}

// Every built-in kind whose type holds a pod spec is in the table.
func TestEveryBuiltInKindIsListed(t *testing.T) {
	for gvk, kind := range clientscheme.Scheme.AllKnownTypes() {
		if !strings.HasSuffix(gvk.Kind, "List") && holds(kind, reflect.TypeFor[corev1.PodSpec](), 0) &&
			Find(gvk.GroupVersion().String(), gvk.Kind) == nil {
			t.Errorf("%s is not listed", gvk)
		}
	}
}

// holds reports whether a struct has a field of a type, also in a struct within it.
func holds(in, wanted reflect.Type, depth int) bool {
	if in.Kind() == reflect.Pointer {
		in = in.Elem()
	}
	if in == wanted {
		return true
	}
	if in.Kind() != reflect.Struct || depth > 6 {
		return false
	}
	for i := range in.NumField() {
		if holds(in.Field(i).Type, wanted, depth+1) {
			return true
		}
	}
	return false
}

func TestFind(t *testing.T) {
	for _, test := range []struct {
		apiVersion, kind string
		found, hasOwner  bool
	}{
		{"apps/v1", "Deployment", true, false},
		{"extensions/v1beta1", "Deployment", true, false},
		{"apps/v1", "ReplicaSet", true, true},
		{"extensions/v1beta1", "ReplicaSet", true, false},
		{"batch/v1", "Job", true, true},
		{"v1", "Pod", true, false},
		{"", "Pod", false, false},
		{"example.com/v1", "Job", false, false},
		{"v1", "Deployment", false, false},
		{"a/b/c", "Deployment", false, false},
	} {
		if found := Find(test.apiVersion, test.kind) != nil; found != test.found {
			t.Errorf("Find(%q, %q): %t", test.apiVersion, test.kind, found)
		}
		if hasOwner := HasOwner(test.apiVersion, test.kind); hasOwner != test.hasOwner {
			t.Errorf("HasOwner(%q, %q): %t", test.apiVersion, test.kind, hasOwner)
		}
	}
}
