package app

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/liggitt/tabwriter"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/printers"

	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/status"
)

// none is an empty cell, in kubectl's notation.
const none = "<none>"

// maxRejections limits how many rejections, and how many unread objects, are printed below the table.
const maxRejections = 20

// statusPrinter prints pods and rejections. Its columns keep their width from one change to the next.
type statusPrinter struct {
	out    io.Writer
	width  int
	format string
	wide   bool
	now    func() time.Time
	rows   printers.ResourcePrinter
	table  *tabwriter.Writer
}

func newStatusPrinter(out io.Writer, format string, withNamespace bool) *statusPrinter {
	wide := format == outputWide
	return &statusPrinter{
		out: out, width: widthOf(out), format: format, wide: wide, now: time.Now, table: printers.GetNewTabWriter(out),
		rows: printers.NewTablePrinter(printers.PrintOptions{Wide: wide, WithNamespace: withNamespace}),
	}
}

// report prints a whole report.
func (p *statusPrinter) report(report statusReport, namespace string) error {
	if p.format == outputJSON {
		return printAs(p.out, outputJSON, report)
	}
	if err := p.pods(report.Pods); err != nil {
		return err
	}
	var text strings.Builder
	if len(report.Pods) == 0 {
		text.WriteString(noPods(namespace))
	}
	said := p.messages(report.Pods)
	if said != "" {
		text.WriteString("\n" + said)
	}
	for i, r := range report.Rejected {
		if i == 0 {
			text.WriteString("\nRejected:\n")
		}
		if i == maxRejections {
			fmt.Fprintf(&text, "and %d more; -o json has all\n", len(report.Rejected)-i)
			break
		}
		wrap(&text, "  ", p.rejectionText(r), p.width)
	}
	for i, missing := range report.Incomplete {
		if i == maxRejections {
			fmt.Fprintf(&text, "and %d more; -o json has all\n", len(report.Incomplete)-i)
			break
		}
		wrap(&text, "  ", "Not looked at: "+oneLine(missing), p.width)
	}
	_, err := io.WriteString(p.out, text.String())
	return err
}

func noPods(namespace string) string {
	if namespace == "" {
		return "No injected pods found.\n"
	}
	return fmt.Sprintf("No injected pods found in namespace %q.\n", namespace)
}

// messages returns a paragraph for each pod with a message.
func (p *statusPrinter) messages(pods []status.Pod) string {
	var text strings.Builder
	for _, pod := range pods {
		if pod.Message != "" {
			wrap(&text, "  ", oneLine(fmt.Sprintf("%s/%s: %s", pod.Namespace, pod.Name,
				strings.TrimSpace(pod.Message))), p.width)
		}
	}
	return text.String()
}

func (p *statusPrinter) rejectionText(r status.Rejection) string {
	text := fmt.Sprintf("%s/%s, %s ago", r.Namespace, r.Workload(), age(r.LastSeen, p.now()))
	if r.Count > 1 {
		text += fmt.Sprintf(" and %d times in all", r.Count)
	}
	return oneLine(text + ": " + strings.Join(strings.Fields(r.Message), " "))
}

// change prints a pod that is new or has changed.
func (p *statusPrinter) change(pod status.Pod) error {
	if p.format == outputJSON {
		return p.line(map[string]any{"pod": pod})
	}
	if err := p.pods([]status.Pod{pod}); err != nil {
		return err
	}
	_, err := io.WriteString(p.out, p.messages([]status.Pod{pod}))
	return err
}

// rejected prints a rejection that is new.
func (p *statusPrinter) rejected(r status.Rejection) error {
	if p.format == outputJSON {
		return p.line(map[string]any{"rejected": r})
	}
	var text strings.Builder
	wrap(&text, "  ", "Rejected: "+p.rejectionText(r), p.width)
	_, err := io.WriteString(p.out, text.String())
	return err
}

// line prints an object of JSON in a line of its own.
func (p *statusPrinter) line(value any) error {
	return json.NewEncoder(p.out).Encode(value)
}

// pods prints rows of the table; the first call prints the header too.
func (p *statusPrinter) pods(pods []status.Pod) error {
	table := &metav1.Table{ColumnDefinitions: statusColumns}
	for _, pod := range pods {
		table.Rows = append(table.Rows, metav1.TableRow{
			Cells: p.cells(pod),
			Object: runtime.RawExtension{Object: &metav1.PartialObjectMetadata{
				ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name},
			}},
		})
	}
	if err := p.rows.PrintObj(table, p.table); err != nil {
		return err
	}
	return p.table.Flush()
}

// onlyWide is the priority of columns that -o wide adds.
const onlyWide = 1

var statusColumns = []metav1.TableColumnDefinition{
	{Name: "Name", Type: "string", Format: "name"},
	{Name: "State", Type: "string"},
	{Name: "Form", Type: "string"},
	{Name: "Sysctls", Type: "string"},
	{Name: "Owner", Type: "string"},
	{Name: "Age", Type: "string"},
	{Name: "Exit", Type: "string", Priority: onlyWide},
	{Name: "Restarts", Type: "integer", Priority: onlyWide},
	{Name: "Kernel", Type: "string", Priority: onlyWide},
	{Name: "Profiles", Type: "string", Priority: onlyWide},
	{Name: "Node", Type: "string", Priority: onlyWide},
}

// cells returns the cells of a pod's row, in the order of statusColumns.
func (p *statusPrinter) cells(pod status.Pod) []any {
	owner, exit := none, none
	if pod.Owner != nil {
		owner = pod.Owner.String()
	}
	if pod.ExitCode != nil {
		exit = fmt.Sprint(*pod.ExitCode)
	}
	forms := pod.Form
	if len(pod.Native) > 0 && forms != form.Native {
		forms += "," + form.Native
	}
	return []any{
		pod.Name, string(pod.State), orNone(forms), p.sysctls(pod.Sysctls), owner, age(pod.Created, p.now()),
		exit, pod.Restarts, orNone(string(pod.Kernel)), orNone(strings.Join(pod.Profiles, ",")), orNone(pod.Node),
	}
}

// sysctls returns all sysctls, or the first and the number of the others.
func (p *statusPrinter) sysctls(all []string) string {
	switch {
	case len(all) == 0:
		return none
	case p.wide:
		return strings.Join(all, ",")
	case len(all) == 1:
		return all[0]
	}
	return fmt.Sprintf("%s,+%d", all[0], len(all)-1)
}

func orNone(text string) string {
	if text == "" {
		return none
	}
	return text
}
