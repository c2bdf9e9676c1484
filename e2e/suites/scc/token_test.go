package scc_test

import (
	"strings"
	"testing"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
)

// TestOwnConstraints checks that the holder of the server's token cannot widen the server's constraints, even with the
// rights of an administrator.
func TestOwnConstraints(t *testing.T) {
	c := clusterOf(t)
	try := func(args ...string) error {
		_, err := c.Kubectl(t.Context(), "", append(args, "--as", installation.User, "--as-group", "system:masters")...)
		return err
	}
	for _, test := range []struct{ constraints, patch string }{
		{"sysctl-injector", `{"allowHostNetwork":true}`},
		{"sysctl-injector", `{"allowHostPID":true}`},
		{"sysctl-injector", `{"allowHostIPC":true}`},
		{"sysctl-injector", `{"allowHostPorts":true}`},
		{"sysctl-injector", `{"allowHostDirVolumePlugin":true}`},
		{"sysctl-injector", `{"allowedCapabilities":["SYS_ADMIN"]}`},
		{"sysctl-injector", `{"defaultAddCapabilities":["SYS_ADMIN"]}`},
		{"sysctl-injector", `{"allowedUnsafeSysctls":["*"]}`},
		{"sysctl-injector", `{"groups":["system:authenticated"]}`},
		{"sysctl-injector", `{"users":["mallory"]}`},
		{"sysctl-injector", `{"priority":20}`},
		{"sysctl-injector", `{"volumes":["hostPath"]}`},
		{"sysctl-injector", `{"seLinuxContext":{"type":"RunAsAny"}}`},
		{"sysctl-injector", `{"seLinuxContext":{"seLinuxOptions":{"type":"spc_t"}}}`},
		{"sysctl-injector", `{"fsGroup":{"type":"RunAsAny"}}`},
		{"sysctl-injector", `{"metadata":{"labels":{"app.kubernetes.io/managed-by":null}}}`},
		{"sysctl-injector-user-namespace", `{"allowPrivilegedContainer":true}`},
		{"sysctl-injector-user-namespace", `{"allowPrivilegeEscalation":true}`},
		{"sysctl-injector-user-namespace", `{"allowedCapabilities":["NET_ADMIN","SYS_ADMIN"]}`},
		{"sysctl-injector-user-namespace", `{"requiredDropCapabilities":[]}`},
		{"sysctl-injector-user-namespace", `{"seccompProfiles":["*"]}`},
		{"sysctl-injector-user-namespace", `{"userNamespaceLevel":"AllowHostLevel"}`},
		{"restricted-v2", `{"groups":["system:masters"]}`},
	} {
		err := try("patch", "securitycontextconstraints", test.constraints, "--type=merge", "--patch", test.patch)
		if err == nil || !strings.Contains(err.Error(),
			"sysctl-injector writes only its own SecurityContextConstraints, as rendered") {
			t.Errorf("patch of %s with %s: %v", test.constraints, test.patch, err)
		}
	}
	if err := try("delete", "securitycontextconstraints", "sysctl-injector"); err == nil {
		t.Error("the constraints are deleted")
	}
	if err := try("label", "securitycontextconstraints", "sysctl-injector", "more=labels"); err != nil {
		t.Errorf("what the policy allows: %v", err)
	}
}
