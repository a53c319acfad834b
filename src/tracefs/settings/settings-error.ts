export type SettingsErrorCode =
  | 'unknown-event'
  | 'bad-filter'
  | 'bad-trigger'
  | 'unknown-option'
  | 'unknown-tracer'
  | 'unknown-function'
  | 'unknown-clock'
  | 'bad-value'
  | 'busy'
  | 'failed';

/** Settings that this kernel does not accept. None of them is active when this is thrown. */
export class SettingsError extends Error {
  readonly code: SettingsErrorCode;

  constructor(code: SettingsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SettingsError';
    this.code = code;
  }
}
