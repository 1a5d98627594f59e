/**
 * Bundles the CNI executable.
 * @param node path of the Node that runs it
 * @returns the executable
 */
export declare function bundleCni(outfile?: string, node?: string): Promise<string>;
