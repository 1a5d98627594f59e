import type { Refusal } from '../errors.js';

/** The pod of an attach that was refused. */
export interface RefusedPod {
  readonly namespace: string;
  readonly pod: string;
}

/** Lets others hear of attaches that were refused: the agent tells the kubelet, but what is missing concerns more people. */
export class Refusals {
  private readonly listeners: ((pod: RefusedPod, refusal: Refusal) => void)[] = [];

  onRefused(listener: (pod: RefusedPod, refusal: Refusal) => void): void {
    this.listeners.push(listener);
  }

  refused(pod: RefusedPod, refusal: Refusal): void {
    for (const listener of this.listeners) listener(pod, refusal);
  }
}
