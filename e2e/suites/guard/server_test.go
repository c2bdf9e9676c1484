package guard_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/pod-security-admission/policy"
)

// olderAnswer is the answer of API servers before a version to an attempt, where newer ones answer differently.
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
	// Before, the API server also writes an annotation for each profile that a field of a new pod states.
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

// answer returns the layer that rejects an attempt, and its message. The tables contain the answers of the newest
// version.
func (s apiServer) answer(attempt string, by layer, want string) (layer, string) {
	for _, older := range olderAnswers {
		if s.minor < older.before && slices.Contains(older.attempts, attempt) {
			return older.by, older.want
		}
	}
	return by, want
}

// checks returns the checks of the API server's own Pod Security admission, for fields that it reads.
func (s apiServer) checks() []policy.Check {
	return slices.DeleteFunc(policy.DefaultChecks(), func(check policy.Check) bool {
		return check.Versions[0].MinimumVersion.Minor() > int(s.minor) ||
			s.minor < userNamespaces && strings.HasPrefix(string(check.ID), "procMount")
	})
}

// unconfined is a placeholder in the tables for the standard's message about a container without an AppArmor profile.
func unconfined(container string) string { return "{unconfined " + container + "}" }

var unconfinedMark = regexp.MustCompile(`\{unconfined ([^}]*)\}`)

// unconfinedByField is the message if no annotation states the same.
func unconfinedByField(container string) string {
	return `forbidden AppArmor profile (container "` + container +
		`" must not set AppArmor profile type to "Unconfined")`
}

func unconfinedByBoth(container string) string {
	return `forbidden AppArmor profiles (container "` + container +
		`" and annotation must not set AppArmor profile type to "Unconfined", ` +
		`"container.apparmor.security.beta.kubernetes.io/` + container + `="unconfined"")`
}

// words replaces the placeholders by the messages of the version.
func (s apiServer) words(want string) string {
	say := unconfinedByField
	if s.minor < appArmorByField {
		say = unconfinedByBoth
	}
	return unconfinedMark.ReplaceAllStringFunc(want, func(mark string) string {
		return say(unconfinedMark.FindStringSubmatch(mark)[1])
	})
}

// Each row of olderAnswers names an existing attempt.
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
