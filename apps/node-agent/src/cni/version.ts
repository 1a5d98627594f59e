/** Versions of the CNI specification whose configurations we take and whose results we give, oldest first. */
export const SUPPORTED_VERSIONS = ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;
export type CniVersion = (typeof SUPPORTED_VERSIONS)[number];

/** What is said where the configuration names no version that we know. */
export const NEWEST_VERSION: CniVersion = '1.1.0';

/** Whether we speak this version. */
export function isSupportedVersion(text: unknown): text is CniVersion {
  return SUPPORTED_VERSIONS.some((version) => version === text);
}

/** Whether `version` is `least` or newer. */
export function atLeast(version: CniVersion, least: CniVersion): boolean {
  return SUPPORTED_VERSIONS.indexOf(version) >= SUPPORTED_VERSIONS.indexOf(least);
}

/** The answer to VERSION (CNI specification §5 "Version"). */
export function formatVersions(cniVersion: string): string {
  return JSON.stringify({ cniVersion, supportedVersions: SUPPORTED_VERSIONS });
}
