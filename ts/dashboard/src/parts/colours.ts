/** Colours of services: the same for a name on every page, in every session and in both themes; red is for errors alone. */

/** Hues of OKLCH that are told apart from each other and from red, in an order that differs from one to the next. */
const HUES = [265, 150, 70, 205, 320, 110, 235, 180, 290, 90, 130, 340, 220, 165, 305, 250] as const;

function hash(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  // Names that differ in their last letter only would be neighbours.
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}

/** The hue of a name, and whether it is of the deeper ones. */
export function hue(name: string): { readonly hue: number; readonly deep: boolean } {
  const number = hash(name);
  return { hue: HUES[number % HUES.length]!, deep: (number >>> 8) % 2 === 1 };
}

/** As a property of a style: `style={tint(service)}` sets `--tint`, which the sheet makes a colour of by theme. */
export function tint(name: string): { readonly [property: string]: string } {
  const { hue: angle, deep } = hue(name);
  return { '--hue': String(angle), '--deep': deep ? '1' : '0' };
}

/** The colour on a canvas. */
export function paint(name: string, theme: 'light' | 'dark'): string {
  const { hue: angle, deep } = hue(name);
  const light = theme === 'light' ? (deep ? 0.48 : 0.6) : deep ? 0.62 : 0.76;
  return `oklch(${light} 0.13 ${angle})`;
}
