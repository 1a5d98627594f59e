import type { Cluster } from './cluster.ts';
import type { Resource } from './resources.ts';

/** Empties namespaces that are being deleted and then removes them, as the namespace controller does. Gives a function that stops it. */
export function startNamespaces(cluster: Cluster): () => void {
  const namespaces = cluster.store.collection('namespaces');
  const terminating = new Set<string>();
  const stops: (() => void)[] = [];
  let scheduled = false;
  const namespaced = (): readonly Resource[] =>
    cluster.resources.all().filter((r) => r.namespaced && r.convert === undefined);

  /** Orders the deletion of everything inside that is not on its way yet; true if nothing is left. */
  const empty = (name: string): boolean => {
    let left = false;
    for (const resource of namespaced())
      for (const [key, entry] of [...cluster.collection(resource).entries]) {
        if (!key.startsWith(`${name}/`)) continue;
        if (entry.object.metadata.deletionTimestamp === undefined)
          cluster.delete(resource, name, entry.object.metadata.name);
        if (cluster.collection(resource).entries.has(key)) left = true;
      }
    return !left;
  };
  const work = () => {
    scheduled = false;
    for (const name of [...terminating]) {
      if (!empty(name)) continue;
      terminating.delete(name);
      cluster.finalizeNamespace(name);
    }
  };
  const schedule = () => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(work);
  };
  stops.push(
    namespaces.listen((event) => {
      if (event.deleted || event.entry.object.metadata.deletionTimestamp === undefined) return;
      terminating.add(event.entry.object.metadata.name);
      schedule();
    }),
    cluster.store.listen((event) => {
      if (event.deleted && terminating.size > 0) schedule();
    }),
  );
  return () => {
    for (const stop of stops) stop();
  };
}
