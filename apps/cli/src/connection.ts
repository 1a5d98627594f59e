import { existsSync, readFileSync } from 'node:fs';
import { ApiClient, ApiError, formatEndpoint, parseEndpoint } from '@heddle/api';

const LAB_SOCKET = '/run/heddle-lab/api.sock';

/** Where the controller is: HEDDLE_CONTROLLER_URL, else the socket of a lab on this machine, else this machine's port 8080. */
export function controllerUrl(env: NodeJS.ProcessEnv = process.env): string {
  return env.HEDDLE_CONTROLLER_URL ?? (existsSync(LAB_SOCKET) ? `unix:${LAB_SOCKET}` : 'http://127.0.0.1:8080');
}

/** @throws RangeError for a URL that cannot be used, Error for a token file that cannot be read */
export function connect(env: NodeJS.ProcessEnv = process.env): ApiClient {
  const url = controllerUrl(env);
  formatEndpoint(parseEndpoint(url));
  const file = env.HEDDLE_API_TOKEN_FILE;
  if (file === undefined || file === '') return new ApiClient({ url });
  let token: string;
  try {
    token = readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new Error(`HEDDLE_API_TOKEN_FILE: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
  return new ApiClient({ url, token });
}

/** What a person at a terminal should read about a failure: what happened, then what to do. */
export function describeError(e: unknown, env: NodeJS.ProcessEnv = process.env): string {
  if (!(e instanceof ApiError)) return e instanceof Error ? e.message : String(e);
  const details = e.details.map((d) => `\n  ${d}`).join('');
  return `${e.message}${details}${advice(e, env)}`;
}

function advice(e: ApiError, env: NodeJS.ProcessEnv): string {
  if (e.code === 'unavailable' && e.status === 0)
    return env.HEDDLE_CONTROLLER_URL === undefined
      ? "\nIs it running? Start a lab with 'make lab', or set HEDDLE_CONTROLLER_URL (http://HOST:PORT or unix:/PATH)."
      : '\nIs it running there? HEDDLE_CONTROLLER_URL says where to look.';
  if (e.code === 'unauthorized')
    return '\nSet HEDDLE_API_TOKEN_FILE to the file with the API token of this controller.';
  if (e.code === 'unavailable') return '\nThe controller is starting; try again in a few seconds.';
  return '';
}
