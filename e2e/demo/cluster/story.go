package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sysctl-injector/sysctl-injector/e2e/demo/narrator"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/await"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
)

const manifests = "e2e/demo/cluster/manifests/"

// story is a demonstration and the cluster that it runs on.
type story struct {
	*narrator.Narrator
	cluster   *cluster.Cluster
	installed *installation.Installation
	noGuest   string            // why there is no guest kernel; empty where there is one
	host      map[string]string // the machine's values before anything was done
}

func (s *story) end() error {
	var err error
	if s.installed != nil {
		err = s.installed.Remove()
	}
	return errors.Join(err, s.cluster.Stop())
}

func (s *story) tell(ctx context.Context) error {
	s.host = map[string]string{}
	for _, name := range []string{"net.core.somaxconn", "net.ipv4.ip_local_port_range", "vm.max_map_count"} {
		value, err := hostValue(name)
		if err != nil {
			return err
		}
		s.host[name] = value
	}
	for _, chapter := range []struct {
		title string
		tell  func(context.Context) error
	}{
		{"A pod cannot set a sysctl itself", s.ordinary},
		{"Kubernetes' own field: the kubelet rejects it, again and again", s.native},
		{"An administrator installs sysctl-injector and its guard, and enrolls the namespace", s.install},
		{"A Deployment says in an annotation what it needs", s.annotated},
		{"Inside the app's container", s.inside},
		{"Less privilege does the same: three ways side by side", s.ways},
		{"The node is as it was", s.unchanged},
		{"What belongs to the whole node is rejected", s.nodeLevel},
		{"A pod with a kernel of its own may have that too", s.guest},
	} {
		s.Step("%s", chapter.title)
		if err := chapter.tell(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) ordinary(ctx context.Context) error {
	for _, args := range [][]string{
		{"kubectl", "create", "namespace", "shop"},
		{"kubectl", "label", "namespace", "shop", "pod-security.kubernetes.io/enforce=restricted"},
	} {
		if _, err := s.run(ctx, args...); err != nil {
			return err
		}
	}
	if err := s.account(ctx, "shop"); err != nil {
		return err
	}
	if err := s.apply(ctx, "tool.yaml"); err != nil {
		return err
	}
	if _, err := s.run(ctx, "kubectl", "-n", "shop", "wait", "--for=condition=Ready", "pod/tool",
		"--timeout=60s"); err != nil {
		return err
	}
	return s.rejected(ctx, "Read-only file system", "kubectl", "-n", "shop", "exec", "tool", "--", "sysctl", "-w",
		"net.core.somaxconn=32768")
}

// account waits for the service account without which no pod can be made.
func (s *story) account(ctx context.Context, namespace string) error {
	return await.Answer(ctx, "the service account of namespace "+namespace, pace, patience,
		func(ctx context.Context) (string, bool) {
			output, err := s.output(ctx, "kubectl", "-n", namespace, "get", "serviceaccount", "default")
			return output, err == nil
		})
}

func (s *story) apply(ctx context.Context, file string) error {
	_, err := s.run(ctx, "kubectl", "apply", "-f", manifests+file)
	return err
}

func (s *story) native(ctx context.Context) error {
	s.Say("Pod Security would not let it pass, so this namespace has none:")
	if _, err := s.run(ctx, "kubectl", "create", "namespace", "native"); err != nil {
		return err
	}
	if err := s.account(ctx, "native"); err != nil {
		return err
	}
	if err := s.apply(ctx, "native.yaml"); err != nil {
		return err
	}
	pods := []string{"kubectl", "-n", "native", "get", "pods"}
	const storm = 5
	err := await.Answer(ctx, fmt.Sprintf("%d failed pods", storm), pace, patience,
		func(ctx context.Context) (string, bool) {
			output, _ := s.output(ctx, pods...)
			return output, strings.Count(output, "SysctlForbidden") >= storm
		})
	if err != nil {
		return err
	}
	listed, err := s.run(ctx, pods...)
	if err != nil {
		return err
	}
	s.Say("One pod was wanted. %d have failed so far, and the ReplicaSet makes the next.",
		strings.Count(listed, "SysctlForbidden"))
	_, err = s.run(ctx, "kubectl", "delete", "namespace", "native", "--wait=false")
	return err
}

func (s *story) install(ctx context.Context) (err error) {
	if s.installed, err = installation.Install(ctx, s.cluster, installation.Config{}); err != nil {
		return err
	}
	s.Say("The CustomResourceDefinitions, the default SysctlPolicy, the ClusterRole and the webhook's configuration " +
		"are applied; its")
	s.Say("server runs beside the cluster, as the service account %s.", installation.User)
	if _, err := s.run(ctx, "kubectl", "apply", "-f", "deploy/guard.yaml"); err != nil {
		return err
	}
	_, err = s.run(ctx, "sysctl-injector", "enroll", "shop", "--enforce", "restricted")
	return err
}

func (s *story) annotated(ctx context.Context) error {
	if err := s.apply(ctx, "web.yaml"); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"kubectl", "-n", "shop", "get", "deployment", "web", "-o",
			`jsonpath={.spec.template.metadata.annotations.sysctl-injector\.dev/sysctls}`},
		{"kubectl", "-n", "shop", "rollout", "status", "deployment/web", "--timeout=60s"},
		{"kubectl", "-n", "shop", "get", "pods", "-l", "app=web"},
	} {
		if _, err := s.run(ctx, args...); err != nil {
			return err
		}
	}
	s.Say("Its pods have one container more, in front, and its service account may have that one with these two " +
		"sysctls alone:")
	return s.expect(ctx, `sysctl -w ["net.core.somaxconn=32768","net.ipv4.ip_local_port_range=32768 65535"]`,
		"kubectl", "-n", "shop", "get", "pods", "-l", "app=web", "-o",
		`jsonpath={.items[0].spec.initContainers[0].command[*]} {.items[0].spec.initContainers[0].args}`)
}

