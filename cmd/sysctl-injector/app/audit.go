package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/sets"
	psaapi "k8s.io/pod-security-admission/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/audit"
	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
	"github.com/sysctl-injector/sysctl-injector/webhook/inspect"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/workload"
)

type auditOptions struct {
	scopeOptions
	objectOptions
	containerOptions
	output string
}

func newAuditCommand() *cobra.Command {
	o := &auditOptions{}
	cmd := &cobra.Command{
		Use:   "audit [-n NAMESPACE | -A]",
		Short: "Report which workloads of a cluster set sysctls by hand, and what convert would change",
		Long: `Report which workloads of a cluster set sysctls by hand, and what convert would change.

The command reads with your permissions and never writes. It reads the pod templates of Deployments,
StatefulSets, DaemonSets, ReplicaSets, CronJobs, Jobs and ReplicationControllers, pods without an
owner, and the pods and ReplicaSets of custom resources. It reports:

  - containers that set sysctls
  - native sysctls that kubelets reject unless a flag allows them
  - namespaces that are open to privileged pods for no other reason

The SysctlPolicies and SysctlProfiles of the cluster, or the policies of --policy, decide what
convert --native would change. If the cluster does not have these kinds, or you may not list them,
the built-in default policy decides. The report says which policies were used.

If you may not list a kind of object, standard error and the report name it, and the exit code is 1.
Then, and with -l, the command judges no namespaces, because it does not see all of their workloads.`,
		Example: `  sysctl-injector audit -A
  sysctl-injector audit -n shop -o json
  sysctl-injector audit -A -o html > audit.html`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	o.scopeOptions.addFlags(cmd, "workloads")
	o.addPolicyFlag(cmd)
	o.containerOptions.addFlags(cmd)
	addOutputFlag(cmd, &o.output, outputTable, outputTable, outputJSON, outputHTML)
	return cmd
}

func (o *auditOptions) run(cmd *cobra.Command) error {
	namespace, selector, err := o.scope()
	if err != nil {
		return err
	}
	cluster, version, err := o.client()
	if err != nil {
		return err
	}
	look := &survey{
		cluster: cluster, namespace: namespace, selector: selector, guests: sets.New(o.guestHandlers...),
		progress: progressOn(cmd.ErrOrStderr()), classes: map[string]*nodev1.RuntimeClass{},
	}
	o.decideFor(version)
	if look.injector, err = o.injector(); err != nil {
		return err
	}
	var policies string
	if look.rules, policies, err = o.rules(cmd, cluster); err != nil {
		return err
	}
	if look.auditor, err = audit.New(look.rejection, look.injector.KubeletsAllow,
		inspect.StandardsVersion(version)); err != nil {
		return err
	}
	if err := look.run(cmd.Context()); err != nil {
		return err
	}
	report := look.auditor.Report(look.notJudged())
	report.Kubernetes, report.Time, report.Incomplete = version, time.Now().UTC().Truncate(time.Second), look.unread.texts
	report.Cluster, report.Policies = o.clusterName(), policies
	if err := o.print(cmd.OutOrStdout(), report); err != nil {
		return err
	}
	if len(look.unread.errs) > 0 {
		return fmt.Errorf("the report is incomplete: %w", errors.Join(look.unread.errs...))
	}
	return nil
}

// survey reads the workloads of a cluster, one page at a time.
type survey struct {
	cluster   client.Client
	auditor   *audit.Auditor
	namespace string // empty: all namespaces
	selector  labels.Selector
	injector  *injection.Injector
	rules     *policy.Set
	guests    sets.Set[string] // RuntimeClass handlers
	classes   map[string]*nodev1.RuntimeClass
	// classesErr is why the RuntimeClasses could not be listed. It matters only if a workload names one.
	classesErr error
	progress   func(text string)
	unread     unread
}

func (s *survey) run(ctx context.Context) error {
	defer s.progress("")
	if err := s.runtimeClasses(ctx); err != nil {
		return err
	}
	if err := s.namespaces(ctx); err != nil {
		return err
	}
	for _, kind := range workload.Kinds {
		if kind.NewList == nil {
			continue
		}
		seen := 0
		err := eachItem(ctx, s.cluster, kind.NewList(), func(item runtime.Object) error {
			if seen++; seen%pageSize == 1 {
				s.progress(fmt.Sprintf("Looking at objects of kind %s: %d", kind.Kind, seen-1))
			}
			return s.add(&kind, item)
		}, client.InNamespace(s.namespace), client.MatchingLabelsSelector{Selector: s.selector})
		if err := s.mayBeForbidden(kind.Kind, err); err != nil {
			return err
		}
	}
	return nil
}

// notJudged returns why the survey cannot judge namespaces; "" if it read all of their workloads.
func (s *survey) notJudged() string {
	switch {
	case !s.selector.Empty():
		return "-l selects only some of their workloads"
	case len(s.unread.texts) > 0:
		return "some of their workloads may be missing, because not everything could be listed"
	}
	return ""
}

// mayBeForbidden records an error of missing permission, and returns any other error.
func (s *survey) mayBeForbidden(kind string, err error) error {
	return s.unread.mayBeForbidden("objects of kind "+kind, err)
}

func (s *survey) runtimeClasses(ctx context.Context) error {
	err := eachItem(ctx, s.cluster, &nodev1.RuntimeClassList{}, func(item runtime.Object) error {
		class, ok := item.(*nodev1.RuntimeClass)
		if ok {
			s.classes[class.Name] = class
		}
		return nil
	})
	if apierrors.IsForbidden(err) {
		s.classesErr, err = err, nil
	}
	return err
}

// namespaces gives the auditor the labels of the namespaces.
func (s *survey) namespaces(ctx context.Context) error {
	if s.namespace != "" {
		namespace := &corev1.Namespace{}
		err := s.cluster.Get(ctx, client.ObjectKey{Name: s.namespace}, namespace)
		if err == nil {
			s.auditor.AddNamespace(namespace.Name, namespace.Labels)
		}
		return s.mayBeForbidden("Namespace", err)
	}
	err := eachItem(ctx, s.cluster, &corev1.NamespaceList{}, func(item runtime.Object) error {
		if namespace, ok := item.(*corev1.Namespace); ok {
			s.auditor.AddNamespace(namespace.Name, namespace.Labels)
		}
		return nil
	})
	return s.mayBeForbidden("Namespace", err)
}

// add audits one object, unless it audits the object's owner.
func (s *survey) add(kind *workload.Kind, item runtime.Object) error {
	object, err := meta.Accessor(item)
	if err != nil {
		return err
	}
	template := kind.PodTemplate(item)
	if template == nil {
		return nil
	}
	w := audit.Workload{Namespace: object.GetNamespace(), Kind: kind.Kind, Name: object.GetName(), Template: template}
	if class := template.Spec.RuntimeClassName; class != nil {
		if err := s.mayBeForbidden("RuntimeClass", s.classesErr); err != nil {
			return err
		}
		s.classesErr = nil // reported once
		w.Guest = policy.KernelOf(s.classes[*class], s.guests) == v1alpha1.GuestKernel
	}
	owner := metav1.GetControllerOf(object)
	switch {
	case owner == nil, owner.Kind == "Node" && owner.APIVersion == "v1": // a static pod
	case workload.Find(owner.APIVersion, owner.Kind) != nil:
		return nil
	default:
		w.Kind, w.Name, w.Shared = owner.Kind, owner.Name, true
	}
	return s.auditor.Add(w)
}

// rejection is the webhook's own decision on a converted pod, as if its namespace were enrolled.
func (s *survey) rejection(w audit.Workload, namespaceLabels map[string]string, converted []byte) string {
	p, err := pod.Decode(converted)
	if err != nil {
		return err.Error()
	}
	labelled := maps.Clone(namespaceLabels)
	if labelled == nil {
		labelled = map[string]string{}
	}
	labelled[corev1.LabelMetadataName] = w.Namespace
	labelled[v1alpha1.InjectLabel] = v1alpha1.InjectEnabled
	delete(labelled, psaapi.EnforceLevelLabel) // enroll changes it
	target := injection.Target{
		Namespace: w.Namespace, NamespaceLabels: labelled, RuntimeClass: s.classes[p.RuntimeClass],
	}
	after := s.injector.Inject(p, target, s.rules)
	if after.IsDenied() {
		return "the webhook would reject the pod: " + after.Message()
	}
	before, err := pod.FromTyped(&corev1.Pod{ObjectMeta: w.Template.ObjectMeta, Spec: w.Template.Spec})
	if err != nil {
		return err.Error()
	}
	return loosened(s.injector.Inject(before, target, s.rules), after)
}
