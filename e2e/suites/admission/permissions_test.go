package admission_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
)

// checkPermissions checks, after all tests, that the API server has rejected no request of the server, which runs with
// the shipped ClusterRole.
func checkPermissions(c *cluster.Cluster) error {
	var errs []error
	for line := range strings.Lines(installed.Log()) {
		if strings.Contains(line, `is forbidden: User \"`+installation.User) {
			errs = append(errs, fmt.Errorf("the server logs that it lacks a permission: %s", line))
		}
	}
	if cluster.External() {
		fmt.Fprintln(os.Stderr, "NOT CHECKED: whether the API server rejected a request of the server. The cluster's "+
			"audit log is not readable")
		return errors.Join(errs...)
	}
	file, err := os.Open(c.AuditLogPath())
	if err != nil {
		return err
	}
	defer file.Close()
	calls := 0
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event struct {
			Verb, RequestURI string
			User             struct{ Username string }
			ResponseStatus   struct {
				Code    int
				Message string
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil || event.User.Username != installation.User {
			continue // the last line may be half-written
		}
		calls++
		if event.ResponseStatus.Code == http.StatusForbidden {
			errs = append(errs, fmt.Errorf("the API server rejects the server: %s %s: %s", event.Verb, event.RequestURI,
				event.ResponseStatus.Message))
		}
	}
	if calls == 0 {
		errs = append(errs, fmt.Errorf("the audit log knows no call of %s", installation.User))
	}
	return errors.Join(append(errs, lines.Err())...)
}
