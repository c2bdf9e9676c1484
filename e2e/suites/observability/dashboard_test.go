package observability_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/webhook/admission"
	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
)

const dashboardFile = "../../../deploy/dashboards/sysctl-injector.json"

type datasource struct{ Type, UID string }

// asked is the data source of every panel and query: the one that the person chose.
var asked = datasource{"prometheus", "${datasource}"}

type panel struct {
	ID          int
	Title       string
	Type        string
	Description string
	GridPos     struct{ X, Y, W, H int }
	FieldConfig struct {
		Defaults struct {
			Unit       string
			Decimals   *int
			Max        *float64
			Thresholds struct{ Steps []threshold }
			Custom     struct{ Stacking struct{ Mode string } }
		}
	}
	Targets []struct {
		RefID        string `json:"refId"`
		Expr         string
		LegendFormat string
		Datasource   datasource
	}
	Datasource datasource
}

// threshold is the color of a number from a value on.
type threshold struct {
	Color string
	Value *float64
}

func readDashboard(t *testing.T) []panel {
	t.Helper()
	var dashboard struct {
		Templating struct {
			List []struct{ Name, Type, Query any }
		}
		Panels []panel
	}
	decodeFile(t, dashboardFile, &dashboard)
	if len(dashboard.Panels) == 0 || len(dashboard.Templating.List) == 0 ||
		dashboard.Templating.List[0].Name != "datasource" {
		t.Fatalf("%s has %d panels and the variables %v", dashboardFile, len(dashboard.Panels),
			dashboard.Templating.List)
	}
	return dashboard.Panels
}

// variables replaces Grafana's variables in an expression.
var variables = strings.NewReplacer("$__rate_interval", "5m", "$job", ".*")

// Prometheus can read every expression of the dashboard.
func TestDashboardExpressions(t *testing.T) {
	var rules []map[string]string
	for _, p := range readDashboard(t) {
		for _, target := range p.Targets {
			rules = append(rules, map[string]string{"record": fmt.Sprintf("panel:%d:%s", p.ID, target.RefID),
				"expr": variables.Replace(target.Expr)})
		}
	}
	content, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	must(t, err)
	if strings.Contains(string(content), "$") {
		t.Errorf("the dashboard uses a variable that the test does not know:\n%s", content)
	}
	file := filepath.Join(t.TempDir(), "dashboard.yaml")
	must(t, os.WriteFile(file, content, 0o600))
	if output, err := promtool(t, "check", "rules", "--lint-fatal", file); err != nil {
		t.Errorf("promtool: %v\n%s", err, output)
	}
}

// Each panel exists once, overlaps no other, and asks the data source that the person chose.
func TestDashboardPanels(t *testing.T) {
	const columns = 24
	taken := map[[2]int]string{}
	ids := map[int]bool{}
	for _, p := range readDashboard(t) {
		if ids[p.ID] || p.Title == "" || len(p.Targets) == 0 || p.Datasource != asked ||
			p.GridPos.X+p.GridPos.W > columns {
			t.Errorf("panel %d, %q, is there twice, or has no title, no query, the data source %v or the place %v",
				p.ID, p.Title, p.Datasource, p.GridPos)
		}
		ids[p.ID] = true
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				place := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if taken[place] != "" {
					t.Fatalf("panels %q and %q overlap", taken[place], p.Title)
				}
				taken[place] = p.Title
			}
		}
		for _, target := range p.Targets {
			if target.Datasource != asked {
				t.Errorf("panel %q asks %v", p.Title, target.Datasource)
			}
		}
	}
}

var (
	metricName = regexp.MustCompile(`\b(?:sysctl_injector|process|go)_\w+\b`)
	matcher    = regexp.MustCompile(`(\w+)(?:=~|!~|!=|=)"([^"]*)"`)
	grouping   = regexp.MustCompile(`\b(?:by|without) \(([^)]*)\)`)
	legend     = regexp.MustCompile(`\{\{(\w+)\}\}`)
)

// ofTarget are the labels that Prometheus adds.
var ofTarget = []string{"job", "instance"}

// The dashboard and the alerts use only metrics that a running server exports.
func TestExpressionsUseExportedMetrics(t *testing.T) {
	metrics := exported(t)
	expressions := map[string]string{}
	for _, alert := range readAlerts(t) {
		expressions[alert.Alert] = alert.Expr
	}
	for _, p := range readDashboard(t) {
		for _, target := range p.Targets {
			expressions[p.Title+" "+target.RefID] = target.Expr + " " + target.LegendFormat
		}
	}
	for where, expression := range expressions {
		names := metricName.FindAllString(expression, -1)
		if len(names) == 0 {
			t.Errorf("%s asks for no metric: %s", where, expression)
		}
		known := slices.Clone(ofTarget)
		for _, name := range names {
			labels, found := metrics[name]
			if !found {
				t.Errorf("%s asks for %s, which the server does not export", where, name)
			}
			known = append(known, labels...)
		}
		for _, label := range labelsIn(expression) {
			if !slices.Contains(known, label) {
				t.Errorf("%s asks for the label %s, which none of %v has", where, label, names)
			}
		}
	}
}

func labelsIn(expression string) (labels []string) {
	for _, found := range matcher.FindAllStringSubmatch(expression, -1) {
		labels = append(labels, found[1])
	}
	for _, found := range grouping.FindAllStringSubmatch(expression, -1) {
		labels = append(labels, strings.Split(found[1], ", ")...)
	}
	for _, found := range legend.FindAllStringSubmatch(expression, -1) {
		labels = append(labels, found[1])
	}
	return labels
}

// Every query uses the same lists of reasons: those of admissions, and those of rejections that are not the pod's
// fault.
func TestExpressionsUseKnownReasons(t *testing.T) {
	admitted := strings.Join([]string{injection.ReasonInjected, injection.ReasonAlreadyInjected,
		injection.ReasonNotRequested, injection.ReasonOptedOut, "HTTP4.*"}, "|")
	faults := strings.Join([]string{admission.ReasonClusterUnavailable, admission.ReasonGrantFailed, "HTTP5.*"}, "|")
	known := []string{
		admitted, strings.Join([]string{injection.ReasonNotRequested, injection.ReasonOptedOut, "HTTP4.*"}, "|"),
		admission.ReasonPanic, faults, admission.ReasonPanic + "|" + faults,
	}
	used := 0
	for _, path := range []string{dashboardFile, alertsFile, docsFile} {
		for _, found := range matcher.FindAllStringSubmatch(strings.ReplaceAll(read(t, path), `\"`, `"`), -1) {
			if found[1] != "reason" {
				continue
			}
			used++
			if !slices.Contains(known, found[2]) {
				t.Errorf("%s tells reasons apart by %q", path, found[2])
			}
		}
	}
	if used == 0 {
		t.Error("nothing asks for a reason")
	}
}
