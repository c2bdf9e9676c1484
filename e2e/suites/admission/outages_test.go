package admission_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/webhook/admission"
)

// outage is a way in which the webhook does not answer.
type outage struct {
	name  string
	begin func(*testing.T)
	why   []string // one of these is in the message about the rejected pod
	some  bool     // pods that ask are created too: there is another server
}

var outages = []outage{
	{"no server is left", func(t *testing.T) {
		kill(t)
		endpoint(t) // none
	}, []string{`no endpoints available for service "sysctl-injector"`}, false},
	{"the servers are killed", kill, []string{"connect: connection refused"}, false},
	{"the servers hang", func(t *testing.T) {
		resume, err := installed.Server().Pause()
		must(t, err)
		t.Cleanup(resume)
	}, []string{"context deadline exceeded"}, false},
	{"one of two servers hangs", hangOne, []string{"context deadline exceeded"}, true},
	{"the network is cut", func(t *testing.T) {
		kill(t)
		endpoint(t, "203.0.113.1") // of a network for documentation (RFC 5737)
	}, []string{"context deadline exceeded", "connect: no route to host", "connect: network is unreachable"}, false},
	{"the caBundle is of another CA", func(t *testing.T) {
		trustInstead(t, newAuthority(t, time.Now().Add(time.Hour)).bundle)
	}, []string{"x509: certificate signed by unknown authority"}, false},
	{"the certificate has expired", expire, []string{"x509: certificate has expired or is not yet valid"}, false},
}

// While the webhook is down, a pod that asks for nothing is created, and one that asks is rejected, also if another
// webhook added the annotation. Not in parallel with the tests that need the webhook.
func TestOutages(t *testing.T) {
	if suite.Cluster(t).Namespace() == "" {
		t.Skip("SKIPPED, outages were not tested: on the loopback there is no service to lose")
	}
	namespace := makeNamespace(t, present)
	annotated := map[string]string{before: makeAnnotated(t, before), after: makeAnnotated(t, after)}
	// Its grants are the others' too.
	_, err := clustertest.CreatePod(t.Context(), client.CoreV1().Pods(namespace), newPod("first", somaxconn))
	must(t, err)
	var figures report
	figures.measure("nothing", creations(t, namespace, ""), creations(t, namespace, somaxconn))
	if first := figures.lines[0]; len(first.plain.rejected)+len(first.asking.rejected)+first.asking.bare > 0 {
		t.Errorf("without an outage: %v, %v, %d without their sysctls", first.plain.rejected, first.asking.rejected,
			first.asking.bare)
	}
	for _, o := range outages {
		t.Run(o.name, func(t *testing.T) {
			o.begin(t)
			if !o.some {
				eventually(t, "the API server to notice", func(ctx context.Context) (bool, error) {
					return o.explains(create(ctx, namespace, somaxconn)), nil
				})
			}
			plain, asking := creations(t, namespace, ""), o.ask(t, namespace)
			figures.measure(o.name, plain, asking)
			for _, err := range plain.rejected {
				t.Errorf("a pod that asks for nothing: %s", err)
			}
			if asking.created > 0 && !o.some || asking.bare > 0 {
				t.Errorf("%d pods that ask were created, %d of them without their sysctls", asking.created, asking.bare)
			}
			for _, err := range asking.rejected {
				if !o.explains(err) {
					t.Errorf("a pod that asks: %s", err)
				}
			}
			if o.some {
				return
			}
			// Annotated before our webhook's turn, the pod asks. Annotated after it, only the guard sees the
			// annotation.
			if err := create(t.Context(), annotated[before], ""); !o.explains(err) {
				t.Errorf("a pod that the webhook before ours annotates: %v", err)
			}
			if err := create(t.Context(), annotated[after], ""); err == nil ||
				!strings.Contains(err.Error(), nothingSets) {
				t.Errorf("a pod that the webhook after ours annotates: %v", err)
			}
		})
		awaitInjection(t, namespace) // the outage has ended
	}
	t.Logf("pods created while this is wrong:\n%s", figures)
}

