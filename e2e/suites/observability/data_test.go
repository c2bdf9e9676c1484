package observability_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/prometheus/common/expfmt"
	"sigs.k8s.io/yaml"
)

// Every expression of the dashboard finds data in what a running server exports. Prometheus evaluates them over those
// metrics, and an alert for each expression that finds none has to stay silent.
func TestEveryPanelHasData(t *testing.T) {
	samples, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{}, slices.Collect(maps.Values(families(t)))...)
	must(t, err)
	var series []map[string]string
	for _, sample := range samples {
		sample.Metric["job"], sample.Metric["instance"] = "sysctl-injector", "a"
		series = append(series, map[string]string{"series": sample.Metric.String(),
			"values": strconv.FormatFloat(float64(sample.Value), 'f', -1, 64) + "+0x60"})
	}
	var rules, silent []any
	for _, p := range readDashboard(t) {
		for _, target := range p.Targets {
			alert := fmt.Sprintf("Panel%d%s", p.ID, target.RefID)
			rules = append(rules, map[string]string{"alert": alert,
				"expr": "absent(" + variables.Replace(target.Expr) + ")"})
			silent = append(silent, map[string]any{"alertname": alert, "eval_time": "50m"})
		}
	}
	dir := t.TempDir()
	write := func(name string, content map[string]any) string {
		encoded, err := yaml.Marshal(content)
		must(t, err)
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, encoded, 0o600))
		return path
	}
	ruleFile := write("rules.yaml", map[string]any{"groups": []any{map[string]any{"name": "panels", "rules": rules}}})
	test := write("test.yaml", map[string]any{
		"rule_files": []string{ruleFile}, "evaluation_interval": "1m",
		"tests": []any{map[string]any{"interval": "1m", "input_series": series, "alert_rule_test": silent}},
	})
	if output, err := promtool(t, "test", "rules", test); err != nil {
		t.Errorf("expressions without data, by the panel's id: %v\n%s", err, output)
	}
}
