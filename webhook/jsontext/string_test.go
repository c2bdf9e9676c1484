package jsontext

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func FuzzAppendStrings(f *testing.F) {
	f.Add("plain", `a "quote" and a \`)
	f.Add("\x00\x1f\x7f", "<&>\u2028é\xff\U0001f600")
	f.Fuzz(func(t *testing.T, first, second string) {
		texts := []string{first, second}
		encoded, err := json.Marshal(texts)
		if err != nil {
			t.Fatal(err)
		}
		var want, got []string
		if err := json.Unmarshal(encoded, &want); err != nil {
			t.Fatal(err)
		}
		if written := AppendStrings([]byte(" "), texts); json.Unmarshal(written, &got) != nil ||
			cmp.Diff(want, got) != "" {
			t.Errorf("%q reads as %q, and what encoding/json writes as %q", written, got, want)
		}
	})
}
