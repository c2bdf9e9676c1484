package app

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// A directory as people keep it: a manifest beside a kustomization, a JSON patch, and a chart with its values.
func directoryOfAllKinds(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range map[string]string{
		"deployment.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n" +
			"    metadata:\n      annotations: {sysctl-injector.dev/sysctls: net.core.somaxconn = 4096}\n" +
			"    spec:\n      containers: [{name: web, image: nginx}]\n",
		"kustomization.yaml": "resources: [deployment.yaml]\n",
		"replicas.yaml":      "- op: replace\n  path: /spec/replicas\n  value: 3\n",
		"chart/values.yaml":  "replicaCount: 2\n",
		"chart/templates.yaml": "{{- if .Values.enabled }}\napiVersion: v1\nkind: Pod\nmetadata:\n" +
			"  name: {{ .Release.Name }}-web\n{{- end }}\n",
	} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestInjectSkipsWhatIsNoObject(t *testing.T) {
	folder := directoryOfAllKinds(t)
	code, out, errOut := run(t, "", "inject", "-f", folder)
	if code != 0 || strings.Count(out, "kind:") != 1 || !strings.Contains(out, "net.core.somaxconn=4096") {
		t.Errorf("exit code %d, output\n%s", code, out)
	}
	const skipped = "Skipped: DIR/chart/templates.yaml: looks like a Helm template; render it first: " +
		"helm template ... | sysctl-injector inject -f -\n" +
		"Skipped: DIR/chart/values.yaml: line 1: not a Kubernetes object: it has no apiVersion and kind, " +
		"like a values file or a patch\n" +
		"Skipped: DIR/kustomization.yaml: line 1: not a Kubernetes object: " +
		"a kustomization without apiVersion and kind\n" +
		"Skipped: DIR/replicas.yaml: line 1: not a Kubernetes object: a JSON patch\n" +
		"DIR/deployment.yaml: line 1: Deployment \"web\": injected; sets net.core.somaxconn=4096\n"
	if got := strings.ReplaceAll(errOut, folder, "DIR"); got != skipped {
		t.Errorf("got on standard error\n%s\nwant\n%s", got, skipped)
	}
}

func TestInjectStrict(t *testing.T) {
	folder := directoryOfAllKinds(t)
	code, out, errOut := run(t, "", "inject", "--strict", "-f", folder)
	if code != 1 || out != "" {
		t.Errorf("exit code %d, output\n%s", code, out)
	}
	for _, name := range []string{"chart/templates.yaml", "chart/values.yaml", "kustomization.yaml", "replicas.yaml"} {
		if !strings.Contains(errOut, filepath.Join(folder, name)+": ") {
			t.Errorf("no error for %s:\n%s", name, errOut)
		}
	}
}

// A run without any object is a mistake, such as the directory of a chart that is not rendered.
func TestNoObjectsAtAll(t *testing.T) {
	folder := directoryOfAllKinds(t)
	if err := os.WriteFile(filepath.Join(folder, "chart/empty.yaml"), []byte("# nothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"inject", "companion", "uninject"} {
		code, out, errOut := run(t, "", command, "-f", filepath.Join(folder, "chart"))
		if code != exitFailed || out != "" || strings.Count(errOut, "Skipped: ") != 2 ||
			!strings.HasSuffix(errOut, "\nerror: there is no Kubernetes object in the input\n") {
			t.Errorf("%s: exit code %d, %s\n%s", command, code, errOut, out)
		}
	}
}

// A manifest that cannot be read is a mistake, not something to skip, though templates of another kind are in it.
func TestInjectFailsOnBrokenManifest(t *testing.T) {
	const broken = "apiVersion: v1\nkind: Pod\nmetadata:\n  annotations: {text: \"{{ $labels.pod }}\"\n"
	if code, _, errOut := run(t, broken, "inject", "-f", "-"); code != 1 || strings.Contains(errOut, "Skipped") {
		t.Errorf("exit code %d\n%s", code, errOut)
	}
}

// -o json prints what kubectl reads: every object has its apiVersion and kind, and there is nothing else.
func TestJSONHasObjectsOnly(t *testing.T) {
	const pods = "apiVersion: v1\nkind: PodList\nitems:\n- metadata: {name: a}\n  spec: {containers: []}\n" +
		"- metadata: {name: b}\n  spec: {containers: []}\n"
	for _, test := range []struct{ name, in, kinds string }{
		{"the items of a typed list", pods, "v1/Pod v1/Pod"},
		{"a values file beside objects", pods + "---\nreplicaCount: 2\n---\n- a\n", "v1/Pod v1/Pod"},
		{"an empty list", "apiVersion: v1\nkind: List\nitems: []\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, command := range []string{"inject", "uninject", "convert"} {
				_, out, errOut := run(t, test.in, command, "-f", "-", "-o", "json")
				var list corev1.List
				if err := json.Unmarshal([]byte(out), &list); err != nil || list.Kind != "List" || list.Items == nil {
					t.Fatalf("%s: %v, %s\n%s", command, err, errOut, out)
				}
				var kinds []string
				for _, item := range list.Items {
					var pod corev1.Pod
					if err := json.Unmarshal(item.Raw, &pod); err != nil {
						t.Fatal(err)
					}
					kinds = append(kinds, pod.APIVersion+"/"+pod.Kind)
				}
				if got := strings.Join(kinds, " "); got != test.kinds {
					t.Errorf("%s: got %q, want %q", command, got, test.kinds)
				}
			}
		})
	}
}

// A custom resource may have a kind that ends with "List", and items. It is no list, since it has a name.
func TestACustomResourceIsNoList(t *testing.T) {
	const allowed = `{"apiVersion":"net.example.com/v1","items":[{"cidr":"10.0.0.0/8"}],"kind":"IPAllowList",` +
		`"metadata":{"name":"x"}}`
	for _, command := range []string{"inject", "uninject", "convert"} {
		code, out, errOut := run(t, allowed, command, "-f", "-", "-o", "json")
		var got any
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatalf("%s: exit code %d, %s: %v", command, code, errOut, err)
		}
		if compact, _ := json.Marshal(got); string(compact) != allowed {
			t.Errorf("%s: got %s", command, compact)
		}
	}
}
