/**
 * Measures sides in turn, each once per round, in reverse order every other round, so that other load on the machine
 * affects all of them equally. A side that cannot run returns undefined and is skipped.
 */
export async function alternate<Side, Value>(
  sides: readonly Side[],
  rounds: number,
  measure: (side: Side) => Promise<Value>,
): Promise<Map<Side, Value[]>> {
  const values = new Map<Side, Value[]>(sides.map((side) => [side, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const side of round % 2 === 0 ? sides : sides.toReversed())
      values.get(side)?.push(await measure(side));
  }
  return values;
}
