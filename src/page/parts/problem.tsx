import type { JSX } from 'preact';
import { ApiError } from '../data/api.ts';

/** An error with its remedy. */
export function Problem({ error, onRetry }: { error: unknown; onRetry?: () => void }): JSX.Element {
  const text = error instanceof Error ? error.message : String(error);
  const remedy = error instanceof ApiError ? error.remedy : undefined;
  return (
    <div class="problem" role="alert">
      <strong>{text}</strong>
      {remedy !== undefined && <span> — {remedy}</span>}
      {onRetry !== undefined && (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}
