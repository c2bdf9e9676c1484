package inspect

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLacking(t *testing.T) {
	for _, test := range []struct {
		name    string
		minor   uint
		backend string
		want    []string
	}{
		{"1.37 has everything that vap needs", 37, "vap", nil},
		{"1.30 has everything that vap needs", 30, "vap", nil},
		{"1.29 has no ValidatingAdmissionPolicy, and nothing requires the grants", 29, "vap",
			[]string{"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicy"}},
		{"1.37 has no PodSecurityPolicy", 37, "psp", []string{"PodSecurityPolicy"}},
		{"1.25 has no PodSecurityPolicy any more", 25, "psp", []string{"matchConditions", "ValidatingAdmissionPolicy",
			"PodSecurityPolicy"}},
		{"1.24 has PodSecurityPolicy, and no guard", 24, "psp",
			[]string{"matchConditions", "ValidatingAdmissionPolicy"}},
		{"OpenShift 4.15 is 1.28", 28, "scc", []string{"ValidatingAdmissionPolicy"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, missing := range Lacking(test.minor, test.backend) {
				got = append(got, missing.Name)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Lacking (-want +got):\n%s", diff)
			}
		})
	}
}
