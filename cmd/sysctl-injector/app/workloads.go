package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/enrollment"
	"github.com/sysctl-injector/sysctl-injector/webhook/workload"
)

// clientOptions name the cluster, as kubectl does.
type clientOptions struct {
	kubeconfig, context string
}

func (o *clientOptions) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig file (default: as kubectl finds it)")
	cmd.Flags().StringVar(&o.context, "context", "", "context of the kubeconfig")
}

func (o *clientOptions) client() (client.Client, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: o.context}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("find the cluster: %w", err)
	}
	scheme := runtime.NewScheme()
	err = errors.Join(corev1.AddToScheme(scheme), appsv1.AddToScheme(scheme), batchv1.AddToScheme(scheme), admissionregistrationv1.AddToScheme(scheme))
	if err != nil {
		return nil, err
	}
	return client.New(config, client.Options{Scheme: scheme})
}

// workloadsOf returns a namespace's workloads: of pods and sets that another workload made, only the maker.
func workloadsOf(ctx context.Context, cluster client.Client, namespace string) ([]enrollment.Workload, error) {
	var found []enrollment.Workload
	add := func(kind string, object metav1.Object, template corev1.PodTemplateSpec) {
		if metav1.GetControllerOf(object) == nil {
			found = append(found, enrollment.Workload{Kind: kind, Name: object.GetName(), Metadata: template.ObjectMeta, Spec: template.Spec})
		}
	}
	for _, kind := range workload.Kinds {
		if kind.NewList == nil {
			continue
		}
		list := kind.NewList()
		if err := cluster.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return nil, fmt.Errorf("list the workloads: %w", err)
		}
		err := meta.EachListItem(list, func(item runtime.Object) error {
			object, err := meta.Accessor(item)
			if template := kind.PodTemplate(item); err == nil && template != nil {
				add(kind.Kind, object, *template)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("list the workloads: %w", err)
		}
	}
	return found, nil
}
