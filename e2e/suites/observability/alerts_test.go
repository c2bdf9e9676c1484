package observability_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const (
	alertsFile = "../../../deploy/helm/sysctl-injector/files/alerts.yaml"
	alertTests = "testdata/alerts.yaml"
	docsFile   = "../../../docs/observability.md"
)

type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// readAlerts reads the rules that are shipped.
func readAlerts(t *testing.T) (rules []rule) {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []rule `json:"rules"`
		} `json:"groups"`
	}
	decodeFile(t, alertsFile, &file)
	for _, group := range file.Groups {
		rules = append(rules, group.Rules...)
	}
	return rules
}

// promtool runs the rules against series with and without a fault.
func TestAlerts(t *testing.T) {
	for _, args := range [][]string{{"check", "rules", "--lint-fatal", alertsFile}, {"test", "rules", alertTests}} {
		if output, err := promtool(t, args...); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, output)
		}
	}
}

// Every alert has a test in which it fires and one in which it stays silent.
func TestEveryAlertIsTestedFiringAndSilent(t *testing.T) {
	var file struct {
		Tests []struct {
			Rows []struct {
				Alert string `json:"alertname"`
				Fires []any  `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		} `json:"tests"`
	}
	decodeFile(t, alertTests, &file)
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		last := test.Rows[len(test.Rows)-1] // earlier rows show the alert pending
		if len(last.Fires) > 0 {
			fires[last.Alert] = true
		} else {
			silent[last.Alert] = true
		}
	}
	for _, alert := range readAlerts(t) {
		if !fires[alert.Alert] || !silent[alert.Alert] {
			t.Errorf("%s: a test in which it fires: %t, and one in which it does not: %t", alert.Alert,
				fires[alert.Alert], silent[alert.Alert])
		}
	}
}

// Each alert has a text that says what to do.
func TestEveryAlertIsExplained(t *testing.T) {
	const docs = "https://github.com/sysctl-injector/sysctl-injector/blob/main/docs/observability.md#"
	found := anchors(t, docsFile)
	for _, alert := range readAlerts(t) {
		if !slices.Contains([]string{"warning", "critical"}, alert.Labels["severity"]) ||
			alert.Annotations["summary"] == "" || alert.Annotations["description"] == "" {
			t.Errorf("%s has the labels %v and the annotations %v", alert.Alert, alert.Labels, alert.Annotations)
		}
		if anchor := strings.ToLower(alert.Alert); alert.Annotations["runbook_url"] != docs+anchor ||
			!slices.Contains(found, anchor) {
			t.Errorf("%s has the runbook %q, want %s%s, and a heading there", alert.Alert,
				alert.Annotations["runbook_url"], docs, anchor)
		}
	}
}

var heading = regexp.MustCompile(`(?m)^#+ (.+)$`)

// anchors are those that GitHub gives a file's headings.
func anchors(t *testing.T, path string) (found []string) {
	t.Helper()
	for _, match := range heading.FindAllStringSubmatch(read(t, path), -1) {
		kept := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || 'a' <= r && r <= 'z' || '0' <= r && r <= '9':
				return r
			}
			return -1
		}, strings.ToLower(match[1]))
		found = append(found, kept)
	}
	return found
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	must(t, err)
	return string(content)
}

func decodeFile(t *testing.T, path string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(read(t, path)), into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
