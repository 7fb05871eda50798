//! What is known of sealed files without opening them: times and values of their blocks, keys of attributes, ids of traces.
//!
//! An index is a cache. It is made of one sealed file and lies in a file of its own, `index/<signal>/<stem>.idx` of the output
//! directory. One that is missing, torn, old, of another file or of a newer version is not used: the file itself is read, and the
//! index made anew where that can be. It only rules out blocks; rows of the others are tested all the same.

mod blocks;
mod build;
mod bytes;
mod contents;
mod file;
mod fuse;
mod ids;
mod keeper;
mod sealing;
mod words;

pub use keeper::Indexes;
pub use sealing::IndexWhenSealed;
