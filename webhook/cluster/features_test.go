package cluster

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sysctl-injector/sysctl-injector/webhook/grants"
)

func TestLacking(t *testing.T) {
	for _, test := range []struct {
		name    string
		minor   uint
		backend grants.Backend
		want    []string
	}{
		{"1.37 has all that vap needs", 37, grants.ValidatingAdmissionPolicy, nil},
		{"1.30 has it too", 30, grants.ValidatingAdmissionPolicy, nil},
		{"1.29 has no ValidatingAdmissionPolicy, and nothing asks for the grants", 29, grants.ValidatingAdmissionPolicy,
			[]string{"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicy"}},
		{"1.37 has no PodSecurityPolicy", 37, grants.PodSecurityPolicy, []string{"PodSecurityPolicy"}},
		{"1.25 has no PodSecurityPolicy any more", 25, grants.PodSecurityPolicy, []string{"matchConditions", "ValidatingAdmissionPolicy", "PodSecurityPolicy"}},
		{"1.24 has PodSecurityPolicy, and no guard", 24, grants.PodSecurityPolicy, []string{"matchConditions", "ValidatingAdmissionPolicy"}},
		{"OpenShift 4.15 is 1.28", 28, grants.SecurityContextConstraints, []string{"ValidatingAdmissionPolicy"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, missing := range lacking(test.minor, test.backend) {
				got = append(got, missing.name)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("lacking (-want +got):\n%s", diff)
			}
		})
	}
}
