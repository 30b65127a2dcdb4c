// The tokens as the map needs them: read from the page, so that light, dark and more contrast reach the canvas as well.
export const token = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Red, green, blue from 0 to 1. */
export function rgb(name: string): [number, number, number] {
  const hex = token(name).replace('#', '');
  const full = hex.length === 3 ? [...hex].map((one) => one + one).join('') : hex;
  return [0, 2, 4].map((at) => parseInt(full.slice(at, at + 2), 16) / 255) as [number, number, number];
}
