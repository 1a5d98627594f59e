import { expect, it } from 'vitest';
import { nftTable } from './nft.js';

it('masquerades what leaves the cluster and refuses what comes back from the switch', () => {
  const ranges = {
    clusterCidrs: ['10.244.0.0/16', 'fd00:10:244::/56', '10.245.0.0/16'],
    serviceCidrs: ['10.96.0.0/16', 'fd00:10:96::/112'],
  };
  expect(nftTable(ranges)).toBe(`table inet heddle
delete table inet heddle
table inet heddle {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "heddle0" ip saddr { 10.244.0.0/16, 10.245.0.0/16 } ct status dnat masquerade
    oifname "heddle0" ip6 saddr { fd00:10:244::/56 } ct status dnat masquerade
    oifname "heddle0" accept
    ip saddr { 10.244.0.0/16, 10.245.0.0/16 } ip daddr != { 10.244.0.0/16, 10.245.0.0/16 } masquerade
    ip6 saddr { fd00:10:244::/56 } ip6 daddr != { fd00:10:244::/56 } masquerade
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname "heddle0" oifname "heddle0" ip daddr { 10.96.0.0/16 } meta l4proto tcp reject with tcp reset
    iifname "heddle0" oifname "heddle0" ip daddr { 10.96.0.0/16 } reject with icmpx port-unreachable
    iifname "heddle0" oifname "heddle0" ip6 daddr { fd00:10:96::/112 } meta l4proto tcp reject with tcp reset
    iifname "heddle0" oifname "heddle0" ip6 daddr { fd00:10:96::/112 } reject with icmpx port-unreachable
  }
}
`);
});

it('has no IPv6 rule where the cluster has no IPv6', () => {
  expect(nftTable({ clusterCidrs: ['10.244.0.0/16'], serviceCidrs: ['10.96.0.0/16'] })).not.toMatch(/ip6/);
});
