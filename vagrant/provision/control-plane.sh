#!/bin/sh
# The control plane, without any network for pods yet. May be run again.
set -eu
: "${CONTROL_ADDRESS:?}" "${POD_CIDR:?}" "${SERVICE_CIDR:?}" "${BOOTSTRAP_TOKEN:?}"

if [ ! -e /etc/kubernetes/admin.conf ]; then
  kubeadm init --apiserver-advertise-address "$CONTROL_ADDRESS" --pod-network-cidr "$POD_CIDR" --service-cidr "$SERVICE_CIDR" \
    --token "$BOOTSTRAP_TOKEN" --token-ttl 0
fi
for home in /root /home/vagrant; do
  install -d -m 0700 "$home/.kube"
  install -m 0600 /etc/kubernetes/admin.conf "$home/.kube/config"
done
chown -R vagrant: /home/vagrant/.kube
