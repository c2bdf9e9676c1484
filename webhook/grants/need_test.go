package grants

import (
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
)

// A cloned need shares no memory with the annotation that it was read from.
func TestNeedIsCloned(t *testing.T) {
	need := Need{
		Namespace:      "shop",
		ServiceAccount: "web",
		Sysctls:        []string{"net.core.somaxconn"},
		NativeSysctls:  []string{"kernel.sem"},
	}
	copied := clone(need)
	if diff := cmp.Diff(need, copied); diff != "" {
		t.Errorf("the clone (-want +got):\n%s", diff)
	}
	for _, pair := range [][2]string{
		{need.Namespace, copied.Namespace},
		{need.ServiceAccount, copied.ServiceAccount},
		{need.Sysctls[0], copied.Sysctls[0]},
		{need.NativeSysctls[0], copied.NativeSysctls[0]},
	} {
		if unsafe.StringData(pair[0]) == unsafe.StringData(pair[1]) {
			t.Errorf("%q shares its bytes with the need", pair[1])
		}
	}
}
