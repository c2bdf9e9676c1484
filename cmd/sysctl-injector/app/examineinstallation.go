package app

import (
	"context"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/inspect"
)

func (e *examination) definitionChecks(ctx context.Context) error {
	wanted, err := inspect.Definitions()
	if err != nil {
		return err
	}
	installed, err := e.definitions(ctx, wanted)
	if err != nil {
		e.add(inspect.QuestionDefinition.Unread("the CRDs", err))
		return nil
	}
	e.add(inspect.JudgeDefinitions(installed, wanted, e.server.Minor())...)
	return nil
}

func (e *examination) webhookChecks(context.Context) error {
	if e.webhooksErr != nil {
		e.add(inspect.QuestionEntry.Unread("the webhook configurations", e.webhooksErr))
		return nil //nolint:nilerr // the check reports it
	}
	found, err := inspect.JudgeWebhooks(e.webhooks, e.server.Minor())
	e.add(found...)
	return err
}

func (e *examination) certificate(ctx context.Context) error {
	if !e.settingsKnown(inspect.QuestionCertificate) {
		return nil
	}
	secret := &corev1.Secret{}
	c := inspect.Certificate{Namespace: e.namespace, Secret: e.settings.Secret, Source: e.settings.Source, Now: e.now}
	var err error
	if c.Found, err = e.find(ctx, secret, e.namespace, c.Secret); err != nil {
		e.add(inspect.QuestionCertificate.Unread("the Secret with the certificate", err))
		return nil
	}
	c.Chain, c.CA = secret.Data[corev1.TLSCertKey], secret.Data["ca.crt"]
	if c.Source == inspect.CertManager {
		if c.NotReady, err = e.issued(ctx, e.namespace); err != nil {
			e.add(inspect.QuestionIssued.Unread("cert-manager's Certificate", err))
			c.NotReady = ""
		}
	}
	e.add(c.Judge()...)
	e.add(c.JudgeCABundles(e.webhooks)...)
	return nil
}

func (e *examination) serverChecks(ctx context.Context) error {
	s := inspect.Server{Namespace: e.namespace, Deployment: e.deployment, Version: e.version, Now: e.now}
	if e.deploymentErr != nil {
		e.add(inspect.QuestionReplicas.Unread("the Deployment", e.deploymentErr))
	} else {
		e.add(s.JudgeDeployment(e.settings.Version)...)
	}
	if e.deployment == nil && e.namespaceErr != nil {
		e.add(inspect.QuestionEndpoints.Unread("the installation", e.namespaceErr),
			inspect.QuestionLeader.Unread("the installation", e.namespaceErr))
		return nil //nolint:nilerr // the checks report it
	}
	var endpoints discoveryv1.EndpointSliceList
	if err := listAll(ctx, e.cluster, &endpoints, client.InNamespace(e.namespace),
		client.MatchingLabels{discoveryv1.LabelServiceName: "sysctl-injector"}); err != nil {
		e.add(inspect.QuestionEndpoints.Unread("the EndpointSlices", err))
	} else {
		s.Endpoints = endpoints.Items
		e.add(s.JudgeEndpoints())
	}
	lease := &coordinationv1.Lease{}
	found, err := e.find(ctx, lease, e.namespace, "sysctl-injector")
	if err != nil {
		e.add(inspect.QuestionLeader.Unread("the Lease", err))
		return nil
	}
	if found {
		s.Lease = lease
	}
	e.add(s.JudgeLeader())
	return nil
}

// rights checks the server's permissions and their limits.
func (e *examination) rights(ctx context.Context) error {
	if err := e.rbac(ctx); err != nil {
		return err
	}
	switch {
	case e.guardErr != nil:
		e.add(inspect.QuestionBounds.Unread("the ValidatingAdmissionPolicies", e.guardErr))
	case e.server.Served[inspect.ValidatingPolicies] && e.webhooksErr != nil:
		e.add(inspect.QuestionBounds.Unread("the webhook configurations, which a policy names,", e.webhooksErr))
	case e.server.Served[inspect.ValidatingPolicies]:
		bounds, err := inspect.Bounds(e.namespace, e.webhooks.Name())
		if err != nil {
			return err
		}
		e.add(inspect.JudgeBounds(e.guard, bounds)...)
	}
	return nil
}

