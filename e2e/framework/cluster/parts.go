package cluster

import (
	"path/filepath"
	"strconv"
)

// stages lists the parts in the order of their start. A node's come along with those of the control plane that they
// do not wait for.
func (c *Cluster) stages(f files, config Config) []stage {
	stages := []stage{
		{c.etcd(f)},
		{c.apiServer(f, config.APIServerArgs)},
		{c.controllerManager(f, config.ControllerManagerArgs), c.scheduler(f, config.SchedulerArgs)},
	}
	for _, node := range c.nodes {
		for i, part := range node.parts() {
			stages[i] = append(stages[i], part)
		}
	}
	return stages
}

func (c *Cluster) etcd(f files) part {
	client := "http://" + hostPort("127.0.0.1", c.ports.etcdClient)
	peer := "http://" + hostPort("127.0.0.1", c.ports.etcdPeer)
	return part{
		name: "etcd",
		path: c.binaries.Etcd,
		args: []string{
			"--name=default",
			"--data-dir=" + f.etcd,
			"--listen-client-urls=" + client,
			"--advertise-client-urls=" + client,
			"--listen-peer-urls=" + peer,
			"--initial-advertise-peer-urls=" + peer,
			"--initial-cluster=default=" + peer,
			"--snapshot-count=10000", // otherwise the history of a long run stays in memory
		},
		ready: []check{answers(c.client(), client+"/health")},
	}
}

func (c *Cluster) apiServer(f files, extra []string) part {
	args := []string{
		"--etcd-servers=http://" + hostPort("127.0.0.1", c.ports.etcdClient),
		"--secure-port=" + strconv.Itoa(c.ports.apiServer),
		"--tls-cert-file=" + filepath.Join(f.pki, servingCert),
		"--tls-private-key-file=" + filepath.Join(f.pki, servingKey),
		"--client-ca-file=" + filepath.Join(f.pki, caCert),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + filepath.Join(f.pki, serviceAccountPublic),
		"--service-account-signing-key-file=" + filepath.Join(f.pki, serviceAccountKey),
		"--service-cluster-ip-range=" + serviceNetwork,
		"--authorization-mode=Node,RBAC",
		"--allow-privileged=true",
		// Webhooks that name a service are called at its endpoints, so no kube-proxy is needed.
		"--enable-aggregator-routing=true",
		// Otherwise logs and exec look up the node's name, and there is no DNS here.
		"--kubelet-preferred-address-types=InternalIP",
		"--audit-policy-file=" + filepath.Join(f.pki, auditPolicyFile),
		"--audit-log-path=" + c.AuditLogPath(),
		// In megabytes. Tests read the log by position, so it must not rotate in a run, as it otherwise does at 100 MB.
		// 0 means never only since Kubernetes 1.36.
		"--audit-log-maxsize=100000",
	}
	if c.Namespace() != "" {
		args = append(args, "--bind-address=0.0.0.0", "--advertise-address="+nodeAddress)
	} else {
		// A loopback address may not be an endpoint of the service kubernetes.default; it gets none.
		args = append(args, "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
			"--endpoint-reconciler-type=none")
	}
	if len(c.nodes) > 0 {
		args = append(args,
			"--kubelet-client-certificate="+filepath.Join(f.pki, kubeletClientCert),
			"--kubelet-client-key="+filepath.Join(f.pki, kubeletClientKey),
			"--kubelet-certificate-authority="+filepath.Join(f.pki, caCert),
		)
	}
	return part{
		name:  "kube-apiserver",
		path:  c.binaries.Path("kube-apiserver"),
		args:  append(args, extra...),
		ready: []check{answers(c.admin, c.config.Host+"/readyz")},
	}
}

func (c *Cluster) controllerManager(f files, extra []string) part {
	args := []string{
		"--kubeconfig=" + filepath.Join(f.pki, controllerManagerKubeconfig),
		"--bind-address=127.0.0.1",
		"--secure-port=" + strconv.Itoa(c.ports.controllerManager),
		"--tls-cert-file=" + filepath.Join(f.pki, servingCert),
		"--tls-private-key-file=" + filepath.Join(f.pki, servingKey),
		"--root-ca-file=" + filepath.Join(f.pki, caCert),
		"--service-account-private-key-file=" + filepath.Join(f.pki, serviceAccountKey),
		"--use-service-account-credentials=true",
		"--leader-elect=false",
		// At the usual 20 calls a second the controllers' own tokens alone take four seconds at the start.
		"--kube-api-qps=1000",
		"--kube-api-burst=1000",
	}
	return part{
		name: "kube-controller-manager",
		path: c.binaries.Path("kube-controller-manager"),
		args: append(args, extra...),
		ready: []check{
			answers(c.client(), "https://"+hostPort("127.0.0.1", c.ports.controllerManager)+"/healthz"),
			// Pods can be created in a namespace only after this controller has created its service account.
			answers(c.admin, c.config.Host+"/api/v1/namespaces/default/serviceaccounts/default"),
		},
	}
}

func (c *Cluster) scheduler(f files, extra []string) part {
	args := []string{
		"--kubeconfig=" + filepath.Join(f.pki, schedulerKubeconfig),
		"--bind-address=127.0.0.1",
		"--secure-port=" + strconv.Itoa(c.ports.scheduler),
		"--tls-cert-file=" + filepath.Join(f.pki, servingCert),
		"--tls-private-key-file=" + filepath.Join(f.pki, servingKey),
		"--leader-elect=false",
	}
	return part{
		name:  "kube-scheduler",
		path:  c.binaries.Path("kube-scheduler"),
		args:  append(args, extra...),
		ready: []check{answers(c.client(), "https://"+hostPort("127.0.0.1", c.ports.scheduler)+"/healthz")},
	}
}
