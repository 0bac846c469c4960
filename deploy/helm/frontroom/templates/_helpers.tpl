{{- define "frontroom.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 63 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "frontroom.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "frontroom.labels" -}}
{{ include "frontroom.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "frontroom.secret" -}}
{{ .Values.adminToken.existingSecret | default (include "frontroom.name" .) }}
{{- end }}

{{- define "frontroom.clusterSecret" -}}
{{ .Values.cluster.existingSecret | default (include "frontroom.name" .) }}
{{- end }}

{{- /* The port for other nodes, as the config's `cluster` says it; nothing without one. */ -}}
{{- define "frontroom.nodesPort" -}}
{{- with (.Values.config | fromYaml).cluster }}{{ regexFind "[0-9]+$" (((.node).listen) | default "0.0.0.0:4002") }}{{ end }}
{{- end }}
