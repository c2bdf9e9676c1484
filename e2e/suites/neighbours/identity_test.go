package neighbours_test

import (
	"encoding/csv"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// The identities of the pods' service account.
const (
	roleARN  = "arn:aws:iam::111122223333:role/uploader"
	clientID = "00000000-0000-0000-0000-000000000001"
	tenantID = "00000000-0000-0000-0000-000000000002"
)

// eksRoles makes the changes of aws/amazon-eks-pod-identity-webhook for a service account with a role:
// pkg/handler/handler.go, getPodSpecPatch and addEnvToContainer, with the flags that EKS sets.
var eksRoles = neighbour{
	name: "amazon-eks-pod-identity-webhook, roles of service accounts", spares: true,
	change: func(pod *corev1.Pod) {
		changeForEKS(pod, eksConfig{
			volume: "aws-iam-token", audience: "sts.amazonaws.com", path: "token",
			mountPath: "/var/run/secrets/eks.amazonaws.com/serviceaccount",
			env: []corev1.EnvVar{
				{Name: "AWS_ROLE_ARN", Value: roleARN},
				{Name: "AWS_WEB_IDENTITY_TOKEN_FILE", Value: "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"},
			},
		})
	},
}

// eksPodIdentity makes the changes of the same webhook for EKS Pod Identity: the branch with
// ContainerCredentialsPatchConfig (pkg/containercredentials/config.go).
var eksPodIdentity = neighbour{
	name: "amazon-eks-pod-identity-webhook, EKS Pod Identity", spares: true,
	change: func(pod *corev1.Pod) {
		if pod.Labels == nil {
			pod.Labels = map[string]string{}
		}
		pod.Labels["eks.amazonaws.com/pod-identity"] = "enabled"
		const mountPath = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount"
		changeForEKS(pod, eksConfig{
			volume: "eks-pod-identity-token", audience: "pods.eks.amazonaws.com", path: "eks-pod-identity-token",
			mountPath: mountPath,
			env: []corev1.EnvVar{
				{Name: "AWS_CONTAINER_CREDENTIALS_FULL_URI", Value: "http://169.254.170.23/v1/credentials"},
				{Name: "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", Value: mountPath + "/eks-pod-identity-token"},
			},
		})
	},
}

type eksConfig struct {
	volume, audience, path, mountPath string
	env                               []corev1.EnvVar
}

func changeForEKS(pod *corev1.Pod, config eksConfig) {
	skipped, _ := csv.NewReader(strings.NewReader(pod.Annotations["eks.amazonaws.com/skip-containers"])).Read()
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			if c := &list[i]; !slices.Contains(skipped, c.Name) {
				addEnv(c, corev1.EnvVar{Name: "AWS_STS_REGIONAL_ENDPOINTS", Value: "regional"})
				addEnv(c, corev1.EnvVar{Name: "AWS_DEFAULT_REGION", Value: "eu-central-1"},
					corev1.EnvVar{Name: "AWS_REGION", Value: "eu-central-1"})
				addEnv(c, config.env...)
				addMount(c, corev1.VolumeMount{Name: config.volume, ReadOnly: true, MountPath: config.mountPath})
			}
		}
	}
	addVolume(pod, tokenVolume(config.volume, config.audience, config.path, 86400), 0)
}

// azureIdentity makes the changes of Azure/azure-workload-identity: pkg/webhook/webhook.go, Handle, mutateContainers
// and addProjectedVolume.
var azureIdentity = neighbour{
	name: "azure-workload-identity", change: changeForAzure, spares: true,
	notice: func(pod *corev1.Pod) { pod.Labels["azure.workload.identity/use"] = "true" },
}

// azureProxy makes also its changes for a pod with the annotation inject-proxy-sidecar: injectProxyInitContainer and
// injectProxySidecarContainer, which prepends a native sidecar.
var azureProxy = neighbour{
	name: "azure-workload-identity with its proxy", spares: true,
	change: func(pod *corev1.Pod) {
		appendInit(pod, corev1.Container{Name: "azwi-proxy-init", Image: "mcr.microsoft.com/proxy-init",
			Env: []corev1.EnvVar{{Name: "PROXY_PORT", Value: "8000"}}})
		prependInit(pod, corev1.Container{
			Name: "azwi-proxy", Image: "mcr.microsoft.com/proxy", Args: []string{"--proxy-port=8000"},
			RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways),
			Lifecycle: &corev1.Lifecycle{PostStart: &corev1.LifecycleHandler{
				Exec: &corev1.ExecAction{Command: []string{"/proxy", "--proxy-port=8000", "--probe"}},
			}},
		})
		changeForAzure(pod)
	},
	notice: azureIdentity.notice,
}

func changeForAzure(pod *corev1.Pod) {
	const volume, mountPath = "azure-workload-identity-reserved-0123456789", "/var/run/secrets/azure/wi"
	var skipped []string
	for name := range strings.SplitSeq(pod.Annotations["azure.workload.identity/skip-containers"], ";") {
		skipped = append(skipped, strings.TrimSpace(name))
	}
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			c := &list[i]
			if slices.Contains(skipped, c.Name) {
				continue
			}
			for _, env := range []corev1.EnvVar{
				{Name: "AZURE_CLIENT_ID", Value: clientID},
				{Name: "AZURE_TENANT_ID", Value: tenantID},
				{Name: "AZURE_FEDERATED_TOKEN_FILE", Value: mountPath + "/token/azure-identity-token"},
				{Name: "AZURE_AUTHORITY_HOST", Value: "https://login.microsoftonline.com/"},
			} {
				addEnv(c, env)
			}
			addMount(c, corev1.VolumeMount{Name: volume, ReadOnly: true, MountPath: mountPath})
		}
	}
	addVolume(pod, tokenVolume(volume, "api://AzureADTokenExchange", "token/azure-identity-token", 3600),
		len(pod.Spec.Volumes))
}

func tokenVolume(name, audience, path string, expiration int64) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
			Audience: audience, ExpirationSeconds: &expiration, Path: path,
		}}},
	}}}
}

// addEnv adds variables unless the container has one of them.
func addEnv(c *corev1.Container, add ...corev1.EnvVar) {
	for _, env := range add {
		if slices.ContainsFunc(c.Env, func(present corev1.EnvVar) bool { return present.Name == env.Name }) {
			return
		}
	}
	c.Env = append(c.Env, add...)
}

func addMount(c *corev1.Container, add corev1.VolumeMount) {
	if !slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == add.Name }) {
		c.VolumeMounts = append(c.VolumeMounts, add)
	}
}

func addVolume(pod *corev1.Pod, add corev1.Volume, at int) {
	if !slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == add.Name }) {
		pod.Spec.Volumes = slices.Insert(pod.Spec.Volumes, at, add)
	}
}
