//! The numbers of the tape as TypeScript.

use std::fmt::Write;

use super::{ESCAPE, HEADER, STEP_BITS, Step, TAG_BITS};

/// What `ts/src/encoder/steps.ts` holds.
pub fn typescript() -> String {
    let mut out = String::from(
        "// Written from the steps of crates/wire: OTLP_ARROW_BLESS=1 cargo test fresh. Do not edit.\n\n\
         /** The step tape: which number is which step, and how a step is laid out in its words. */\n\
         export const TAPE = {\n",
    );
    let mut constant = |name: &str, value: u32, doc: &str| {
        let _ = write!(out, "  /** {doc} */\n  {name}: {value},\n");
    };
    for step in Step::ALL {
        let (name, doc) = step.described();
        constant(&screaming(name), *step as u32, doc.trim());
    }
    constant(
        "STEP_BITS",
        STEP_BITS,
        "Bits of a word that say which step it is; those above it are the tag of a field.",
    );
    constant("TAG_BITS", TAG_BITS, "Bits of the tag; those above it are the argument.");
    constant("ESCAPE", ESCAPE, "An argument that is a word of its own, behind that of the step.");
    constant(
        "HEADER",
        HEADER as u32,
        "Words before the first step: lengths of steps, text and bytes, and 1 for ASCII.",
    );
    out.push_str("} as const;\n");
    out
}

fn screaming(name: &str) -> String {
    let mut out = String::new();
    for (at, letter) in name.char_indices() {
        if at > 0 && letter.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(letter.to_ascii_uppercase());
    }
    out
}
