{{/* The filter's configuration: what the values say, the upstreams with their clusters and seals. */}}
{{- define "promfence.policy" -}}
{{- $auth := deepCopy .Values.auth -}}
{{- if .Values.kubernetes.enabled -}}
{{- $keys := dict "cluster" "outbound|443||kubernetes.default.svc.cluster.local" "authority" "kubernetes.default.svc" "path" "/openid/v1/jwks" -}}
{{- $own := dict "issuer" .Values.kubernetes.issuer "audiences" (list .Values.kubernetes.audience) "keys" (dict "remote" $keys) "tenants" (list (dict "claim" "/kubernetes.io/namespace")) -}}
{{- $_ := set $auth "issuers" (append (get $auth "issuers" | default list) $own) -}}
{{- end -}}
{{- $upstreams := list -}}
{{- range .Values.upstreams -}}
{{- $options := deepCopy (.options | default dict) -}}
{{- $_ := set $options "hosts" $.Values.hosts -}}
{{- $_ := set $options "cluster" (printf "outbound|%d||%s" (int .port) .service) -}}
{{- $_ := set $options "seal" (dict "env" .sealEnv) -}}
{{- if .prefix -}}{{- $_ := set $options "prefix" .prefix -}}{{- end -}}
{{- $upstreams = append $upstreams (dict .kind $options) -}}
{{- end -}}
{{- dict "tenancy" .Values.tenancy "seal" (dict "header" "x-promfence-seal") "auth" $auth "upstreams" $upstreams | toYaml -}}
{{- end -}}

{{/* The names of the environment variables with the seals. */}}
{{- define "promfence.environment" -}}
{{- range .Values.upstreams }}{{ .sealEnv }} {{ end -}}
{{- end -}}

{{/* The seal of an upstream: (list VALUES NAME). Each has its own. */}}
{{- define "promfence.seal" -}}
{{- $seals := (index . 0).seals -}}
{{- $name := index . 1 -}}
{{- $seal := required (printf "seals.%s: the upstream has no seal; `promfence keygen --secret` makes one" $name) (get $seals $name) -}}
{{- range $other, $value := $seals -}}
{{- if and (ne $other $name) (eq $value $seal) -}}{{- fail (printf "seals.%s and seals.%s are the same: each upstream has its own" $name $other) -}}{{- end -}}
{{- end -}}
{{- $seal -}}
{{- end -}}
