package admission

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// grown returns a pod that is as the annotated one, with environment variables that make it as large as is asked.
func grown(bytes int) string {
	var env strings.Builder
	for i := 0; len(annotatedPod)+env.Len() < bytes; i++ {
		fmt.Fprintf(&env, `{"name":"SETTING_%04d","value":"some value of \"setting\" %d with a little text to it"},`, i, i)
	}
	if env.Len() == 0 {
		return annotatedPod
	}
	return strings.Replace(annotatedPod, `"image":"nginx"`, `"image":"nginx","env":[`+strings.TrimSuffix(env.String(), ",")+`]`, 1)
}

var sizes = []struct {
	name  string
	bytes int
}{{"2KB", 2 << 10}, {"60KB", 60 << 10}, {"1MB", 1 << 20}}

// BenchmarkServeHTTP is a whole request without the network: body to answer.
func BenchmarkServeHTTP(b *testing.B) {
	for _, size := range sizes {
		body := reviewOf(grown(size.bytes))
		b.Run("size="+size.name, func(b *testing.B) {
			f := newFixture(b)
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				f.log.Reset()
				if recorder := f.post(body); recorder.Code != http.StatusOK {
					b.Fatal(recorder.Body)
				}
			}
		})
	}
}

// BenchmarkStages are the parts of a request.
func BenchmarkStages(b *testing.B) {
	for _, size := range sizes {
		body := reviewOf(grown(size.bytes))
		r, err := readReview(body)
		if err != nil {
			b.Fatal(err)
		}
		f := newFixture(b)
		d := f.handler.decide(b.Context(), r)
		for _, stage := range []struct {
			name string
			run  func()
		}{
			{"scan", func() { _, _ = readReview(body) }},
			{"decide", func() { _, _ = f.handler.outcome(b.Context(), r.pod, r.namespace) }},
			{"answer", func() { d.write(httptest.NewRecorder()) }},
		} {
			b.Run("stage="+stage.name+"/size="+size.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					stage.run()
				}
			})
		}
	}
}
