package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Kernel says whose kernel a pod's sysctls act on.
// +kubebuilder:validation:Enum=Shared;Guest
type Kernel string

const (
	// SharedKernel is the node's kernel, which all its ordinary pods share.
	SharedKernel Kernel = "Shared"
	// GuestKernel is a kernel of the pod's own, in a virtual machine (Kata Containers, for one).
	GuestKernel Kernel = "Guest"
)

// SysctlPolicy says which pods may set which sysctls. Policies only ever allow: a pod is allowed when, for each
// sysctl it asks for, some policy that selects the pod allows it. Without any policy nothing is allowed.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=scp,categories=sysctl-injector
// +kubebuilder:printcolumn:name="Names",type=string,JSONPath=`.status.names`
// +kubebuilder:printcolumn:name="Actions",type=string,JSONPath=`.spec.validationActions`
// +kubebuilder:printcolumn:name="Would-Reject",type=integer,JSONPath=`.status.trial.wouldReject`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type SysctlPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec SysctlPolicySpec `json:"spec"`
	// Status is sent even if it is empty: the API server would keep a former one.
	// +optional
	Status SysctlPolicyStatus `json:"status,omitempty"`
}

// ValidationAction says what a policy does about a pod that it does not allow.
// +kubebuilder:validation:Enum=Deny;Warn;Audit
type ValidationAction string

const (
	// Deny puts the policy in force: a pod is rejected if no policy in force allows what it asks for.
	Deny ValidationAction = "Deny"
	// Warn warns the person who creates the pod.
	Warn ValidationAction = "Warn"
	// Audit writes to the API server's audit log, and to the server's own log.
	Audit ValidationAction = "Audit"
)

// SysctlPolicySpec selects pods and says what they may set.
// +kubebuilder:validation:XValidation:rule="!has(self.validationActions) || !('Deny' in self.validationActions && 'Warn' in self.validationActions)",message="Deny and Warn must not be together: a rejection already tells the person what a warning would"
// +kubebuilder:validation:XValidation:rule="!has(self.replaces) || has(self.validationActions) && !('Deny' in self.validationActions)",message="replaces is only for a policy on trial, whose validationActions are Warn, Audit or both"
type SysctlPolicySpec struct {
	// NamespaceSelector selects namespaces by label, among those enrolled by the label
	// sysctl-injector.dev/inject=enabled. Empty or absent, it selects all of them.
	// +optional
	NamespaceSelector metav1.LabelSelector `json:"namespaceSelector,omitempty"`
	// ServiceAccountNames are the service accounts, in the selected namespaces, whose pods are selected. Empty: any.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=253
	ServiceAccountNames []string `json:"serviceAccountNames,omitempty"`
	// Allow lists what the selected pods may set. A sysctl is allowed when one of these rules allows it.
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Allow []AllowRule `json:"allow"`
	// ValidationActions say whether the policy is in force. Absent or with Deny, it is. With Warn, Audit or both, it
	// is on trial: it allows nothing, and only says which pods would be rejected if it took the place of the policies
	// in force. See Replaces.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=2
	ValidationActions []ValidationAction `json:"validationActions,omitempty"`
	// Replaces names the policies in force that a policy on trial is to take the place of, for the pods that it
	// selects. Absent: all.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	Replaces []string `json:"replaces,omitempty"`
}

