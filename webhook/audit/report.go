package audit

import (
	"maps"
	"slices"
	"time"
)

// Counts are how much was looked at, and found.
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
	Cluster    string    `json:"cluster,omitempty"` // as the person calls it
	Kubernetes string    `json:"kubernetes"`
	Time       time.Time `json:"time"`
	// Policies says which policies decided on what convert would write.
	Policies   string      `json:"policies"`
	Counts     Counts      `json:"counts"`
	Workloads  []*Finding  `json:"workloads"`
	Namespaces []Namespace `json:"namespaces"`
	// Incomplete says what could not be looked at.
	Incomplete []string `json:"incomplete,omitempty"`
}

// Report returns what was found, in order of namespace, kind and name.
func (a *Auditor) Report() Report {
	report := Report{Counts: a.counts, Workloads: slices.Clone(a.findings), Namespaces: []Namespace{}}
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
	for _, name := range slices.Sorted(maps.Keys(a.namespaces)) {
		if n := a.namespaces[name].report(name); n != nil {
			report.Namespaces = append(report.Namespaces, *n)
		}
	}
	return report
}
