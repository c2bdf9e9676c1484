package guard_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/pod-security-admission/policy"
)

// olderAnswer is what API servers before a version say to an attempt where newer ones say something else.
type olderAnswer struct {
	before   uint // the minor version that is the first to answer as the tables of attempts say
	attempts []string
	by       layer
	want     string
}

// The versions since which the API server has a feature without a feature gate. Before, it drops the fields.
const (
	userNamespaces = 33 // UserNamespacesSupport and ProcMountType: hostUsers, procMount
	inPlaceResize  = 33 // InPlacePodVerticalScaling: resizePolicy, pods/resize
	resourceClaims = 34 // DynamicResourceAllocation: resources.claims
	initResize     = 36 // InPlacePodVerticalScalingInitContainers: pods/resize of init containers
	// before, the API server writes an annotation, too, for each profile that a field of a new pod states
	appArmorByField = 34
)

const ourAppArmorAnnotation = "container.apparmor.security.beta.kubernetes.io/sysctl-injector"

var olderAnswers = []olderAnswer{
	{appArmorByField, []string{"UPDATE: another image, annotations and labels gone"}, theAPIServer,
		`Pod "pod" is invalid: metadata.annotations[` + ourAppArmorAnnotation +
			`]: Forbidden: may not remove or update AppArmor annotations`},
	{appArmorByField, []string{"UPDATE: its name"}, theAPIServer,
		`Pod "pod" is invalid: [metadata.annotations[` + ourAppArmorAnnotation +
			`]: Invalid value: "sysctl-injector": container not found, ` +
			`spec: Forbidden: pod updates may not change fields other than`},
	{appArmorByField, []string{"UPDATE: one less"}, theAPIServer,
		`Pod "pod" is invalid: [metadata.annotations[` + ourAppArmorAnnotation +
			`]: Invalid value: "sysctl-injector": container not found, ` +
			`spec.initContainers: Forbidden: pod updates may not add or remove containers`},
	{appArmorByField, []string{"ours under a name in another script"}, theAPIServer,
		"Pod \"pod\" is invalid: [metadata.annotations: Invalid value: " +
			"\"container.apparmor.security.beta.kubernetes.io/sysctl-\u0456njector\": name part must"},
	{appArmorByField, []string{"ours with a blank after its name"}, theAPIServer,
		`Pod "pod" is invalid: [metadata.annotations: Invalid value: ` +
			`"container.apparmor.security.beta.kubernetes.io/sysctl-injector ": name part must`},
	{userNamespaces, []string{"a user namespace in a guest",
		"the app's /proc without masks, in a user namespace of the node's"}, nobody, ""},
	{inPlaceResize, []string{"a resize policy"}, theStandard, standard(differsIn("restartPolicy"), oursIsUnconfined,
		oursIsPrivileged)},
	{inPlaceResize, []string{
		"PATCH [resize] application/strategic-merge-patch+json: privileges",
		"PATCH [resize] application/strategic-merge-patch+json: our resources, which anyone may choose",
		"PATCH [resize] application/strategic-merge-patch+json: our image",
	}, theAPIServer, "the server could not find the requested resource"},
	{initResize, []string{
		"PATCH [resize] application/strategic-merge-patch+json: our resources, which anyone may choose",
	}, theAPIServer, `Pod "pod" is invalid: spec: Forbidden: resources for non-sidecar init containers are immutable`},
	{resourceClaims, []string{"a claimed device"}, nobody, ""},
}

// apiServer is the suite's API server, of a minor version.
type apiServer struct{ minor uint }

func server(t testing.TB) apiServer {
	t.Helper()
	return apiServer{version.MustParseGeneric(suite.Cluster(t).Version()).Minor()}
}

// answer returns who rejects an attempt and how. The tables say what the newest version answers.
func (s apiServer) answer(attempt string, by layer, want string) (layer, string) {
	for _, older := range olderAnswers {
		if s.minor < older.before && slices.Contains(older.attempts, attempt) {
			return older.by, older.want
		}
	}
	return by, want
}

// checks are those that the API server's own Pod Security has, of fields that it reads.
func (s apiServer) checks() []policy.Check {
	return slices.DeleteFunc(policy.DefaultChecks(), func(check policy.Check) bool {
		return check.Versions[0].MinimumVersion.Minor() > int(s.minor) ||
			s.minor < userNamespaces && strings.HasPrefix(string(check.ID), "procMount")
	})
}

// unconfined stands in a table for what the standard says of a container whose AppArmor profile is off.
func unconfined(container string) string { return "{unconfined " + container + "}" }

var unconfinedMark = regexp.MustCompile(`\{unconfined ([^}]*)\}`)

// unconfinedByField is what it says where no annotation says the same.
func unconfinedByField(container string) string {
	return `forbidden AppArmor profile (container "` + container +
		`" must not set AppArmor profile type to "Unconfined")`
}

func unconfinedByBoth(container string) string {
	return `forbidden AppArmor profiles (container "` + container +
		`" and annotation must not set AppArmor profile type to "Unconfined", ` +
		`"container.apparmor.security.beta.kubernetes.io/` + container + `="unconfined"")`
}

// words fills in what differs by version.
func (s apiServer) words(want string) string {
	say := unconfinedByField
	if s.minor < appArmorByField {
		say = unconfinedByBoth
	}
	return unconfinedMark.ReplaceAllStringFunc(want, func(mark string) string {
		return say(unconfinedMark.FindStringSubmatch(mark)[1])
	})
}

// Each row of olderAnswers is about an attempt that there is.
func TestOlderAnswersAreUsed(t *testing.T) {
	names := map[string]bool{}
	for _, row := range attempts() {
		names[row.name] = true
	}
	for _, row := range liveAttempts {
		names[row.name] = true
	}
	for _, older := range olderAnswers {
		for _, name := range older.attempts {
			if !names[name] {
				t.Errorf("no attempt is named %q", name)
			}
		}
	}
}
