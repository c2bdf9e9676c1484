// Command capture has a real API server send AdmissionReviews to a webhook of its own, and keeps them as they come:
// the bodies that the benchmarks send.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/e2e/bench/command"
	"github.com/sysctl-injector/sysctl-injector/e2e/bench/workload"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

const (
	namespace = "bench"
	name      = "capture"
	directory = "e2e/bench/request/testdata" // from the root of the checkout
)

func main() {
	command.Main(&cobra.Command{Use: "capture", Short: "Renew the bodies that the benchmarks send"}, run)
}

func run(ctx context.Context, out, _ io.Writer) (err error) {
	c, err := cluster.Start(ctx, cluster.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	client, err := kubernetes.NewForConfig(c.RESTConfig())
	if err != nil {
		return err
	}
	meta := metav1.ObjectMeta{Name: namespace, Labels: map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectEnabled}}
	if _, err := clustertest.MakeNamespace(ctx, client, meta); err != nil {
		return err
	}
	reviews, err := listen(ctx, c, client)
	if err != nil {
		return err
	}
	for _, size := range []string{"small", "large"} {
		for _, kind := range []string{"annotated", "plain"} {
			review, err := capture(ctx, client, reviews, newPod(size == "large", kind == "annotated"))
			if err != nil {
				return err
			}
			path := filepath.Join(directory, size+"-"+kind+".json")
			if err := os.WriteFile(path, review, 0o600); err != nil {
				return err
			}
			fmt.Fprintf(out, "%s: %d bytes\n", path, len(review))
		}
	}
	return nil
}

// listen makes the API server call this process before it creates pods, as it calls the webhook that is shipped. What
// it sends comes out of the channel.
func listen(ctx context.Context, c *cluster.Cluster, client *kubernetes.Clientset) (<-chan []byte, error) {
	reviews := make(chan []byte, 16)
	target, _, err := clustertest.Serve(ctx, c, namespace, name, "/",
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if body, err := io.ReadAll(r.Body); err == nil {
				reviews <- body
			}
			http.Error(w, "only listens", http.StatusInternalServerError) // which is ignored
		}))
	if err != nil {
		return nil, err
	}
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
	if err := templates.Decode(templates.Install, "install/webhook.yaml", configuration); err != nil {
		return nil, err
	}
	for n := range configuration.Webhooks {
		configuration.Webhooks[n].ClientConfig = target
		configuration.Webhooks[n].FailurePolicy = ptr.To(admissionregistrationv1.Ignore)
	}
	_, err = client.AdmissionregistrationV1().MutatingWebhookConfigurations().Create(ctx, configuration,
		metav1.CreateOptions{})
	return reviews, err
}

// capture creates a pod until the API server asks about it: it learns of a webhook a moment after it is configured.
func capture(ctx context.Context, client *kubernetes.Clientset, reviews <-chan []byte,
	pod *corev1.Pod) (review []byte, err error) {
	err = wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, time.Minute, true,
		func(ctx context.Context) (bool, error) {
			if _, err := client.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{}); err != nil {
				return false, err
			}
			select {
			case review = <-reviews:
				// No webhook injects, so the second entry is called for the same pod.
				for len(reviews) > 0 {
					<-reviews
				}
				return true, nil
			default:
				return false, nil
			}
		})
	return review, err
}

// newPod is a pod as a Deployment makes it. A large one has the environment of an application that is configured by
// it.
func newPod(large, annotated bool) *corev1.Pod {
	pod := workload.NewPod(annotated)
	pod.GenerateName, pod.Spec.Containers[0].Env = "web-5d69f9bd4c-", nil
	pod.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-5d69f9bd4c", UID: "705ab4f5-6393-11e8-b7cc-42010a800002",
		Controller: ptr.To(true), BlockOwnerDeletion: ptr.To(true),
	}}
	if large {
		for n := range 420 {
			pod.Spec.Containers[0].Env = append(pod.Spec.Containers[0].Env, corev1.EnvVar{
				Name:  fmt.Sprintf("SETTING_%04d", n),
				Value: fmt.Sprintf("a value of \"setting\" %d, with some text to it", n),
			})
		}
	}
	return pod
}
