package chart_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"
)

// rows set each value to another than its default, with a text that is rendered only then.
var rows = []struct{ value, set, rendered string }{
	{"replicas", "replicas: 5", "replicas: 5"},
	{"image.repository", "image: {repository: registry.example.com/mirror/sysctl-injector}",
		"image: registry.example.com/mirror/sysctl-injector:v"},
	{"image.tag", "image: {tag: v9.8.7}", "image: ghcr.io/sysctl-injector/sysctl-injector:v9.8.7"},
	{"image.digest", "image: {tag: v9.8.7, digest: 'sha256:" + digest + "'}",
		"image: ghcr.io/sysctl-injector/sysctl-injector@sha256:" + digest},
	{"image.pullPolicy", "image: {pullPolicy: Always}", "imagePullPolicy: Always"},
	{"imagePullSecrets", "imagePullSecrets: [{name: registry}]", "imagePullSecrets:\n        - name: registry"},
	{"initContainer.image", "initContainer: {image: 'registry.example.com/busybox@sha256:" + digest + "'}",
		"--init-image=registry.example.com/busybox@sha256:" + digest},
	{"initContainer.pullPolicy", "initContainer: {pullPolicy: Never}", "--init-image-pull-policy=Never"},
	{"initContainer.pullSecrets", "initContainer: {pullSecrets: [one, two]}",
		"--init-image-pull-secret=one\n        - --init-image-pull-secret=two"},
	{"initContainer.cpu", "initContainer: {cpu: 250m}", "--init-cpu=250m"},
	{"initContainer.memory", "initContainer: {memory: 64Mi}", "--init-memory=64Mi"},
	{"guestHandlers", "guestHandlers: [kata, own-vm]", "--guest-handlers=kata,own-vm"},
	{"strategy", "strategy: native-first", "--strategy=native-first"},
	{"kubeletSysctls", "kubeletSysctls: [net.core.somaxconn, net.ipv6.*]",
		"--kubelet-sysctls=net.core.somaxconn,net.ipv6.*"},
	{"grants.mode", "grants: {mode: require}", "--grants=require"},
	{"grants.backend", "grants: {backend: scc}", "--grants-backend=scc"},
	{"grants.gracePeriod", "grants: {gracePeriod: 24h30m}", "--grants-grace-period=24h30m"},
	{"grants.maxSysctls", "grants: {maxSysctls: 100}", "--grants-max-sysctls=100"},
	{"grants.maxPerMinute", "grants: {maxPerMinute: 300}", "--grants-max-per-minute=300"},
	{"guard.enabled", "guard: {enabled: false}", ""},
	{"guard.previousImages", "guard: {previousImages: ['docker.io/library/busybox:1.35']}",
		`["docker.io/library/busybox:1.36","docker.io/library/busybox:1.35"]`},
	{"defaultPolicy", "defaultPolicy: false", ""},
	{"profiles", "profiles: false", ""},
	{"certificates.source", "certificates: {source: self-managed}", "--cert-source=self-managed"},
	{"certificates.existingSecret", existing, "secretName: \"site-tls\""},
	{"certificates.caBundle", existing, "caBundle: Cg=="},
	{"webhook.timeoutSeconds", "webhook: {timeoutSeconds: 10}", "timeoutSeconds: 10"},
	{"webhook.plainTimeoutSeconds", "webhook: {plainTimeoutSeconds: 2}", "timeoutSeconds: 2"},
	{"webhook.warnings", "webhook: {warnings: false}", ""},
	{"webhook.port", "webhook: {port: 9443}", "--bind-address=:9443"},
	{"webhook.clientCAConfigMap", "webhook: {clientCAConfigMap: api-servers}",
		"--client-ca-file=/etc/sysctl-injector/client-ca/ca.crt"},
	{"webhook.configurationName", "webhook: {configurationName: zz-sysctl-injector}\ncertificates: {source: " +
		"self-managed}", "--webhook-configuration=zz-sysctl-injector"},
	{"webhook.annotations", "webhook: {annotations: {admissions.enforcer/disabled: 'true'}}",
		`admissions.enforcer/disabled: "true"`},
	{"logLevel", "logLevel: WARN", "--log-level=WARN"},
	{"shutdownDelaySeconds", "shutdownDelaySeconds: 20", "--shutdown-delay=20s"},
	{"resources.requests.cpu", "resources: {requests: {cpu: '1'}}", `cpu: "1"`},
	{"resources.requests.memory", "resources: {requests: {memory: 1Gi}, limits: {memory: 1Gi}}",
		"memory: \"1Gi\"\n          requests:\n            cpu: \"50m\"\n            memory: \"1Gi\""},
	{"resources.limits.memory", "resources: {limits: {memory: 2Gi}}", `memory: "2Gi"`},
	{"priorityClassName", "priorityClassName: system-node-critical", `priorityClassName: "system-node-critical"`},
	{"topologySpread.whenUnsatisfiable", "topologySpread: {whenUnsatisfiable: DoNotSchedule}",
		"whenUnsatisfiable: DoNotSchedule"},
	{"hostNetwork", "hostNetwork: true", "hostNetwork: true"},
	{"nodeSelector", "nodeSelector: {kubernetes.io/os: linux}", "nodeSelector:\n        kubernetes.io/os: linux"},
	{"tolerations", "tolerations: [{key: dedicated, operator: Exists, effect: NoSchedule}]",
		"tolerations:\n        - effect: NoSchedule\n          key: dedicated"},
	{
		"affinity", "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: " +
			"[{matchFields: [{key: metadata.name, operator: In, values: [a]}]}]}}}",
		"affinity:\n        nodeAffinity:\n          requiredDuringSchedulingIgnoredDuringExecution:\n" +
			"            nodeSelectorTerms:",
	},
	{"podAnnotations", "podAnnotations: {example.com/team: kernel}", "annotations:\n        example.com/team: kernel"},
	{"podLabels", "podLabels: {example.com/team: kernel, app.kubernetes.io/name: mine}", "example.com/team: kernel"},
	{"networkPolicy.enabled", "networkPolicy: {enabled: false}", ""},
	{"networkPolicy.apiServer.cidrs", "networkPolicy: {apiServer: {cidrs: [10.0.0.1/32, 'fd00::1/128']}}", `to:
    - ipBlock: {cidr: "10.0.0.1/32"}
    - ipBlock: {cidr: "fd00::1/128"}`},
	{"networkPolicy.apiServer.ports", "networkPolicy: {apiServer: {ports: [7443]}}",
		"egress:\n  - ports:\n    - port: 7443\n"},
	{"networkPolicy.metricsNamespaces", "networkPolicy: {metricsNamespaces: [monitoring]}",
		`operator: In, values: ["monitoring"]}`},
	{"metrics.port", "metrics: {port: 9090}", "--observe-bind-address=:9090"},
	{"metrics.serviceMonitor.enabled", "metrics: {serviceMonitor: {enabled: true}}",
		"endpoints:\n  - {port: metrics, interval: 30s}"},
	{"metrics.serviceMonitor.interval", "metrics: {serviceMonitor: {enabled: true, interval: 15s}}", "interval: 15s"},
	{"metrics.serviceMonitor.labels", "metrics: {serviceMonitor: {enabled: true, labels: {release: prometheus}}}",
		"release: prometheus"},
	{"metrics.prometheusRule.enabled", "metrics: {prometheusRule: {enabled: true}}", "kind: PrometheusRule"},
	{"metrics.prometheusRule.labels", "metrics: {prometheusRule: {enabled: true, labels: {release: prometheus}}}",
		"release: prometheus"},
	{"metrics.dashboard.enabled", "metrics: {dashboard: {enabled: true}}", `grafana_dashboard: "1"`},
	{"metrics.dashboard.labels.grafana_dashboard",
		"metrics: {dashboard: {enabled: true, labels: {grafana_dashboard: " +
			"yes-please}}}", "grafana_dashboard: yes-please"},
	{"uninstall.requireUnenrolled", "uninstall: {requireUnenrolled: false}", ""},
}