func (s *story) inside(ctx context.Context) error {
	exec := func(args ...string) []string {
		return append([]string{"kubectl", "-n", "shop", "exec", "deploy/web", "-c", "web", "--"}, args...)
	}
	if err := s.expect(ctx, "net.core.somaxconn = 32768 net.ipv4.ip_local_port_range = 32768 65535",
		exec("sysctl", "net.core.somaxconn", "net.ipv4.ip_local_port_range")...); err != nil {
		return err
	}
	s.Say("It has no privilege, and cannot get any:")
	if err := s.expect(ctx, "Uid: 1000 1000 1000 1000 CapEff: 0000000000000000 NoNewPrivs: 1",
		exec("grep", "-E", "^(Uid|CapEff|NoNewPrivs):", "/proc/self/status")...); err != nil {
		return err
	}
	return s.rejected(ctx, "Read-only file system", exec("sysctl", "-w", "net.core.somaxconn=1")...)
}

// unchanged checks that the sysctls of the machine and the node are as before.
func (s *story) unchanged(ctx context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(s.host)) {
		value, err := hostValue(name)
		if err != nil {
			return err
		}
		if value != s.host[name] {
			return fmt.Errorf("this machine's %s was %q and is %q", name, s.host[name], value)
		}
		onNode, err := s.output(ctx, "cat", "/proc/sys/"+strings.ReplaceAll(name, ".", "/"))
		if err != nil {
			return err
		}
		s.Say("%-30s before %-12s now %-12s on the node %s", name, s.host[name], value,
			strings.Join(strings.Fields(onNode), " "))
	}
	return nil
}

func (s *story) nodeLevel(ctx context.Context) error {
	return s.rejected(ctx, "NodeLevel", "kubectl", "apply", "-f", manifests+"search.yaml")
}

func (s *story) guest(ctx context.Context) error {
	if s.noGuest != "" {
		s.Say("Not shown: %s", s.noGuest)
		return nil
	}
	s.Say("Here that kernel is user-mode Linux: a Linux kernel, but a process of the node, and no isolation.")
	if err := s.apply(ctx, "guest-class.yaml"); err != nil {
		return err
	}
	// The guard in the API server sees the class a moment later.
	apply := []string{"kubectl", "apply", "-f", manifests + "search-guest.yaml"}
	err := await.Answer(ctx, "the guard to know the RuntimeClass", pace, patience,
		func(ctx context.Context) (string, bool) {
			output, err := s.output(ctx, apply...)
			if err == nil {
				s.Command(apply)
				s.Quote(output)
			}
			return output, err == nil
		})
	if err != nil {
		return err
	}
	if _, err := s.run(ctx, "kubectl", "-n", "shop", "wait", "--for=condition=Ready", "pod/search",
		"--timeout=60s"); err != nil {
		return err
	}
	if err := s.expect(ctx, "vm.max_map_count = 262144", "kubectl", "-n", "shop", "exec", "search", "-c", "search",
		"--", "sysctl", "vm.max_map_count"); err != nil {
		return err
	}
	return s.unchanged(ctx)
}
