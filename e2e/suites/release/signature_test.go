package release_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/sysctl-injector/sysctl-injector/e2e/tools"
)

// signer calls the real cosign with a key that it makes. The release workflow signs without a key: it uses the identity
// of its run, which needs Sigstore's services.
type signer struct {
	t              *testing.T
	program, crane string
	dir            string // with the key
}

func newSigner(t *testing.T) signer {
	t.Helper()
	cosign, err := tools.Find("release/cosign")
	if err != nil {
		t.Skipf("SKIPPED, nothing was signed: %v. `make test-signing` builds it", err)
	}
	s := signer{t, cosign.Path("cosign"), cosign.Path("crane"), t.TempDir()}
	s.must("generate-key-pair")
	return s
}

func (s signer) run(args ...string) (string, error) {
	cmd := exec.Command(s.program, args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "COSIGN_PASSWORD=", "HOME="+s.dir)
	output, err := cmd.CombinedOutput()
	return string(output), err
}

func (s signer) must(args ...string) {
	s.t.Helper()
	if output, err := s.run(args...); err != nil {
		s.t.Fatalf("cosign %s: %v\n%s", strings.Join(args, " "), err, output)
	}
}

// wantRejected runs a verification that has to fail for a reason.
func (s signer) wantRejected(reason string, args ...string) {
	s.t.Helper()
	if output, err := s.run(args...); err == nil || !strings.Contains(output, reason) {
		s.t.Errorf("cosign %s: %v, want %q\n%s", strings.Join(args, " "), err, reason, output)
	}
}

var (
	sign   = []string{"--yes", "--key=cosign.key", "--use-signing-config=false", "--tlog-upload=false"}
	verify = []string{"--key=cosign.pub", "--insecure-ignore-tlog=true"}
)

// A release can be signed, and verified by anyone who downloads it. Verification fails for a changed byte and for
// another key.
func TestSignatures(t *testing.T) {
	s := newSigner(t)
	command, dist := filepath.Join(t.TempDir(), "release"), filepath.Join(t.TempDir(), "dist")
	run(t, "go", "build", "-o", command, "../../../deploy/release")
	if output, err := release(command, root, dist).CombinedOutput(); err != nil {
		t.Fatalf("make a release: %v\n%s", err, output)
	}

	t.Run("of the checksums", func(t *testing.T) {
		sums, bundle := filepath.Join(dist, "SHA256SUMS"), "--bundle="+filepath.Join(dist, "SHA256SUMS.sigstore.json")
		s := signer{t, s.program, s.crane, s.dir}
		s.must(append([]string{"sign-blob", bundle, sums}, sign...)...)
		s.must(append([]string{"verify-blob", bundle, sums}, verify...)...)
		content := read(t, dist, "SHA256SUMS")
		content[0] ^= 1
		must(t, os.WriteFile(sums, content, 0o600))
		s.wantRejected("invalid signature", append([]string{"verify-blob", bundle, sums}, verify...)...)
	})
	t.Run("of the image", func(t *testing.T) {
		s := signer{t, s.program, s.crane, s.dir}
		image, other := s.push(dist)
		insecure := "--allow-http-registry=true" // the test's own, on loopback
		s.must(append([]string{"sign", insecure, image}, sign...)...)
		s.must(append([]string{"verify", insecure, image}, verify...)...)
		s.wantRejected("no signatures found", append([]string{"verify", insecure, other}, verify...)...)
		s.must("generate-key-pair", "--output-key-prefix=other")
		s.wantRejected("accepted signatures do not match threshold", "verify", insecure, image, "--key=other.pub",
			"--insecure-ignore-tlog=true")
	})
}

// push pushes the image's layout to a registry, and returns its reference by digest and that of one of its images,
// which is not signed.
func (s signer) push(dist string) (signed, other string) {
	s.t.Helper()
	t := s.t
	unpacked := t.TempDir()
	run(t, "tar", "--extract", "--file", filepath.Join(dist, "sysctl-injector-image.tar"), "--directory", unpacked)
	repository := s.serve() + "/sysctl-injector"
	run(t, s.crane, "push", "--insecure", "--index", unpacked, repository+":"+version)
	digest := func(flags ...string) string {
		return strings.TrimSpace(run(t, s.crane, append([]string{"digest", "--insecure", repository + ":" + version},
			flags...)...))
	}
	return repository + "@" + digest(), repository + "@" + digest("--platform=linux/"+runtime.GOARCH)
}

var port = regexp.MustCompile(`serving on port ([0-9]+)`)

// serve starts a registry on loopback, and returns its address.
func (s signer) serve() string {
	s.t.Helper()
	cmd := exec.Command(s.crane, "registry", "serve", "--address=127.0.0.1:0")
	output, err := cmd.StderrPipe()
	must(s.t, err)
	must(s.t, cmd.Start())
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if match := port.FindStringSubmatch(lines.Text()); match != nil {
			go func() { _, _ = io.Copy(io.Discard, output) }()
			return "127.0.0.1:" + match[1]
		}
	}
	s.t.Fatal("the registry did not start")
	return ""
}
