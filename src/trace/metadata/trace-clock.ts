/** The clock in brackets in the text of `trace_clock`; undefined if there is none. */
export function chosenClock(text: string): string | undefined {
  return /\[([a-z0-9_-]+)\]/.exec(text)?.[1];
}

/** The text of `trace_clock` with `clock` selected, added if it is not listed. */
export function withChosenClock(text: string, clock: string): string {
  const names = text.replaceAll(/[[\]]/g, '').split(/\s+/).filter(Boolean);
  if (!names.includes(clock)) names.push(clock);
  return `${names.map((name) => (name === clock ? `[${name}]` : name)).join(' ')}\n`;
}
