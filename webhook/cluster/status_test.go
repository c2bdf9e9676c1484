package cluster

import (
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

func TestNamesOf(t *testing.T) {
	policy := &v1alpha1.SysctlPolicy{Spec: v1alpha1.SysctlPolicySpec{Allow: []v1alpha1.AllowRule{
		{Names: []string{"net.*", "kernel.sem"}}, {Names: []string{"vm.*", "net.*"}},
	}}}
	if got, want := namesOf(policy), "net.*,kernel.sem,vm.*"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A condition that the API server returns unchanged is not written again: otherwise each write leads to the next one.
func TestConditionIsWrittenOnce(t *testing.T) {
	for _, test := range []struct{ name, detail string }{
		{"a short message", "not a name"},
		{"a long message", strings.Repeat("x", 2*maxMessage)},
		{"a message cut inside a character", strings.Repeat("日", maxMessage)},
		{"a message cut inside a character of four bytes", "x" + strings.Repeat("🚢", maxMessage)},
		{"a message that is not UTF-8", "\xff\xfe"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for shift := range 4 { // the cut falls on each byte of a character
				errs := field.ErrorList{field.Forbidden(field.NewPath("spec"+strings.Repeat("x", shift)), test.detail)}
				condition := readyCondition(1, errs)
				if len(condition.Message) > maxMessage {
					t.Errorf("the message has %d bytes, want at most %d", len(condition.Message), maxMessage)
				}
				encoded, err := json.Marshal([]metav1.Condition{condition})
				if err != nil {
					t.Fatal(err)
				}
				var stored []metav1.Condition
				if err := json.Unmarshal(encoded, &stored); err != nil {
					t.Fatal(err)
				}
				if meta.SetStatusCondition(&stored, readyCondition(1, errs)) {
					t.Errorf("the stored condition is written again; its message ends in %q",
						stored[0].Message[len(stored[0].Message)-8:])
				}
			}
		})
	}
}
