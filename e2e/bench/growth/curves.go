package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

// curve is a cost as a function of one number, with all other numbers fixed.
type curve struct {
	name, title, file string
	points            []int
	world             func(x int) (*world, error)
}

var curves = []curve{
	{"bytes of the pod", "A pod's size", "size", []int{1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20},
		func(x int) (*world, error) {
			return newWorld(pods{size: x}, clusterSize{})
		}},
	{"sysctls", "Sysctls in the annotation", "sysctls", []int{1, 2, 4, 8, 16}, func(x int) (*world, error) {
		return newWorld(pods{sysctls: x}, clusterSize{})
	}},
	{"policies", "SysctlPolicies, each for another namespace", "policies", []int{1, 10, 100, 1000},
		func(x int) (*world, error) {
			return newWorld(pods{}, clusterSize{policies: x})
		}},
	{"policies of one namespace", "SysctlPolicies of one namespace, each for another sysctl", "policies-names",
		[]int{1, 10, 100, 1000}, func(x int) (*world, error) {
			return newWorld(pods{}, clusterSize{policies: x, oneNamespace: true})
		}},
	{"grants", "Grants in force, in a thousand namespaces", "grants", []int{0, 100, 1000, 10_000, 50_000},
		func(x int) (*world, error) {
			return newWorld(pods{accounts: x}, clusterSize{namespaces: 1000})
		}},
	{"namespaces", "Namespaces that are enrolled", "namespaces", []int{10, 100, 1000, 10_000},
		func(x int) (*world, error) {
			return newWorld(pods{}, clusterSize{namespaces: x})
		}},
}

// pods are those that are asked about, in turn.
type pods struct {
	size, sysctls int
	accounts      int // service accounts with grants, whose pods take turns
}

// clusterSize is what a cluster holds.
type clusterSize struct {
	policies, namespaces int
	oneNamespace         bool // whether all policies are for the pod's, and differ in the sysctls that they name
}

// sysctlName is one of 16 that the catalogue knows.
func sysctlName(n int) string {
	interfaces, keys := []string{"all", "default", "lo", "eth0"},
		[]string{"rp_filter", "arp_ignore", "arp_announce", "arp_filter"}
	return "net.ipv4.conf." + interfaces[n%4] + "." + keys[n/4]
}

// body is a review of one pod, as the API server sends it.
func (p pods) body(namespace, account string) string {
	var sysctls strings.Builder
	for n := range max(p.sysctls, 1) {
		fmt.Fprintln(&sysctls, sysctlName(n), "= 2")
	}
	text, err := json.Marshal(sysctls.String())
	if err != nil {
		panic(err) // a string always encodes
	}
	var env []string
	for size := 900; size < p.size; size += len(env[len(env)-1]) + 1 {
		env = append(env,
			fmt.Sprintf(`{"name":"SETTING_%05d","value":"a value of \"setting\" %[1]d, with some text to it"}`,
				len(env)))
	}
	return fmt.Sprintf(`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1",`+
		`"request":{"uid":"705ab4f5-6393-11e8-b7cc-42010a800002",`+
		`"kind":{"group":"","version":"v1","kind":"Pod"},"resource":{"group":"","version":"v1","resource":"pods"},`+
		`"namespace":%q,"operation":"CREATE",`+
		`"userInfo":{"username":"admin","groups":["system:authenticated"]},"object":{"kind":"Pod","apiVersion":"v1",`+
		`"metadata":{"generateName":"web-",`+
		`"annotations":{"sysctl-injector.dev/sysctls":%s}},"spec":{"serviceAccountName":%q,`+
		`"containers":[{"name":"web","image":"nginx","env":[%s]}]}},`+
		`"oldObject":null,"dryRun":false,"options":{"kind":"CreateOptions","apiVersion":"meta.k8s.io/v1"}}}`, namespace,
		text, account, strings.Join(env, ","))
}
