package workload

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"
	"sigs.k8s.io/yaml"
)

func TestFindPlaces(t *testing.T) {
	const pods = "spec: {containers: [{name: web}]}"
	for _, test := range []struct {
		name, apiVersion, kind, object string
		paths                          []string // of --template-path
		want                           []string // "~" in front: by shape
	}{
		{"in a kind of the table", "apps/v1", "Deployment", "spec: {template: {" + pods + "}}", nil,
			[]string{"spec.template"}},
		{"in a pod, which is its own", "v1", "Pod", pods, nil, []string{""}},
		{"in no deployment without a template", "apps/v1", "Deployment", "spec: {replicas: 1}", nil, nil},
		{"in a kind that is not known", "argoproj.io/v1alpha1", "Rollout", "spec: {template: {" + pods + "}}", nil,
			[]string{"~spec.template"}},
		{"several in one object", "example.com/v1", "Search", "spec: {sets: [{pods: {" + pods + "}}, {pods: {" + pods +
			"}}], main: {a.b: {" + pods + "}}}", nil,
			[]string{"~spec.sets.0.pods", "~spec.sets.1.pods", "~spec.main.a.b"}},
		{"with init containers alone", "example.com/v1", "Search",
			"spec: {pods: {spec: {initContainers: [{name: a}], containers: []}}}", nil, []string{"~spec.pods"}},
		{"with a key of the project alone", "example.com/v1", "Search",
			"spec: {pods: {metadata: {annotations: {sysctl-injector.dev/sysctls: a}}, spec: {}}}", nil,
			[]string{"~spec.pods"}},
		{"in no spec that is not a pod's", "kubevirt.io/v1", "VirtualMachine",
			"spec: {template: {metadata: {annotations: {sysctl-injector.dev/sysctls: a}}, spec: {domain: {}}}}",
			nil, nil},
		{"in no object that only has containers", "monitoring.coreos.com/v1", "Prometheus", pods, nil, nil},
		{"in no list of containers without names", "example.com/v1", "Port",
			"spec: {pods: {spec: {containers: [{size: 40}]}}}", nil, nil},
		{"in an object within the object", "template.openshift.io/v1", "Template",
			"objects: [{apiVersion: batch/v1, kind: CronJob, spec: {jobTemplate: {spec: {template: {" + pods +
				"}}}}}, {apiVersion: v1, kind: Pod, " + pods + "}, {apiVersion: v1, kind: Service, " + pods + "}]",
			nil, []string{"objects.0.spec.jobTemplate.spec.template", "objects.1"}},
		{"where the person says", "example.com/v1", "Search", "spec: {sets: [{pods: {}}, {pods: {}}, {}], other: {" +
			pods + "}}",
			[]string{"Search.example.com=spec.sets[*].pods", "Other.example.com=spec"},
			[]string{"spec.sets.0.pods", "spec.sets.1.pods"}},
		{"at one index", "v1", "Search", "spec: {sets: [{pods: {}}, {pods: {}}]}", []string{"Search=spec.sets[1].pods"},
			[]string{"spec.sets.1.pods"}},
	} {
		t.Run("finds a template "+test.name, func(t *testing.T) {
			object, err := yaml.YAMLToJSON([]byte(test.object))
			if err != nil {
				t.Fatal(err)
			}
			finder, err := NewFinder(test.paths)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, location := range finder.Find(test.apiVersion, test.kind, gjson.ParseBytes(object)) {
				path := strings.Join(location.Path, ".")
				if location.ByShape {
					path = "~" + path
				}
				got = append(got, path)
				if !At(gjson.ParseBytes(object), location.Path).IsObject() {
					t.Errorf("there is no mapping at %q", path)
				}
			}
			sortStrings := cmp.Transformer("set", func(all []string) map[string]int {
				counts := map[string]int{}
				for _, one := range all {
					counts[one]++
				}
				return counts
			})
			if diff := cmp.Diff(test.want, got, sortStrings); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNewFinderRejects(t *testing.T) {
	for _, text := range []string{"", "Rollout", "=spec", "Rollout=", "Rollout=spec..template", "Rollout=spec.",
		"Rollout=.spec"} {
		if _, err := NewFinder([]string{text}); err == nil {
			t.Errorf("%q passes", text)
		}
	}
}
