package grants

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var (
	web = Need{
		Namespace:      "shop",
		ServiceAccount: "web",
		Sysctls:        []string{"net.core.somaxconn", "net.ipv4.tcp_rmem"},
	}
	batch   = Need{Namespace: "jobs", ServiceAccount: "default", Sysctls: []string{"net.core.somaxconn"}}
	liberty = Need{Namespace: "sugi", ServiceAccount: "psp-user", NativeSysctls: []string{"net.core.somaxconn"}}
	long    = Need{Namespace: "shop", ServiceAccount: strings.Repeat("a", 250),
		Sysctls: []string{"net.ipv4.conf." + strings.Repeat("x", 230) + ".rp_filter"}}
)

// goldens are rendered into testdata, each into the file of its name.
var goldens = map[string]struct {
	backend Backend
	needs   []Need
}{
	"vap-one-need":                 {ValidatingAdmissionPolicy, []Need{batch}},
	"vap-two-needs-share-a-sysctl": {ValidatingAdmissionPolicy, []Need{web, batch}},
	"vap-long-names":               {ValidatingAdmissionPolicy, []Need{long}},
	"scc-one-need":                 {SecurityContextConstraints, []Need{batch}},
	"scc-two-needs-share-a-sysctl": {SecurityContextConstraints, []Need{web, batch}},
	"scc-user-namespace": {SecurityContextConstraints, []Need{{Namespace: "shop", ServiceAccount: "web",
		Sysctls: []string{"net.core.somaxconn"}, UserNamespace: true}}},
	"scc-user-namespace-ipc-only": {SecurityContextConstraints, []Need{{Namespace: "shop", ServiceAccount: "queue",
		UserNamespace: true}}},
	"psp-native":   {PodSecurityPolicy, []Need{liberty}},
	"psp-injected": {PodSecurityPolicy, []Need{batch}},
	"psp-injected-safe-sysctl": {PodSecurityPolicy, []Need{{Namespace: "shop", ServiceAccount: "web",
		Sysctls: []string{"net.ipv4.ip_local_port_range"}}}},
	"psp-injected-and-native": {PodSecurityPolicy, []Need{{Namespace: "shop", ServiceAccount: "web",
		Sysctls: []string{"net.core.somaxconn"}, NativeSysctls: []string{"kernel.sem"}}}},
	"psp-two-needs-share-a-sysctl": {PodSecurityPolicy, []Need{{Namespace: "shop", ServiceAccount: "web",
		Sysctls: []string{"net.core.somaxconn"}}, batch}},
	"psp-underscores-need-a-hash": {PodSecurityPolicy, []Need{{Namespace: "shop", ServiceAccount: "web",
		NativeSysctls: []string{"net.ipv4.tcp_max_syn_backlog", "net.ipv4.conf.all.arp_notify"}}}},
	"psp-long-names": {PodSecurityPolicy, []Need{long}},
}

func TestGolden(t *testing.T) {
	files, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name, isYAML := strings.CutSuffix(file.Name(), ".yaml")
		if _, known := goldens[name]; !known || !isYAML {
			t.Errorf("stray file testdata/%s: no test renders it", file.Name())
		}
	}
	for name, test := range goldens {
		t.Run(name, func(t *testing.T) {
			objects, err := Render(test.backend, test.needs)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			for i, object := range objects {
				encoded, err := yaml.Marshal(object)
				if err != nil {
					t.Fatal(err)
				}
				if i > 0 {
					got.WriteString("---\n")
				}
				got.Write(encoded)
			}
			golden := filepath.Join("testdata", name+".yaml")
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", golden, diff)
			}
		})
	}
}
