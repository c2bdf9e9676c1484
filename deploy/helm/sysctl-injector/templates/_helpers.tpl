{{- define "sysctl-injector.selectorLabels" -}}
app.kubernetes.io/name: sysctl-injector
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- /* No app.kubernetes.io/managed-by: Helm adds its own. The value "sysctl-injector" marks the server's objects. */}}
{{- define "sysctl-injector.labels" -}}
{{ include "sysctl-injector.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* The metadata of an object with a fixed name, in the release's namespace unless its kind is cluster-scoped. */}}
{{- define "sysctl-injector.metadata" -}}
name: {{ .name }}
{{- if not (hasPrefix "ClusterRole" (.kind | default "")) }}
namespace: {{ .root.Release.Namespace | quote }}
{{- end }}
labels:
  {{- include "sysctl-injector.labels" .root | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- /* The objects of a file of the project, as a list in YAML, with the labels of the release. The release's namespace
       replaces sysctl-injector-system, also in selectors and expressions: in JSON, where a namespace such as 123 stays text.
       The name of the webhook configurations is replaced in an expression. */}}
{{- define "sysctl-injector.shipped" -}}
{{- $labels := include "sysctl-injector.labels" .root | fromYaml }}
{{- $configuration := "object.kind in ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'] && object.metadata.name == '%s'" }}
{{- $text := .root.Files.Get .file | replace (printf $configuration "sysctl-injector") (printf $configuration .root.Values.webhook.configurationName) }}
{{- range regexSplit "(?m)^---$" $text -1 }}
{{- with fromYaml . | toJson | replace "sysctl-injector-system" $.root.Release.Namespace | fromJson }}
{{- $_ := set .metadata "labels" (deepCopy $labels) }}
- {{ toJson . }}
{{- end }}
{{- end }}
{{- end }}

{{- /* The Secret with the serving certificate. */}}
{{- define "sysctl-injector.tlsSecret" -}}
{{- if eq .Values.certificates.source "existing-secret" }}{{ .Values.certificates.existingSecret }}{{ else }}sysctl-injector-tls{{ end }}
{{- end }}

{{- define "sysctl-injector.image" -}}
{{- with .Values.image }}{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}{{ end }}
{{- end }}

{{- /* Binds the server to a Role or ClusterRole of the same name. */}}
{{- define "sysctl-injector.bind" }}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}Binding
metadata:
  {{- include "sysctl-injector.metadata" . | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ .name }}
subjects:
- kind: ServiceAccount
  name: sysctl-injector
  namespace: {{ .root.Release.Namespace | quote }}
{{- end }}

{{- /* ValidatingAdmissionPolicy exists since Kubernetes 1.30, and matchConditions since 1.28. Empty means no. */}}
{{- define "sysctl-injector.hasPolicies" -}}
{{- if semverCompare ">=1.30-0" .Capabilities.KubeVersion.Version }}yes{{ end }}
{{- end }}
{{- define "sysctl-injector.hasMatchConditions" -}}
{{- if semverCompare ">=1.28-0" .Capabilities.KubeVersion.Version }}yes{{ end }}
{{- end }}

{{- /* A quantity as text. Helm reads every number as a float, which would print 1073741824 as 1.073741824e+09. */}}
{{- define "sysctl-injector.quantity" -}}
{{- if not (kindIs "float64" .) }}{{ . }}{{ else if eq . (float64 (int64 .)) }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{- /* The resources of a container, with quantities as text. */}}
{{- define "sysctl-injector.resources" -}}
{{- range $kind, $quantities := . }}
{{- with $quantities }}
{{ $kind }}:
{{- range $name, $quantity := . }}
  {{ $name }}: {{ include "sysctl-injector.quantity" $quantity | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "sysctl-injector.preferOtherZones" -}}
podAntiAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
  - weight: 100
    podAffinityTerm:
      topologyKey: topology.kubernetes.io/zone
      labelSelector:
        matchLabels:
          {{- include "sysctl-injector.selectorLabels" . | nindent 10 }}
      {{- if semverCompare ">=1.31-0" .Capabilities.KubeVersion.Version }}
      matchLabelKeys: [pod-template-hash]
      {{- end }}
{{- end }}

{{- /* Where the chart's pods run. */}}
{{- define "sysctl-injector.placement" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Fails if the cluster lacks a kind of another project. Helm's own message, "no matches for kind", does not say
       what to do. `helm template` and Argo CD ask no cluster: the lookup finds nothing, and nothing fails. */}}
{{- define "sysctl-injector.require" -}}
{{- if and (lookup "v1" "Namespace" "" "kube-system") (not (.root.Capabilities.APIVersions.Has .kind)) }}
{{- fail .remedy }}
{{- end }}
{{- end }}
