package chart_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/admission"
)

// A misspelt value and a value that cannot work lead to an error that names it.
func TestSchemaRejects(t *testing.T) {
	for set, path := range map[string]string{
		"replica: 2":                             "additional properties 'replica'",
		"image: {repo: x}":                       "additional properties 'repo'",
		"guard: {enable: false}":                 "additional properties 'enable'",
		"networkPolicy: {apiServer: {cidr: []}}": "additional properties 'cidr'",
		"metrics: {serviceMonitor: {enabled: true, label: {}}}":                   "additional properties 'label'",
		"tolerations: [{keys: x}]":                                                "additional properties 'keys'",
		"resources: {limit: {}}":                                                  "additional properties 'limit'",
		"imagePullSecrets: [registry]":                                            "/imagePullSecrets/0",
		"replicas: 0":                                                             "/replicas",
		"replicas: two":                                                           "/replicas",
		"image: {tag: 'a b'}":                                                     "/image/tag",
		"image: {digest: latest}":                                                 "/image/digest",
		"image: {repository: 'ghcr.io/a/b:tag'}":                                  "/image/repository",
		"initContainer: {cpu: 0}":                                                 "/initContainer/cpu",
		"initContainer: {memory: 0Mi}":                                            "/initContainer/memory",
		"grants: {gracePeriod: 0s}":                                               "/grants/gracePeriod",
		"networkPolicy: {apiServer: {cidrs: [10.0.0.0/99]}}":                      "/networkPolicy/apiServer/cidrs/0",
		"initContainer: {image: ''}":                                              "/initContainer/image",
		`initContainer: {image: 'busybox:'}`:                                      "/initContainer/image",
		`initContainer: {image: 'busybox@'}`:                                      "/initContainer/image",
		"guard: {previousImages: ['registry/']}":                                  "/guard/previousImages/0",
		`initContainer: {image: "busybox'"}`:                                      "/initContainer/image",
		`initContainer: {image: 'busybox"] + ["x'}`:                               "/initContainer/image",
		`initContainer: {image: 'busybox\'}`:                                      "/initContainer/image",
		`initContainer: {image: "busybox:1\nx"}`:                                  "/initContainer/image",
		`initContainer: {image: "busybox:1\n"}`:                                   "/initContainer/image",
		"initContainer: {image: busyb\u043ex}":                                    "/initContainer/image",
		"initContainer: {pullPolicy: Sometimes}":                                  "/initContainer/pullPolicy",
		"initContainer: {pullSecrets: ['a,b']}":                                   "/initContainer/pullSecrets/0",
		"initContainer: {cpu: lots}":                                              "/initContainer/cpu",
		"resources: {limits: {cpu: -1}}":                                          "/resources/limits/cpu",
		"affinity: {nodes: {}}":                                                   "additional properties 'nodes'",
		"initContainer: {memory: ''}":                                             "/initContainer/memory",
		"guestHandlers: [Kata]":                                                   "/guestHandlers/0",
		`guestHandlers: ['kata","x']`:                                             "/guestHandlers/0",
		"strategy: native":                                                        "/strategy",
		"kubeletSysctls: [net.*.x]":                                               "/kubeletSysctls/0",
		"kubeletSysctls: [somaxconn]":                                             "/kubeletSysctls/0",
		"guestHandlers: [kata, kata]":                                             "/guestHandlers",
		"guestHandlers: ['kata,runc']":                                            "/guestHandlers/0",
		"grants: {mode: none}":                                                    "/grants/mode",
		"grants: {backend: rbac}":                                                 "/grants/backend",
		"grants: {gracePeriod: an hour}":                                          "/grants/gracePeriod",
		`guard: {previousImages: ['busybox"']}`:                                   "/guard/previousImages/0",
		"guard: {enabled: 'yes please'}":                                          "/guard/enabled",
		"certificates: {source: vault}":                                           "/certificates/source",
		"certificates: {source: existing-secret}":                                 "/certificates/existingSecret",
		"certificates: {source: existing-secret, existingSecret: x}":              "/certificates/caBundle",
		"certificates: {source: self-managed, existingSecret: x}":                 "/certificates/existingSecret",
		"certificates: {source: existing-secret, existingSecret: x, caBundle: -}": "/certificates/caBundle",
		"webhook: {timeoutSeconds: 1}":                                            "/webhook/timeoutSeconds",
		"webhook: {plainTimeoutSeconds: 0}":                                       "/webhook/plainTimeoutSeconds",
		"webhook: {port: 443}":                                                    "/webhook/port",
		"metrics: {port: 70000}":                                                  "/metrics/port",
		"hostNetwork: 'true'":                                                     "/hostNetwork",
		"logLevel: info":                                                          "/logLevel",
		"shutdownDelaySeconds: 5s":                                                "/shutdownDelaySeconds",
		"priorityClassName: 'a b'":                                                "/priorityClassName",
		"topologySpread: {whenUnsatisfiable: Never}":                              "/topologySpread/whenUnsatisfiable",
		"podLabels: {team: 'a b'}":                                                "/podLabels/team",
		"podAnnotations: {'a b': c}":                                              "'a b' does not match pattern",
		"networkPolicy: {apiServer: {cidrs: [10.0.0.1]}}":                         "/networkPolicy/apiServer/cidrs/0",
		"networkPolicy: {apiServer: {ports: []}}":                                 "/networkPolicy/apiServer/ports",

		"webhook: {failurePolicy: Ignore}": "additional properties 'failurePolicy'",
	} {
		t.Run(set, func(t *testing.T) {
			_, problem, err := template(t, set, release, chart)
			if err == nil {
				t.Fatal("is rendered")
			}
			if !strings.Contains(problem, "values don't meet the specifications of the schema") ||
				!strings.Contains(problem, path) {
				t.Errorf("helm says\n%s\nwant %s in it", problem, path)
			}
		})
	}
}

