#!/bin/sh
# Shows that a cluster with Heddle works: pods on every node reach each other and a service, a policy cuts them off within a moment, and
# its end lets them in again. Makes the namespace heddle-smoke, and removes it.
# Needs kubectl, with a KUBECONFIG that may make namespaces. HEDDLE_AGENT_IMAGE names the agent's image if it is not the default. Exit code 0 only if everything was as it should be.
set -eu
here=$(cd "$(dirname "$0")" && pwd)/smoke
namespace=heddle-smoke
failed=0

# shellcheck disable=SC2317 # called by the trap
finish() {
  status=$?
  kubectl delete namespace "$namespace" --wait=false >/dev/null 2>&1 || true
  exit "$status"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

# check NAME yes|no URL: whether the client gets an answer in two seconds.
check() {
  got=no
  # shellcheck disable=SC2016 # $0 is for the shell in the pod
  kubectl -n $namespace exec deployment/client -- sh -c \
    'exec /opt/heddle/node_modules/node-linux-*/bin/node -e "fetch(process.argv[1], { signal: AbortSignal.timeout(2000) }).then(() => process.exit(0), () => process.exit(1))" "$0"' \
    "$3" >/dev/null 2>&1 && got=yes
  if [ $got = "$2" ]; then
    echo "ok      $1"
  else
    echo "FAILED  $1: want $2, got $got"
    failed=1
  fi
}

# The policy is one bundle on each node: `Programmed` says that all have acknowledged it.
programmed() {
  tries=0
  # It may not be there yet, which `kubectl wait` takes for an error.
  until kubectl -n $namespace wait --for=condition=Programmed --timeout=30s realization/networkpolicy-closed >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ $tries -lt 30 ] || { echo "FAILED  the policy is not acknowledged by every node in 30 s" >&2; exit 1; }
    sleep 1
  done
}

kubectl wait --for=condition=Ready --timeout=3m nodes --all
sed "s|image: .*|image: ${HEDDLE_AGENT_IMAGE:-localhost/heddle-agent:0.1.0}|" "$here/smoke.yaml" | kubectl apply -f -
kubectl -n $namespace rollout status daemonset/server --timeout=2m
kubectl -n $namespace rollout status deployment/client --timeout=2m
service=$(kubectl -n $namespace get service server -o 'jsonpath={.spec.clusterIP}')
addresses=$(kubectl -n $namespace get pods -l app=server -o 'jsonpath={range .items[*]}{.spec.nodeName}={.status.podIP} {end}')

for one in $addresses; do check "pod on ${one%%=*}" yes "http://${one#*=}:8080/"; done
check "service by address" yes "http://$service/"
check "service by name" yes "http://server.$namespace.svc.cluster.local/"

kubectl apply -f "$here/closed.yaml"
programmed
for one in $addresses; do check "pod on ${one%%=*}, closed by policy" no "http://${one#*=}:8080/"; done
check "service, closed by policy" no "http://$service/"

kubectl delete -f "$here/closed.yaml"
kubectl -n $namespace wait --for=delete --timeout=30s realization/networkpolicy-closed
check "service, after the policy is gone" yes "http://$service/"

[ $failed = 0 ] && echo "smoke test passed"
exit $failed
