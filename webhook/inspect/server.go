package inspect

import (
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// VersionLabel holds the version of what an object is a part of.
const VersionLabel = "app.kubernetes.io/version"

// Settings are the flags of a server that checks compare with the cluster.
type Settings struct {
	Image          string
	GuestHandlers  []string
	KubeletSysctls []string
	// Generate is set if the server applies grants. Backend is what they are for, and Grace how long unused ones are
	// kept.
	Generate bool
	Backend  string
	Grace    time.Duration
	// Source is where the certificate comes from, and Secret where it is.
	Source, Secret string
	Version        string
	// Release is that of Helm; empty if the objects were applied otherwise.
	Release string
}

// releaseAnnotation is what Helm writes on what it installs.
const releaseAnnotation = "meta.helm.sh/release-name"

// AddReinstall adds the command to checks whose remedy is to install again.
func AddReinstall(checks []Check, namespace string, settings Settings) {
	command := "kubectl apply --server-side --force-conflicts -f deploy/install.yaml"
	if settings.Release != "" {
		command = fmt.Sprintf(
			"helm upgrade %s $CHART --namespace %s --reuse-values --force-conflicts",
			shellQuote(settings.Release), namespace)
	}
	for i := range checks {
		if checks[i].Remedy == reinstall {
			checks[i].Command = command
		}
	}
}

// SettingsOf reads the flags of the server's container. A flag that is missing has the server's default.
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
				s.KubeletSysctls = fields(value)
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

// Server is what a cluster has of the server.
type Server struct {
	Namespace string
	// Deployment is nil if there is none, and Lease too.
	Deployment *appsv1.Deployment
	Lease      *coordinationv1.Lease
	Endpoints  []discoveryv1.EndpointSlice
	// Version is that of the command that checks.
	Version string
	Now     time.Time
}

// JudgeDeployment judges how many servers run, and in which version.
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
			"no server is ready: pods that ask for sysctls are rejected").
			fix("their log says what they wait for:", log))
	case ready < wanted:
		checks = append(checks, QuestionReplicas.Warn(object, "%d of %s are ready", ready, counted(int(wanted),
			"server")).
			fix("the log of the others says what they wait for:", log))
	default:
		checks = append(checks, QuestionReplicas.Pass("%s ready", counted(int(ready), "server")))
	}
	if version != s.Version {
		return append(checks, QuestionServerVersion.Warn(object,
			"the server is %s, and this command is %s: what another version has otherwise is shown as a difference",
			version, s.Version).
			fix("use the command of the server's version, or upgrade the server", ""))
	}
	return append(checks, QuestionServerVersion.Pass("the server and this command are both %s", s.Version))
}

// JudgeEndpoints says whether the API server has a server to call.
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
			"the Service has no ready endpoint, so the API server reaches no server: "+
				"pods that ask for sysctls are rejected").
			fix("see why its pods are not ready:", fmt.Sprintf("kubectl -n %s get pods,endpointslices", s.Namespace))
	}
	return QuestionEndpoints.Pass("the Service has %s", counted(ready, "ready endpoint"))
}

// leaderGone is how many times its duration a Lease is old when nobody holds it any more.
const leaderGone = 3

// JudgeLeader says whether a server writes status and repairs grants.
func (s Server) JudgeLeader() Check {
	const object = "lease/sysctl-injector"
	log := fmt.Sprintf("kubectl -n %s logs deployment/sysctl-injector --all-pods", s.Namespace)
	const effect = "nobody writes the status of policies, or repairs and removes grants"
	switch lease := s.Lease; {
	case lease == nil || lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" ||
		lease.Spec.RenewTime == nil:
		return QuestionLeader.Warn(object, "no server is the leader: %s", effect).
			fix("the servers' log says why:", log)
	default:
		seconds := int32(15)
		if lease.Spec.LeaseDurationSeconds != nil {
			seconds = *lease.Spec.LeaseDurationSeconds
		}
		if age := s.Now.Sub(lease.Spec.RenewTime.Time); age > leaderGone*time.Duration(seconds)*time.Second {
			return QuestionLeader.Warn(object, "the leader, %s, last renewed its Lease %s ago: %s",
				*lease.Spec.HolderIdentity, age.Truncate(time.Second), effect).
				fix("the servers' log says why:", log)
		}
		return QuestionLeader.Pass("the leader is %s", *lease.Spec.HolderIdentity)
	}
}