// A server cannot listen twice on one port.
func TestEqualPortsAreRejected(t *testing.T) {
	_, problem, err := template(t, "webhook: {port: 8080}", release, chart)
	if err == nil || !strings.Contains(problem, "webhook.port and metrics.port are the same") {
		t.Errorf("helm says %v\n%s", err, problem)
	}
}

// Each entry has its own timeout.
func TestTimeoutOfEachEntry(t *testing.T) {
	var configuration admissionregistrationv1.MutatingWebhookConfiguration
	rendered := decode(t, render(t, elsewhere, "webhook: {timeoutSeconds: 7, plainTimeoutSeconds: 2}"))
	convert(t, find(t, rendered, "MutatingWebhookConfiguration", release), &configuration)
	got := map[string]int32{}
	for _, webhook := range configuration.Webhooks {
		got[webhook.Name] = *webhook.TimeoutSeconds
	}
	if want := map[string]int32{admission.PodsEntry: 7, admission.PlainPodsEntry: 2,
		admission.DefaultPodsEntry: 7}; !maps.Equal(got, want) {
		t.Errorf("timeouts %v, want %v", got, want)
	}
}

// Helm adds a key to the values of a subchart.
func TestRendersAsASubchart(t *testing.T) {
	umbrella := t.TempDir()
	must(t, os.CopyFS(filepath.Join(umbrella, "charts", release), os.DirFS(chart)))
	content := "apiVersion: v2\nname: platform\nversion: 1.0.0\n"
	must(t, os.WriteFile(filepath.Join(umbrella, "Chart.yaml"), []byte(content), 0o600))
	set := "{global: {region: eu}, sysctl-injector: {replicas: 3}}"
	output, problem, err := template(t, set, "platform", umbrella, "--namespace", namespace)
	if err != nil {
		t.Fatalf("%v\n%s", err, problem)
	}
	var deployment appsv1.Deployment
	convert(t, find(t, decode(t, output), "Deployment", release), &deployment)
	if *deployment.Spec.Replicas != 3 {
		t.Errorf("its value does not arrive: %d replicas", *deployment.Spec.Replicas)
	}
}
