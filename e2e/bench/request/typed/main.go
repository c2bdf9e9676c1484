// Command typed does the same injection in controller-runtime's own way, as its documentation shows it: decode the
// pod into its type, change it, encode it, and let PatchResponseFromRaw find the difference. It checks no policy and
// sees to no grants.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"net"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/sysctl-injector/sysctl-injector/e2e/bench/request/observe"
	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

func main() {
	version := flag.String("version", "", "told in a pod's status")
	observe.Main(func(s *observe.Server) error { return serve(s, *version) })
}

func serve(s *observe.Server, version string) error {
	ctrl.SetLogger(logr.FromSlogHandler(s.Log.Handler()))
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		return err
	}
	injector := &injector{decoder: admission.NewDecoder(scheme), version: version}
	if err := templates.Decode(templates.Forms, "forms/privileged.yaml", &injector.container); err != nil {
		return err
	}
	free, err := freeAddress(s.Address)
	if err != nil {
		return err
	}
	server := webhook.NewServer(webhook.Options{
		Host: free.IP.String(), Port: free.Port,
		CertDir: filepath.Dir(s.CertFile), CertName: filepath.Base(s.CertFile), KeyName: filepath.Base(s.KeyFile),
	})
	server.Register("/mutate-pods", &webhook.Admission{Handler: injector})
	if err := s.Observe(free); err != nil {
		return err
	}
	return server.Start(ctrl.SetupSignalHandler())
}

// freeAddress finds a port: controller-runtime's server takes a number, and 0 means its default.
func freeAddress(address string) (*net.TCPAddr, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	return listener.Addr().(*net.TCPAddr), listener.Close()
}

type injector struct {
	decoder   admission.Decoder
	container corev1.Container
	version   string
}

// Handle implements admission.Handler.
func (i *injector) Handle(_ context.Context, request admission.Request) admission.Response {
	pod := &corev1.Pod{}
	if err := i.decoder.Decode(request, pod); err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	if err := i.inject(pod); err != nil {
		return admission.Denied(err.Error())
	}
	mutated, err := json.Marshal(pod)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	return admission.PatchResponseFromRaw(request.Object.Raw, mutated)
}

func (i *injector) inject(pod *corev1.Pod) error {
	text, asks := pod.Annotations[v1alpha1.SysctlsAnnotation]
	if !asks {
		return nil
	}
	assignments, problems := sysctl.Parse(text, nil)
	if len(problems) > 0 {
		return problems.ToAggregate()
	}
	container := *i.container.DeepCopy()
	container.Resources = corev1.ResourceRequirements{}
	for _, c := range pod.Spec.Containers {
		if len(c.Resources.Requests)+len(c.Resources.Limits) > 0 {
			return errors.New("this one knows pods without resources only")
		}
		for _, mount := range c.VolumeMounts {
			if strings.HasPrefix(mount.Name, "kube-api-access-") {
				container.VolumeMounts = []corev1.VolumeMount{mount}
			}
		}
	}
	for _, a := range assignments {
		container.Args = append(container.Args, a.String())
	}
	status, err := json.Marshal(injection.Status{Version: i.version, Kernel: v1alpha1.SharedKernel, Form: "privileged",
		Sysctls: container.Args})
	if err != nil {
		return err
	}
	if pod.Labels == nil {
		pod.Labels = map[string]string{}
	}
	pod.Labels[v1alpha1.InjectedLabel] = "true"
	pod.Annotations[v1alpha1.StatusAnnotation] = string(status)
	pod.Spec.InitContainers = append([]corev1.Container{container}, pod.Spec.InitContainers...)
	return nil
}
