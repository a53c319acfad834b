/**
 * Measures sides in turn, each once a round and every other round the other way about, so that whatever else the
 * machine does meets all of them alike. A side that cannot run says so by undefined and is left out.
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
