package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const page = `# Which versions?

<!-- table: begin -->
| Kubernetes | admission | guard |
|---|---|---|
| v1.31.9 | 1 passed | 2 passed |
| v1.32.0 | 3 passed | 4 passed |
<!-- table: end -->

People write this.

<!-- not run: begin -->
| Kubernetes | test | why it does not run |
|---|---|---|
| v1.31.9 | guard TestOld | gone |
| v1.32.0 | guard TestResize | the server has none |
<!-- not run: end -->
`

func TestPutReplacesTheRowsOfOneVersion(t *testing.T) {
	got, err := put(page, row{release: "v1.31.14", results: []result{
		{suite: "admission", ran: 7, failed: 1},
		{suite: "guard", ran: 8, skipped: []skip{{"TestResize", "no pods/resize | yet"}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer(
		"| v1.31.9 | 1 passed | 2 passed |", "| v1.31.14 | 6 passed, 1 FAILED | 8 passed, 1 skipped |",
		"| v1.31.9 | guard TestOld | gone |", `| v1.31.14 | guard TestResize | no pods/resize \| yet |`,
	).Replace(page)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
	again, err := put(got, row{release: "v1.30.2", results: []result{{suite: "admission", broken: true},
		{suite: "guard", needs: "v1.31"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"|---|---|---|\n| v1.30.2 | 0 passed, FAILED | needs v1.31 |\n| v1.31.14 |",
		`| no pods/resize \| yet |`} {
		if !strings.Contains(again, line) {
			t.Errorf("the page lacks %q:\n%s", line, again)
		}
	}
}

func TestRead(t *testing.T) {
	const events = `{"Action":"output","Test":"TestA","Output":"=== RUN TestA\n"}
{"Action":"pass","Test":"TestA"}
{"Action":"output","Test":"TestB","Output":"    b_test.go:3: it is wrong\n"}
{"Action":"fail","Test":"TestB"}
{"Action":"output","Test":"TestC/sub","Output":"    c_test.go:12: NOT RUN: no such field\n"}
{"Action":"output","Test":"TestC/sub","Output":"--- SKIP: TestC/sub (0.00s)\n"}
{"Action":"skip","Test":"TestC/sub"}
{"Action":"output","Output":"FAIL\tsuite\t3s\n"}
{"Action":"fail"}
`
	const closing = "FAIL\tsuite\t3s\n"
	var failures strings.Builder
	got, err := read(strings.NewReader(events), &failures)
	if err != nil {
		t.Fatal(err)
	}
	if got.ran != 2 || got.failed != 1 || len(got.skipped) != 1 || got.skipped[0] != (skip{"TestC/sub",
		"NOT RUN: no such field"}) || got.closing != closing {
		t.Errorf("read: %+v", got)
	}
	if failures.String() != "    b_test.go:3: it is wrong\n"+closing {
		t.Errorf("it printed %q", failures.String())
	}
}