const (
	digest   = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	existing = "certificates: {source: existing-secret, existingSecret: site-tls, caBundle: Cg==}"
)

// combinations are the values of typical installations.
var combinations = map[string]string{
	"air-gapped": `
image: {repository: registry.example.com/sysctl-injector}
initContainer: {image: 'registry.example.com/busybox:1.36', pullSecrets: [registry]}
imagePullSecrets: [{name: registry}]
certificates: {source: self-managed}`,
	"small": `
replicas: 1
priorityClassName: ""
networkPolicy: {enabled: false}
resources: null`,
	"bare": `
guestHandlers: []
guard: {enabled: false}
defaultPolicy: false
profiles: false
networkPolicy: {enabled: false}
certificates: {source: self-managed}`,
	"observed": `
metrics: {serviceMonitor: {enabled: true}, prometheusRule: {enabled: true}, dashboard: {enabled: true}}
networkPolicy: {metricsNamespaces: [monitoring]}`,
	"with the nodes' network": `
hostNetwork: true
webhook: {port: 10443, plainTimeoutSeconds: 3}
metrics: {port: 10080}`,
	"OpenShift": "grants: {backend: scc}",
}

// renderings returns the values with which the tests render the chart.
func renderings() map[string]string {
	all := maps.Clone(combinations)
	all["defaults"] = ""
	for _, row := range rows {
		all[row.value] = row.set
	}
	return all
}

