package cluster

import (
	"strings"
	"testing"

	"github.com/sysctl-injector/sysctl-injector/e2e/tools"
)

func TestKubernetesVersion(t *testing.T) {
	versions, err := tools.KubernetesVersions()
	if err != nil {
		t.Fatal(err)
	}
	oldest, newest := versions[0], versions[len(versions)-1]
	for _, test := range []struct {
		name, field, environment, want, wantError string
	}{
		{"is the newest unless another is chosen", "", "", newest, ""},
		{"is the environment's", "", oldest, oldest, ""},
		{"is the field's before the environment's", newest, oldest, newest, ""},
		{"names the field at fault", "1.9", oldest, "",
			`field Kubernetes: "1.9" is not one of the versions in e2e/kubernetes: `},
		{"names the variable at fault", "", "latest", "",
			VersionVariable + `: "latest" is not one of the versions in e2e/kubernetes: `},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv(VersionVariable, test.environment)
			got, err := Config{Kubernetes: test.field}.kubernetes()
			if got != test.want {
				t.Errorf("version %q, want %q", got, test.want)
			}
			switch {
			case test.wantError == "" && err != nil:
				t.Error(err)
			case test.wantError != "" && (err == nil || !strings.HasPrefix(err.Error(), test.wantError)):
				t.Errorf("error %v, want %s…", err, test.wantError)
			}
		})
	}
}
