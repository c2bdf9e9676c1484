package reader

// Texts that several pages need.
const (
	// shop is a namespace as enroll leaves it, with nothing in it.
	shop = `
kubectl create namespace shop
sysctl-injector enroll shop --enforce restricted
`
	// deployment is a Deployment that asks for a sysctl, and that "restricted" admits.
	deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
      annotations: {sysctl-injector.dev/sysctls: net.core.somaxconn = 8192}
    spec:
      containers:
      - name: web
        image: docker.io/library/busybox:1.36
        command: [sleep, "3600"]
        securityContext:
          runAsNonRoot: true
          runAsUser: 1000
          allowPrivilegeEscalation: false
          capabilities: {drop: [ALL]}
          seccompProfile: {type: RuntimeDefault}
`
	// rejected makes of deployment one whose pods are rejected, in web.yaml.
	rejected = `
sed 's/net.core.somaxconn = 8192/vm.swappiness = 1/' deployment.yaml > web.yaml
`
	system = "sysctl-injector-system"
	// uninstall removes a release, and the certificates that it leaves.
	uninstall = `
helm uninstall sysctl-injector --namespace sysctl-injector-system --no-hooks --wait
kubectl -n sysctl-injector-system delete secrets --all
`
	// until repeats a command until it succeeds.
	until = `
until_done() { for _ in $(seq 120); do if "$@" > /dev/null 2>&1; then return; fi; sleep 0.5; done; "$@"; }
`
)

// The tests that run pages.
const (
	// TestPages has the webhook installed, with cert-manager.
	TestPages = "TestPages"
	// TestInstallPages has cert-manager, and images of the webhook.
	TestInstallPages = "TestInstallPages"
)

// pages are all pages with commands, in the order in which their tests run them.
var pages = []Page{
	{Path: "docs/concepts.md"},
	{Path: "docs/convert.md"},
	{Path: "README.md", Test: "TestReadme", Dir: "."},
	{Path: "docs/getting-started.md", Test: "TestGettingStarted", Dir: "."},
	{Path: "docs/audit.md", Test: "TestAuditPage", Stages: map[string]string{"": "kubectl create namespace shop"}},

	{Path: "docs/check.md", Test: TestPages},
	{Path: "docs/companion.md", Test: TestPages,
		Files: map[string]any{"ns.yaml": "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n"},
		Stages: map[string]string{"": `
kubectl create namespace sugi
kubectl -n sugi create serviceaccount psp-user
sysctl-injector companion -n sugi -f deploy/samples/liberty-deployment.yaml | kubectl apply -f -
`}},
	{Path: "docs/development.md", Test: TestPages, Dir: "."},
	{Path: "docs/enroll.md", Test: TestPages, Stages: map[string]string{
		"": `
kubectl create namespace shop
kubectl label namespace shop pod-security.kubernetes.io/enforce=restricted
`,
		// Helm takes back what the page has applied with kubectl.
		"sysctl-injector enroll shop\n": `
helm upgrade sysctl-injector deploy/helm/sysctl-injector --namespace sysctl-injector-system --force-conflicts
`,
		"sysctl-injector enroll shop --enforce restricted": `
sysctl-injector unenroll shop
kubectl apply -f - <<'EOF'
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: shop}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      hostNetwork: true
      containers: [{name: agent, image: agent}]
EOF
`,
		"sysctl-injector unenroll shop": `
kubectl -n shop delete daemonset agent
sysctl-injector enroll shop
`}},
	{Path: "docs/inject.md", Test: TestPages,
		Files: map[string]any{
			"deployment.yaml": deployment,
			"manifests/search.yaml": `apiVersion: v1
kind: Pod
metadata:
  name: semaphores
  annotations:
    sysctl-injector.dev/sysctls: vm.max_map_count = 262144
spec:
  containers: [{name: app, image: app}]
`,
			"search.yaml": `apiVersion: elasticsearch.k8s.elastic.co/v1
kind: Elasticsearch
metadata: {name: logs}
spec:
  nodeSets:
  - name: default
    podTemplate:
      metadata:
        annotations: {sysctl-injector.dev/sysctls: net.core.somaxconn = 1024}
      spec:
        containers: [{name: elasticsearch, image: elasticsearch}]
`},
		Stages: map[string]string{
			"": `
mv manifests/search.yaml rejected.yaml
cp deployment.yaml manifests/web.yaml
mkdir policies && cp templates/policies/default.yaml policies/
`,
			"sysctl-injector inject -f manifests/\n":                  "mv rejected.yaml manifests/search.yaml",
			"sysctl-injector inject -f manifests/ --policy policies/": "rm manifests/search.yaml",
		}},
	{Path: "docs/observability.md", Test: TestPages,
		Files: map[string]any{"deployment.yaml": deployment},
		Stages: map[string]string{"": shop + rejected + until + `
