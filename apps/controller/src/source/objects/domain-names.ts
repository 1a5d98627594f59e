/**
 * A domain name as policies write it: labels of letters, digits, "-" and "_", `*.` before them for one or more further labels
 * (policy.networking.k8s.io/v1alpha2 DomainName). There are two labels at least.
 */
const DOMAIN_NAME = /^(\*\.)?([a-z0-9]([-a-z0-9_]{0,61}[a-z0-9])?\.)+[a-z0-9]([-a-z0-9_]{0,61}[a-z0-9])?$/;
/** RFC 1035, 2.3.4, without the root's byte. */
const MAX_LENGTH = 253;

/** The name in lower case without the final dot; undefined if it is none. */
export function normalDomainName(text: string): string | undefined {
  const name = text.toLowerCase().replace(/\.$/, '');
  return name.length <= MAX_LENGTH && DOMAIN_NAME.test(name) ? name : undefined;
}
