package chart_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// The Prometheus operator finds the port, and gets the alerts that are tested.
func TestMonitoring(t *testing.T) {
	objects := decode(t, render(t, elsewhere, combinations["observed"]))

	var service corev1.Service
	convert(t, find(t, objects, "Service", release), &service)
	monitor := find(t, objects, "ServiceMonitor", release)
	selector, _, err := unstructured.NestedStringMap(monitor.Object, "spec", "selector", "matchLabels")
	must(t, err)
	if len(selector) == 0 || !labels.SelectorFromSet(selector).Matches(labels.Set(service.Labels)) {
		t.Errorf("the ServiceMonitor selects %v, and the Service has %v", selector, service.Labels)
	}
	endpoints, _, err := unstructured.NestedSlice(monitor.Object, "spec", "endpoints")
	must(t, err)
	want := []any{map[string]any{"port": service.Spec.Ports[1].Name, "interval": "30s"}}
	if diff := cmp.Diff(want, endpoints); diff != "" || service.Spec.Ports[1].Port != 8080 {
		t.Errorf("the ServiceMonitor's endpoints (-want +got):\n%s\nof %v", diff, service.Spec.Ports)
	}

	alerts, err := os.ReadFile(chart + "/files/alerts.yaml")
	must(t, err)
	var tested map[string]any
	must(t, yaml.UnmarshalStrict(alerts, &tested))
	if diff := cmp.Diff(tested, find(t, objects, "PrometheusRule", release).Object["spec"]); diff != "" {
		t.Errorf("alerts (-file +chart):\n%s", diff)
	}

	var dashboards corev1.ConfigMap
	convert(t, find(t, objects, "ConfigMap", "sysctl-injector-dashboard"), &dashboards)
	if len(dashboards.Data) == 0 {
		t.Error("there is no dashboard")
	}
	for name, content := range dashboards.Data {
		if !json.Valid([]byte(content)) {
			t.Errorf("dashboard %s is not JSON", name)
		}
	}
}
