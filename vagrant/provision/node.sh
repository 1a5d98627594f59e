#!/bin/sh
# Every machine: containerd, kubelet and kubeadm. May be run again.
set -eu
: "${KUBERNETES:?}" "${NODE_ADDRESS:?}"
export DEBIAN_FRONTEND=noninteractive

# kubelet wants no swap.
swapoff -a
sed -i '/\sswap\s/s/^[^#]/#&/' /etc/fstab

printf '%s\n' overlay br_netfilter openvswitch geneve >/etc/modules-load.d/kubernetes.conf
for module in overlay br_netfilter openvswitch geneve; do modprobe "$module"; done
printf '%s\n' net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1 net.ipv4.ip_forward=1 \
  >/etc/sysctl.d/90-kubernetes.conf
sysctl --quiet --system

keyring=/etc/apt/keyrings/kubernetes.gpg
source="https://pkgs.k8s.io/core:/stable:/$KUBERNETES/deb/"
if [ ! -s $keyring ]; then
  apt-get update -q
  apt-get install -y -q --no-install-recommends ca-certificates curl gpg
  mkdir -p /etc/apt/keyrings
  curl -fsSL "${source}Release.key" | gpg --dearmor --yes -o $keyring
fi
echo "deb [signed-by=$keyring] $source /" >/etc/apt/sources.list.d/kubernetes.list
apt-get update -q
apt-get install -y -q --no-install-recommends containerd iptables kubeadm kubectl kubelet
apt-mark hold kubeadm kubectl kubelet

# Debian's own configuration has plugins in /usr/lib/cni; kubelet's control groups are systemd's.
configuration=$(containerd config default | sed 's/SystemdCgroup = false/SystemdCgroup = true/')
if [ "$(cat /etc/containerd/config.toml)" != "$configuration" ]; then
  printf '%s\n' "$configuration" >/etc/containerd/config.toml
  systemctl restart containerd
fi

# The first interface of such machines is the provider's, the same on each.
echo "KUBELET_EXTRA_ARGS=--node-ip=$NODE_ADDRESS" >/etc/default/kubelet
systemctl enable --quiet kubelet
