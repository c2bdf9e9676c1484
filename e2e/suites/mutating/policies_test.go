package mutating_test

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	nodev1 "k8s.io/api/node/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/mutating"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

var (
	//go:embed testdata/policies.yaml
	policiesYAML []byte
	//go:embed testdata/profiles.yaml
	profilesYAML []byte

	objects = bytes.Join([][]byte{policiesYAML, profilesYAML}, []byte("\n---\n"))

	// shipped holds the shipped policies and profiles, and those of testdata.
	shipped = mutating.Config{
		GuestHandlers: policy.DefaultGuestHandlers(), Version: installation.Version,
		Policies: append(decodeAll[v1alpha1.SysctlPolicy](builtIn(templates.Policies)),
			decodeAll[v1alpha1.SysctlPolicy](policiesYAML)...),
		Profiles: append(decodeAll[v1alpha1.SysctlProfile](builtIn(templates.Profiles)),
			decodeAll[v1alpha1.SysctlProfile](profilesYAML)...),
	}
)

// builtIn returns the files of a tree as one manifest.
func builtIn(tree fs.FS) []byte {
	var all [][]byte
	err := fs.WalkDir(tree, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(tree, path)
		all = append(all, content)
		return err
	})
	if err != nil {
		panic(err) // the tree is embedded
	}
	return bytes.Join(all, []byte("\n---\n"))
}

func decodeAll[T any](manifest []byte) (all []*T) {
	for reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifest))); ; {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		object := new(T)
		if err == nil {
			err = yaml.UnmarshalStrict(document, object)
		}
		if err != nil {
			panic(err) // the manifest is embedded
		}
		all = append(all, object)
	}
}

// RuntimeClasses whose pods have a kernel of their own, by handler and by label, and one whose pods run on the node's
// kernel.
const (
	guestClass    = "guest-by-handler"
	labelledClass = "guest-by-label"
	nodeClass     = "kata" // the name does not decide
	// plainKataClass has the handler that the tests of package injection use.
	plainKataClass = "guest-kata"
)

func createClasses(ctx context.Context) error {
	for _, class := range []*nodev1.RuntimeClass{
		{ObjectMeta: metav1.ObjectMeta{Name: guestClass}, Handler: "kata-qemu"},
		{ObjectMeta: metav1.ObjectMeta{Name: labelledClass,
			Labels: map[string]string{v1alpha1.KernelLabel: v1alpha1.KernelLabelGuest}}, Handler: "runc"},
		{ObjectMeta: metav1.ObjectMeta{Name: nodeClass}, Handler: "runc"},
		{ObjectMeta: metav1.ObjectMeta{Name: plainKataClass}, Handler: "kata"},
	} {
		if _, err := kube.NodeV1().RuntimeClasses().Create(ctx, class, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// The API server compiles the policies without profiles too, and they inject.
func TestWithoutProfiles(t *testing.T) {
	t.Parallel()
	suite.Cluster(t)
	config, world := shipped, "no-profiles"
	config.Profiles = nil
	must(t, install(t.Context(), config, world))
	awaitDecisions(t, makeNamespace(t, map[string]string{byLabel: world}))
}

// install installs the rendered policies for the namespaces in which the label byLabel has a value. It returns when
// they act.
func install(ctx context.Context, config mutating.Config, world string) error {
	rendered, err := mutating.Render(config)
	if err != nil {
		return err
	}
	for _, object := range rendered {
		if err := create(ctx, object, world); err != nil {
			return fmt.Errorf("create %s: %w", object.GetName(), err)
		}
	}
	return nil
}

func create(ctx context.Context, object client.Object, world string) (err error) {
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{byLabel: world}}
	object.SetName(object.GetName() + "-" + world)
	api := kube.AdmissionregistrationV1()
	switch o := object.(type) {
	case *admissionregistrationv1.MutatingAdmissionPolicy:
		_, err = api.MutatingAdmissionPolicies().Create(ctx, o, metav1.CreateOptions{})
	case *admissionregistrationv1.ValidatingAdmissionPolicy:
		_, err = api.ValidatingAdmissionPolicies().Create(ctx, o, metav1.CreateOptions{})
	case *admissionregistrationv1.MutatingAdmissionPolicyBinding:
		o.Spec.PolicyName += "-" + world
		o.Spec.MatchResources.NamespaceSelector = selector
		_, err = api.MutatingAdmissionPolicyBindings().Create(ctx, o, metav1.CreateOptions{})
	case *admissionregistrationv1.ValidatingAdmissionPolicyBinding:
		o.Spec.PolicyName += "-" + world
		o.Spec.MatchResources.NamespaceSelector = selector
		_, err = api.ValidatingAdmissionPolicyBindings().Create(ctx, o, metav1.CreateOptions{})
	default:
		err = fmt.Errorf("an unknown kind %T", o)
	}
	return err
}

var dryRun = metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
