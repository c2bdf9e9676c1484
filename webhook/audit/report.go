package audit

import (
	"maps"
	"slices"
	"time"
)

// Counts are the numbers of audited objects and of findings.
type Counts struct {
	Workloads int `json:"workloads"`
	Annotated int `json:"annotated"` // ask for sysctls by the annotation
	ByHand    int `json:"byHand"`
	Converts  int `json:"converts"`
	Partly    int `json:"partly"`
	Stays     int `json:"stays"`
}

// Report is the result of an audit.
type Report struct {
	Cluster    string    `json:"cluster,omitempty"` // its name in the kubeconfig
	Kubernetes string    `json:"kubernetes"`
	Time       time.Time `json:"time"`
	// Policies names the policies that decided what convert would write.
	Policies   string      `json:"policies"`
	Counts     Counts      `json:"counts"`
	Workloads  []*Finding  `json:"workloads"`
	Namespaces []Namespace `json:"namespaces"`
	// NotJudged is why Namespaces is empty although some may be open for no other reason.
	NotJudged string `json:"notJudged,omitempty"`
	// Incomplete says which objects could not be read.
	Incomplete []string `json:"incomplete,omitempty"`
}

// Report returns the findings, ordered by namespace, kind and name. A namespace is judged by all of its workloads, so
// if some were not added, notJudged is the reason, and the report has no namespaces.
func (a *Auditor) Report(notJudged string) Report {
	report := Report{
		Counts: a.counts, Workloads: append([]*Finding{}, a.findings...),
		Namespaces: []Namespace{}, NotJudged: notJudged,
	}
	slices.SortStableFunc(report.Workloads, byName)
	for _, f := range report.Workloads {
		report.Counts.ByHand++
		switch f.Verdict {
		case Converts:
			report.Counts.Converts++
		case Partly:
			report.Counts.Partly++
		default:
			report.Counts.Stays++
		}
	}
	if notJudged != "" {
		return report
	}
	for _, name := range slices.Sorted(maps.Keys(a.namespaces)) {
		if n := a.namespaces[name].report(name); n != nil {
			report.Namespaces = append(report.Namespaces, *n)
		}
	}
	return report
}
