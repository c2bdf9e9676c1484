package admission_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
)

// A server that gets SIGTERM answers the requests that have reached it, and exits with status 0.
func TestRequestInFlightOutlivesTheSignal(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled)
	newTerminal(t, namespace)
	server, err := installed.Start(t.Context())
	must(t, err)
	body := review(t, namespace)
	first, rest := body[:len(body)/2], body[len(body)/2:]
	reader, writer := io.Pipe()
	type answer struct {
		review admissionv1.AdmissionReview
		err    error
	}
	answered := make(chan answer, 1)
	go func() {
		var a answer
		a.review, a.err = post(t, server.Webhook, reader, len(body))
		answered <- a
	}()
	_, err = writer.Write(first)
	must(t, err)
	must(t, server.Terminate())
	// From here on the server accepts no connections, and the request is still incomplete.
	c := suite.Cluster(t)
	eventually(t, "the server to take no more connections", func(ctx context.Context) (bool, error) {
		conn, err := c.Dial(ctx, "tcp", server.Webhook)
		if err == nil {
			err = conn.Close()
			return false, err
		}
		return true, nil
	})
	_, err = writer.Write(rest)
	must(t, err)
	_ = writer.Close()
	select {
	case a := <-answered:
		if a.err != nil || a.review.Response == nil || !a.review.Response.Allowed || len(a.review.Response.Patch) == 0 {
			t.Errorf("the request in flight is answered by %v, %+v, want a patch", a.err, a.review.Response)
		}
	case <-time.After(patience):
		t.Error("the request in flight is never answered")
	}
	if err := server.Wait(patience); err != nil {
		t.Errorf("the server ends with %v, want exit status 0; its log:\n%s", err, installation.Tail(server.Log(), 20))
	}
}

func review(t *testing.T, namespace string) []byte {
	t.Helper()
	pod, err := json.Marshal(newPod("web", somaxconn))
	must(t, err)
	body, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: "1", Resource: metav1.GroupVersionResource{Version: "v1",
				Resource: "pods"}, Operation: admissionv1.Create,
			Namespace: namespace, Object: runtime.RawExtension{Raw: pod},
		},
	})
	must(t, err)
	return body
}

func post(t *testing.T, address string, body io.Reader, length int) (review admissionv1.AdmissionReview, err error) {
	c := suite.Cluster(t)
	certificate, err := c.ServingCertificate("any.example.com")
	if err != nil {
		return review, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certificate.CA)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+address+"/mutate-pods", body)
	if err != nil {
		return review, err
	}
	request.ContentLength = int64(length)
	request.Header.Set("Content-Type", "application/json")
	client := http.Client{Transport: &http.Transport{DialContext: c.Dial,
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return review, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return review, fmt.Errorf("%s: %s (%w)", response.Status, bytes.TrimSpace(answer), err)
	}
	return review, json.Unmarshal(answer, &review)
}

// One server takes over from another under load, as in a rollout: no pod is rejected.
func TestRollout(t *testing.T) {
	namespace := makeNamespace(t, enrolled)
	newTerminal(t, namespace)
	old := installed.Server()
	ctx, stop := context.WithCancel(t.Context())
	var created atomic.Int64
	var streams sync.WaitGroup
	defer func() {
		stop()
		streams.Wait()
	}()
	stream := func() {
		for ctx.Err() == nil {
			pod, err := client.CoreV1().Pods(namespace).Create(context.WithoutCancel(ctx), newPod("web", somaxconn),
				metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			if err != nil {
				t.Errorf("after %d pods: %v", created.Load(), err)
				return
			}
			if len(pod.Spec.InitContainers) != 1 {
				t.Error("a pod is admitted without its init container")
				return
			}
			created.Add(1)
		}
	}
	for range 8 {
		streams.Go(stream)
	}
	flows := func(what string) {
		until := created.Load() + 100
		eventually(t, what, func(context.Context) (bool, error) { return created.Load() >= until || t.Failed(), nil })
	}
	flows("pods before the rollout")
	next, err := installed.Start(t.Context())
	must(t, err)
	must(t, installed.Route(t.Context(), next))
	// The API server keeps its connections to the old server. It opens one to the new server when it has more requests
	// at a time than connections.
	awaitAnswer(t, "the API server to call the new server", func(ctx context.Context) (string, bool) {
		metrics, err := next.Get(ctx, "/metrics")
		if strings.Contains(metrics, `requests_total{reason="Injected"}`) || t.Failed() {
			return "", true
		}
		streams.Go(stream)
		return fmt.Sprintf("no request yet, error %v", err), false
	})
	must(t, old.Terminate())
	if err := old.Wait(patience); err != nil {
		t.Errorf("the old server ends with %v, want exit status 0; its log:\n%s", err, installation.Tail(old.Log(), 20))
	}
	flows("pods after the rollout")
}
