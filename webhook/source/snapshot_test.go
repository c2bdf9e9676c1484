package source

import "testing"

// A policy that cannot be read is an error, and the policies before it stay.
func TestAddAnInvalidPolicy(t *testing.T) {
	s, err := NewSnapshot(false)
	if err != nil {
		t.Fatal(err)
	}
	const want = `line 1: SysctlPolicy "bad": spec.allow[0].min: Invalid value: 5: is greater than max (1)`
	err = s.Add([]byte("apiVersion: sysctl-injector.dev/v1alpha1\nkind: SysctlPolicy\nmetadata: {name: bad}\nspec: " +
		"{allow: [{names: [kernel.sem], min: 5, max: 1}]}\n"))
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if len(s.policies) != 1 {
		t.Errorf("there are %d policies, want the default one", len(s.policies))
	}
}
