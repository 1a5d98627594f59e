/** Syntax of names in Kubernetes (apimachinery `validation`). */

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const QUALIFIED_PART = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const PORT_NAME = /^[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$/;

/** RFC 1123 label: at most 63 characters. */
export const isDnsLabel = (text: string): boolean => DNS_LABEL.test(text);
/** RFC 1123 subdomain: at most 253 characters. */
export const isDnsSubdomain = (text: string): boolean => text.length <= 253 && DNS_SUBDOMAIN.test(text);
/** RFC 1035 label, as names of Services must be. */
export const isServiceName = (text: string): boolean => isDnsLabel(text) && /^[a-z]/.test(text);
/** A label value: empty, or 63 characters at most. */
export const isLabelValue = (text: string): boolean => text === '' || QUALIFIED_PART.test(text);
/** A label key: an optional DNS subdomain and "/", then a name of 63 characters at most. */
export function isLabelKey(text: string): boolean {
  const slash = text.indexOf('/');
  return slash < 0
    ? QUALIFIED_PART.test(text)
    : isDnsSubdomain(text.slice(0, slash)) && QUALIFIED_PART.test(text.slice(slash + 1));
}
/** IANA service name (RFC 6335): 15 characters at most, a letter among them, no "--". */
export const isPortName = (text: string): boolean => PORT_NAME.test(text) && /[a-z]/.test(text) && !text.includes('--');
