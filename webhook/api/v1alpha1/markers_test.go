package v1alpha1_test

import (
	"bufio"
	"os"
	"regexp"
	"testing"
)

// inText matches a marker for controller-gen that does not begin its comment line, or is not alone there.
var inText = regexp.MustCompile(`//.*\S.* \+(kubebuilder:|optional|listType|listMapKey)`)

// controller-gen reads a marker only if it has a line of its own. If comments are wrapped again, markers may move.
func TestEachMarkerHasItsOwnLine(t *testing.T) {
	file, err := os.Open("types.go")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // only read
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		if inText.MatchString(lines.Text()) {
			t.Errorf("types.go:%d: the marker needs its own line: %s", n, lines.Text())
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}
