package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Kernel is the kernel on which the sysctls of a pod take effect.
// +kubebuilder:validation:Enum=Shared;Guest
type Kernel string

const (
	// SharedKernel is the node's kernel, which its ordinary pods share.
	SharedKernel Kernel = "Shared"
	// GuestKernel is the pod's own kernel in a virtual machine, for example with Kata Containers.
	GuestKernel Kernel = "Guest"
)

// SysctlPolicy defines which pods may set which sysctls. A policy can only allow sysctls, not forbid them. A pod is
// admitted if, for each sysctl that it requests, at least one policy that selects the pod allows it. Without a policy,
// no sysctl is allowed.
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
	// Status is sent even if it is empty: otherwise the API server would keep the previous status.
	// +optional
	Status SysctlPolicyStatus `json:"status,omitempty"`
}

// ValidationAction is the effect of a policy on a pod that it does not allow.
// +kubebuilder:validation:Enum=Deny;Warn;Audit
type ValidationAction string

const (
	// Deny puts the policy in force: a pod is rejected if no policy in force allows the sysctls that it requests.
	Deny ValidationAction = "Deny"
	// Warn warns the user who creates the pod.
	Warn ValidationAction = "Warn"
	// Audit writes to the audit log of the API server, and to the log of sysctl-injector.
	Audit ValidationAction = "Audit"
)

// SysctlPolicySpec selects pods, and lists the sysctls that they may set.
// +kubebuilder:validation:XValidation:rule="!has(self.validationActions) || !('Deny' in self.validationActions && 'Warn' in self.validationActions)",message="Deny and Warn must not be together: a rejection already tells the person what a warning would"
// +kubebuilder:validation:XValidation:rule="!has(self.replaces) || has(self.validationActions) && !('Deny' in self.validationActions)",message="replaces is only for a policy on trial, whose validationActions are Warn, Audit or both"
type SysctlPolicySpec struct {
	// NamespaceSelector selects namespaces by label, among those with the label sysctl-injector.dev/inject=enabled. If
	// it is empty or absent, it selects all of them.
	// +optional
	NamespaceSelector metav1.LabelSelector `json:"namespaceSelector,omitempty"`
	// ServiceAccountNames are names of service accounts in the selected namespaces. The policy only selects pods of
	// these service accounts. If it is empty, the policy selects the pods of all service accounts.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=253
	ServiceAccountNames []string `json:"serviceAccountNames,omitempty"`
	// Allow lists the sysctls that the selected pods may set. A sysctl is allowed if one of these rules allows it.
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Allow []AllowRule `json:"allow"`
	// ValidationActions define whether the policy is in force. If they are absent or contain Deny, it is. With Warn,
	// Audit or both, the policy is on trial: it allows nothing, and only reports which pods would be rejected if it
	// replaced the policies in force. See replaces.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=2
	ValidationActions []ValidationAction `json:"validationActions,omitempty"`
	// Replaces names the policies in force that a policy on trial would replace for the pods that it selects. If it is
	// absent, the policy would replace all of them.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	Replaces []string `json:"replaces,omitempty"`
}

// AllowRule allows sysctls by name, and limits their values.
// +kubebuilder:validation:XValidation:rule="!has(self.min) || !has(self.max) || self.min <= self.max",message="min must not be greater than max",fieldPath=".min"
type AllowRule struct {
	// Names are exact sysctl names ("net.core.somaxconn") or prefixes with a trailing asterisk ("net.ipv4.tcp_*"). An
	// asterisk may also stand for the interface ("net.ipv4.conf.*.send_redirects").
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=254
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9_][A-Za-z0-9_./-]*\*?$|^\*$|^net[./](\*[./]neigh|ipv[46][./](conf|neigh)|mpls[./]conf)[./]\*[./][A-Za-z0-9_-]*\*?$`
	Names []string `json:"names"`
	// Kernels are the kernels on which the names may be set. If it is empty, that is both. A node-level sysctl is
	// always rejected on a shared kernel.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=2
	Kernels []Kernel `json:"kernels,omitempty"`
	// Min is the minimum for each whole number in the value.
	// +optional
	Min *int64 `json:"min,omitempty"`
	// Max is the maximum for each whole number in the value.
	// +optional
	Max *int64 `json:"max,omitempty"`
	// OneOf lists all values that are allowed. The whole value is compared, with runs of blanks folded to one space.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	OneOf []string `json:"oneOf,omitempty"`
}

// ConditionReady is True if a policy or profile is valid and in use. If it is False, its message describes the error in
// the object. The object then has no effect, and all others continue to work.
const ConditionReady = "Ready"

// Reasons of ConditionReady.
const (
	ReasonRead    = "Read"
	ReasonInvalid = "Invalid"
)

// Status is the state of a policy or profile.
type Status struct {
	// Conditions contains the condition Ready.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// SysctlPolicyStatus is the state of a policy and of its trial.
type SysctlPolicyStatus struct {
	Status `json:",inline"`
	// Names lists the names of all rules, for `kubectl get`: a printer column shows only the first result of its
	// path.
	// +optional
	Names string `json:"names,omitempty"`
	// Trial is only set for a policy on trial.
	// +optional
	Trial *Trial `json:"trial,omitempty"`
}

// Trial counts the pods that a policy on trial would have rejected.
type Trial struct {
	// WouldReject is the number of pods of the last day that the policy would have rejected, on all servers.
	WouldReject int64 `json:"wouldReject"`
	// Servers has the count of each server. A server counts the pods that it decides on. Its count restarts at 0 when
	// the server restarts or the policy changes. A stopped server stays in the list for a day.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Servers []TrialServer `json:"servers,omitempty"`
}

// TrialServer is the count of one server.
type TrialServer struct {
	// Name is the name of the server, as in the Lease: its host name and a suffix that changes with each start.
	Name string `json:"name"`
	// Since is the time when the count starts: when the server first read the current version of the policy, but at
	// most a day before until.
	Since metav1.Time `json:"since"`
	// Until is the time when the server last wrote the count.
	Until metav1.Time `json:"until"`
	// WouldReject is the number of pods.
	WouldReject int64 `json:"wouldReject"`
}

// SysctlPolicyList is a list of SysctlPolicy objects.
// +kubebuilder:object:root=true
type SysctlPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []SysctlPolicy `json:"items"`
}

// SysctlProfile is a named set of sysctls. Pods name it in the annotation sysctl-injector.dev/profiles, or it selects
// pods by label. A profile does not allow its sysctls: a SysctlPolicy must allow them.
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

// SysctlProfileSpec has the sysctls of a profile, and selects the pods that get them by default.
type SysctlProfileSpec struct {
	// Sysctls are sysctl.conf(5) lines, as in the annotation sysctl-injector.dev/sysctls.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16384
	Sysctls string `json:"sysctls"`
	// AppliesTo selects pods that get the profile without naming it. The lines of a pod, and the profiles that it
	// names, take precedence. It only applies in namespaces with the label sysctl-injector.dev/defaults=enabled. If it
	// is absent, only pods that name the profile get it.
	// +optional
	AppliesTo *AppliesTo `json:"appliesTo,omitempty"`
}

// AppliesTo selects pods. Both selectors must match. An empty or absent selector matches everything.
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
