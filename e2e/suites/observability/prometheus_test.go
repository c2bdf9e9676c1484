package observability_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/await"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
)

// prometheus is a running Prometheus that scrapes the servers.
type prometheus struct {
	address string
	client  *http.Client
}

const scrapeInterval = 5 * time.Second

// startPrometheus runs the machine's Prometheus, which is not one of the programs that the project builds.
func startPrometheus(t *testing.T, c *cluster.Cluster, servers ...string) prometheus {
	t.Helper()
	listener, err := c.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p := prometheus{address: listener.Addr().String(),
		client: &http.Client{Transport: &http.Transport{DialContext: c.Dial}}}
	must(t, listener.Close())
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	content := fmt.Sprintf("global: {scrape_interval: %s}\nscrape_configs:\n- job_name: sysctl-injector\n"+
		"  static_configs: [{targets: ['%s']}]\n", scrapeInterval, strings.Join(servers, "', '"))
	must(t, os.WriteFile(config, []byte(content), 0o600))
	cmd := c.Command(t.Context(), "prometheus", "--config.file="+config, "--web.listen-address="+p.address,
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--log.level=warn")
	var problem strings.Builder
	cmd.Stderr = &problem
	if err := cmd.Start(); err != nil {
		t.Fatalf("Prometheus (on Debian: apt-get install prometheus): %v", err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	must(t, await.Answer(t.Context(), "Prometheus", 100*time.Millisecond, time.Minute,
		func(ctx context.Context) (string, bool) {
			_, err := p.get(ctx, "/-/ready")
			return fmt.Sprint(err, problem.String()), err == nil
		}))
	return p
}

func (p prometheus) get(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.address+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := p.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	return body, err
}

// series is one line of a panel. A value that Prometheus does not have is null.
type series struct {
	Name   string     `json:"name"`
	Values []*float64 `json:"values"`
}

// query evaluates an expression at each scrape, and names its series by the panel's format.
func (p prometheus) query(ctx context.Context, expression, format string, from, to time.Time) ([]series, error) {
	body, err := p.get(ctx, "/api/v1/query_range?"+url.Values{
		"query": {expression}, "start": {strconv.FormatInt(from.Unix(), 10)}, "end": {strconv.FormatInt(to.Unix(), 10)},
		"step": {scrapeInterval.String()},
	}.Encode())
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Values [][2]any
			}
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	var found []series
	for _, result := range answer.Data.Result {
		s := series{Values: make([]*float64, int(to.Sub(from)/scrapeInterval)+1)}
		s.Name = legend.ReplaceAllStringFunc(format,
			func(label string) string { return result.Metric[strings.Trim(label, "{}")] })
		for _, value := range result.Values {
			number, err := strconv.ParseFloat(value[1].(string), 64)
			if err != nil {
				return nil, err
			}
			if !math.IsNaN(number) {
				s.Values[(int64(value[0].(float64))-from.Unix())/int64(scrapeInterval.Seconds())] = &number
			}
		}
		found = append(found, s)
	}
	return found, nil
}
