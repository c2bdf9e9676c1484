package admission

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
)

// grown returns a pod that is as the annotated one, with environment variables that make it as large as is asked.
func grown(bytes int) string {
	var env strings.Builder
	for i := 0; len(annotatedPod)+env.Len() < bytes; i++ {
		fmt.Fprintf(&env,
			`{"name":"SETTING_%04d","value":"some value of \"setting\" %d with a little text to it"},`, i, i)
	}
	if env.Len() == 0 {
		return annotatedPod
	}
	return strings.Replace(annotatedPod, `"image":"nginx"`,
		`"image":"nginx","env":[`+strings.TrimSuffix(env.String(), ",")+`]`, 1)
}

var sizes = []struct {
	name  string
	bytes int
}{{"2KB", 2 << 10}, {"60KB", 60 << 10}, {"1MB", 1 << 20}}

// BenchmarkHandle is a whole request without the network: body to answer.
func BenchmarkHandle(b *testing.B) {
	for _, size := range sizes {
		body := reviewOf(grown(size.bytes))
		b.Run("size="+size.name, func(b *testing.B) {
			f := newFixture(b)
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				f.log.Reset()
				if answer := f.post(body); answer.Code != http.StatusOK {
					b.Fatal(answer)
				}
			}
		})
	}
}

// BenchmarkServe is a request with TLS and HTTP, of a body as an API server sent it: with -cpuprofile it tells where
// the time goes.
func BenchmarkServe(b *testing.B) {
	for _, name := range []string{"small-plain", "small-annotated", "large-plain", "large-annotated"} {
		body, err := os.ReadFile(filepath.Join("../../e2e/bench/request/testdata", name+".json"))
		if err != nil {
			b.Fatal(err)
		}
		b.Run("body="+name, func(b *testing.B) {
			f := newFixture(b)
			f.handler.Log = slog.New(slog.DiscardHandler)
			address, client := listening(b, f.handler)
			b.ReportAllocs()
			for b.Loop() {
				response, err := client.Post("https://"+address+MutatePath, "application/json", bytes.NewReader(body))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
					b.Fatal(response.Status, err)
				}
				_ = response.Body.Close()
			}
		})
	}
}

// BenchmarkStages are the parts of a request.
func BenchmarkStages(b *testing.B) {
	for _, size := range sizes {
		body := []byte(reviewOf(grown(size.bytes)))
		r, err := readReview(body)
		if err != nil {
			b.Fatal(err)
		}
		f := newFixture(b)
		d := f.handler.decide(b.Context(), r)
		for _, stage := range []struct {
			name string
			run  func() error
		}{
			{"scan", func() error { _, err := readReview(body); return err }},
			{"decide", func() error {
				target := injection.Target{Namespace: r.namespace}
				err := f.handler.locate(b.Context(), r.pod, &target, false)
				f.handler.outcome(r.pod, target)
				return err
			}},
			{"response", func() error { _, err := d.encode(); return err }},
		} {
			b.Run("stage="+stage.name+"/size="+size.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := stage.run(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
