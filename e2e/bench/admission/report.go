package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/sysctl-injector/sysctl-injector/e2e/bench/report"
)

// metric is a histogram of the API server. Only series with the label are counted.
type metric struct{ name, label string }

var (
	// The label matches both entries: "pods." for pods that ask, "plain.pods." for the others.
	webhookMetric = metric{"apiserver_admission_webhook_admission_duration_seconds", `pods.sysctl-injector.dev"`}
	policyMetric  = metric{"apiserver_mutating_admission_policy_check_duration_seconds", `policy="bench"`}
	// The label matches the two policies that inject. The time of the policies that decide is only in the time of the
	// creation.
	renderedMetric = metric{policyMetric.name, `policy="sysctl-injector-inject`}
)

// cost is the sum and the count of a histogram.
type cost struct{ seconds, calls float64 }

func (c cost) plus(d cost) cost  { return cost{c.seconds + d.seconds, c.calls + d.calls} }
func (c cost) minus(d cost) cost { return cost{c.seconds - d.seconds, c.calls - d.calls} }

// read asks the API server.
func (m metric) read(ctx context.Context, client *kubernetes.Clientset) (cost, error) {
	if m.name == "" {
		return cost{}, nil
	}
	text, err := client.RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return cost{}, fmt.Errorf("read the API server's metrics: %w", err)
	}
	var total cost
	for line := range strings.Lines(string(text)) {
		for suffix, sum := range map[string]*float64{"_sum{": &total.seconds, "_count{": &total.calls} {
			if strings.HasPrefix(line, m.name+suffix) && strings.Contains(line, m.label) {
				value, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(line, ' ')+1:]), 64)
				if err != nil {
					return cost{}, fmt.Errorf("read the API server's metrics: %w", err)
				}
				*sum += value
			}
		}
	}
	return total, nil
}

// The cases that are compared, by their place.
const (
	nobodyTurn = iota
	policyTurn
	webhookTurn
	plainTurn
	notEnrolledTurn
)

// table compares every case with the case without a webhook.
func (b *bench) table(clients int) report.Table {
	table := report.Table{{"clients: " + strconv.Itoa(clients), "pods", "create p50", "p99", "p50 beside none", "ratio",
		"calls a pod", "mean of a call"}}
	none := b.p50(nobodyTurn, clients)
	for n, t := range b.turns {
		m := t.measured[clients]
		calls, mean := "-", "-"
		if t.metric.name != "" {
			calls = fmt.Sprintf("%.2f", m.cost.calls/float64(len(m.durations)))
		}
		if m.cost.calls > 0 {
			mean = report.Milliseconds(m.cost.mean())
		}
		p50 := b.p50(n, clients)
		table.Add(t.name, strconv.Itoa(len(m.durations)), report.Milliseconds(p50),
			report.Milliseconds(report.Percentile(m.durations, 99)),
			fmt.Sprintf("%+.2f ms", float64(p50-none)/float64(time.Millisecond)),
			fmt.Sprintf("%.2f", float64(p50)/float64(none)), calls, mean)
	}
	return table
}

func (c cost) mean() time.Duration { return time.Duration(c.seconds / c.calls * float64(time.Second)) }

func (b *bench) p50(turn, clients int) time.Duration {
	return report.Median(b.turns[turn].measured[clients].durations)
}

// comparison sums up the tables in one line.
func (b *bench) comparison(clients int) string {
	none, policy, webhook := b.p50(nobodyTurn, clients), b.p50(policyTurn, clients), b.p50(webhookTurn, clients)
	return fmt.Sprintf("clients: %d; webhook : MutatingAdmissionPolicy = %.2f (p50 of a creation), %.2f (what each "+
		"adds to it)",
		clients, float64(webhook)/float64(policy), float64(webhook-none)/float64(policy-none))
}

// report fails where the API server has called the webhook for a namespace that is not enrolled.
func (b *bench) report(version string) (report.Report, error) {
	chart := report.Chart{Title: "p50 of a pod's creation", YName: "ms"}
	for n, t := range b.turns {
		series := report.Series{Name: t.name}
		for _, clients := range clientCounts {
			series.Y = append(series.Y, float64(b.p50(n, clients))/float64(time.Millisecond))
		}
		chart.Series = append(chart.Series, series)
	}
	var tables []report.Part
	for _, clients := range clientCounts {
		chart.Groups = append(chart.Groups, fmt.Sprintf("clients: %d", clients))
		tables = append(tables, b.table(clients), report.Text(b.comparison(clients)))
		if calls := b.turns[notEnrolledTurn].measured[clients].cost.calls; calls != 0 {
			return report.Report{},
				fmt.Errorf("the API server has called the webhook %.0f times for a namespace that is "+
					"not enrolled", calls)
		}
	}
	return report.Report{Name: "admission", Parts: append([]report.Part{
		report.Text("Kubernetes " + version + "."),
		report.Picture{Alt: chart.Title, File: "bench-admission", Chart: chart},
	}, tables...)}, nil
}
