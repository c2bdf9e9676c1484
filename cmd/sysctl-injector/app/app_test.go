package app

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// asProgram, in the environment, makes the test binary the command line itself.
const asProgram = "SYSCTL_INJECTOR_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	version = "v1.2.3"
	if os.Getenv(asProgram) != "" {
		os.Exit(Run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// run runs the command line.
func run(t *testing.T, in string, args ...string) (code int, out, errOut string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = Run(args, strings.NewReader(in), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// inputs are the manifests of testdata/inject; each has a golden file of its own name in testdata/injected.
func inputs(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/inject/*")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no input: %v", err)
	}
	return paths
}

func TestCommandLine(t *testing.T) {
	const noLabel = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must " +
		"start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is " +
		"'[a-z0-9]([-a-z0-9]*[a-z0-9])?')\n"
	const builtIn = "No cluster was asked: the policies are the built-in ones. To ask a cluster, use -n, -A, " +
		"--context or --kubeconfig.\n"
	const misspelt = "pods may not set it (UnknownSysctl): it is not a sysctl that sysctl-injector knows; did you " +
		"mean net.core.somaxconn? If the node's kernel has it, an administrator can allow it by its full name in a " +
		"SysctlPolicy, or with a \"*\" for the interface alone: a pattern such as net.* covers known names only.\n"
	const rejectedPod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  annotations:\n" +
		"    sysctl-injector.dev/sysctls: vm.swappiness = 1\nspec: {}\n"
	tests := []struct {
		name   string
		in     string
		args   []string
		code   int
		out    string // that it begins with
		errOut string // all of it
	}{
		{"shows its help without arguments", "", []string{}, 0, "sysctl-injector sets the kernel parameters", ""},
		{"rejects an unknown command", "", []string{"injct"}, 2, "",
			"error: unknown command \"injct\"; did you mean inject?\nSee 'sysctl-injector --help'.\n"},
		{"rejects an unknown flag", "", []string{"inject", "--file", "x"}, 2, "",
			"error: unknown flag: --file\nSee 'sysctl-injector inject --help'.\n"},
		{"rejects an unknown format", "", []string{"inject", "-f", "-", "-o", "xml"}, 2, "",
			"error: invalid argument \"xml\" for \"-o, --output\" flag: must be one of yaml, json, diff\n" +
				"See 'sysctl-injector inject --help'.\n"},
		{"inject asks for a file", "", []string{"inject"}, 2, "",
			"error: name the manifests: -f FILE, -f DIRECTORY, or -f - for standard input\n" +
				"See 'sysctl-injector inject --help'.\n"},
		{"inject takes a file as an argument", "", []string{"inject", "x.yaml"}, 1, "",
			"error: the path \"x.yaml\" does not exist\n"},
		{"inject names the flag of a file that is not there", "", []string{"inject", "-f", "x.yaml"}, 1, "",
			"error: -f: the path \"x.yaml\" does not exist\n"},
		{"inject builds a kustomization in place of files", "", []string{"inject", "-f", "x.yaml", "-k", "x"}, 2, "",
			"error: -k builds all manifests: leave out -f, -k or the arguments\n" +
				"See 'sysctl-injector inject --help'.\n"},
		{"companion asks for the service account of a sysctl", "", []string{"companion", "net.core.somaxconn"}, 2, "",
			"error: name the manifests (-f), or a service account (--serviceaccount) and its sysctls\n" +
				"See 'sysctl-injector companion --help'.\n"},
		{"enroll asks for a namespace", "", []string{"enroll"}, 2, "",
			"error: name the namespaces, or select them with -l or -A\nSee 'sysctl-injector enroll --help'.\n"},
		{"enroll takes names or a selector", "", []string{"enroll", "shop", "-A"}, 2, "",
			"error: either name the namespaces, or select them with -l or -A\nSee 'sysctl-injector enroll --help'.\n"},
		{"status names the flag of a wrong selector", "", []string{"status", "-l", "a in b"}, 2, "",
			"error: --selector: unable to parse requirement: found 'b' expected: '('\n" +
				"See 'sysctl-injector status --help'.\n"},
		{"status needs a cluster", "", []string{"status"}, 1, "",
			"error: find the cluster: there is no kubeconfig; name one with --kubeconfig, or in the environment " +
				"variable KUBECONFIG\n"},
		{"inject says where a rejected pod stands", "# first\n" + rejectedPod, []string{"inject", "-f", "-"}, 1, "",
			"error: standard input: line 2: Pod \"a\": NodeLevel: metadata.annotations[sysctl-injector.dev/sysctls]: " +
				"Forbidden: line 1: vm.swappiness is node-level: it would change the node and every pod on it. " +
				"An administrator can set it on the node, or the pod can run under a RuntimeClass that gives it a " +
				"kernel of its own (Kata Containers, for one)\n"},
		{"inject warns of a sysctl that needs no init container", strings.Replace(rejectedPod, "vm.swappiness = 1",
			"net.ipv4.tcp_syncookies = 1", 1), []string{"inject", "-f", "-", "-o", "json"}, 0,
			"{\n  \"apiVersion\": \"v1\",",
			"Warning: standard input: line 1: Pod \"a\": net.ipv4.tcp_syncookies: safe since Kubernetes 1.4, so " +
				"spec.securityContext.sysctls can set it without a privileged init container\n" +
				"standard input: line 1: Pod \"a\": injected; sets net.ipv4.tcp_syncookies=1\n"},
		{"inject fails where there is nothing", "# nothing\n---\n", []string{"inject", "-f", "-"}, 1, "",
			"error: the input is empty: there is no Kubernetes object in it\n"},
		{"inject passes an empty ResourceList", "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems: []\n",
			[]string{"inject", "-f", "-"}, 0,
			"apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems: []\n", ""},
		{"inject rejects a template path without a path", "", []string{"inject", "-f", "-", "--template-path",
			"Rollout.argoproj.io"}, 2, "",
			"error: --template-path: \"Rollout.argoproj.io\" is not KIND.GROUP=PATH, such as " +
				"Rollout.argoproj.io=spec.template\nSee 'sysctl-injector inject --help'.\n"},
		{"inject rejects what is no whole pod", strings.Replace(rejectedPod, "spec: {}", "", 1),
			[]string{"inject", "-f", "-"}, 1, "",
			"error: standard input: line 1: Pod \"a\": UnreadablePod: spec: Required value: a pod that asks for " +
				"sysctls needs its spec\n"},
		{"inject says where YAML is broken", "a: [", []string{"inject", "-f", "-"}, 1, "",
			"error: standard input: line 2: did not find expected node content\n"},
		{"inject rejects an init container that cannot be", "",
			[]string{"inject", "-f", "-", "--init-cpu", "lots"}, 2, "",
			"error: --init-cpu: \"lots\": quantities must match the regular expression " +
				"'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'\nSee 'sysctl-injector inject --help'.\n"},
		{"inject rejects a CPU request of zero", "", []string{"inject", "-f", "-", "--init-cpu", "0"}, 2, "",
			"error: --init-cpu: \"0\" is not above zero\nSee 'sysctl-injector inject --help'.\n"},
		{"inject rejects a memory request of zero", "", []string{"inject", "-f", "-", "--init-memory", "0Mi"}, 2, "",
			"error: --init-memory: \"0Mi\" is not above zero\nSee 'sysctl-injector inject --help'.\n"},
		{"inject rejects a handler with a blank", "",
			[]string{"inject", "-f", "-", "--guest-handlers", "kata, kata-qemu"}, 2, "",
			"error: --guest-handlers: \" kata-qemu\": " + noLabel + "See 'sysctl-injector inject --help'.\n"},
		{"render mutating-policy rejects a handler with a blank", "",
			[]string{"render", "mutating-policy", "--guest-handlers", "kata, kata-qemu"}, 2, "",
			"error: --guest-handlers: Invalid value: \" kata-qemu\": " + noLabel +
				"See 'sysctl-injector render mutating-policy --help'.\n"},
		{"inject rejects an image with a blank", named("a"),
			[]string{"inject", "-f", "-", "--init-image", "busy box"}, 2, "",
			"error: --init-image: \"busy box\" is no image reference\nSee 'sysctl-injector inject --help'.\n"},
		{"inject rejects an empty image", named("a"), []string{"inject", "-f", "-", "--init-image", ""}, 2, "",
			"error: --init-image: the image is empty\nSee 'sysctl-injector inject --help'.\n"},
		{"render mutating-policy rejects an image with a blank", "", []string{"render", "mutating-policy",
			"--init-image", "busy box"}, 2, "", "error: --init-image: \"busy box\" is no image reference\n" +
			"See 'sysctl-injector render mutating-policy --help'.\n"},
		{"rejects a policy file without a policy", "kind: ConfigMap\napiVersion: v1\n",
			[]string{"explain", "kernel.sem", "--policy", "-"}, 1, "",
			"error: standard input: holds none of SysctlPolicy, SysctlProfile, RuntimeClass, Namespace\n"},
		{"rejects a policy with a misspelt field",
			"kind: SysctlPolicy\napiVersion: sysctl-injector.dev/v1alpha1\nmetadata: {name: p}\nspec: {alow: []}\n",
			[]string{"explain", "kernel.sem", "--policy", "-"}, 1, "",
			"error: standard input: line 1: SysctlPolicy \"p\": error unmarshaling JSON: while decoding JSON: json: " +
				"unknown field \"alow\"\n"},
		{"companion needs no --injected with manifests", "", []string{"companion", "-f", "-", "--injected"}, 2, "",
			"error: --injected is for sysctls as arguments: with manifests, the annotations decide\n" +
				"See 'sysctl-injector companion --help'.\n"},
		{"companion takes --injected for PodSecurityPolicies only", "", []string{"companion", "--injected",
			"--serviceaccount", "web", "net.core.somaxconn"}, 2, "",
			"error: --injected is for --backend psp\nSee 'sysctl-injector companion --help'.\n"},
		{"companion asks for something", "", []string{"companion"}, 2, "",
			"error: name the manifests (-f), or a service account (--serviceaccount) and its sysctls\n" +
				"See 'sysctl-injector companion --help'.\n"},
		{"companion rejects names that cannot be", "", []string{"companion", "--serviceaccount", "A", "net..x"}, 2, "",
			"error: --serviceaccount: \"A\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric " +
				"characters, '-' or '.', and must start and end with an alphanumeric character " +
				"(e.g. 'example.com', regex used for validation is " +
				"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')\n" +
				"\"net..x\": a sysctl name is words joined by single dots, such as net.core.somaxconn: \"..\" is not " +
				"allowed\nSee 'sysctl-injector companion --help'.\n"},
		{"companion says when there is nothing to grant", "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n",
			[]string{"companion", "-f", "-"}, 0, "", "Nothing to grant: no workload here asks for a sysctl.\n"},
		{"companion says why native sysctls need no grant", "", []string{"companion", "-f",
			"testdata/inject/native-first.yaml", "--kubelet-sysctls", "net.core.*"}, 0, "",
			"Nothing to grant for Deployment \"web\": Kubernetes sets them by spec.securityContext.sysctls.\n"},
		{"companion says why verification needs no grant", "", []string{"companion", "-f",
			"testdata/inject/verify.yaml"}, 0, "",
			"Nothing to grant for Pod \"search\": the init container only reads.\n"},
		{"inject rejects a strategy that there is not", "",
			[]string{"inject", "-f", "-", "--strategy", "native"}, 2, "",
			"error: invalid argument \"native\" for \"--strategy\" flag: must be one of init-container, " +
				"native-first\nSee 'sysctl-injector inject --help'.\n"},
		{"inject rejects a pattern that there is not", "", []string{"inject", "-f", "-", "--kubelet-sysctls",
			"net.ipv4.conf.*.forwarding"}, 2, "",
			"error: --kubelet-sysctls: \"net.ipv4.conf.*.forwarding\": a kubelet takes a \"*\" at the end of a " +
				"pattern only, as in net.ipv4.*\nSee 'sysctl-injector inject --help'.\n"},
		{"companion prints the grants of an annotation", "", []string{"companion", "-f",
			"testdata/inject/liberty.json"}, 0, "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\n",
			"Warning: testdata/inject/liberty.json: line 1: Deployment \"liberty\": net.core.somaxconn: 512 is below " +
				"4096, with which a pod starts since Linux 5.4; write \"net.core.somaxconn >= 512\" to raise the " +
				"value only\n"},
		{"companion names what a PodSecurityPolicy cannot allow",
			"apiVersion: v1\nkind: Pod\nmetadata: {name: router}\nspec:\n  securityContext:\n    sysctls:\n" +
				"    - {name: net/ipv4/conf/net1.100/forwarding, value: \"1\"}\n" +
				"    - {name: net.core.somaxconn, value: \"1024\"}\n",
			[]string{"companion", "-f", "-", "--backend", "psp"}, 0,
			"apiVersion: policy/v1beta1\nkind: PodSecurityPolicy\n",
			"Warning: Pod \"router\": a PodSecurityPolicy cannot allow \"net/ipv4/conf/net1.100/forwarding\" of " +
				"securityContext.sysctls: its names have no slashes and no capitals; set the sysctl with the " +
				"annotation sysctl-injector.dev/sysctls, or write its name with dots if no part of the name " +
				"has a dot\n"},
		{"companion prints the policy of natively set sysctls", "", []string{"companion", "-f",
			"testdata/inject/semaphores-by-hand.yaml", "--backend", "psp"}, 0,
			"apiVersion: policy/v1beta1\nkind: PodSecurityPolicy\n", ""},
		{"explain asks for a name", "", []string{"explain"}, 2, "",
			"error: name the sysctls, or use --profile or --all\nSee 'sysctl-injector explain --help'.\n"},
		{"explain takes either one namespace or several", "",
			[]string{"explain", "kernel.sem", "-n", "shop", "-A"}, 2, "",
			"error: either name the namespace with -n, or select namespaces with -l or -A\n" +
				"See 'sysctl-injector explain --help'.\n"},
		{"explain takes policies from files or from a cluster", "policies",
			[]string{"explain", "kernel.sem", "--policy", "-", "-l", "team=web"}, 2, "",
			"error: --policy names policies in files: leave out -A, -l and the flags that select a cluster or a " +
				"user, or --policy\n" +
				"See 'sysctl-injector explain --help'.\n"},
		{"explain has a sentence for all that is known of one name", "", []string{"explain", "kernel/sem"}, 0,
			"kernel.sem\n  It belongs to the IPC namespace.\n" +
				"  It is in every supported kernel.\n  It starts with 32000 1024000000 500 32000.\n" +
				"  It takes -2147483648 to 2147483647.\n\n" +
				"On a shared kernel, pods may set it: allowed by SysctlPolicy default.\n" +
				"In a guest kernel, pods may set it: allowed by SysctlPolicy default.\n" +
				"An ordinary pod gets it by the form privileged.\n", builtIn},
		{"explain fails for what pods may not set", "", []string{"explain", "net.core.somaxcon"}, 1,
			"net.core.somaxcon\n  It belongs to the network namespace.\n" +
				"  It is not in the catalogue.\n  Did you mean net.core.somaxconn?\n\nOn a shared kernel, " + misspelt +
				"In a guest kernel, " + misspelt, builtIn},
		{"explain has a table for several names", "",
			[]string{"explain", "kernel.sem", "net.ipv4.ip_local_port_range"}, 0,
			"NAME                           SCOPE     SHARED KERNEL   GUEST KERNEL   " +
				"DEFAULT                      VALUES                      SAFE SINCE       NAMESPACED SINCE\n" +
				"kernel.sem                     IPC       by default      by default     " +
				"32000 1024000000 500 32000   -2147483648 to 2147483647   not safe         Linux 3.10 or older\n" +
				"net.ipv4.ip_local_port_range   Network   by default      by default     " +
				"32768 60999                  1 to 65535                  Kubernetes 1.4   Linux 4.9 or older\n",
			builtIn},
		{"explain knows the names of a profile", "", []string{"explain", "--profile", "nginx", "-o", "json", "--all",
			"extra name"}, 2, "",
			"error: \"extra name\": a sysctl name is words of letters, digits, _ and - joined by dots, such as " +
				"net.core.somaxconn: the character ' ' is not allowed\n" +
				"See 'sysctl-injector explain --help'.\n"},
		{"version tells of the build", "", []string{"version", "-o", "json"}, 0,
			"{\n  \"clientVersion\": {\n    \"version\": \"v1.2.3\",", ""},
		{"version knows no server where there is no cluster", "", []string{"version"}, 0,
			"sysctl-injector v1.2.3 (", ""},
		{"prints the completion of bash", "", []string{"completion", "bash"}, 0,
			"# bash completion V2 for sysctl-injector", ""},
	}
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			code, out, errOut := run(t, test.in, test.args...)
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			if diff := cmp.Diff(test.errOut, errOut); diff != "" {
				t.Errorf("standard error (-want +got):\n%s", diff)
			}
			if !strings.HasPrefix(out, test.out) || test.out == "" && out != "" {
				t.Errorf("standard output %q, want %q", out, test.out)
			}
		})
	}
}
