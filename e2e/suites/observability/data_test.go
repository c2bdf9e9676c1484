package observability_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// Every expression of the dashboard finds data in what a running server exports. Prometheus evaluates them over those
// metrics, and an alert for each expression that finds none has to stay silent.
func TestEveryPanelHasData(t *testing.T) {
	suite.Cluster(t)
	metrics, err := installed.Server().Get(t.Context(), "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	const job = `job="sysctl-injector",instance="a"`
	var series []map[string]string
	for line := range strings.Lines(metrics) {
		sample := strings.TrimSpace(line)
		at := strings.LastIndex(sample, " ")
		if strings.HasPrefix(sample, "#") || at < 0 {
			continue
		}
		name, value := sample[:at], sample[at+1:]
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatalf("%s: %v", sample, err)
		}
		if base, labels, hasLabels := strings.Cut(name, "{"); hasLabels {
			name = base + "{" + job + "," + labels
		} else {
			name += "{" + job + "}"
		}
		series = append(series, map[string]string{"series": name,
			"values": strconv.FormatFloat(number, 'f', -1, 64) + "+0x60"})
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
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, encoded, 0o600); err != nil {
			t.Fatal(err)
		}
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
