package install_test

import (
	"context"
	"fmt"
	"testing"
)

// keepLogs copies the logs of the servers' pods to the suite's logs if the test has failed. Otherwise they are lost:
// the kubelet deletes a pod's logs with the pod, and the rest is lost with the node.
func keepLogs(t *testing.T) {
	t.Helper()
	if !t.Failed() {
		return
	}
	c := suite.Cluster(t)
	log, err := c.CreateLog("servers")
	must(t, err)
	defer log.Close()
	fmt.Fprintf(log, "The servers' logs at the end of %s\n", t.Name())
	const files = "/var/log/pods/*_" + program + "-*/*/*.log" // also those of former containers
	tail := c.NodeCommand(context.WithoutCancel(t.Context()), "sh", "-c", "tail -v -n +1 "+files)
	tail.Stdout, tail.Stderr = log, log
	if err := tail.Run(); err != nil {
		t.Logf("not all of the servers' logs are in %s: %v", log.Name(), err)
	}
}
