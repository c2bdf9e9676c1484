package admission

import (
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// repeated returns the annotated pod with old replaced by a text that makes the pod as large as a request may be:
// first, then each with a number again and again, then last.
func repeated(old, first, each, last string) string {
	var all strings.Builder
	for n := 0; all.Len() < 2700<<10; n++ {
		all.WriteString(strings.ReplaceAll(each, "%d", strconv.Itoa(n)))
	}
	return strings.Replace(annotatedPod, old, first+all.String()+last, 1)
}

// hostilePods lead to as much output, or take as much memory, as a pod can.
var hostilePods = map[string]string{
	"an annotation of bad lines": repeated(`net.core.somaxconn = 1024`, "", `a%d\n`, ""),
	"an annotation of good lines": repeated(`net.core.somaxconn = 1024`, "",
		`net.ipv4.conf.eth%d.forwarding=1\n`, ""),
	"an annotation of one line":     repeated(`net.core.somaxconn = 1024`, "", `\u0001%d`, ""),
	"a value of control characters": repeated(`1024`, "", `\u0001\u0001%d`, ""),
	"many unknown annotations": repeated(`"annotations":{`, `"annotations":{`,
		`"sysctl-injector.dev/%d":"",`, ""),
	"many unknown labels": repeated(`"annotations":{`, `"labels":{"a":""`, `,"sysctl-injector.dev/%d":""`,
		`},"annotations":{`),
	"a long unknown annotation": repeated(`"annotations":{`, `"annotations":{"sysctl-injector.dev/`,
		`%d`, `":"",`),
	"an annotation inject": repeated(`"annotations":{`, `"annotations":{"sysctl-injector.dev/inject":"`,
		`\u0001%d`, `",`),
	"many profiles": repeated(`"annotations":{`, `"annotations":{"sysctl-injector.dev/profiles":"`,
		`p%d,`, `",`),
	"a profile's name": repeated(`"annotations":{`, `"annotations":{"sysctl-injector.dev/profiles":"`,
		`\u0001%d`, `",`),
	"many containers of our name": repeated(`"containers":[`, `"containers":[`,
		`{"name":"sysctl-injector","n":%d},`, ""),
	"many init containers of our name": repeated(`"containers":[`, `"initContainers":[{}`,
		`,{"name":"sysctl-injector","n":%d}`, `],"containers":[`),
	"empty containers": repeated(`"containers":[`, `"containers":[{}`, `,{}`, `],"n":[`),
	"empty volumes":    repeated(`"containers":[`, `"volumes":[{}`, `,{}`, `],"containers":[`),
	"a large container of our name": repeated(`"containers":[`, `"initContainers":[{"name":"sysctl-injector"`,
		`,"f%d":1`, `}],"containers":[`),
	"many native sysctls": repeated(`"spec":{`, `"spec":{"securityContext":{"sysctls":[{}`,
		`,{"name":"net.core.somaxconn","value":"%d"}`, `]},`),
	"a native sysctl's value": repeated(`"spec":{`,
		`"spec":{"securityContext":{"sysctls":[{"name":"net.core.somaxconn","value":"`, `\u0001%d`, `"}]},`),
	"fields of the wrong type": repeated(`"containers":[`, `"containers":[`, `{"name":%d},`, ""),
	"a long path to a wrong type": repeated(`"annotations":{`, `"annotations":{"sysctl-injector.dev/`,
		`%d`, `":1,`),
	"fields that stand there twice": repeated(`"containers":[`, `"containers":[`, `{"name":"a%d","name":""},`, ""),
	"a pod's name":                  repeated(`"generateName":"`, `"generateName":"`, `web%d`, ""),
	"a service account's name":      repeated(`"serviceAccountName":"`, `"serviceAccountName":"`, `web%d`, ""),
	"an owner's name": repeated(`"kind":"ReplicaSet","name":"`, `"kind":"ReplicaSet","name":"`,
		`web%d`, ""),
	"an owner's kind": repeated(`"kind":"ReplicaSet"`, `"kind":"`, `web%d`, `"`),
	"a RuntimeClass's name": strings.Replace(repeated(`"spec":{`, `"spec":{"runtimeClassName":"`, `\u0001%d`,
		`",`), "net.core.somaxconn", "vm.swappiness", 1),
}

// maxAnswer bounds what is said about a pod that changes nothing, with its quoting.
const maxAnswer = 4 * maxMessage

// A pod can be made of nothing but mistakes. What is said about it is bounded, and so is the memory that it takes.
func TestOutputIsBounded(t *testing.T) {
	for name, pod := range hostilePods {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			var reported int
			f.handler.Rejected = func(r Rejection) { reported += len(r.Message) }
			body := reviewOf(pod)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			answer := f.post(body)
			runtime.ReadMemStats(&after)
			if answer.Code != http.StatusOK {
				t.Errorf("got %d %.300s", answer.Code, answer.Body)
			}
			if answered, logged := answer.Body.Len(), len(f.log.String()); answered > maxAnswer || logged > maxAnswer ||
				reported > maxMessage {
				t.Errorf("a body of %d bytes leads to an answer of %d, a log of %d and a report of %d: %.2000s",
					len(body), answered, logged, reported, answer.Body)
			}
			if allocated := int(after.TotalAlloc - before.TotalAlloc); allocated > maxGrowth*len(body) {
				t.Errorf("a body of %d bytes allocates %d bytes, %d times as much", len(body), allocated,
					allocated/len(body))
			}
		})
	}
}

// maxGrowth bounds what a request allocates in all, for each byte of its body, the body itself included.
const maxGrowth = 20
