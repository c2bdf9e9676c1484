package process

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Dialer connects to where a server is: a cluster's network, for one.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

// Metrics are a server's, in Prometheus' text format, but for those with labels.
func Metrics(ctx context.Context, dial Dialer, address string) (map[string]float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", http.NoBody)
	if err != nil {
		return nil, err
	}
	client := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true},
		Timeout: 10 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("read a server's metrics: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("read a server's metrics: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read a server's metrics: %s", response.Status)
	}
	values := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if number, err := strconv.ParseFloat(value, 64); err == nil && !strings.ContainsAny(name, "#{") {
			values[name] = number
		}
	}
	return values, nil
}
