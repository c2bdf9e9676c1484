package main

import (
	"context"
	"strings"
)

// ways shows three pods that ask for the same sysctls and get them in three ways.
func (s *story) ways(ctx context.Context) error {
	if err := s.apply(ctx, "ways.yaml"); err != nil {
		return err
	}
	if _, err := s.run(ctx, "kubectl", "-n", "shop", "wait", "--for=condition=Ready", "pods", "-l", "story=ways",
		"--timeout=60s"); err != nil {
		return err
	}
	for _, way := range []struct{ pod, says, privileged, capabilities, native string }{
		{"way-1-privileged", "A privileged init container, on the node's kernel:", "true", "", ""},
		{"way-2-user-namespace", "With hostUsers: false, an init container whose one capability ends at the pod's " +
			"own user namespace:", "", `{"add":["NET_ADMIN"],"drop":["ALL"]}`, ""},
		{"way-3-native", "With the strategy native-first, no container: Kubernetes sets what every kubelet allows:", "",
			"",
			"net.ipv4.ip_local_port_range net.ipv4.tcp_keepalive_time"},
	} {
		s.Say("%s", way.says)
		const of = "{.spec.initContainers[0].securityContext"
		want := "privileged=" + way.privileged + " capabilities=" + way.capabilities + " native=" + way.native
		want = strings.Join(strings.Fields(want), " ")
		if err := s.expect(ctx, want, "kubectl", "-n", "shop", "get", "pod", way.pod, "-o",
			"jsonpath=privileged="+of+".privileged} capabilities="+of+".capabilities} "+
				"native={.spec.securityContext.sysctls[*].name}"); err != nil {
			return err
		}
		if err := s.expect(ctx,
			"net.ipv4.ip_local_port_range = 32768 65535 net.ipv4.tcp_keepalive_time = 600 CapEff: 0000000000000000",
			"kubectl", "-n", "shop", "exec", way.pod, "-c", "app", "--", "sh", "-c",
			"sysctl net.ipv4.ip_local_port_range net.ipv4.tcp_keepalive_time; grep CapEff "+
				"/proc/self/status"); err != nil {
			return err
		}
	}
	return nil
}
