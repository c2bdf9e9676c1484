package app

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/status"
	"github.com/sysctl-injector/sysctl-injector/webhook/workload"
)

// outputWide is the table with more columns.
const outputWide = "wide"

type statusOptions struct {
	scopeOptions
	output string
	watch  bool
}

func newStatusCommand() *cobra.Command {
	o := &statusOptions{}
	cmd := &cobra.Command{
		Use:   "status [-n NAMESPACE | -A]",
		Short: "Show the injected pods, whether their sysctls took effect, and which pods were rejected",
		Long: `Show the injected pods, whether their sysctls took effect, and which pods were rejected.

The state of a pod is one of these:

  Set        the init container, or the kubelet, has set all sysctls
  Verified   the init container has found the wanted values; it sets none (annotation sysctl-injector.dev/mode: verify)
  Waiting    the init container has not started
  Running    the init container runs
  Failed     the sysctls were not set, or do not hold; the containers of the app do not start
  Unknown    the pod does not say what sysctl-injector did with it

Below the table are the messages of pods in the last two states, and of pods that cannot start. The
command finds rejected pods by their Events, which the cluster keeps for an hour by default. If a
person creates a pod and it is rejected, there is no Event: the person gets the message.

-l selects pods by their labels, and rejected pods by the labels of their workload.

If you may not list Events, or with -l not get a workload, the report says so, and the exit code is
1. With --watch, the command says so on standard error and prints the other changes.`,
		Example: `  sysctl-injector status -n shop
  sysctl-injector status -A -o wide
  sysctl-injector status -n shop -l app=web --watch`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	o.addFlags(cmd, "pods")
	cmd.Flags().BoolVarP(&o.watch, "watch", "w", false,
		"after the list, print each change, until the command is interrupted")
	addOutputFlag(cmd, &o.output, outputTable, outputTable, outputWide, outputJSON)
	return cmd
}

func (o *statusOptions) run(cmd *cobra.Command) error {
	namespace, selector, err := o.scope()
	if err != nil {
		return err
	}
	cluster, _, err := o.client()
	if err != nil {
		return err
	}
	injected, err := labels.NewRequirement(v1alpha1.InjectedLabel, selection.Equals, []string{"true"})
	if err != nil {
		return err
	}
	look := &statusReader{
		cluster: cluster, namespace: namespace, workloads: selector, pods: selector.Add(*injected),
		progress: progressOn(cmd.ErrOrStderr()),
	}
	printer := newStatusPrinter(cmd.OutOrStdout(), o.output, o.allNamespaces)
	if o.watch {
		return newFollower(look, printer, cmd.ErrOrStderr()).run(cmd.Context())
	}
	report, err := look.read(cmd.Context())
	if err != nil {
		return err
	}
	if err := printer.report(report, namespace); err != nil {
		return err
	}
	return look.problem()
}

// statusReport is the output of status.
type statusReport struct {
	Pods     []status.Pod       `json:"pods"`
	Rejected []status.Rejection `json:"rejected"`
	// Incomplete says which objects could not be read.
	Incomplete []string `json:"incomplete,omitempty"`
}

// statusReader reads the pods and Events of a cluster, one page at a time. It keeps only the fields to print.
type statusReader struct {
	cluster         client.WithWatch
	namespace       string // all if empty
	pods, workloads labels.Selector
	progress        func(text string)
	// owners are the workloads above the pods' controllers, by the controllers' UIDs.
	owners map[types.UID]*status.Owner
	// podsVersion is the version from which a watch reports changes.
	podsVersion string
	// eventVersions has the same for each reason of Events. It lacks reasons whose Events could not be listed.
	eventVersions map[string]string
	unread        unread
}

func (r *statusReader) problem() error {
	switch others := len(r.unread.errs) - 1; {
	case others < 0:
		return nil
	case others > 0:
		return fmt.Errorf("the report is incomplete: %w (and %d more problems)", r.unread.errs[0], others)
	}
	return fmt.Errorf("the report is incomplete: %w", r.unread.errs[0])
}

func (r *statusReader) read(ctx context.Context) (statusReport, error) {
	defer r.progress("")
	r.unread = unread{}
	report := statusReport{Pods: []status.Pod{}, Rejected: []status.Rejection{}}
	var err error
	r.podsVersion, err = eachItemSince(ctx, r.cluster, &corev1.PodList{}, func(item runtime.Object) error {
		if pod, ok := item.(*corev1.Pod); ok {
			if report.Pods = append(report.Pods, status.Of(pod)); len(report.Pods)%pageSize == 1 {
				r.progress(fmt.Sprintf("Looking at pods: %d", len(report.Pods)-1))
			}
		}
		return nil
	}, client.InNamespace(r.namespace), client.MatchingLabelsSelector{Selector: r.pods})
	if err != nil {
		return report, fmt.Errorf("list the pods: %w", err)
	}
	if err := r.findOwners(ctx, report.Pods); err != nil {
		return report, err
	}
	if report.Rejected, err = r.rejections(ctx); err != nil {
		return report, err
	}
	report.Incomplete = r.unread.texts
	return report, nil
}

// findOwners replaces an owner such as a ReplicaSet by the workload above it. An owner that the caller may not list
// stays.
func (r *statusReader) findOwners(ctx context.Context, pods []status.Pod) error {
	r.owners = map[types.UID]*status.Owner{}
	kinds := map[schema.GroupVersionKind]bool{}
	for _, p := range pods {
		if p.Owner != nil && workload.HasOwner(p.Owner.APIVersion, p.Owner.Kind) {
			r.owners[p.Owner.UID] = p.Owner
			kinds[schema.FromAPIVersionAndKind(p.Owner.APIVersion, p.Owner.Kind)] = true
		}
	}
	for kind := range kinds {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		err := eachItem(ctx, r.cluster, list, func(item runtime.Object) error {
			object, err := meta.Accessor(item)
			if err != nil {
				return err
			}
			if owner := status.OwnerOf(object); owner != nil && r.owners[object.GetUID()] != nil {
				r.owners[object.GetUID()] = owner
			}
			return nil
		}, client.InNamespace(r.namespace))
		if err != nil && !apierrors.IsForbidden(err) {
			return fmt.Errorf("list the owners of the pods: %w", err)
		}
	}
	for i := range pods {
		if owner := pods[i].Owner; owner != nil && r.owners[owner.UID] != nil {
			pods[i].Owner = r.owners[owner.UID]
		}
	}
	return nil
}

// rejections reads the Events about rejected pods.
func (r *statusReader) rejections(ctx context.Context) ([]status.Rejection, error) {
	found := []status.Rejection{}
	r.eventVersions = map[string]string{}
	for _, reason := range []string{status.RejectedReason, status.FailedCreateReason} {
		version, err := eachItemSince(ctx, r.cluster, &corev1.EventList{}, func(item runtime.Object) error {
			if event, ok := item.(*corev1.Event); ok {
				if rejection, ok := status.RejectionOf(event); ok {
					found = append(found, rejection)
				}
			}
			return nil
		}, client.InNamespace(r.namespace),
			client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector("reason", reason)})
		if err := r.unread.mayBeForbidden("Events", err); err != nil {
			return nil, fmt.Errorf("list the Events: %w", err)
		}
		if err != nil {
			break // the other list would fail in the same way
		}
		r.eventVersions[reason] = version
	}
	merged := []status.Rejection{}
	for _, rejection := range status.Merge(found) {
		selected, err := r.selects(ctx, rejection)
		if err != nil {
			return nil, err
		}
		if selected {
			merged = append(merged, rejection)
		}
	}
	return merged, nil
}

// selects reports whether the labels of a workload match the selector. Without a selector, it reads no workload. It
// records a workload that the caller may not read.
func (r *statusReader) selects(ctx context.Context, rejection status.Rejection) (bool, error) {
	if r.workloads.Empty() {
		return true, nil
	}
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(schema.FromAPIVersionAndKind(rejection.APIVersion, rejection.Kind))
	err := r.cluster.Get(ctx, client.ObjectKey{Namespace: rejection.Namespace, Name: rejection.Name}, object)
	switch {
	case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		return false, nil
	case err != nil:
		return false, r.unread.mayBeForbidden(rejection.Workload(), err)
	}
	return r.workloads.Matches(labels.Set(object.Labels)), nil
}

// age returns how long an object has existed, in kubectl's notation.
func age(since metav1.Time, now time.Time) string {
	if since.IsZero() {
		return "<unknown>"
	}
	return duration.HumanDuration(now.Sub(since.Time))
}