// AllowRule allows sysctls by name, and bounds their values.
// +kubebuilder:validation:XValidation:rule="!has(self.min) || !has(self.max) || self.min <= self.max",message="min must not be greater than max",fieldPath=".min"
type AllowRule struct {
	// Names are exact sysctl names ("net.core.somaxconn") or prefixes with a trailing asterisk ("net.ipv4.tcp_*"). An
	// asterisk may stand for the interface too ("net.ipv4.conf.*.send_redirects").
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=254
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9_][A-Za-z0-9_./-]*\*?$|^\*$|^net[./](\*[./]neigh|ipv[46][./](conf|neigh)|mpls[./]conf)[./]\*[./][A-Za-z0-9_-]*\*?$`
	Names []string `json:"names"`
	// Kernels on which the names may be set. Empty: both. Whatever is listed here, a node-level sysctl is rejected on
	// a shared kernel.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=2
	Kernels []Kernel `json:"kernels,omitempty"`
	// Min is the least whole number that each field of the value may be.
	// +optional
	Min *int64 `json:"min,omitempty"`
	// Max is the greatest whole number that each field of the value may be.
	// +optional
	Max *int64 `json:"max,omitempty"`
	// OneOf lists the only values allowed, each compared as a whole with runs of blanks folded to one space.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	OneOf []string `json:"oneOf,omitempty"`
}

// ConditionReady is True when a policy or profile has been read and counts. When it is False, its message says what
// is wrong with the object, which then allows or sets nothing; all others go on working.
const ConditionReady = "Ready"

// Reasons of ConditionReady.
const (
	ReasonRead    = "Read"
	ReasonInvalid = "Invalid"
)

// Status tells what became of a policy or profile.
type Status struct {
	// Conditions holds the condition Ready.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// SysctlPolicyStatus says what became of a policy, and of its trial.
type SysctlPolicyStatus struct {
	Status `json:",inline"`
	// Names lists the names of all rules, for `kubectl get`: a printer column shows only the first result of its
	// path.
	// +optional
	Names string `json:"names,omitempty"`
	// Trial is only there for a policy on trial.
	// +optional
	Trial *Trial `json:"trial,omitempty"`
}

// Trial says how many pods a policy on trial would have rejected.
type Trial struct {
	// WouldReject is how many pods of the last day the policy would have rejected: the sum over the servers.
	WouldReject int64 `json:"wouldReject"`
	// Servers are the servers that count. Each counts the pods that it decided on itself, and starts again at 0 when
	// it restarts or the policy changes. A server that is gone stays in the list for a day.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Servers []TrialServer `json:"servers,omitempty"`
}

// TrialServer is what one server has counted.
type TrialServer struct {
	// Name is the server's, as in the Lease: its host name and a part that is new with each start.
	Name string `json:"name"`
	// Since is when the count begins: when the server first saw the policy as it is now, and at most a day before
	// Until.
	Since metav1.Time `json:"since"`
	// Until is when the server last wrote the count.
	Until metav1.Time `json:"until"`
	// WouldReject is the count.
	WouldReject int64 `json:"wouldReject"`
}

// SysctlPolicyList is a list of SysctlPolicy objects.
// +kubebuilder:object:root=true
type SysctlPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []SysctlPolicy `json:"items"`
}

// SysctlProfile is a named set of sysctls. Pods name it in the annotation sysctl-injector.dev/profiles, or it applies
// to pods by its selectors. A profile allows nothing: policies do.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=scprof,categories=sysctl-injector
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type SysctlProfile struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec SysctlProfileSpec `json:"spec"`
	// +optional
	Status Status `json:"status,omitzero"`
}

// SysctlProfileSpec holds a profile's sysctls, and the pods that get them by default.
type SysctlProfileSpec struct {
	// Sysctls are sysctl.conf(5) lines, as in the annotation sysctl-injector.dev/sysctls.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16384
	Sysctls string `json:"sysctls"`
	// AppliesTo selects pods that get the profile as if they named it, below their own lines and the profiles that
	// they name. It counts in namespaces with the label sysctl-injector.dev/defaults=enabled. Absent: only pods that
	// name the profile get it.
	// +optional
	AppliesTo *AppliesTo `json:"appliesTo,omitempty"`
}

// AppliesTo selects pods. Both selectors must match; an empty or absent one matches everything.
type AppliesTo struct {
	// NamespaceSelector selects namespaces by label, among those with the labels sysctl-injector.dev/inject=enabled
	// and sysctl-injector.dev/defaults=enabled.
	// +optional
	NamespaceSelector metav1.LabelSelector `json:"namespaceSelector,omitempty"`
	// PodSelector selects pods by label.
	// +optional
	PodSelector metav1.LabelSelector `json:"podSelector,omitempty"`
}

// SysctlProfileList is a list of SysctlProfile objects.
// +kubebuilder:object:root=true
type SysctlProfileList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []SysctlProfile `json:"items"`
}
