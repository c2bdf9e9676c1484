package v1alpha1_test

import (
	"bufio"
	"os"
	"regexp"
	"testing"
)

// inText matches a controller-gen marker that is not alone on its line.
var inText = regexp.MustCompile(`//.*\S.* \+(kubebuilder:|optional|listType|listMapKey)`)

// controller-gen only reads a marker that has its own line. Wrapping a comment may move a marker.
func TestEachMarkerHasItsOwnLine(t *testing.T) {
	file, err := os.Open("types.go")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
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
