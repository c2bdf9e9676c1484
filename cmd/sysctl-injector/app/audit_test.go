package app

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/sysctl-injector/sysctl-injector/webhook/audit"
	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
	"github.com/sysctl-injector/sysctl-injector/webhook/inspect"
)

// A namespace is judged by all of its workloads: another one may need it open.
func TestAuditJudgesNamespacesByAllWorkloads(t *testing.T) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", Labels: map[string]string{"app": "web"}},
		Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{{Name: "tune", Image: "busybox:1.36",
				Command:         []string{"sysctl", "-w", "net.core.somaxconn=1024"},
				SecurityContext: &corev1.SecurityContext{Privileged: new(true)}}},
			Containers: []corev1.Container{{Name: "app", Image: "example.com/app:1"}},
		},
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}
	for _, test := range []struct {
		name, selector, forbidden string
		want                      []audit.Namespace
		notJudged                 string
	}{
		{"all of them", "", "", []audit.Namespace{{Name: "shop", Standard: "baseline", Converts: true}}, ""},
		{"a selector", "app=web", "", []audit.Namespace{}, "-l selects only some of their workloads"},
		{"a kind that may not be listed", "", "*v1.DaemonSetList", []audit.Namespace{},
			"some of their workloads may be missing, because not everything could be listed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cluster := fake.NewClientBuilder().WithScheme(scheme.Scheme).WithObjects(pod, namespace).
				WithInterceptorFuncs(interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch,
					list client.ObjectList, options ...client.ListOption) error {
					if fmt.Sprintf("%T", list) == test.forbidden {
						return apierrors.NewForbidden(schema.GroupResource{}, "", nil)
					}
					return c.List(ctx, list, options...)
				}}).Build()
			report := surveyed(t, cluster, test.selector)
			if diff := cmp.Diff(test.want, report.Namespaces); diff != "" || report.NotJudged != test.notJudged {
				t.Errorf("not judged %q, namespaces (-want +got):\n%s", report.NotJudged, diff)
			}
			if len(report.Workloads) != 1 {
				t.Errorf("workloads: %v", report.Workloads)
			}
		})
	}
}

// surveyed audits all namespaces of a cluster.
func surveyed(t *testing.T, cluster client.Client, selector string) audit.Report {
	t.Helper()
	injector, err := injection.New(injection.Config{})
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := labels.Parse(selector)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := objectOptions{}.load(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	look := &survey{cluster: cluster, selector: parsed, injector: injector, rules: objects.Rules(),
		progress: func(string) {}, classes: map[string]*nodev1.RuntimeClass{}}
	if look.auditor, err = audit.New(look.rejection, injector.KubeletsAllow,
		inspect.StandardsVersion("v1.37.0")); err != nil {
		t.Fatal(err)
	}
	if err := look.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return look.auditor.Report(look.notJudged())
}

func TestAuditPrintsWhyNoNamespaceIsJudged(t *testing.T) {
	report := audit.Report{Namespaces: []audit.Namespace{}, NotJudged: "-l selects only some of their workloads"}
	for format, want := range map[string]string{
		outputTable: "Namespaces are not judged: -l selects only some of their workloads.\n",
		outputHTML:  "<p>Not judged: -l selects only some of their workloads.</p>",
		outputJSON:  "\"namespaces\": [],\n  \"notJudged\": \"-l selects only some of their workloads\"",
	} {
		var out bytes.Buffer
		if err := (&auditOptions{output: format}).print(&out, report); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s: no %q in\n%s", format, want, out.String())
		}
	}
}
