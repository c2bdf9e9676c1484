package cluster

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/rest"
)

func newTestLister(t *testing.T, handler http.HandlerFunc) *lister {
	t.Helper()
	apiServer := httptest.NewServer(handler)
	t.Cleanup(apiServer.Close)
	l, err := newLister(&rest.Config{Host: apiServer.URL, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A list is read page by page, to its end, and its items one by one.
func TestListerReadsEveryPage(t *testing.T) {
	var asked []string
	l := newTestLister(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path+"?"+r.URL.RawQuery)
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Query().Get("continue") {
		case "":
			fmt.Fprint(w,
				`{"kind": "PodList", "metadata": {"continue": "2"}, "items": [{"a": 1}, {"b": {"items": []}}]}`)
		case "2":
			fmt.Fprint(w, `{"items": [{"c": 3}], "metadata": {"continue": "3", "remainingItemCount": 1}}`)
		case "3":
			fmt.Fprint(w, `{"items": null, "metadata": {}}`)
		}
	})
	var items []string
	err := l.eachLivePod(t.Context(), "shop", func(pod []byte) error {
		items = append(items, string(pod))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{`{"a": 1}`, `{"b": {"items": []}}`, `{"c": 3}`}, items); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
	const first = "fieldSelector=status.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed" +
		"&labelSelector=sysctl-injector.dev%2Finjected%3Dtrue&limit=50"
	const path = "/api/v1/namespaces/shop/pods?"
	if diff := cmp.Diff([]string{path + first, path + "continue=2&" + first, path + "continue=3&" + first},
		asked); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// A list that is not read to its end is an error: what was not seen is not unused.
func TestListerFails(t *testing.T) {
	forbidden := `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", ` +
		`"message": "pods is forbidden", "code": 403}`
	for _, test := range []struct {
		name   string
		status int
		body   string
		want   string
	}{
		{"where it may not", http.StatusForbidden, forbidden, "pods is forbidden"},
		{"on a page that ends early", http.StatusOK, `{"items": [{}, {"a"`, "unexpected EOF"},
		{"on a list that ends early", http.StatusOK, `{"items": [{}]`, "EOF"},
		{"on no list", http.StatusOK, `[]`, "the API server's answer is not a list"},
		{"on items that are no list", http.StatusOK, `{"items": {}}`, "the API server's answer is not a list"},
		{"on what is not JSON", http.StatusOK, `<html>`, "invalid character '<' looking for beginning of value"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newTestLister(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(test.status)
				fmt.Fprint(w, test.body)
			})
			err := l.eachLivePod(t.Context(), "shop", func([]byte) error { return nil })
			if err == nil || err.Error() != test.want {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

func TestListerEachRoleRef(t *testing.T) {
	l := newTestLister(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"items": [{"roleRef": {"kind": "ClusterRole", "name": %q}, "subjects": [{"kind": "User"}]}]}`,
			r.URL.Path)
	})
	var got []rbacv1.RoleRef
	if err := l.eachRoleRef(t.Context(), func(ref rbacv1.RoleRef) { got = append(got, ref) }); err != nil {
		t.Fatal(err)
	}
	want := []rbacv1.RoleRef{
		{Kind: "ClusterRole", Name: "/apis/rbac.authorization.k8s.io/v1/rolebindings"},
		{Kind: "ClusterRole", Name: "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("roles (-want +got):\n%s", diff)
	}
}

// Memory follows the largest object, not the page: here 60 objects of 1 MiB.
func TestReadPageHoldsOneObject(t *testing.T) {
	const size, count = 1 << 20, 60
	reader, writer := io.Pipe()
	go func() {
		object := `{"annotation": "` + strings.Repeat("x", size) + `"}`
		fmt.Fprint(writer, `{"metadata": {"continue": "more"}, "items": [`+object)
		for range count - 1 {
			fmt.Fprint(writer, ","+object)
		}
		fmt.Fprint(writer, "]}")
		_ = writer.Close()
	}()
	var highest uint64
	items := 0
	next, err := readPage(reader, func([]byte) error {
		if items++; items%20 == 0 {
			var stats runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&stats)
			highest = max(highest, stats.HeapAlloc)
		}
		return nil
	})
	if err != nil || next != "more" || items != count {
		t.Fatalf("%d items, next %q, error %v", items, next, err)
	}
	if highest > 20<<20 {
		t.Errorf("%d MiB are held at once", highest>>20)
	}
}
