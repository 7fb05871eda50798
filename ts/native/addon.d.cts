/** The path of the addon for a platform, or the addon itself; undefined where it is looked for in other ways. */
declare function addon(abi: string): unknown;
export = addon;
