package convert

import (
	"encoding/json"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// FuzzScript inspects a container with a random script. The lines of its conversion must parse, and the conversion must
// change the pod.
func FuzzScript(f *testing.F) {
	for _, script := range []string{
		"sysctl -w net.core.somaxconn=1024",
		"set -e\nif [ $(sysctl -n net.core.somaxconn) -lt 9 ]; then " +
			"echo 9 > /proc/sys/net/core/somaxconn; fi || exit 1",
		"cat <<-EOF | sysctl -p -\n\tnet.core.somaxconn = 5\nEOF",
		"for x in a b; do (V=${V:-$x}; { ! tee /proc/sys/$x; }); done",
		"[[ $((1 + `echo 2`)) == 3 ]] && exec sysctl -qw kernel.msgmax=\"$1\" 2>&1 >/dev/null &",
	} {
		f.Add("sh", "busybox", script)
		f.Add("bash", "debian", script)
	}
	f.Fuzz(func(t *testing.T, shell, image, script string) {
		template := initContainer(image, shell, "-c", script)
		encoded, err := json.Marshal(template)
		if err != nil {
			t.Skip()
		}
		result, err := Inspect(encoded, Kernel{})
		if err != nil {
			t.Fatal(err)
		}
		if !result.Changes() {
			return
		}
		text := ""
		for _, a := range result.Assignments {
			text += a.String() + "\n"
		}
		if assignments, errs := sysctl.Parse(text, field.NewPath("x")); len(errs) == 0 &&
			len(assignments) != len(result.Assignments) {
			t.Errorf("%q is parsed as %v", text, assignments)
		}
		if len(result.Operations()) == 0 {
			t.Errorf("converted without a change: %q", script)
		}
	})
}
