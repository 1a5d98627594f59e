/** The evaluator met something that it does not model, or flows that Open vSwitch leaves undefined. Never a verdict. */
export class EvaluateError extends Error {
  override readonly name = 'EvaluateError';
  readonly code = 'EVALUATE';
  constructor(
    /** Node and table, as far as known. */
    readonly where: string,
    message: string,
  ) {
    super(where === '' ? message : `${where}: ${message}`);
  }
}
