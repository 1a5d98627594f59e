import { existsSync, readFileSync } from 'node:fs';
import { ApiClient, ApiError, type ApiTls, formatEndpoint, parseEndpoint } from '@heddle/api';

const LAB_SOCKET = '/run/heddle-lab/api.sock';

/** Where the controller is: HEDDLE_CONTROLLER_URL, else the socket of a lab on this machine, else this machine's port 8080. */
export function controllerUrl(env: NodeJS.ProcessEnv = process.env): string {
  return env.HEDDLE_CONTROLLER_URL ?? (existsSync(LAB_SOCKET) ? `unix:${LAB_SOCKET}` : 'http://127.0.0.1:8080');
}

/** @throws RangeError for a URL that cannot be used, Error for a file that cannot be read */
export function connect(env: NodeJS.ProcessEnv = process.env): ApiClient {
  const url = controllerUrl(env);
  formatEndpoint(parseEndpoint(url));
  const token = readNamed(env, 'HEDDLE_API_TOKEN_FILE')?.trim();
  const [ca, key, cert] = (['HEDDLE_TLS_CA', 'HEDDLE_TLS_KEY', 'HEDDLE_TLS_CERT'] as const).map((n) =>
    readNamed(env, n),
  );
  if ((key === undefined) !== (cert === undefined))
    throw new Error('HEDDLE_TLS_KEY, HEDDLE_TLS_CERT: give both or none');
  const tls: ApiTls = { ...(ca && { ca }), ...(key && { key }), ...(cert && { cert }) };
  return new ApiClient({ url, tls: () => tls, ...(token && { token }) });
}

/** Text of the file that a variable names, undefined if it names none. */
function readNamed(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const file = env[name];
  if (file === undefined || file === '') return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Error(`${name}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

/** What a person at a terminal should read about a failure: what happened, then what to do. */
export function describeError(e: unknown, env: NodeJS.ProcessEnv = process.env): string {
  if (!(e instanceof ApiError)) return e instanceof Error ? e.message : String(e);
  const details = e.details.map((d) => `\n  ${d}`).join('');
  return `${e.message}${details}${advice(e, env)}`;
}

/** What TLS says when one side does not accept the other's certificate, or shows none. */
const CERTIFICATE = /certificate|altname/i;

function advice(e: ApiError, env: NodeJS.ProcessEnv): string {
  if (e.code === 'unavailable' && e.status === 0 && CERTIFICATE.test(e.message))
    return (
      '\nHEDDLE_TLS_CA names the authority of the controller; HEDDLE_TLS_KEY and HEDDLE_TLS_CERT a key and certificate ' +
      'of yours, signed by the one that the controller trusts.'
    );
  if (e.code === 'unavailable' && e.status === 0)
    return env.HEDDLE_CONTROLLER_URL === undefined
      ? "\nIs it running? Start a lab with 'make lab', or set HEDDLE_CONTROLLER_URL (https://HOST:PORT, http://HOST:PORT or unix:/PATH)."
      : '\nIs it running there? HEDDLE_CONTROLLER_URL says where to look.';
  if (e.code === 'unauthorized')
    return '\nSet HEDDLE_API_TOKEN_FILE to the file with the API token of this controller.';
  if (e.code === 'unavailable') return '\nThe controller is starting; try again in a few seconds.';
  return '';
}
