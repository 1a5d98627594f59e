import { readdirSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { join } from 'node:path';

/** The names that ovs-vswitchd gives its control socket by itself (with its pid), and those without one that it is told to take. */
const SOCKET_NAME = /^(ovs-)?vswitchd(\.\d+)?\.ctl$/;

/** The control socket of a daemon of Open vSwitch (what ovs-appctl talks to): JSON-RPC, one question at a time. */
export class ControlSocket {
  #text = '';
  #waiting: { readonly resolve: (answer: string) => void; readonly reject: (error: Error) => void } | undefined;
  #next = 0;

  private constructor(
    private readonly socket: Socket,
    private readonly timeoutMs: number,
  ) {
    socket.setEncoding('utf8');
    socket.on('data', (part: string) => this.#take(part));
    socket.on('error', (error) => this.#waiting?.reject(error));
    socket.on('close', () => this.#waiting?.reject(new Error('the control socket was closed')));
  }

  /**
   * Connects to the ovs-vswitchd whose control socket is in the folder; sockets that an earlier one left are passed over.
   * @param timeoutMs for each answer
   * @throws Error if none answers
   */
  static async ofVswitchd(folder: string, timeoutMs: number): Promise<{ control: ControlSocket; version: string }> {
    const causes: string[] = [];
    for (const name of readdirSync(folder).filter((file) => SOCKET_NAME.test(file))) {
      const socket = createConnection(join(folder, name));
      const control = new ControlSocket(socket, timeoutMs);
      try {
        return { control, version: await control.ask('version') };
      } catch (e) {
        control.close();
        causes.push(`${name}: ${e instanceof Error ? e.message : String(e)}`);
      }
    }
    throw new Error(`no ovs-vswitchd answers in ${folder}${causes.map((cause) => `; ${cause}`).join('')}`);
  }

  /** Connects as `ofVswitchd` does for as long as the task takes. @throws Error if none answers, and what the task throws */
  static async withVswitchd<T>(
    folder: string,
    timeoutMs: number,
    task: (control: ControlSocket, version: string) => Promise<T>,
  ): Promise<T> {
    const { control, version } = await ControlSocket.ofVswitchd(folder, timeoutMs);
    try {
      return await task(control, version);
    } finally {
      control.close();
    }
  }

  /** Runs a command; answers its text. Not to be called before the answer of the one before. @throws Error with the daemon's words */
  ask(method: string, ...params: readonly string[]): Promise<string> {
    return new Promise<string>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer in ${this.timeoutMs} ms`)), this.timeoutMs);
      const settle = <T>(then: (value: T) => void) => {
        return (value: T) => {
          clearTimeout(timer);
          this.#waiting = undefined;
          then(value);
        };
      };
      this.#waiting = { resolve: settle(resolve), reject: settle(reject) };
      this.socket.write(JSON.stringify({ id: this.#next++, method, params }));
    });
  }

  close(): void {
    this.socket.destroy();
  }

  #take(part: string): void {
    this.#text += part;
    let answer: { readonly result: string | null; readonly error: string | null };
    try {
      answer = JSON.parse(this.#text) as typeof answer;
    } catch {
      // The rest of it is still to come.
      return;
    }
    this.#text = '';
    if (answer.error === null) this.#waiting?.resolve(answer.result ?? '');
    else this.#waiting?.reject(new Error(answer.error.trim()));
  }
}
