/** Text of telemetry is somebody else's: what would change the look of the page around it is shown as what it is. */

// Controls but tab and line feed, bidirectional overrides and isolates, zero width characters, line and paragraph separators.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are looked for
const HOSTILE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

const named = (character: string) => {
  const code = character.charCodeAt(0);
  return code < 0x20
    ? String.fromCharCode(0x2400 + code)
    : code === 0x7f
      ? '␡'
      : `⟨U+${code.toString(16).toUpperCase().padStart(4, '0')}⟩`;
};

/** `text` with everything visible. Line breaks stay. */
export const clean = (text: string): string => text.replace(HOSTILE, named);

/** `text` in one line. */
export const line = (text: string): string => clean(text.replace(/\r?\n/g, ' ⏎ '));

/** The address of a link that may be followed; undefined of any other text. */
export function link(text: string): string | undefined {
  if (!/^https?:\/\/[^\s]+$/i.test(text) || HOSTILE.test(text)) {
    HOSTILE.lastIndex = 0;
    return undefined;
  }
  return URL.canParse(text) ? text : undefined;
}
