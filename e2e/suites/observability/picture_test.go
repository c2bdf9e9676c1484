package observability_test

import (
	"bytes"
	"context"
	"flag"
	"html/template"
	"math"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/picture"
)

var update = flag.Bool("update", false, "renew the dashboard's picture in docs")

const (
	watched = 2 * time.Minute
	// charts is where `make pictures` puts the library that draws the lines.
	charts = "../../../bin/charts/node_modules/uplot/dist/"
)

// drawn is what the page shows: each panel of the dashboard with its values.
type drawn struct {
	From, Step int64
	Panels     []drawnPanel
}

type drawnPanel struct {
	panel
	Series []series
}

// TestDashboardPicture photographs the dashboard for the docs, with what a real Prometheus saw of two servers under
// traffic. `make pictures` runs it.
func TestDashboardPicture(t *testing.T) {
	if !*update {
		t.Skip("NOT RUN: it takes minutes and tests nothing; `make pictures` runs it")
	}
	c := suite.Cluster(t)
	second, err := installed.Start(t.Context())
	must(t, err)
	prometheus := startPrometheus(t, c, installed.Server().Observe, second.Observe)
	admin, err := clustertest.NewAdmin(c)
	must(t, err)
	const ready = `{"status":{"conditions":[{"type":"Ready","status":"True","reason":"Ready"}]}}`
	if output, err := kubectl(t.Context(), c, `patch certificate sysctl-injector -n sysctl-injector-system `+
		`--subresource=status --type=merge -p `+ready); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	from := time.Now().Add(20 * time.Second).Truncate(scrapeInterval)
	makeTraffic(t.Context(), admin, from.Add(watched))
	to := from.Add(watched)
	page := drawn{From: from.Unix(), Step: int64(scrapeInterval.Seconds())}
	// Grafana's $__rate_interval is four scrapes, where the steps are as short as here.
	inGrafana := strings.NewReplacer("$__rate_interval", (4 * scrapeInterval).String(), "$job", ".*")
	for _, p := range readDashboard(t) {
		shows := drawnPanel{panel: p}
		for _, target := range p.Targets {
			found, err := prometheus.query(t.Context(), inGrafana.Replace(target.Expr), target.LegendFormat, from, to)
			must(t, err)
			if len(found) == 0 {
				t.Errorf("the panel %q shows nothing of %s", p.Title, target.Expr)
			}
			shows.Series = append(shows.Series, found...)
		}
		page.Panels = append(page.Panels, shows)
	}
	var text bytes.Buffer
	must(t, template.Must(template.ParseFiles("testdata/dashboard.html")).Execute(&text, map[string]any{
		"Data": page, "Script": template.JS(read(t, charts+"uPlot.iife.min.js")),
		"Style": template.CSS(read(t, charts+"uPlot.min.css")),
	}))
	must(t, picture.Take(t.Context(), text.String(), "../../../docs/images/dashboard.webp", 1280))
}

// requests are annotations of pods, admitted and rejected; a pod with an empty one asks for nothing.
var requests = []string{
	"net.core.somaxconn = 4096", "net.core.somaxconn = 4096\nnet.ipv4.tcp_tw_reuse = 1", "",
	"net.ipv4.ip_local_port_range = 1024 65000", "vm.swappiness = 1", "net.core.somaxconn = 1024", "net.core.somaxconn",
	"kernel.msgmax = 65536", "net.core.somaxconn = 512", "net.core.no_such = 1",
}

var app = corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "example.com/app:1"}}}

// rejectedDeployment is one whose pods are rejected, so the server writes an Event about it.
func rejectedDeployment() *appsv1.Deployment {
	labels := map[string]string{"app": "rejected"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "rejected-", Namespace: "shop"},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels,
					Annotations: map[string]string{"sysctl-injector.dev/sysctls": "vm.swappiness = 1"}},
				Spec: app,
			},
		},
	}
}

// makeTraffic creates and deletes pods, in a wave, until a time. Some pods have a service account of their own, so
// grants are applied for it, and removed later. Deployments whose pods are rejected get Events.
func makeTraffic(ctx context.Context, admin client.Client, until time.Time) {
	for n := 0; time.Now().Before(until) && ctx.Err() == nil; n++ {
		account := "default"
		if n%25 == 0 {
			own := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{GenerateName: "app-", Namespace: "shop"}}
			if admin.Create(ctx, own) == nil {
				account = own.Name
			}
			_ = admin.Create(ctx, rejectedDeployment())
		}
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{GenerateName: "web-", Namespace: "shop"}, Spec: app}
		pod.Spec.ServiceAccountName = account
		if asked := requests[n%len(requests)]; asked != "" {
			pod.Annotations = map[string]string{"sysctl-injector.dev/sysctls": asked}
		}
		// Rejections are wanted, too.
		if admin.Create(ctx, pod) == nil {
			_ = admin.Delete(ctx, pod, client.GracePeriodSeconds(0))
		}
		wave := 1 + math.Sin(float64(time.Now().Unix())/15)
		time.Sleep(time.Duration(50+200*wave) * time.Millisecond)
	}
}