func TestEachValueHasAnEffect(t *testing.T) {
	var defaults map[string]any
	content, err := os.ReadFile(chart + "/values.yaml")
	must(t, err)
	must(t, yaml.Unmarshal(content, &defaults))
	untested := paths("", defaults)
	before := render(t, elsewhere, "")
	for _, row := range rows {
		t.Run(row.value, func(t *testing.T) {
			after := render(t, elsewhere, row.set)
			if after == before {
				t.Error("nothing is rendered otherwise")
			}
			if row.rendered != "" &&
				(!strings.Contains(after, row.rendered) || strings.Contains(before, row.rendered)) {
				t.Errorf("%q is not what it changes", row.rendered)
			}
		})
		if !slices.Contains(untested, row.value) {
			t.Errorf("there is no value %s", row.value)
		}
		untested = slices.DeleteFunc(untested, func(path string) bool { return path == row.value })
	}
	for _, path := range untested {
		t.Errorf("no row sets %s", path)
	}
}

// A quantity may be a number. Helm reads a large number as a float.
func TestLargeNumbers(t *testing.T) {
	rendered := render(t, elsewhere, "{initContainer: {cpu: 1, memory: 67108864}, resources: {requests: {cpu: 0.5}, "+
		"limits: {cpu: 2, memory: 1073741824}}, grants: {maxSysctls: 1000000, maxPerMinute: 2000000}}")
	var deployment appsv1.Deployment
	convert(t, find(t, decode(t, rendered), "Deployment", release), &deployment)
	container := deployment.Spec.Template.Spec.Containers[0]
	for _, argument := range []string{"--init-cpu=1", "--init-memory=67108864", "--grants-max-sysctls=1000000",
		"--grants-max-per-minute=2000000"} {
		if !slices.Contains(container.Args, argument) {
			t.Errorf("the server's arguments are %v, want %s among them", container.Args, argument)
		}
	}
	for name, quantities := range map[string][2]string{
		"requests.cpu":    {"500m", container.Resources.Requests.Cpu().String()},
		"requests.memory": {"64Mi", container.Resources.Requests.Memory().String()},
		"limits.cpu":      {"2", container.Resources.Limits.Cpu().String()},
		"limits.memory":   {"1073741824", container.Resources.Limits.Memory().String()},
	} {
		if quantities[0] != quantities[1] {
			t.Errorf("%s is %s, want %s", name, quantities[1], quantities[0])
		}
	}
}

// paths lists the values.
func paths(path string, value any) (all []string) {
	fields, isMap := value.(map[string]any)
	if !isMap || len(fields) == 0 {
		return []string{path}
	}
	for name, field := range fields {
		all = append(all, paths(strings.TrimPrefix(path+"."+name, "."), field)...)
	}
	return all
}

// A part that is switched off is not rendered.
func TestDisabledPartsAreNotRendered(t *testing.T) {
	for set, kinds := range map[string][]string{
		"networkPolicy: {enabled: false}":        {"NetworkPolicy"},
		"priorityClassName: ''":                  {"ResourceQuota"},
		"defaultPolicy: false":                   {"SysctlPolicy"},
		"profiles: false":                        {"SysctlProfile"},
		"certificates: {source: self-managed}":   {"Certificate", "Issuer"},
		existing:                                 {"Certificate", "Issuer"},
		"uninstall: {requireUnenrolled: false}":  {"Job"},
		"{guard: {enabled: false}, replicas: 1}": nil,
	} {
		objects := decode(t, render(t, elsewhere, set))
		for _, object := range objects {
			if slices.Contains(kinds, object.GetKind()) {
				t.Errorf("%s: there is %s %q", set, object.GetKind(), object.GetName())
			}
			guards := strings.HasPrefix(object.GetKind(), "ValidatingAdmissionPolicy") &&
				!strings.HasPrefix(object.GetName(), "sysctl-injector-own-")
			if kinds == nil && guards {
				t.Errorf("%s: there is %s %q", set, object.GetKind(), object.GetName())
			}
		}
	}
}
