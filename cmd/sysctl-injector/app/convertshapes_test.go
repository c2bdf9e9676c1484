package app

import (
	"fmt"
	"strings"
	"testing"
)

// shaped is a pod with one init container, whose other fields are body; more is the rest of the pod's spec.
func shaped(body, more string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  %s
  initContainers:
  - name: tune
    image: busybox:1.36
    %s
  containers: [{name: a, image: a}]
`, more, strings.ReplaceAll(body, "\n", "\n    "))
}

// TestConvertShapes has the shapes in which such containers come. The report says why one stays, and never that there
// is nothing.
func TestConvertShapes(t *testing.T) {
	const (
		privileged = "\nsecurityContext: {privileged: true}"
		tool       = "command: [sysctl, -w, net.core.somaxconn=1024]"
		hostProc   = "volumes: [{name: proc, hostPath: {path: /proc}}]"
		mount      = "\nsecurityContext: {runAsUser: 0}\nvolumeMounts: [{name: proc, mountPath: /host/proc}]"
		container  = "        - {name: t, image: busybox, command: [sh, -c, 'sysctl -w net.core.somaxconn=9'], " +
			"securityContext: {privileged: true}}\n"
	)
	for _, test := range []struct {
		name, input, want string
		code              int
	}{
		{"root by the pod's context", shaped(tool+privileged, "securityContext: {runAsUser: 0}"),
			"converted: 1, left as they are: 0", exitDone},
		{"another user by the pod's context", shaped(tool+privileged, "securityContext: {runAsUser: 1000}"),
			"it runs as user 1000, which may not write sysctls", exitLeft},
		{"SYS_ADMIN in the place of the privilege",
			shaped("command: [sh, -c, 'mount -o remount rw /proc/sys; sysctl -w net.core.somaxconn=1']\n"+
				"securityContext: {capabilities: {add: [SYS_ADMIN]}}", ""),
			"with the capability SYS_ADMIN it can remount /proc/sys", exitLeft},
		{"NET_ADMIN alone", shaped(tool+"\nsecurityContext: {capabilities: {add: [NET_ADMIN]}}", ""),
			"it is not privileged, so /proc/sys is read-only in it", exitLeft},
		{"other work", shaped("command: [sh, -c, 'sysctl -w net.core.somaxconn=1 && chown -R 1000 /data']"+privileged,
			""), "chown is not understood", exitLeft},
		{"a limit of the shell",
			shaped("command: [sh, -c, 'ulimit -n 65536; sysctl -w net.core.somaxconn=1024']"+privileged, ""),
			"converted: 1, left as they are: 0", exitDone},
		{"a sidecar", shaped("restartPolicy: Always\n"+tool+privileged, ""), "it is a sidecar, which keeps running",
			exitLeft},
		{"arguments of an entrypoint that is not known",
			strings.Replace(shaped("args: [sysctl, -w, net.core.somaxconn=1]"+privileged, ""), "busybox:1.36",
				"example.com/a", 1),
			"the entrypoint of the image decides", exitLeft},
		{"the node's /proc", shaped("command: [sh, -c, 'echo 1024 > /host/proc/sys/net/core/somaxconn']"+mount,
			hostProc), "converted: 1, left as they are: 0", exitDone},
		{"the tool beside the node's /proc", shaped(tool+mount, hostProc),
			"own /proc/sys, which is read-only unless the container is privileged", exitLeft},
		{"its own /proc beside the node's", shaped("command: [sh, -c, 'echo 1 > /proc/sys/net/core/somaxconn']"+mount,
			hostProc), "own /proc/sys is read-only", exitLeft},
		{"another root", shaped("command: [chroot, /host, sysctl, -w, net.core.somaxconn=1]"+privileged, ""),
			"chroot does more than set sysctls", exitLeft},
		{"the node's network", shaped(tool+privileged, "hostNetwork: true"),
			"belongs to the node, since the pod has hostNetwork: true", exitLeft},
		{"a folder", shaped("workingDir: /proc/sys/net/core\ncommand: [sh, -c, 'echo 1 > somaxconn']"+privileged, ""),
			"the script writes somaxconn", exitLeft},
		{"a path made of parts",
			shaped("command: [sh, -c, 'P=/proc; echo 1024 > $P/sys/net/core/somaxconn']"+privileged, ""),
			"converted: 1, left as they are: 0", exitDone},
		{"a path of parts that are not known",
			shaped("command: [sh, -c, 'echo 1024 > $P/sys/net/core/somaxconn']"+privileged, ""),
			"the value of $P is not known", exitLeft},
		{"a path in a variable",
			shaped("env: [{name: WHERE, value: /proc/sys/net/core/somaxconn}]\n"+
				"command: [sh, -c, 'echo 1024 > $WHERE']"+privileged, ""),
			"converted: 1, left as they are: 0", exitDone},
		{"a variable of the kubelet",
			shaped("env: [{name: VALUE, value: '77'}]\n"+
				"command: [sysctl, -w, net.core.somaxconn=$(VALUE)]"+privileged, ""),
			"net.core.somaxconn = 77", exitDone},
		{"a variable from elsewhere",
			shaped("env: [{name: VALUE, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]\n"+
				"command: [sysctl, -w, net.core.somaxconn=$(VALUE)]"+privileged, ""),
			"the kubelet expands a variable in the command", exitLeft},
		{"a shell's options in front",
			shaped("command: [/bin/sh, -e, -c, --]\nargs: ['sysctl -w net.core.somaxconn=1024']"+privileged, ""),
			"converted: 1, left as they are: 0", exitDone},
		{"arguments that the shell does not see",
			shaped("command: [/bin/sh, -c]\nargs: [sysctl, -w, net.core.somaxconn=1024]"+privileged, ""),
			"this sysctl command has no names", exitLeft},
		{"one word", shaped("command: ['sysctl -w net.core.somaxconn=1024']"+privileged, ""),
			"is not understood", exitLeft},
		{"another language",
			shaped("command: [python3, -c, \"open('/proc/sys/net/core/somaxconn','w').write('1')\"]"+privileged, ""),
			"python3 is not understood", exitLeft},
		{"a program that is not known, in a script", shaped("command: [sh, -c, tune-node]"+privileged, ""),
			`it runs "sh -c tune-node", which is not analyzed`, exitLeft},
		{"nothing of the kind", shaped("command: [sh, -c, 'f() { chown 1000 /data; }; f; mkdir -p /data/a']"+privileged,
			""), "nothing to convert", exitDone},
		{"an ephemeral container", shaped("command: ['true']",
			"ephemeralContainers: [{name: debug, image: busybox, command: [sysctl, -w, net.core.somaxconn=5], "+
				"securityContext: {privileged: true}}]"),
			`ephemeralContainers[0] "debug": stays as it is`, exitLeft},
		{"the class of the pod", shaped(tool+"\nresources: {requests: {cpu: 10m}}"+privileged, ""),
			"made the pod's QoS class Burstable; without it, the class is BestEffort", exitDone},
		{"a list of Deployments",
			"apiVersion: apps/v1\nkind: DeploymentList\nitems:\n- metadata: {name: a}\n  spec:\n    template:\n" +
				"      spec:\n        initContainers:\n" + container +
				"        containers: [{name: a, image: a}]\n",
			"converted: 1, left as they are: 0", exitDone},
		{"an old CronJob",
			"apiVersion: batch/v1beta1\nkind: CronJob\nmetadata: {name: c}\nspec:\n  jobTemplate:\n    spec:\n" +
				"      template:\n       spec:\n        initContainers:\n" + container +
				"        containers: [{name: a, image: a}]\n",
			"converted: 1, left as they are: 0", exitDone},
		{"a patch in a kustomization",
			"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\npatches:\n- patch: |-\n    - op: add\n" +
				"      path: /spec/template/spec/initContainers\n      value:\n" + container,
			"patches[0].patch, a privileged container in this text, at [0].value[0]", exitLeft},
		{"values in an Application",
			"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\nspec:\n  source:\n    helm:\n" +
				"      values: |\n        extraInitContainers:\n" + container,
			"spec.source.helm.values, a privileged container in this text, at extraInitContainers[0]", exitLeft},
		{"a switch in an Application",
			"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\nspec:\n  source:\n    helm:\n" +
				"      values: |\n        sysctlImage:\n          enabled: true\n",
			"the chart creates its own container", exitLeft},
		{"a chart's template that includes others",
			"spec:\n  template:\n    spec:\n      initContainers:\n" +
				"      {{- include \"common.inits\" . | nindent 6 }}\n",
			"Helm templates, 1 in all: not looked into: stays as it is", exitLeft},
		{"a chart's template that mentions sysctls twice",
			"{{ if .Values.tune }}\na: sysctl -w net.core.somaxconn=1\nb: sysctl -w kernel.sem=1\n{{ end }}\n",
			"line 2: the file: speaks of sysctls: stays as it is\n  it looks like a Helm template; render it first: " +
				"helm template ... | sysctl-injector convert -f -\n  line 3: speaks of sysctls too\n", exitLeft},
		{"a raised value that a profile sets higher",
			strings.Replace(shaped("command: [sh, -c, '[ $(sysctl -n net.core.somaxconn) -ge 1024 ] || "+
				"sysctl -w net.core.somaxconn=1024']"+privileged, ""),
				"{name: p}", "{name: p, annotations: {sysctl-injector.dev/profiles: nginx}}", 1),
			"a profile sets", exitLeft},
		{"a value that a profile sets otherwise", strings.Replace(shaped(tool+privileged, ""), "{name: p}",
			"{name: p, annotations: {sysctl-injector.dev/profiles: nginx}}", 1),
			"net.core.somaxconn = 1024", exitDone},
		{"an unmasked /proc", shaped(tool+"\nsecurityContext: {procMount: Unmasked}", ""),
			"whether procMount: Unmasked lets it write", exitLeft},
		{"a mapping of sysctls in values", "tuning:\n  sysctls:\n    net.core.somaxconn: 1024\n",
			"an operator or a chart sets these itself: net.core.somaxconn", exitLeft},
		{"a script in a Secret",
			"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n" +
				"data: {tune.sh: c3lzY3RsIC13IG5ldC5jb3JlLnNvbWF4Y29ubj01Cg==}\n",
			"data[tune.sh], a script", exitLeft},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, out, report := run(t, test.input, "convert", "-f", "-")
			if code != test.code || !strings.Contains(report, test.want) {
				t.Errorf("exit code %d, want %d and %q; report\n%s", code, test.code, test.want, report)
			}
			if _, again, _ := run(t, out, "convert", "-f", "-"); again != out {
				t.Errorf("a second conversion changes something:\n%s", again)
			}
		})
	}
}
