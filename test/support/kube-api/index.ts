export type { Attributes } from './api-server.ts';
export {
  type ApiHandle,
  type KubeApi,
  type KubeApiOptions,
  type ObjectQuery,
  type Stats,
  startKubeApi,
} from './kube-api.ts';
export {
  findKubeProgram,
  type RealKubeApi,
  type RealKubeApiOptions,
  startRealKubeApi,
  whyNoRealKubeApi,
} from './real.ts';
export type { Json, KubeObject, Metadata } from './types.ts';
