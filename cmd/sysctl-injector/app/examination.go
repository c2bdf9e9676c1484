package app

import (
	"context"
	"slices"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/inspect"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// examination is one run of the checks. It reads each shared object once. If that fails, it keeps the error, and each
// check that needs the object reports that it could not run.
type examination struct {
	*checkReader
	server    inspect.APIServer
	namespace string // of the installation
	// namespaceErr is why namespace is only the default, and may be wrong.
	namespaceErr error
	version      string // of this command
	now          time.Time

	webhooks      inspect.Webhooks
	webhooksErr   error
	guard         inspect.Guard
	guardErr      error
	guarding      *inspect.Guarding // set by guardChecks, unless there is no guard to compare with
	deployment    *appsv1.Deployment
	deploymentErr error            // if set, the settings are not known
	settings      inspect.Settings // the flags of the Deployment
	// namespaces are those with labels or annotations, except those that are being deleted.
	namespaces    []corev1.Namespace
	namespacesErr error

	checks []inspect.Check
}

func (e *examination) add(checks ...inspect.Check) { e.checks = append(e.checks, checks...) }

// readFirst reads the objects that show whether and where something is installed.
func (e *examination) readFirst(ctx context.Context) (err error) {
	var pods admissionregistrationv1.MutatingWebhookConfigurationList
	var workloads admissionregistrationv1.ValidatingWebhookConfigurationList
	for _, list := range []client.ObjectList{&pods, &workloads} {
		if e.webhooksErr = listAll(ctx, e.cluster, list); e.webhooksErr != nil {
			return nil //nolint:nilerr // the checks report what cannot be read
		}
	}
	e.webhooks, err = inspect.FindWebhooks(pods.Items, workloads.Items)
	return err
}

// isInstalled reports whether any part of an installation exists. An unreadable object counts as existing.
func (e *examination) isInstalled(ctx context.Context) (bool, error) {
	if e.webhooksErr != nil || e.webhooks.Mutating != nil {
		return true, nil //nolint:nilerr // the checks report what cannot be read
	}
	wanted, err := inspect.Definitions()
	if err != nil {
		return false, err
	}
	definitions, err := e.definitions(ctx, wanted)
	if err != nil || len(definitions) > 0 {
		return true, nil //nolint:nilerr // the same
	}
	found, err := e.find(ctx, &appsv1.Deployment{}, e.namespace, "sysctl-injector")
	return found || err != nil, nil
}

// beforeInstall checks what an install needs.
func (e *examination) beforeInstall(ctx context.Context, source string) error {
	e.settings = defaultSettings()
	e.add(inspect.JudgeKubernetes(e.server, "")...)
	e.add(inspect.JudgeCertManager(e.server, source)...)
	if err := e.permissions(ctx, source); err != nil {
		return err
	}
	return e.nodes(ctx)
}

// permissions checks whether the caller may install.
func (e *examination) permissions(ctx context.Context, source string) error {
	wanted := inspect.InstallPermissions(e.namespace, source)
	escalate, err := e.may(ctx, inspect.Escalate())
	if err == nil && !escalate {
		granted, err := inspect.GrantedPermissions()
		if err != nil {
			return err
		}
		wanted = append(wanted, granted...)
	}
	var denied []inspect.Permission
	for _, p := range wanted {
		allowed, asked := e.may(ctx, p)
		if asked != nil {
			err = asked
			break
		}
		if !allowed {
			denied = append(denied, p)
		}
	}
	if err != nil {
		e.add(inspect.QuestionPermissions.Unread("your permissions", err))
		return nil
	}
	e.add(inspect.JudgePermissions(len(wanted), denied, e.user(ctx))...)
	return nil
}

// settingsKnown reports whether the server's settings are known. If not, it adds the check that needs them as not run.
func (e *examination) settingsKnown(question inspect.Question) bool {
	if e.deploymentErr != nil {
		e.add(question.Unread("the settings of the server", e.deploymentErr))
	}
	return e.deploymentErr == nil
}

// defaultSettings are the settings of a server without flags.
func defaultSettings() inspect.Settings {
	return inspect.Settings{
		Image: form.DefaultImage(), GuestHandlers: policy.DefaultGuestHandlers(), Generate: true, Backend: "vap",
		Grace:  time.Hour,
		Source: inspect.CertManager, Secret: "sysctl-injector-tls",
	}
}

// nodes checks the nodes and their kubelets.
func (e *examination) nodes(ctx context.Context) error {
	var nodes corev1.NodeList
	if err := listAll(ctx, e.cluster, &nodes); err != nil {
		e.add(inspect.QuestionKernel.Unread("the nodes", err))
		return nil
	}
	var classes nodev1.RuntimeClassList
	err := listAll(ctx, e.cluster, &classes)
	if err != nil {
		e.add(inspect.QuestionRuntimeClass.Unread("the RuntimeClasses", err),
			inspect.QuestionGuests.Unread("the RuntimeClasses", err))
	}
	for i := range classes.Items {
		found, err := inspect.JudgeRuntimeClass(classes.Items[i].Name, &classes.Items[i])
		if err != nil {
			return err
		}
		e.add(found...)
	}
	e.add(inspect.Nodes{
		Nodes: nodes.Items, RuntimeClasses: classes.Items, GuestHandlers: e.settings.GuestHandlers,
		GuestsUnknown: err != nil || !e.settingsKnown(inspect.QuestionGuests),
		APIServer:     e.server.Minor(),
	}.Judge()...)
	if !e.settingsKnown(inspect.QuestionAllowed) {
		return nil
	}
	linux := slices.DeleteFunc(nodes.Items, func(node corev1.Node) bool {
		return node.Status.NodeInfo.OperatingSystem == "windows"
	})
	kubelets, err := e.kubelets(ctx, linux)
	if err != nil {
		e.add(inspect.QuestionAllowed.Unread("the configuration of the kubelets", err))
		return nil
	}
	e.add(inspect.JudgeKubelets(e.settings.KubeletSysctls, kubelets)...)
	return nil
}

// afterInstall checks an installation.
func (e *examination) afterInstall(ctx context.Context) error {
	e.readCommon(ctx)
	e.add(inspect.JudgeKubernetes(e.server, e.settings.Backend)...)
	for _, step := range []func(context.Context) error{
		e.nodes, e.definitionChecks, e.webhookChecks, e.certificate, e.serverChecks, e.rights, e.guardChecks, e.rules,
		e.namespacesAndGrants,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// readCommon reads what several checks need: the Deployment with its flags, the guard's policies, and the namespaces.
func (e *examination) readCommon(ctx context.Context) {
	e.settings = defaultSettings()
	deployment := &appsv1.Deployment{}
	var found bool
	if found, e.deploymentErr = e.find(ctx, deployment, e.namespace, "sysctl-injector"); found {
		e.deployment = deployment
		e.settings = inspect.SettingsOf(deployment, e.settings)
	} else if e.deploymentErr == nil {
		e.deploymentErr = e.namespaceErr
	}
	if e.deploymentErr != nil {
		e.settings.Backend = "" // unknown, like the other settings
	}
	if e.server.Served[inspect.ValidatingPolicies] {
		e.guard, e.guardErr = installedGuard(ctx, e.cluster)
	}
	e.namespacesErr = eachItem(ctx, e.cluster, &corev1.NamespaceList{}, func(item runtime.Object) error {
		if namespace, ok := item.(*corev1.Namespace); ok && namespace.DeletionTimestamp == nil &&
			len(namespace.Labels)+len(namespace.Annotations) > 0 {
			namespace.ManagedFields = nil
			e.namespaces = append(e.namespaces, *namespace)
		}
		return nil
	})
}
