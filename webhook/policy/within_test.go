package policy

import (
	"math/big"
	"testing"
)

// FuzzWithin compares with arithmetic on numbers of any length.
func FuzzWithin(f *testing.F) {
	for _, seed := range []string{"", "-", "0", "-0", "010", "+1", "9223372036854775807", "9223372036854775808",
		"-9223372036854775809", "99999999999999999999x", "1_000", "٣"} {
		f.Add(seed, int64(0), int64(1<<63-1), uint8(3))
	}
	f.Fuzz(func(t *testing.T, text string, least, most int64, bounds uint8) {
		r := &allowRule{}
		if bounds&1 != 0 {
			r.min = &least
		}
		if bounds&2 != 0 {
			r.max = &most
		}
		if r.min == nil && r.max == nil {
			return
		}
		if got, want := r.within(text), bigWithin(r.min, r.max, text); got != want {
			t.Errorf("within(%q) is %t, want %t, with bounds %s", text, got, want, r.bounds())
		}
	})
}

// bigWithin compares numbers of any length.
func bigWithin(minimum, maximum *int64, f string) bool {
	if minimum == nil && maximum == nil {
		return true
	}
	number, ok := new(big.Int).SetString(f, 10)
	return ok && number.String() == f &&
		(minimum == nil || number.Cmp(big.NewInt(*minimum)) >= 0) &&
		(maximum == nil || number.Cmp(big.NewInt(*maximum)) <= 0)
}
