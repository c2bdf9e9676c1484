package injection

import (
	"slices"
	"strings"

	jsonpatch "gomodules.xyz/jsonpatch/v2"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
)

// identityWebhook gives every container of a pod a cloud identity: variables and a mount. The injected container
// needs none, and may have none. An annotation of the pod names the containers that such a webhook leaves alone.
type identityWebhook struct {
	annotation entry
	separator  string
	// uses reports whether the webhook changes a pod.
	uses func(*pod.Pod) bool
}

// identityWebhooks are known by what they leave in a pod, or look for in it. EKS's webhook looks for the service
// account's role, which is not in the pod. But its name comes before ours, so that a pod has its volume by then; the
// API server asks it again about the container that is added, and it finds the annotation.
var identityWebhooks = []identityWebhook{
	{
		annotation: newEntry("/metadata/annotations", pod.EKSSkipAnnotation),
		separator:  ",",
		uses:       func(p *pod.Pod) bool { return p.HasVolume("aws-iam-token", "eks-pod-identity-token") },
	},
	{
		annotation: newEntry("/metadata/annotations", pod.AzureSkipAnnotation),
		separator:  ";",
		uses:       func(p *pod.Pod) bool { return p.AzureIdentity },
	},
}

// skipIdentity has the identity webhooks that a pod uses leave the injected container alone.
func skipIdentity(p *pod.Pod) []jsonpatch.Operation {
	var ops []jsonpatch.Operation
	for _, w := range identityWebhooks {
		if !w.uses(p) {
			continue
		}
		listed := strings.TrimSpace(p.SkipAnnotations[w.annotation.key])
		switch {
		case listed == "":
			ops = append(ops, w.annotation.add(p.HasAnnotations, v1alpha1.ContainerName))
		case !slices.Contains(strings.Split(listed, w.separator), v1alpha1.ContainerName):
			listed = strings.TrimSuffix(listed, w.separator)
			ops = append(ops, w.annotation.add(p.HasAnnotations, listed+w.separator+v1alpha1.ContainerName))
		}
	}
	return ops
}
