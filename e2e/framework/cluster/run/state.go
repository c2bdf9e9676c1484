package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/images"
	"github.com/sysctl-injector/sysctl-injector/e2e/tools"
)

// state is what a cluster's directory says about the cluster.
type state struct {
	Supervisor cluster.Identity `json:"supervisor"`
	Version    string           `json:"version"`
	Namespace  string           `json:"namespace,omitempty"`
	Kubeconfig string           `json:"kubeconfig"`
	Binaries   string           `json:"binaries"`
	Dir        string           `json:"dir"`
	Node       bool             `json:"node,omitempty"`
	// the chart, so that there are helm and the program of the checkout
	Installed bool `json:"installed,omitempty"`
}

func statePath(dir string) string { return filepath.Join(dir, "cluster.json") }

func (s state) logs() string { return filepath.Join(s.Dir, "logs") }

func readState(dir string) (state, error) {
	data, err := os.ReadFile(statePath(dir))
	if err != nil {
		return state{}, err
	}
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return state{}, fmt.Errorf("read %s: %w", statePath(dir), err)
	}
	return s, nil
}

func (s state) write() error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(statePath(s.Dir), append(data, '\n'), 0o600)
}

func (s state) remove() { _ = os.Remove(statePath(s.Dir)) }

// print says how to use the cluster, in commands that can be pasted.
func (s state) print(out io.Writer) {
	programs := s.Binaries
	if s.Installed {
		programs += string(os.PathListSeparator) + programsIn(s.Dir)
		if helm, err := tools.Find("helm"); err == nil {
			programs += string(os.PathListSeparator) + helm.Dir
		}
	}
	environment := fmt.Sprintf("KUBECONFIG=%s KUBECACHEDIR=%s PATH=%s:$PATH",
		s.Kubeconfig, filepath.Join(s.Dir, "kubectl-cache"), programs)
	enter, where := "env "+environment, "on this machine's loopback"
	if s.Namespace != "" {
		enter = fmt.Sprintf("nsenter --net=/run/netns/%s env %s", s.Namespace, environment)
		where = "in a network namespace of its own, so commands have to enter it"
	}
	fmt.Fprintf(out, `It runs %s. One command:

  %[2]s kubectl get namespaces

A shell in which kubectl just works:

  %[2]s bash

Logs: %s
`, where, enter, s.logs())
	if s.Installed {
		fmt.Fprintf(out, "sysctl-injector is installed, and in the PATH of that shell. What to try: helm -n %s "+
			"get notes %s\n", systemNamespace, images.Program)
	}
	if s.Node {
		fmt.Fprintf(out, "Pods run on its node; images on it: %s (imagePullPolicy: IfNotPresent)\n",
			strings.Join([]string{images.Busybox, images.App}, " and "))
	}
}
