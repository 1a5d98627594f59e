#!/bin/sh
# Installs Heddle, with the ranges of this cluster. May be run again.
set -eu
: "${POD_CIDR:?}" "${SERVICE_CIDR:?}"
export KUBECONFIG=/etc/kubernetes/admin.conf

overlay=/etc/heddle-lab
mkdir -p $overlay
cat >$overlay/kustomization.yaml <<YAML
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - ../../heddle/deploy
patches:
  - patch: |-
      apiVersion: v1
      kind: ConfigMap
      metadata: { name: heddle-controller, namespace: heddle-system }
      data: { HEDDLE_CLUSTER_CIDR: $POD_CIDR, HEDDLE_SERVICE_CIDR: $SERVICE_CIDR }
YAML
kubectl apply -k $overlay
kubectl -n heddle-system rollout status deployment/heddle-controller --timeout=5m
kubectl -n heddle-system rollout status daemonset/heddle-agent --timeout=5m
