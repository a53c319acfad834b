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

/** Settings that this kernel does not accept. When this error is thrown, none of the settings is active. */
export class SettingsError extends Error {
  readonly code: SettingsErrorCode;

  constructor(code: SettingsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SettingsError';
    this.code = code;
  }
}