kubectl -n shop apply -f web.yaml
refused() { kubectl -n shop describe deployment web | grep SysctlRefused; }
until_done refused
`}},
	{Path: "docs/openshift.md", Test: TestPages, Files: map[string]any{"deployment.yaml": deployment}},
	{Path: "docs/plugin.md", Test: TestPages, Dir: "."},
	{Path: "docs/policies.md", Test: TestPages,
		Files: map[string]any{
			"policies/web.yaml": 0,
			"narrow.yaml":       3,
			"deployment.yaml":   deployment,
			"bad.yaml": `apiVersion: sysctl-injector.dev/v1alpha1
kind: SysctlPolicy
metadata: {name: bad}
spec: {allow: [{names: [net.*.x, somaxconn], kernels: [Host], min: 5, max: 1}]}
`,
		},
		Stages: map[string]string{
			"kubectl get sysctlpolicies\n": shop + until + `
kubectl apply -f narrow.yaml
kubectl wait --for=condition=Ready sysctlpolicy/narrow
sed 's/net.core.somaxconn = 8192/net.ipv4.ip_forward = 1/' deployment.yaml | kubectl -n shop apply -f -
counted() { kubectl get sysctlpolicy narrow | grep '"] *1 '; }
until_done counted
`,
			"sysctl-injector inject -f pod.yaml --policy policies/ --policy ns.yaml": `
kubectl apply -f templates/policies
kubectl delete sysctlpolicy narrow
`}},
	{Path: "docs/profiles.md", Test: TestPages,
		Files: map[string]any{"web-defaults.yaml": 3, "my-timeouts.yaml": 5},
		Stages: map[string]string{
			"":                                       "kubectl create namespace shop",
			"sysctl-injector enroll shop --defaults": "kubectl apply -f web-defaults.yaml",
			"kubectl get sysctlprofiles":             "kubectl delete sysctlprofile web-defaults",
		}},
	{Path: "docs/troubleshooting.md", Test: TestPages,
		Files: map[string]any{"deployment.yaml": deployment, "pod.yaml": deployment},
		Stages: map[string]string{
			"": shop,
			"kubectl -n shop get deployment bad": until + `
sed 's/net.core.somaxconn = 8192/vm.max_map_count = 262144/; s/name: web}/name: bad}/' deployment.yaml > bad.yaml
kubectl -n shop apply -f bad.yaml
refused() { kubectl -n shop get events --field-selector reason=FailedCreate | grep NodeLevel; }
until_done refused
`,
			"kubectl -n shop apply -f web.yaml": rejected,
			"kubectl -n shop get pods -l sysctl-injector.dev/injected": until + `
kubectl -n shop apply -f deploy/samples/liberty-deployment.yaml
injected() { kubectl -n shop get pods -l sysctl-injector.dev/injected=true | grep liberty; }
until_done injected
`}},
	{Path: "docs/without-server.md", Test: TestPages,
		Files: map[string]any{"deployment.yaml": deployment},
		Stages: map[string]string{"": `
kubectl create namespace shop
mkdir policies && cp templates/policies/default.yaml policies/
mkdir profiles && cp templates/profiles/nginx.yaml profiles/own.yaml &&
sed -i 's/name: nginx/name: own/' profiles/own.yaml
`}},
	{Path: "docs/certificates.md", Test: TestPages},

	{Path: "deploy/helm/sysctl-injector/README.md", Test: TestInstallPages, Dir: "deploy/helm/sysctl-injector"},
	{Path: "docs/install.md", Test: TestInstallPages,
		Files: map[string]any{"values.yaml": "replicas: 2\n", "deployment.yaml": deployment},
		Stages: map[string]string{
			"": uninstall + "kubectl delete namespace " + system,
			"helm install sysctl-injector $CHART --namespace sysctl-injector-system --create-namespace": uninstall,
			"kubectl -n sysctl-injector-system create secret tls site-tls":                              uninstall,
			"kubectl apply --server-side -f $CHART/crds":                                                uninstall,
			"helm show crds": `
helm install sysctl-injector $CHART --namespace sysctl-injector-system --take-ownership --force-conflicts --wait
`,
			"kubectl get pods -A -l sysctl-injector.dev/injected": until + `
kubectl create namespace shop
kubectl label namespace shop pod-security.kubernetes.io/enforce=restricted
sysctl-injector enroll shop
kubectl -n shop apply -f deployment.yaml
injected() { kubectl -n shop get pods -l sysctl-injector.dev/injected=true | grep web; }
until_done injected
`,
			"kubectl delete mutatingwebhookconfiguration": `
kubectl apply --server-side -f $CHART/crds
kubectl wait --for=condition=Established -f $CHART/crds --timeout=1m
kubectl apply --server-side -f deploy/install.yaml
`}},
}
