package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"k8s.io/client-go/kubernetes"
)

// metric is a histogram of the API server; what is counted of it carries a label.
type metric struct{ name, label string }

var (
	webhookMetric = metric{"apiserver_admission_webhook_admission_duration_seconds", `name="pods.sysctl-injector.dev"`}
	policyMetric  = metric{"apiserver_mutating_admission_policy_check_duration_seconds", `policy="bench"`}
)

// cost is what a histogram has added up.
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

// print writes the table, with everything beside the case without a webhook.
func (b *bench) print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "\ncase\tpods\tcreate p50\tp99\tp50 beside none\tp50 ratio\tcalls a pod\tmean of a call\t\n")
	none := percentile(b.turns[0].durations, 50)
	for _, t := range b.turns {
		p50 := percentile(t.durations, 50)
		calls, mean := "-", "-"
		if t.metric.name != "" {
			calls = fmt.Sprintf("%.2f", t.cost.calls/float64(len(t.durations)))
		}
		if t.cost.calls > 0 {
			mean = milliseconds(time.Duration(t.cost.seconds / t.cost.calls * float64(time.Second)))
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%+.2f ms\t%.2f\t%s\t%s\t\n", t.name, len(t.durations), milliseconds(p50), milliseconds(percentile(t.durations, 99)),
			float64(p50-none)/float64(time.Millisecond), float64(p50)/float64(none), calls, mean)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	policy, webhook := percentile(b.turns[1].durations, 50), percentile(b.turns[2].durations, 50)
	_, err := fmt.Fprintf(out, "\nwebhook : MutatingAdmissionPolicy = %.2f (p50 of a creation), %.2f (what each adds to it)\n"+
		"A call is one of the webhook (%s) or one check of the policy (%s).\n",
		float64(webhook)/float64(policy), float64(webhook-none)/float64(policy-none), webhookMetric.name, policyMetric.name)
	return err
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}

func percentile(durations []time.Duration, percent int) time.Duration {
	sorted := slices.Sorted(slices.Values(durations))
	return sorted[(len(sorted)-1)*percent/100]
}
