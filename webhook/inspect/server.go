package inspect

import (
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/form"
)

// VersionLabel holds the version of the installation that an object belongs to.
const VersionLabel = "app.kubernetes.io/version"

// Settings are the flags of a server that checks compare with the cluster.
type Settings struct {
	Image          string
	GuestHandlers  []string
	KubeletSysctls []string
	// Generate is set if the server applies grants. Backend is their kind, and Grace is how long unused grants are
	// kept.
	Generate bool
	Backend  string
	Grace    time.Duration
	// Source is the source of the certificate, and Secret is the name of its Secret.
	Source, Secret string
	Version        string
	// Release is the Helm release; empty without Helm.
	Release string
}

// releaseAnnotation is an annotation that Helm writes.
const releaseAnnotation = "meta.helm.sh/release-name"

// AddReinstall adds the command to checks with the remedy reinstall.
func AddReinstall(checks []Check, namespace string, settings Settings) {
	command := "kubectl apply --server-side --force-conflicts -f deploy/install.yaml"
	if settings.Release != "" {
		// --reuse-values would leave out the defaults that a newer chart adds.
		command = fmt.Sprintf(
			"helm upgrade %s $CHART --namespace %s --reset-then-reuse-values --force-conflicts",
			shellQuote(settings.Release), namespace)
	}
	for i := range checks {
		if checks[i].Remedy == reinstall {
			checks[i].Command = command
		}
	}
}

// SettingsOf reads the flags of the server's container. A missing flag has the server's default.
func SettingsOf(deployment *appsv1.Deployment, defaults Settings) Settings {
	s := defaults
	pod := deployment.Spec.Template
	s.Version = pod.Labels[VersionLabel]
	if s.Version == "" {
		s.Version = deployment.Labels[VersionLabel]
	}
	s.Source, s.Release = ExistingSecret, deployment.Annotations[releaseAnnotation]
	for _, volume := range pod.Spec.Volumes {
		if volume.Name == "tls" && volume.Secret != nil {
			s.Secret = volume.Secret.SecretName
		}
	}
	for _, container := range pod.Spec.Containers {
		for _, arg := range slices.Concat(container.Command, container.Args) {
			name, value, _ := strings.Cut(arg, "=")
			switch name {
			case "--init-image":
				s.Image = value
			case "--guest-handlers":
				s.GuestHandlers = fields(value)
			case "--kubelet-sysctls":
				s.KubeletSysctls = dotted(fields(value))
			case "--grants":
				s.Generate = value != "require"
			case "--grants-backend":
				s.Backend = value
			case "--grants-grace-period":
				if grace, err := time.ParseDuration(value); err == nil {
					s.Grace = grace
				}
			case "--certificate":
				s.Source = CertManager
			case "--cert-source":
				if value == SelfManaged {
					s.Source, s.Secret = SelfManaged, defaults.Secret
				}
			}
		}
	}
	return s
}

func fields(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// dotted returns patterns in dot form. The server takes them with slashes too.
func dotted(patterns []string) []string {
	for i, text := range patterns {
		if pattern, err := form.ParseKubeletSysctl(text); err == nil {
			patterns[i] = pattern.String()
		}
	}
	return patterns
}

// Server holds the server's objects in a cluster.
type Server struct {
	Namespace string
	// Deployment and Lease are nil if they do not exist.
	Deployment *appsv1.Deployment
	Lease      *coordinationv1.Lease
	Endpoints  []discoveryv1.EndpointSlice
	// Version is the version of the running command.
	Version string
	Now     time.Time
}

// JudgeDeployment judges the number of ready servers and their version.
func (s Server) JudgeDeployment(version string) []Check {
	const object = "deployment/sysctl-injector"
	if s.Deployment == nil {
		return []Check{QuestionReplicas.Fail(object, "there is no Deployment %q in namespace %s", "sysctl-injector",
			s.Namespace).
			fix(reinstall, "")}
	}
	wanted := int32(1)
	if s.Deployment.Spec.Replicas != nil {
		wanted = *s.Deployment.Spec.Replicas
	}
	ready, log := s.Deployment.Status.ReadyReplicas, fmt.Sprintf(
		"kubectl -n %s logs deployment/sysctl-injector --all-pods", s.Namespace)
	var checks []Check
	switch {
	case ready == 0:
		checks = append(checks, QuestionReplicas.Fail(object,
			"no server is ready: pods that request sysctls are rejected").
			fix("their log shows what they wait for:", log))
	case ready < wanted:
		checks = append(checks, QuestionReplicas.Warn(object, "%d of %s are ready", ready, counted(int(wanted),
			"server", "servers")).
			fix("the log of the others shows what they wait for:", log))
	default:
		checks = append(checks, QuestionReplicas.Pass("%s ready", counted(int(ready), "server", "servers")))
	}
	if version != s.Version {
		return append(checks, QuestionServerVersion.Warn(object,
			"the server is %s, but this command is %s: changes between the versions appear as differences",
			version, s.Version).
			fix("use the command of the server's version, or upgrade the server", ""))
	}
	return append(checks, QuestionServerVersion.Pass("the server and this command are both %s", s.Version))
}

// JudgeEndpoints checks whether the Service has a ready endpoint.
func (s Server) JudgeEndpoints() Check {
	ready := 0
	for _, slice := range s.Endpoints {
		for _, endpoint := range slice.Endpoints {
			if endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready {
				ready++
			}
		}
	}
	if ready == 0 {
		return QuestionEndpoints.Fail("service/sysctl-injector",
			"the Service has no ready endpoint, so the API server cannot reach a server: "+
				"pods that request sysctls are rejected").
			fix("see why its pods are not ready:", fmt.Sprintf("kubectl -n %s get pods,endpointslices", s.Namespace))
	}
	return QuestionEndpoints.Pass("the Service has %s", counted(ready, "ready endpoint", "ready endpoints"))
}

// leaderGone is the age, in multiples of its duration, from which a Lease counts as abandoned.
const leaderGone = 3

// JudgeLeader checks whether a server is the leader, which writes status and repairs grants.
func (s Server) JudgeLeader() Check {
	const object = "lease/sysctl-injector"
	log := fmt.Sprintf("kubectl -n %s logs deployment/sysctl-injector --all-pods", s.Namespace)
	const effect = "no server writes the status of policies, or repairs and removes grants"
	switch lease := s.Lease; {
	case lease == nil || lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" ||
		lease.Spec.RenewTime == nil:
		return QuestionLeader.Warn(object, "no server is the leader: %s", effect).
			fix("the log of the servers shows why:", log)
	default:
		seconds := int32(15)
		if lease.Spec.LeaseDurationSeconds != nil {
			seconds = *lease.Spec.LeaseDurationSeconds
		}
		if age := s.Now.Sub(lease.Spec.RenewTime.Time); age > leaderGone*time.Duration(seconds)*time.Second {
			return QuestionLeader.Warn(object, "the leader, %s, last renewed its Lease %s ago: %s",
				*lease.Spec.HolderIdentity, age.Truncate(time.Second), effect).
				fix("the log of the servers shows why:", log)
		}
		return QuestionLeader.Pass("the leader is %s", *lease.Spec.HolderIdentity)
	}
}