// ask creates pods that ask for sysctls. If there is another server, some are rejected and others are created.
func (o outage) ask(t *testing.T, namespace string) tally {
	t.Helper()
	asking := creations(t, namespace, somaxconn)
	if !o.some {
		return asking
	}
	// The API server chooses a server at random for each connection. It opens several for pods that are created at the
	// same time, and may use only the first to answer. For a single pod, it opens one.
	for attempts := 0; asking.created == 0 || len(asking.rejected) == 0; attempts++ {
		if attempts == 40 {
			t.Fatalf("the API server calls only one server: %d pods are created, %d rejected", asking.created,
				len(asking.rejected))
		}
		must(t, installed.Restart(t.Context())) // ends the connections
		began := time.Now()
		pod, err := createBy(t.Context(), client, namespace, somaxconn)
		asking.add(pod, err, time.Since(began))
	}
	return asking
}

// explains reports whether an error rejects a pod because of the outage and says so.
func (o outage) explains(err error) bool {
	return err != nil && strings.Contains(err.Error(), `failed calling webhook "`+admission.PodsEntry+`": `) &&
		slices.ContainsFunc(o.why, func(why string) bool { return strings.Contains(err.Error(), why) })
}

// create creates a pod without a name of its own.
func create(ctx context.Context, namespace, sysctls string) error {
	_, err := createBy(ctx, client, namespace, sysctls)
	return err
}

func createBy(ctx context.Context, client *kubernetes.Clientset, namespace, sysctls string) (*corev1.Pod, error) {
	pod := newPod("", sysctls)
	pod.GenerateName = "web-"
	return client.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{})
}

// kill kills the server, until the test ends.
func kill(t *testing.T) {
	t.Helper()
	installed.Server().Kill()
	t.Cleanup(func() {
		if err := installed.Restart(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// endpoint leaves the service with these addresses, until the test ends.
func endpoint(t *testing.T, addresses ...string) {
	t.Helper()
	set := func(addresses ...string) {
		port := portOf(t, installed.Server())
		err := clustertest.SetEndpoints(context.Background(), client, installation.Namespace, installation.Name, port,
			addresses...)
		if err != nil {
			t.Error(err)
		}
	}
	set(addresses...)
	t.Cleanup(func() { set(suite.Cluster(t).Address().String()) })
}

func portOf(t *testing.T, server *installation.Server) int32 {
	t.Helper()
	_, text, err := net.SplitHostPort(server.Webhook)
	must(t, err)
	port, err := strconv.ParseInt(text, 10, 32)
	must(t, err)
	return int32(port)
}

// trustInstead makes the API server trust another CA for the webhook until the test ends.
func trustInstead(t *testing.T, bundle []byte) {
	t.Helper()
	configurations := client.AdmissionregistrationV1().MutatingWebhookConfigurations()
	former, err := configurations.Get(t.Context(), installation.Name, metav1.GetOptions{})
	must(t, err)
	write := func(bundle []byte) {
		var changes []map[string]any
		for n := range former.Webhooks {
			path := fmt.Sprintf("/webhooks/%d/clientConfig/caBundle", n)
			changes = append(changes, map[string]any{"op": "replace", "path": path, "value": bundle})
		}
		patch, err := json.Marshal(changes)
		if err == nil {
			_, err = configurations.Patch(context.Background(), installation.Name, types.JSONPatchType, patch,
				metav1.PatchOptions{})
		}
		if err != nil {
			t.Error(err)
		}
	}
	write(bundle)
	t.Cleanup(func() { write(former.Webhooks[0].ClientConfig.CABundle) })
}

// expire makes the API server call a server whose certificate has expired. A server does not load an expired
// certificate, so it starts with one that expires soon after the start.
func expire(t *testing.T) {
	t.Helper()
	former := installed.Server()
	server, ca := startBriefly(t)
	<-time.After(time.Until(ca.expires))
	trustInstead(t, ca.bundle)
	must(t, installed.Route(t.Context(), server))
	t.Cleanup(func() {
		if err := installed.Route(context.Background(), former); err != nil {
			t.Error(err)
		}
	})
}

// startBriefly starts a server whose certificate expires soon. On a busy machine the start takes longer, so the
// certificate lives longer.
func startBriefly(t *testing.T) (*installation.Server, authority) {
	t.Helper()
	for validity := 10 * time.Second; ; validity *= 2 {
		ca := newAuthority(t, time.Now().Add(validity))
		server, err := installed.Start(t.Context(), "--tls-cert-file="+ca.certFile,
			"--tls-private-key-file="+ca.keyFile)
		if err == nil {
			t.Cleanup(server.Kill)
			return server, ca
		}
		if validity > time.Minute {
			t.Fatal(err)
		}
	}
}
