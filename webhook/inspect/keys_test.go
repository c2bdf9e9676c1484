package inspect

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/webhook/workload"
)

func TestKeys(t *testing.T) {
	const (
		template = "spec: {template: {metadata: {annotations: {sysctl-injector.dev/sysctls: a = 1}}, " +
			"spec: {containers: [{name: web}]}}}"
		plain = "spec: {template: {spec: {containers: [{name: web}]}}}"
	)
	const moveIt = ": Forbidden: this is a key of spec.template.metadata.annotations; move it there"
	for _, test := range []struct {
		name, apiVersion, kind, object string
		want                           []string
	}{
		{"nothing for a key in the template", "apps/v1", "Deployment", template, nil},
		{"a key of the workload", "apps/v1", "StatefulSet",
			"metadata: {annotations: {sysctl-injector.dev/inject: 'false'}}\n" + plain,
			[]string{"error MisplacedKey metadata.annotations[sysctl-injector.dev/inject]" + moveIt}},
		{"a label for an annotation", "apps/v1", "DaemonSet",
			"metadata: {labels: {sysctl-injector.dev/sysctls: a}}\n" + plain,
			[]string{"error MisplacedKey metadata.labels[sysctl-injector.dev/sysctls]" + moveIt}},
		{"a key of the job in a cron job", "batch/v1", "CronJob",
			"spec: {jobTemplate: {metadata: {annotations: {sysctl-injector.dev/sysctls: a}}, " + plain + "}}",
			[]string{"error MisplacedKey spec.jobTemplate.metadata.annotations[sysctl-injector.dev/sysctls]: " +
				"Forbidden: this is a key of spec.jobTemplate.spec.template.metadata.annotations; move it there"}},
		{"a misspelled key of the workload", "apps/v1", "Deployment",
			"metadata: {annotations: {sysctl-injector.dev/sysctl: a}}\n" + plain,
			[]string{"error UnknownKey metadata.annotations[sysctl-injector.dev/sysctl]: Forbidden: no such key; did " +
				"you mean spec.template.metadata.annotations[sysctl-injector.dev/sysctls]?"}},
		{"a misspelled prefix in the template", "apps/v1", "Deployment",
			"spec: {template: {metadata: {annotations: {sysctl-injector.io/sysctls: a}}, spec: {containers: []}}}",
			[]string{"error UnknownKey spec.template.metadata.annotations[sysctl-injector.io/sysctls]: Forbidden: no " +
				"such key; did you mean spec.template.metadata.annotations[sysctl-injector.dev/sysctls]?"}},
		{"a misspelled prefix in a pod", "v1", "Pod", "metadata: {annotations: {sysctl_injector.dev/profile: a}}",
			[]string{"error UnknownKey metadata.annotations[sysctl_injector.dev/profile]: Forbidden: no such key; " +
				"did you mean metadata.annotations[sysctl-injector.dev/profiles]?"}},
		{"a key that is not among annotations", "v1", "Pod", "metadata: {sysctl-injector.dev/sysctls: a}",
			[]string{"error MisplacedKey metadata[sysctl-injector.dev/sysctls]: Forbidden: this is a key of " +
				"metadata.annotations; move it there"}},
		{"a key of a claim's template", "apps/v1", "StatefulSet",
			"spec: {volumeClaimTemplates: [{metadata: {annotations: {sysctl-injector.dev/sysctls: a}}}], " +
				"template: {spec: {}}}",
			[]string{"error MisplacedKey " +
				"spec.volumeClaimTemplates[0].metadata.annotations[sysctl-injector.dev/sysctls]" + moveIt}},
		{"nothing for a key that the template has too", "apps/v1", "Deployment",
			"metadata: {annotations: {sysctl-injector.dev/sysctls: a = 1}}\n" + template, nil},
		{"a key that the template has with another value", "apps/v1", "Deployment",
			"metadata: {annotations: {sysctl-injector.dev/sysctls: a = 2}}\n" + template,
			[]string{"error MisplacedKey metadata.annotations[sysctl-injector.dev/sysctls]" + moveIt}},
		{"nothing for keys that the webhook writes", "apps/v1", "Deployment",
			"metadata: {annotations: {sysctl-injector.dev/status: '{}'}, " +
				"labels: {sysctl-injector.dev/injected: 'true'}}\n" + plain, nil},
		{"nothing for selectors and managed fields", "apps/v1", "Deployment",
			"metadata: {managedFields: [{'f:annotations': {'f:sysctl-injector.dev/sysctls': {}}}]}\n" +
				"spec: {selector: {matchLabels: {sysctl-injector.dev/injected: 'true'}}, template: {spec: {}}}", nil},
		{"nothing for other keys", "apps/v1", "Deployment",
			"metadata: {annotations: {sidecar.istio.io/inject: 'true', proxy-injector.dev/sysctls: a}}\n" + plain, nil},
		{"a key of a custom resource with a template", "argoproj.io/v1alpha1", "Rollout",
			"metadata: {annotations: {sysctl-injector.dev/sysctls: a}}\n" + plain,
			[]string{"error MisplacedKey metadata.annotations[sysctl-injector.dev/sysctls]" + moveIt}},
		{"a key in a custom resource that may have an effect", "argoproj.io/v1alpha1", "Rollout",
			"spec: {podMetadata: {annotations: {sysctl-injector.dev/sysctls: a}}}",
			[]string{"warning UnknownKind spec.podMetadata.annotations[sysctl-injector.dev/sysctls]: Forbidden: kind " +
				"Rollout is not known, and this is not in a pod template: its controller decides whether its pods " +
				"get the key, and the webhook decides on those pods; if it has a template, name it with " +
				"--template-path"}},
		{"a misspelled key in a custom resource", "argoproj.io/v1alpha1", "Rollout",
			"spec: {podMetadata: {annotations: {sysctl-injector.dev/sysctl: a}}}",
			[]string{"error UnknownKey spec.podMetadata.annotations[sysctl-injector.dev/sysctl]: Forbidden: no such " +
				"key; did you mean metadata.annotations[sysctl-injector.dev/sysctls]?"}},
		{"a key of a kind without pods", "v1", "Service", "metadata: {annotations: {sysctl-injector.dev/sysctls: a}}",
			[]string{"warning MisplacedKey metadata.annotations[sysctl-injector.dev/sysctls]: Forbidden: this has no " +
				"effect in a Service: it is a key of a pod's metadata.annotations"}},
		{"nothing for an enrolled namespace", "v1", "Namespace",
			"metadata: {labels: {sysctl-injector.dev/inject: enabled, sysctl-injector.dev/enforce: restricted}, " +
				"annotations: {sysctl-injector.dev/former-enforce: ''}}", nil},
		{"a namespace with a wrong value", "v1", "Namespace",
			"metadata: {labels: {sysctl-injector.dev/inject: 'true'}}",
			[]string{`error UnknownValue metadata.labels[sysctl-injector.dev/inject]: Invalid value: "true": only ` +
				`the value enabled enrolls the namespace; if it must not be enrolled, remove the label`}},
		{"a namespace with a wrong standard", "v1", "Namespace",
			"metadata: {labels: {sysctl-injector.dev/enforce: high}}",
			[]string{`error UnknownValue metadata.labels[sysctl-injector.dev/enforce]: Invalid value: "high": the ` +
				`guard treats any value except baseline, restricted, privileged as restricted`}},
		{"a namespace with an annotation", "v1", "Namespace",
			"metadata: {annotations: {sysctl-injector.dev/inject: enabled}}",
			[]string{"error MisplacedKey metadata.annotations[sysctl-injector.dev/inject]: Forbidden: this is a " +
				"label; move it to metadata.labels"}},
		{"a namespace with a misspelled prefix", "v1", "Namespace",
			"metadata: {labels: {sysctl-injector.io/inject: enabled}}",
			[]string{"error UnknownKey metadata.labels[sysctl-injector.io/inject]: Forbidden: no such key; did you " +
				"mean metadata.labels[sysctl-injector.dev/inject]?"}},
		{"a namespace with a pod's key", "v1", "Namespace", "metadata: {annotations: {sysctl-injector.dev/sysctls: a}}",
			[]string{"error MisplacedKey metadata.annotations[sysctl-injector.dev/sysctls]: Forbidden: this has no " +
				"effect in a Namespace, whose keys are the labels sysctl-injector.dev/defaults, " +
				"sysctl-injector.dev/enforce, sysctl-injector.dev/inject; keys of pods belong in the pod's metadata, " +
				"which is spec.template.metadata in a Deployment"}},
		{"a RuntimeClass with a wrong value", "node.k8s.io/v1", "RuntimeClass",
			"metadata: {labels: {sysctl-injector.dev/kernel: Guest}}",
			[]string{`error UnknownValue metadata.labels[sysctl-injector.dev/kernel]: Invalid value: "Guest": the ` +
				`only valid value is guest`}},
		{"a namespace's key on a workload", "apps/v1", "Deployment",
			"metadata: {labels: {sysctl-injector.dev/enforce: baseline}}\n" + plain,
			[]string{"error MisplacedKey metadata.labels[sysctl-injector.dev/enforce]: Forbidden: this is a label of " +
				"a Namespace"}},
	} {
		t.Run("reports "+test.name, func(t *testing.T) {
			text, err := yaml.YAMLToJSON([]byte(test.object))
			if err != nil {
				t.Fatal(err)
			}
			object := gjson.ParseBytes(text)
			var got []string
			for _, f := range Keys(Object{test.apiVersion, test.kind, object},
				new(workload.Finder).Find(test.apiVersion, test.kind, object)) {
				severity := "error "
				if f.Warning {
					severity = "warning "
				}
				got = append(got, severity+f.Reason+" "+f.Err.Error())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