func (e *examination) rbac(ctx context.Context) error {
	if !e.settingsKnown(inspect.QuestionRights) {
		return nil
	}
	r := inspect.Rights{Namespace: e.namespace}
	clusterRole, clusterRoleBinding, role, binding := &rbacv1.ClusterRole{}, &rbacv1.ClusterRoleBinding{},
		&rbacv1.Role{}, &rbacv1.RoleBinding{}
	for _, o := range []struct {
		object          client.Object
		namespace, name string
		found           func()
	}{
		{clusterRole, "", inspect.ServerName, func() { r.ClusterRole = clusterRole }},
		{clusterRoleBinding, "", inspect.ServerName, func() { r.ClusterRoleBinding = clusterRoleBinding }},
		{role, e.namespace, inspect.LeaderElection, func() { r.Role = role }},
		{binding, e.namespace, inspect.LeaderElection, func() { r.RoleBinding = binding }},
	} {
		found, err := e.find(ctx, o.object, o.namespace, o.name)
		if err != nil {
			e.add(inspect.QuestionRights.Unread("the server's RBAC objects", err))
			return nil
		}
		if found {
			o.found()
		}
	}
	checks, err := r.Judge(e.settings)
	e.add(checks...)
	return err
}

// guardChecks judges the guard, unless there can be none in the cluster, which JudgeKubernetes reports.
func (e *examination) guardChecks(context.Context) error {
	if !e.guardKnown(inspect.QuestionGuard) || !e.server.Served[inspect.ValidatingPolicies] {
		return nil
	}
	rendered, err := renderedGuard(e.server.Version, e.namespace, e.settings)
	if err != nil {
		// For some versions there is no guard, and JudgeKubernetes reports that.
		if _, none := renderedGuard(e.server.Version, e.namespace, defaultSettings()); none == nil {
			e.add(inspect.QuestionGuardSettings.Fail("deployment/sysctl-injector",
				"the guard is not compared, because flags of the server are invalid: %v", err))
		}
		return nil
	}
	e.guarding = &inspect.Guarding{Installed: e.guard, Rendered: rendered, Settings: e.settings,
		Kubernetes: e.server.Version, Namespace: e.namespace}
	e.add(e.guarding.Judge(e.namespaces, e.namespacesErr == nil)...)
	return nil
}

// guardKnown is like settingsKnown, for a check that needs the guard too. In a cluster that can have no guard, there
// is nothing to know.
func (e *examination) guardKnown(question inspect.Question) bool {
	switch {
	case !e.server.Served[inspect.ValidatingPolicies]:
		return true
	case e.guardErr != nil:
		e.add(question.Unread("the guard", e.guardErr))
		return false
	}
	return e.settingsKnown(question)
}

func (e *examination) rules(ctx context.Context) error {
	var policies v1alpha1.SysctlPolicyList
	var profiles v1alpha1.SysctlProfileList
	for _, list := range []client.ObjectList{&policies, &profiles} {
		switch err := listAll(ctx, e.cluster, list); {
		case meta.IsNoMatchError(err):
			return nil // the CRDs are missing, which another check reports
		case err != nil:
			e.add(inspect.QuestionReady.Unread("the policies and profiles", err))
			return nil
		}
	}
	e.add(inspect.JudgeRules(policies.Items, profiles.Items)...)
	return nil
}

func (e *examination) namespacesAndGrants(ctx context.Context) error {
	if e.namespacesErr != nil {
		e.add(inspect.QuestionNamespace.Unread("the namespaces", e.namespacesErr))
		return nil //nolint:nilerr // the check reports it
	}
	var checks []inspect.Check
	var err error
	if e.guarding != nil {
		checks, err = e.guarding.JudgeNamespaces(e.namespaces)
	} else {
		if e.guardKnown(inspect.QuestionUnguarded) {
			e.add(inspect.NoGuard())
		}
		checks, err = inspect.JudgeNamespaceKeys(e.namespaces)
	}
	if err != nil {
		return err
	}
	e.add(checks...)
	enrolled := sets.New[string]()
	for i := range e.namespaces {
		if e.namespaces[i].Labels[v1alpha1.InjectLabel] == v1alpha1.InjectEnabled {
			enrolled.Insert(e.namespaces[i].Name)
		}
	}
	return e.grants(ctx, enrolled)
}
