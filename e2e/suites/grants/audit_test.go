package grants_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
)

// call is a line of the API server's audit log (k8s.io/apiserver pkg/apis/audit/v1, Event).
type call struct {
	AuditID    string
	Stage      string
	RequestURI string
	Verb       string
	User       struct{ Username string }
	ObjectRef  struct{ Resource, Subresource, Namespace, Name string }

	ResponseStatus           struct{ Code int }
	RequestReceivedTimestamp time.Time
	StageTimestamp           time.Time
}

func (c call) String() string {
	resource := c.ObjectRef.Resource
	if c.ObjectRef.Subresource != "" {
		resource += "/" + c.ObjectRef.Subresource
	}
	name := c.ObjectRef.Name
	if c.ObjectRef.Namespace != "" {
		name = c.ObjectRef.Namespace + "/" + name
	}
	return fmt.Sprintf("%s %s %s: %d", c.Verb, resource, name, c.ResponseStatus.Code)
}

// audit reads the calls from a moment on.
type audit struct{ start int64 }

// newAudit starts at this moment: earlier calls are not in it.
func newAudit(t *testing.T) *audit {
	t.Helper()
	clustertest.RequireOwn(t, "it reads the API server's audit log")
	a := &audit{}
	a.start = a.catchUp(t)
	return a
}

// calls returns a user's answered calls, without watches: those update the caches, whatever pods are created.
func (a *audit) calls(t *testing.T, account string) []call {
	t.Helper()
	a.catchUp(t)
	var found []call
	a.read(t, func(c call, _ int64) {
		if c.User.Username == user(account) && c.Stage == "ResponseComplete" && c.Verb != "watch" {
			found = append(found, c)
		}
	})
	return found
}

// admissions returns the calls of a user that may have been made to admit pods. The controller's lists of pods are left
// out: they are made at other times.
func (a *audit) admissions(t *testing.T, account string) []call {
	t.Helper()
	return slices.DeleteFunc(a.calls(t, account),
		func(c call) bool { return c.Verb == "list" && c.ObjectRef.Resource == "pods" })
}

// writes returns the calls of a user that may have changed something. Writes of the status of policies and profiles are
// left out: a new leader makes them at any time, whatever pods are created.
func (a *audit) writes(t *testing.T, account string) []call {
	t.Helper()
	return slices.DeleteFunc(a.calls(t, account), func(c call) bool {
		return c.Verb == "get" || c.Verb == "list" || c.ObjectRef.Resource == "subjectaccessreviews" ||
			c.ObjectRef.Subresource == "status"
	})
}

// statuses are the calls of a user that wrote a status.
func (a *audit) statuses(t *testing.T, account string) []call {
	t.Helper()
	return slices.DeleteFunc(a.calls(t, account), func(c call) bool {
		return c.Verb == "get" ||
			c.ObjectRef.Subresource != "status"
	})
}

// catchUp waits until the log has reached this moment, and returns the position. A call made now marks the moment. A
// call that began earlier may be logged later although its write is already visible, so catchUp waits for its line too.
func (a *audit) catchUp(t *testing.T) (end int64) {
	t.Helper()
	name := strings.ToLower(rand.Text())
	if err := admin.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: name},
		&corev1.ConfigMap{}); !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	eventually(t, "the audit log to catch up", func(context.Context) (bool, error) {
		unanswered, marked := map[string]bool{}, false
		a.read(t, func(c call, after int64) {
			switch {
			case c.ObjectRef.Resource == "configmaps" && c.ObjectRef.Name == name:
				marked = true
			case c.Stage != "RequestReceived":
				delete(unanswered, c.AuditID)
			case !marked && c.Verb != "watch":
				unanswered[c.AuditID] = true
			}
			end = after
		})
		return marked && len(unanswered) == 0, nil
	})
	return end
}

// read passes each call to a function, with the position of the end of its line.
func (a *audit) read(t *testing.T, each func(c call, end int64)) {
	t.Helper()
	file, err := os.Open(suite.Cluster(t).AuditLogPath())
	must(t, err)
	defer file.Close()
	_, err = file.Seek(a.start, io.SeekStart)
	must(t, err)
	end := a.start
	for lines := bufio.NewReader(file); ; {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return // the last line is still being written
		}
		must(t, err)
		end += int64(len(line))
		var c call
		must(t, json.Unmarshal(line, &c))
		each(c, end)
	}
}
